"""Modules of ONNX files: a fixed style, styles of its own, two pictures, or a style code."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import UsageError
from styleexport.models.from_onnx.graph import OnnxGraph, StyleIndex
from styleexport.models.from_onnx.inputs import (
    InputKind,
    Inputs,
    Picture,
    to_channels_first,
    to_layout,
)
from styleexport.models.from_onnx.node import Node
from styleexport.models.pixels import STANDARD

# A style code is kept with each style and fed to each frame: statistics, not feature maps.
MAX_CODE_LENGTH = 65_536


class FixedStyle(nn.Module):
    """A fixed-style network: a file that takes one picture."""

    def __init__(self, graph: OnnxGraph, inputs: Inputs) -> None:
        super().__init__()
        self.picture = Picture(graph, inputs.content)
        self.fixed_size = inputs.sides
        content = inputs.content
        self.takes = replace(STANDARD, channels=content.channels, dtype=content.dtype)

    def forward(self, image: Tensor) -> Tensor:
        """Return the painting [1, C, H, W] of an image in the format that the file takes."""
        return to_channels_first(self.picture(image))


class TwoFiles(nn.Module):
    """A file that takes a picture and a style code, and the file that encodes styles.

    Args:
        graph: graph of the first file.
        inputs: inputs of the first file.
        encoder: graph of the second file.
    """

    def __init__(self, graph: OnnxGraph, inputs: Inputs, encoder: Picture) -> None:
        super().__init__()
        self.graph = graph
        self.inputs = inputs
        self.encoder = encoder
        self.fixed_size = inputs.sides or encoder.fixed_size
        self.ignores_strength = inputs.strength is None

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [1, K] of an image [1, 3, H, W]."""
        return self.encoder(style).flatten(1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting [1, 3, H, W] of a content [1, 3, H, W], code [1, K], strength [1]."""
        inputs = self.inputs
        feeds = {inputs.content.name: to_layout(content, inputs.content)}
        assert inputs.code is not None
        feeds[inputs.code.name] = code.reshape(inputs.code.shape_at((1, 1)))
        if inputs.strength is not None:
            feeds[inputs.strength.name] = strength.reshape(inputs.strength.shape_at((1, 1)))
        return to_channels_first(self.graph(*(feeds[item.name] for item in inputs.all))[0])


class OwnStyles(nn.Module):
    """A file with styles of its own: its second input is an index, or a weight for each style.

    Its style code is the weight of each style, [1, S]: one-hot for one of them, and blends between.

    Args:
        graph: graph of the file.
        inputs: inputs of the file.

    Raises:
        UsageError: the index picks no rows of weights.
    """

    def __init__(self, graph: OnnxGraph, inputs: Inputs) -> None:
        super().__init__()
        assert inputs.code is not None
        self.graph = graph
        self.inputs = inputs
        self.fixed_size = inputs.sides
        self.ignores_strength = inputs.strength is None
        self.index = inputs.code.kind is InputKind.INDEX
        count = graph.style_count(inputs.code.name) if self.index else inputs.code.length
        if not count:
            raise UsageError(
                f"input {inputs.code.name!r} is an integer that picks no rows of weights, so it is "
                "no index of a style: export the network for one style"
            )
        self.styles = tuple(f"style-{number}" for number in range(count))
        self.code_layout = CodeLayoutFact.of(
            {"weights": (count,)},
            Blending.APPROXIMATE,
            "between its own styles the network's parameters are interpolated",
        )

    def encode(self, style: Tensor) -> Tensor:
        """Return the code [1, S] of one of the styles, which a picture's brightness chooses.

        For probes and calibration, which give a network pictures: this is no role of the network.
        """
        count = len(self.styles)
        number = int(float(style.mean()) * 7919) % count
        return torch.nn.functional.one_hot(torch.tensor([number]), count).float()

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting [1, 3, H, W] of a content [1, 3, H, W], code [1, S], strength [1]."""
        inputs = self.inputs
        assert inputs.code is not None
        shape = inputs.code.shape_at((1, 1))
        feeds: dict[str, Tensor | StyleIndex] = {
            inputs.content.name: to_layout(content, inputs.content),
            inputs.code.name: StyleIndex(code, shape) if self.index else code.reshape(shape),
        }
        if inputs.strength is not None:
            feeds[inputs.strength.name] = strength.reshape(inputs.strength.shape_at((1, 1)))
        return to_channels_first(self.graph(*(feeds[item.name] for item in inputs.all))[0])


class TwoPictures(nn.Module):
    """A file that takes two pictures, cut where the part that depends on the style alone ends.

    The values that cross the cut, flattened and joined, are the style code.

    Args:
        graph: graph of the file.
        inputs: inputs of the file, content and style told apart.
        sides: height and width of the pictures that the code's length is measured on.

    Raises:
        UsageError: the values that cross the cut are feature maps, not a code.
    """

    def __init__(self, graph: OnnxGraph, inputs: Inputs, sides: tuple[int, int]) -> None:
        super().__init__()
        assert inputs.style is not None
        self.graph = graph
        self.inputs = inputs
        self.fixed_size = inputs.sides
        self.ignores_strength = inputs.strength is None
        self.style = inputs.style
        others = {item.name for item in inputs.all if item is not inputs.style}
        self.style_nodes, self.content_nodes = _split(graph, self.style.name, others)
        computed = {name for node in self.style_nodes for name in node.outputs}
        used = {name for node in self.content_nodes for name in node.inputs}
        self.crossing = tuple(sorted((computed | {self.style.name}) & (used | set(graph.outputs))))
        shapes = self._shapes(sides)
        other = shapes if inputs.sides else self._shapes((sides[0] + 32, sides[1] + 64))
        self.code_length = sum(map(math.prod, shapes))
        too_long = self.code_length > MAX_CODE_LENGTH
        if not shapes or shapes != other or too_long or self.style.name in self.crossing:
            raise UsageError(
                f"what the network makes of {self.style.name!r} alone is {self.code_length} values "
                f"at {sides[0]}x{sides[1]}, expected statistics of one length: it is not the style "
                "(type --content and --style), or the network has no code that an app could keep"
            )
        self.shapes = shapes

    def _values(self, style: Tensor) -> list[Tensor]:
        """Return the values that cross the cut, in the order of their names."""
        feeds = {self.style.name: to_layout(style, self.style)}
        results = self.graph.run(feeds, self.style_nodes, self.crossing)
        values = [results[name] for name in self.crossing]
        if not all(value.is_floating_point() for value in values):
            raise UsageError(
                f"the painting's size follows from {self.style.name!r}, which is not the style "
                "then: type --content and --style"
            )
        return values

    def _shapes(self, sides: tuple[int, int]) -> list[tuple[int, ...]]:
        with torch.no_grad():
            return [tuple(value.shape) for value in self._values(torch.rand(1, 3, *sides))]

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [1, K] of an image [1, 3, H, W]."""
        return torch.cat([value.reshape(1, -1) for value in self._values(style)], 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting [1, 3, H, W] of a content [1, 3, H, W], code [1, K], strength [1]."""
        inputs, outputs = self.inputs, self.graph.outputs
        parts = torch.split(code, [math.prod(shape) for shape in self.shapes], 1)
        feeds = {
            name: part.reshape(shape)
            for name, part, shape in zip(self.crossing, parts, self.shapes, strict=True)
        }
        feeds[inputs.content.name] = to_layout(content, inputs.content)
        if inputs.strength is not None:
            feeds[inputs.strength.name] = strength.reshape(inputs.strength.shape_at((1, 1)))
        return to_channels_first(self.graph.run(feeds, self.content_nodes, outputs)[outputs[0]])


def _split(
    graph: OnnxGraph, style: str, others: set[str]
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Return the nodes that depend on the style input alone, and all others."""
    of_style, of_others = {style}, set(others)
    alone: list[Node] = []
    rest: list[Node] = []
    for node in graph.nodes:
        if of_others.isdisjoint(node.inputs) and not of_style.isdisjoint(node.inputs):
            alone.append(node)
            of_style |= set(node.outputs)
        else:
            rest.append(node)
            of_others |= set(node.outputs)
    return tuple(alone), tuple(rest)
