"""What a pruning looks like: paintings before and after, and the importance of every channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import torch
from PIL import Image, ImageOps

from styleexport.core.files import replace_file
from styleexport.core.images import image_from_array
from styleexport.core.types import Role, Size
from styleexport.models.compress.pictures import at_size
from styleexport.models.network import LoadedNetwork

CELL = 192
ROWS = 4
WIDTH, LEFT, BAR_HEIGHT, ROW_HEIGHT = 900, 190, 34, 44


@torch.inference_mode()
def before_after(
    before: LoadedNetwork, after: LoadedNetwork, pictures: Sequence[Image.Image], size: Size
) -> Image.Image:
    """Return a sheet, a row a picture: the photograph, its style if any, before, and after.

    Each picture is painted in the style of the next.
    """
    modules = [network.role_module(Role.STYLIZE) for network in (before, after)]
    two_images = len(modules[0].input_names()) > 1
    shown = list(pictures)[:ROWS]
    sheet = Image.new("RGB", (CELL * (4 if two_images else 3), CELL * len(shown)), "white")
    for row, picture in enumerate(shown):
        content, style = at_size(picture, size), at_size(shown[row - 1], size)
        inputs = (content, style, torch.ones(1)) if two_images else (content,)
        tensors = [*inputs[: 2 if two_images else 1], *(module(*inputs) for module in modules)]
        for column, tensor in enumerate(tensors):
            image = image_from_array(tensor.numpy())
            cell = ImageOps.fit(image, (CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (column * CELL, row * CELL))
    return sheet


def write_importance(
    path: Path,
    title: str,
    importance: Mapping[str, Sequence[float]],
    kept: Mapping[str, Sequence[int]],
) -> None:
    """Write an SVG: a row a layer, its channels by importance; those that go in red.

    Args:
        path: of the file.
        title: written on top.
        importance: of each output channel of each layer, 0 or more.
        kept: the output channels that each layer keeps; a layer that is not named keeps all.
    """
    rows = [
        _row(layer, values, set(kept.get(layer, range(len(values)))), 40 + ROW_HEIGHT * index)
        for index, (layer, values) in enumerate(importance.items())
    ]
    height = 50 + ROW_HEIGHT * len(importance)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{WIDTH}" height="{height}" '
        f'fill="#fcfcfa"/><text x="10" y="22" font-size="15">{escape(title)}</text>'
        f"{''.join(rows)}</svg>\n"
    )
    with replace_file(path) as part:
        part.write_text(svg, encoding="utf-8")


def _row(layer: str, values: Sequence[float], kept: set[int], top: int) -> str:
    """Return one layer: a column a channel, the most important first, relative to that one."""
    order = sorted(range(len(values)), key=lambda channel: -values[channel])
    most = max(*values, 1e-12) if len(values) > 1 else max(values[0], 1e-12)
    wide = (WIDTH - LEFT - 20) / len(values)
    columns: list[str] = []
    for position, channel in enumerate(order):
        tall = max(1.0, BAR_HEIGHT * values[channel] / most)
        colour = "#3d6fb4" if channel in kept else "#c8442e"
        columns.append(
            f'<rect x="{LEFT + position * wide:.2f}" y="{top + BAR_HEIGHT - tall:.2f}" '
            f'width="{wide:.2f}" height="{tall:.2f}" fill="{colour}"/>'
        )
    text = f'<text x="10" y="{top + 14}">{escape(layer)}</text>'
    count = f'<text x="10" y="{top + 30}" fill="#777">{len(kept)} of {len(values)} stay</text>'
    return text + count + "".join(columns)
