"""Converter: one way from a captured graph to a float32 ``.tflite`` file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from styleexport.core import plugins
from styleexport.exporter.graph.graph import Graph

PACKAGE = "styleexport.exporter.targets.tflite.converters"


class Converter(Protocol):
    """A converter. It only converts: the target names the tensors and quantizes.

    The file that it writes has one subgraph, float32 throughout. Its inputs and outputs are those
    of the graph, in order, images as [1, H, W, 3] and codes and strengths as they are; what they
    are called there does not matter.

    Attributes:
        name: as typed on the command line.
        tools: the installed libraries whose versions go into the manifest.
    """

    name: str
    tools: Sequence[str] = ()

    def check(self) -> None:
        """Refuse to convert where it cannot, before anything is captured.

        Raises:
            MissingExtra: the environment that the converter runs in is not there.
        """

    def convert(self, graph: Graph, path: Path) -> None:
        """Write the graph, fixed sizes, as a ``.tflite`` file.

        Raises:
            UnsupportedOp: the converter has no translation for an operation.
            MissingExtra: the environment that the converter runs in is not there.
        """
        ...


def find_converter(name: str) -> Converter:
    """Return a converter by name.

    Raises:
        UsageError: there is none of that name.
        MissingExtra: its library is not installed.
    """
    found: Converter = plugins.load(PACKAGE, name, "CONVERTER")  # pyright: ignore[reportAssignmentType]
    return found
