"""Calibration pictures as the inputs of a graph."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from styleexport.core.arrays import Array
from styleexport.core.images import array_from_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.quantize.calibration import CalibrationSet, read_calibration
from styleexport.models.network import LoadedNetwork


class Feeds:
    """The inputs that a calibration set gives the graphs of one network.

    Args:
        network: encodes the styles for graphs that take a style code.
        folder: of images; None takes those that ship.

    Raises:
        UsageError: the folder does not exist or holds no image.
        BadImage: an image cannot be read.
    """

    def __init__(self, network: LoadedNetwork, folder: Path | None) -> None:
        self.network = network
        self.folder = folder
        self._codes: dict[tuple[int, Size], Array] = {}

    @cached_property
    def images(self) -> CalibrationSet:
        """The pictures, read when first asked for."""
        return read_calibration(self.folder)

    def of(self, graph: Graph) -> GraphFeeds:
        """Return the inputs of one graph, made when first asked for."""
        return GraphFeeds(self, graph)

    def code(self, index: int, size: Size) -> Array:
        """Return the style code of one picture of the set, encoded once."""
        if (index, size) not in self._codes:
            picture = array_from_image(centre_crop(self.images.style[index], size))
            with torch.inference_mode():
                encode = self.network.role_module(Role.ENCODE)
                self._codes[index, size] = encode(torch.from_numpy(picture)).numpy()
        return self._codes[index, size]


class GraphFeeds:
    """Calls return the inputs of one graph: each content, with two styles where it takes one."""

    def __init__(self, feeds: Feeds, graph: Graph) -> None:
        self.feeds = feeds
        self.size = graph.sizes[0] if graph.sizes else graph.size
        self.names = [fact.name for fact in graph.inputs]

    def __call__(self) -> list[dict[str, Array]]:
        """Return inputs by name, float32."""
        return self._inputs

    @cached_property
    def _inputs(self) -> list[dict[str, Array]]:
        images, names = self.feeds.images, self.names
        contents, styles = (
            [array_from_image(centre_crop(image, self.size)) for image in pictures]
            if name in names
            else []
            for name, pictures in (("content", images.content), ("style", images.style))
        )
        if names == ["content"]:
            return [{"content": content} for content in contents]
        if names == ["style"]:
            return [{"style": style} for style in styles]
        made: list[dict[str, Array]] = []
        for content, style in images.pairs():
            values = {"content": contents[content], "strength": np.ones(1, np.float32)}
            if "style" in names:
                values["style"] = styles[style]
            else:
                values["style_code"] = self.feeds.code(style, self.size)
            made.append({name: values[name] for name in names})
        return made
