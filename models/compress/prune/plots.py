"""What a pruning looks like: paintings before and after, and the importance of every channel."""

from __future__ import annotations

import math
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
PLOT_LEFT, PLOT_TOP, PLOT_WIDTH, PLOT_HEIGHT = 70, 50, 600, 340
LINES = (
    "#3d6fb4",
    "#c8442e",
    "#4a8c4f",
    "#8a5aa8",
    "#c98a1b",
    "#2f8f96",
    "#a8506f",
    "#6b6b6b",
    "#8fb03e",
    "#d58fb0",
    "#6b4f2a",
    "#7fb2e5",
)


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


def write_sensitivity(
    path: Path, title: str, curves: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Write an SVG: a line a layer, how much style distance it costs to lose channels.

    Args:
        path: of the file.
        title: written on top.
        curves: of each layer, shares of its channels that went and the change of style distance.
    """
    points = [point for curve in curves.values() for point in curve]
    right = max(share for share, _ in points)
    changes = _round_marks(min(0.0, *(y for _, y in points)), max(0.05, *(y for _, y in points)))
    low, high = changes[0], changes[-1]

    def at(share: float, change: float) -> tuple[float, float]:
        across, up = share / right, (change - low) / (high - low)
        return PLOT_LEFT + across * PLOT_WIDTH, PLOT_TOP + (1 - up) * PLOT_HEIGHT

    shares = sorted({share for share, _ in points})
    grid = "".join(
        _grid_line(*at(0, y), *at(right, y), f"{100 * y:+.3g}%", -8, 4, "end") for y in changes
    )
    grid += "".join(
        _grid_line(*at(x, low), *at(x, high), f"{x:.3g}", 0, 18, "middle") for x in shares
    )
    lines = "".join(
        _line(name, [at(*point) for point in curve], LINES[index % len(LINES)], index)
        for index, (name, curve) in enumerate(curves.items())
    )
    height = max(PLOT_TOP + PLOT_HEIGHT + 50, PLOT_TOP + 20 * len(curves) + 10)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="{WIDTH}" height="{height}" '
        f'fill="#fcfcfa"/><text x="10" y="22" font-size="15">{escape(title)}</text>{grid}{lines}'
        f'<text x="{PLOT_LEFT}" y="{PLOT_TOP + PLOT_HEIGHT + 38}" fill="#777">share of the '
        "layer's channels gone; change of the mean style distance</text></svg>\n"
    )
    with replace_file(path) as part:
        part.write_text(svg, encoding="utf-8")


def _round_marks(low: float, high: float) -> list[float]:
    """Return round numbers, evenly spaced, from one below to one above a range."""
    step = 10.0 ** math.floor(math.log10((high - low) / 5))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (times * step) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _grid_line(
    x1: float, y1: float, x2: float, y2: float, label: str, right: float, down: float, anchor: str
) -> str:
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#ddd"/>'
        f'<text x="{x1 + right:.1f}" y="{y1 + down:.1f}" text-anchor="{anchor}" fill="#777">'
        f"{label}</text>"
    )


def _line(name: str, points: Sequence[tuple[float, float]], colour: str, index: int) -> str:
    """Return one layer's line, its dots, and its name in the key on the right."""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    left, top = PLOT_LEFT + PLOT_WIDTH + 20, PLOT_TOP + 8 + 20 * index
    return (
        f'<g fill="{colour}"><path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'{dots}<rect x="{left}" y="{top - 8}" width="14" height="4"/>'
        f'<text x="{left + 20}" y="{top}">{escape(name)}</text></g>'
    )
