"""What a target is: one file format that a graph can be written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from styleexport.core.manifest import QuantizationFact
from styleexport.core.types import Precision
from styleexport.exporter.graph import Graph
from styleexport.exporter.quantize.calibration import CalibrationSet

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Recipe:
    """How a file is to store and compute its convolutions.

    Attributes:
        precision: of the convolutions.
        calibration: the images that activation ranges are taken from; int8 only.
    """

    precision: Precision = Precision.FP32
    calibration: CalibrationSet | None = None


@dataclass(frozen=True)
class Written:
    """What a target says of the file it wrote.

    Attributes:
        opset: the ONNX operator set, None elsewhere.
        parameters: weights and biases.
        macs: multiply-accumulates of convolutions and matrix products; 0 when sizes are open.
        quantization: None for float files.
    """

    parameters: int
    macs: int
    opset: int | None = None
    quantization: QuantizationFact | None = None


class Target(Protocol):
    """A file format. ``write`` puts one graph at one precision into one file."""

    name: str
    suffix: str
    runner: str
    precisions: Sequence[Precision]

    def write(
        self, graph: Graph, recipe: Recipe, path: Path, feeds: Callable[[], Sequence[Arrays]]
    ) -> Written:
        """Write the file; ``feeds`` yields calibration inputs for this graph.

        Raises:
            UnsupportedOp: the format cannot express the graph or the recipe.
        """
        ...
