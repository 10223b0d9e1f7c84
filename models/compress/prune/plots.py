"""Plots of a pruning: paintings before and after, channel importance, layer sensitivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image

from styleexport.core import svg
from styleexport.core.contact_sheet import picture_grid
from styleexport.core.files import replace_file
from styleexport.core.images import image_from_array
from styleexport.core.svg import Linear, Style
from styleexport.core.types import Role, Size
from styleexport.models.compress.pictures import at_size
from styleexport.models.network import LoadedNetwork

CELL = 192
ROWS = 4
WIDTH = 900
BARS_LEFT, BARS_TOP, BAR_HEIGHT, ROW_HEIGHT = 190, 40, 34, 44
PLOT_LEFT, PLOT_TOP, PLOT_WIDTH, PLOT_HEIGHT = 70, 50, 600, 340
KEPT, REMOVED = "bar c0", "bar c1"


@torch.inference_mode()
def before_after(
    before: LoadedNetwork, after: LoadedNetwork, pictures: Sequence[Image.Image], size: Size
) -> Image.Image:
    """Return a sheet with one row per picture: photograph, its style if any, before, after.

    Each picture is painted in the style of the one before it; at most four are drawn.
    """
    modules = [network.role_module(Role.STYLIZE) for network in (before, after)]
    two_images = len(modules[0].input_names()) > 1
    drawn = list(pictures)[:ROWS]
    rows: list[list[Image.Image]] = []
    for row, picture in enumerate(drawn):
        content, style = at_size(picture, size), at_size(drawn[row - 1], size)
        inputs = (content, style, torch.ones(1)) if two_images else (content,)
        tensors = [*inputs[: 2 if two_images else 1], *(module(*inputs) for module in modules)]
        rows.append([image_from_array(tensor.numpy()) for tensor in tensors])
    return picture_grid(rows, CELL)


def write_importance(
    path: Path,
    title: str,
    importance: Mapping[str, Sequence[float]],
    kept: Mapping[str, Sequence[int]],
) -> None:
    """Write an SVG: a row per layer with its channels by importance; removed channels are red.

    Args:
        path: SVG file to write.
        title: heading of the plot.
        importance: importance of each output channel of each layer, 0 or more.
        kept: output channels that each layer keeps; a layer that is not named keeps all.
    """
    parts = [
        part
        for row, (layer, values) in enumerate(importance.items())
        for part in _bars(layer, values, set(kept.get(layer, range(len(values)))), row)
    ]
    height = BARS_TOP + 10 + ROW_HEIGHT * len(importance)
    _write(path, svg.document(WIDTH, height, title, parts))


def _bars(layer: str, values: Sequence[float], kept: set[int], row: int) -> list[str]:
    """Return one layer: a bar per channel, in order of importance, relative to the largest."""
    top = BARS_TOP + ROW_HEIGHT * row
    largest = max(1e-12, *values)
    width = (WIDTH - BARS_LEFT - 20) / len(values)
    parts = [
        svg.text(10, top + 14, layer),
        svg.text(10, top + 30, f"{len(kept)} of {len(values)} stay", "unit"),
    ]
    order = sorted(range(len(values)), key=lambda channel: -values[channel])
    for position, channel in enumerate(order):
        tall = max(1.0, BAR_HEIGHT * values[channel] / largest)
        kind = KEPT if channel in kept else REMOVED
        left = BARS_LEFT + position * width
        parts.append(svg.bar(left, top + BAR_HEIGHT - tall, width, tall, kind))
    return parts


def write_sensitivity(
    path: Path, title: str, curves: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Write an SVG: a line per layer, the change of style distance over the channels removed.

    Args:
        path: SVG file to write.
        title: heading of the plot.
        curves: layer → (share of its channels removed, relative change of style distance).
    """
    points = [point for curve in curves.values() for point in curve]
    bottom, right = PLOT_TOP + PLOT_HEIGHT, PLOT_LEFT + PLOT_WIDTH
    across = Linear(0, max(share for share, _ in points), PLOT_LEFT, right)
    changes = [0.0, 0.05, *(change for _, change in points)]
    upwards = Linear.rounded(changes, bottom, PLOT_TOP)
    parts: list[str] = []
    for change in upwards.ticks():
        y = upwards.at(change)
        parts.append(svg.line(PLOT_LEFT, y, right, y, "grid"))
        parts.append(svg.text(PLOT_LEFT - 8, y + 4, f"{100 * change:+.3g}%", "unit", "end"))
    for share in sorted({share for share, _ in points}):
        x = across.at(share)
        parts.append(svg.line(x, PLOT_TOP, x, bottom, "grid"))
        parts.append(svg.text(x, bottom + 18, f"{share:.3g}", "unit", "middle"))
    for index, (layer, curve) in enumerate(curves.items()):
        places = [(across.at(share), upwards.at(change)) for share, change in curve]
        parts += _curve(layer, places, Style(index), (right + 27, PLOT_TOP + 4 + 20 * index))
    legend = "share of the layer's channels gone; change of the mean style distance"
    parts.append(svg.text(PLOT_LEFT, bottom + 38, legend, "unit"))
    height = max(bottom + 50, PLOT_TOP + 20 * len(curves) + 10)
    _write(path, svg.document(WIDTH, height, title, parts))


def _curve(
    layer: str, places: Sequence[tuple[float, float]], style: Style, key: tuple[float, float]
) -> list[str]:
    """Return the line of a layer with its markers, and its entry in the key."""
    return [
        svg.polyline(places, f"line {style.classes}"),
        *(svg.marker(x, y, style) for x, y in places),
        svg.marker(*key, style),
        svg.text(key[0] + 13, key[1] + 4, layer),
    ]


def _write(path: Path, picture: str) -> None:
    with replace_file(path) as part:
        part.write_text(picture, encoding="utf-8")
