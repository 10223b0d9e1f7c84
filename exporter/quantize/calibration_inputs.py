"""Calibration pictures as the inputs of a graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from styleexport.core.arrays import Array
from styleexport.core.images import array_from_image
from styleexport.core.manifest import CalibrationFact
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.quantize.calibration import CalibrationSet
from styleexport.models.network import LoadedNetwork


@dataclass(frozen=True)
class CalibrationInputs:
    """Inputs of one graph: each content, with two styles where the graph takes one.

    Attributes:
        inputs: inputs by name, float32, in the graph's order.
        fact: record of the pictures that they were made from.
    """

    inputs: tuple[dict[str, Array], ...]
    fact: CalibrationFact


def calibration_inputs(
    network: LoadedNetwork, images: CalibrationSet, graph: Graph
) -> CalibrationInputs:
    """Return the inputs that a calibration set gives a graph.

    Args:
        network: encodes the styles for graphs that take a style code.
        images: pictures, at any size.
        graph: graph of one role of the network.
    """
    size = graph.sizes[0] if graph.sizes else graph.size
    names = [fact.name for fact in graph.inputs]
    return CalibrationInputs(tuple(_inputs(network, images, names, size)), images.fact(names))


def _inputs(
    network: LoadedNetwork, images: CalibrationSet, names: list[str], size: Size
) -> list[dict[str, Array]]:
    contents, styles = (
        [array_from_image(centre_crop(image, size)) for image in pictures] if used else []
        for used, pictures in (
            ("content" in names, images.content),
            ("style" in names or "style_code" in names, images.style),
        )
    )
    if names == ["content"]:
        return [{"content": content} for content in contents]
    if names == ["style"]:
        return [{"style": style} for style in styles]
    second = "style" if "style" in names else "style_code"
    if second == "style_code":
        styles = [_code(network, style) for style in styles]
    return [
        {
            name: {"content": contents[c], second: styles[s], "strength": np.ones(1, np.float32)}[
                name
            ]
            for name in names
        }
        for c, s in images.pairs()
    ]


def _code(network: LoadedNetwork, style: Array) -> Array:
    """Return the style code, [1, K], of a picture, [1, 3, H, W] in 0..1."""
    with torch.inference_mode():
        return network.encoder()(torch.from_numpy(style)).numpy()
