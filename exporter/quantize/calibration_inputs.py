"""Calibration pictures as the inputs of a graph."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import torch

from styleexport.core.arrays import Array
from styleexport.core.images import array_from_image
from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.quantize.calibration import CalibrationSet
from styleexport.models.network import LoadedNetwork

# Of a graph that takes any size, each picture is shown at all of these: statistics over a map, and
# with them the ranges, depend on what of a picture a pixel covers. None is a size of a probe.
SEVERAL_SIZES = (Size(192, 256), Size(256, 256), Size(384, 384), Size(640, 512))


@dataclass(frozen=True)
class CalibrationInputs:
    """Inputs of one graph: each content, with two styles where the graph takes one, at each size.

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
    names = [fact.name for fact in graph.inputs]
    sizes = calibrated_sizes(graph)
    inputs: list[dict[str, Array]] = []
    for number, size in enumerate(sizes):
        shown = _inputs(network, images, names, size)
        # Who takes a few, evenly spread, takes other pictures of each size.
        first = number * len(shown) // (2 * len(sizes))
        inputs += [*shown[first:], *shown[:first]]
    fact = images.fact(names)
    if graph.dynamic:
        fact = msgspec.structs.replace(fact, sizes=tuple(map(SizeFact.of, sizes)))
    return CalibrationInputs(tuple(inputs), fact)


def calibrated_sizes(graph: Graph) -> tuple[Size, ...]:
    """Return the sizes at which a graph is calibrated: several where it takes any."""
    if graph.dynamic and not graph.sizes:
        return SEVERAL_SIZES
    return graph.sizes[:1] or (graph.size,)


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
