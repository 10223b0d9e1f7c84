"""Calibration pictures as the inputs of a graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import msgspec
import numpy as np
import torch

from styleexport.core.arrays import Array, Arrays
from styleexport.core.images import array_from_image
from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.modules import digest_of
from styleexport.exporter.quantize.calibration import CalibrationSet
from styleexport.models.network import LoadedNetwork

# Of a graph that takes any size, each picture is shown at all of these: statistics over a map, and
# with them the ranges, depend on what of a picture a pixel covers. None is a size of a probe.
SEVERAL_SIZES = (Size(192, 256), Size(256, 256), Size(384, 384), Size(640, 512))


class InputsOnDemand(Sequence[Arrays]):
    """Inputs that are made when first asked for: of a calibration that is cached, few are.

    Args:
        makers: function that makes each one.
    """

    def __init__(self, makers: Sequence[Callable[[], Arrays]]) -> None:
        self._makers = tuple(makers)

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, index: int) -> Arrays: ...
    @overload
    def __getitem__(self, index: slice) -> InputsOnDemand: ...
    def __getitem__(self, index: int | slice) -> Arrays | InputsOnDemand:
        chosen = self._makers[index]
        return InputsOnDemand(chosen) if isinstance(chosen, tuple) else chosen()

    def __iter__(self) -> Iterator[Arrays]:
        return (make() for make in self._makers)


@dataclass(frozen=True)
class CalibrationInputs:
    """Inputs of one graph: each content, with two styles where the graph takes one, at each size.

    Attributes:
        inputs: inputs by name, float32, in the graph's order.
        fact: record of the pictures that they were made from.
        encoder: sha256 of the weights that made their style codes; "" where they have none.
    """

    inputs: Sequence[Arrays]
    fact: CalibrationFact
    encoder: str = ""


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
    makers: list[Callable[[], Arrays]] = []
    for number, size in enumerate(sizes):
        shown = _inputs(network, images, names, size)
        # Who takes a few, evenly spread, takes other pictures of each size.
        first = number * len(shown) // (2 * len(sizes))
        makers += [*shown[first:], *shown[:first]]
    fact = images.fact(names)
    if graph.dynamic:
        fact = msgspec.structs.replace(fact, sizes=tuple(map(SizeFact.of, sizes)))
    encoder = ""
    if "style_code" in names:
        encoder = digest_of(str(network.encoder()), network.encoder().state_dict())
    return CalibrationInputs(InputsOnDemand(makers), fact, encoder)


def calibrated_sizes(graph: Graph) -> tuple[Size, ...]:
    """Return the sizes at which a graph is calibrated: several where it takes any."""
    if graph.dynamic and not graph.sizes:
        return SEVERAL_SIZES
    return graph.sizes[:1] or (graph.size,)


def _inputs(
    network: LoadedNetwork, images: CalibrationSet, names: list[str], size: Size
) -> list[Callable[[], Arrays]]:
    """Return what makes each input at one size; inputs that show one picture share its array."""

    @functools.cache
    def content(index: int) -> Array:
        return array_from_image(centre_crop(images.content[index], size))

    @functools.cache
    def style(index: int) -> Array:
        picture = array_from_image(centre_crop(images.style[index], size))
        return style_code(network, picture) if "style_code" in names else picture

    def made(c: int, s: int) -> Arrays:
        # A graph takes a style or its code, never both.
        makers: dict[str, Callable[[], Array]] = {
            "content": lambda: content(c),
            "style": lambda: style(s),
            "style_code": lambda: style(s),
            "strength": lambda: np.ones(1, np.float32),
        }
        return {name: makers[name]() for name in names}

    if names == ["content"]:
        pairs = [(index, 0) for index in range(len(images.content))]
    elif names == ["style"]:
        pairs = [(0, index) for index in range(len(images.style))]
    else:
        pairs = images.pairs()
    return [functools.cache(functools.partial(made, *pair)) for pair in pairs]


def style_code(network: LoadedNetwork, style: Array) -> Array:
    """Return the style code, [1, K], of a picture, [1, 3, H, W] in 0..1."""
    with torch.inference_mode():
        return network.encoder()(torch.from_numpy(style)).numpy()
