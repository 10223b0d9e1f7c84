"""What a target is: one file format that a graph can be written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from styleexport.core import plugins
from styleexport.core.arrays import Arrays
from styleexport.core.manifest import NetworkFact, PassFact, QuantizationFact, TensorFact
from styleexport.core.recipe import Int8Recipe
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.graph.graph import Graph

PACKAGE = "styleexport.exporter.targets"


@dataclass(frozen=True)
class Recipe:
    """How a file is to store and compute its convolutions.

    Attributes:
        precision: of the convolutions.
        network: where the graph comes from, for formats that say so inside the file.
        int8: ranges, islands and granularity; int8 only.
    """

    precision: Precision = Precision.FP32
    network: NetworkFact | None = None
    int8: Int8Recipe | None = None


@dataclass(frozen=True)
class Written:
    """What a target says of the file it wrote.

    Attributes:
        float_dtype: of what the file computes in float.
        quantization: None for float files.
        int8_mac_share: the share of the MACs that the runtime computes in integers, 0..1.
        layers: layer of the graph → the tensor of the file that holds its output.
        scaled_layers: of those, the ones whose channels it holds multiplied by gains.
        passes: rewrites that only this file has, after the graph's own.
    """

    float_dtype: Literal["float32", "float16"] = "float32"
    quantization: QuantizationFact | None = None
    int8_mac_share: float = 0.0
    layers: dict[str, str] = field(default_factory=dict[str, str])
    scaled_layers: tuple[str, ...] = ()
    passes: tuple[PassFact, ...] = ()


class Target(Protocol):
    """A file format with its settings. ``write`` puts one graph at one precision into one file.

    Attributes:
        name: the file's.
        suffix: of what it writes.
        precisions: that it can write.
        default_precision: what it writes when none is named.
        sizings: whether one file can hold one size, several, or any.
        tools: the libraries whose versions go into the manifest.
        expands_norms: whether what it converts with writes instance norms out.
        rounds_results: whether int8 files round what a convolution gives to a float operation.
    """

    name: str
    suffix: str
    precisions: Sequence[Precision]
    default_precision: Precision
    sizings: Sequence[Sizing]
    tools: Sequence[str]
    expands_norms: bool = False
    rounds_results: bool = True

    def check(self) -> None:
        """Refuse settings that cannot be followed here, before anything is captured.

        Raises:
            UsageError: a setting names something that there is not.
            MissingExtra: what the target works with is not installed.
        """

    def check_precision(self, precision: Precision) -> None:
        """Refuse a precision that the settings do not go with, before anything is captured.

        Raises:
            UsageError: which setting, and what to type.
        """

    def tensors(self, graph: Graph) -> tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]:
        """Return the facts of inputs and outputs as the file has them."""
        return graph.inputs, graph.outputs

    def write(
        self, graph: Graph, recipe: Recipe, path: Path, feeds: Callable[[], Sequence[Arrays]]
    ) -> Written:
        """Write the file; ``feeds`` yields calibration inputs for this graph.

        Raises:
            UnsupportedOp: the format cannot express the graph or the recipe.
        """
        ...


def find_target(name: str) -> Target:
    """Return a target by name, with its default settings.

    Raises:
        UsageError: there is none of that name.
        MissingExtra: its library is not installed.
    """
    target: Target = plugins.load(PACKAGE, name, "TARGET")  # pyright: ignore[reportAssignmentType]
    return target
