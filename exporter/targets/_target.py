"""Target: one file format. It lowers a graph to a model, and stores a model in each precision."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from styleexport.core import plugins
from styleexport.core.arrays import Arrays
from styleexport.core.manifest import NetworkFact, PassFact, QuantizationFact, TensorFact
from styleexport.core.recipe import Int8Recipe
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.rewrites.half_outputs import NAME, with_outputs_in_half_range
from styleexport.exporter.rewrites.half_range import within_half_range
from styleexport.exporter.rewrites.reflection import without_reflection_pads

PACKAGE = "styleexport.exporter.targets"


def kept_in_float32(names: Mapping[str, Sequence[str]]) -> tuple[PassFact, ...]:
    """Return the fact of what a float16 file computes in float32.

    Args:
        names: reason → operations, or their results.
    """
    reasons = tuple(
        f"{kept[0]} and {len(kept) - 1} more stay float32: {reason}"
        for reason, kept in names.items()
        if kept
    )
    return (PassFact(name="float16", applied=0, refused=reasons),) if reasons else ()


@dataclass(frozen=True)
class Source:
    """A graph on its way into files; inputs and rewrites are made once, when first asked for.

    Attributes:
        graph: float32.
        calibrate: returns the calibration inputs of the graph, by name.
        without: names of rewrites that are turned off.
    """

    graph: Graph
    calibrate: Callable[[], Sequence[Arrays]]
    without: Collection[str] = ()

    @cached_property
    def inputs(self) -> Sequence[Arrays]:
        """The calibration inputs of the graph."""
        return self.calibrate()

    @cached_property
    def half_outputs(self) -> tuple[Graph, tuple[PassFact, ...]]:
        """The graph with what would leave float16 scaled, statistics apart, and what was."""
        if NAME in self.without:
            return self.graph, ()
        return with_outputs_in_half_range(self.graph, self.inputs)

    @cached_property
    def half_range(self) -> tuple[Graph, tuple[PassFact, ...]]:
        """The graph with float16-safe outputs and statistics, and what was rewritten."""
        graph, passes = self.half_outputs
        if graph is self.graph:
            safe, more = self.half_statistics
        else:
            safe, more = within_half_range(graph, self.inputs)
        return safe, (*passes, *more)

    @cached_property
    def half_statistics(self) -> tuple[Graph, tuple[PassFact, ...]]:
        """The graph with float16-safe statistics, for int8: its ranges are those of the layers."""
        return within_half_range(self.graph, self.inputs)

    @cached_property
    def sliced_pads(self) -> tuple[Graph, tuple[PassFact, ...]]:
        """The graph without reflection pads, and what was rewritten."""
        return without_reflection_pads(self.graph)


@dataclass(frozen=True)
class Recipe:
    """Storage and arithmetic of a file's convolutions.

    Attributes:
        precision: precision of the convolutions.
        network: origin of the graph, for formats that name it inside the file.
        int8: ranges, float layers and granularity; int8 only.
    """

    precision: Precision = Precision.FP32
    network: NetworkFact | None = None
    int8: Int8Recipe | None = None


@dataclass(frozen=True)
class Written:
    """Facts of a written file.

    Attributes:
        float_dtype: type of what the file computes in float.
        quantization: how it is quantized; None for float files.
        int8_mac_share: share of the MACs that the runtime computes in integers, 0..1.
        layers: layer of the graph → the tensor of the file that holds its output.
        scaled_layers: those of ``layers`` whose channels the file holds multiplied by gains.
        passes: rewrites that only this file has, after the graph's own.
    """

    float_dtype: Literal["float32", "float16"] = "float32"
    quantization: QuantizationFact | None = None
    int8_mac_share: float = 0.0
    layers: dict[str, str] = field(default_factory=dict[str, str])
    scaled_layers: tuple[str, ...] = ()
    passes: tuple[PassFact, ...] = ()


class Model(Protocol):
    """A graph in the terms of a format, still in float."""

    def store(self, recipe: Recipe, path: Path) -> Written:
        """Write a file in one precision; the model itself stays as it is.

        Raises:
            UnsupportedOp: the format cannot express the recipe.
        """
        ...


class Target(Protocol):
    """A file format with its settings.

    Attributes:
        name: name of the target's module.
        suffix: suffix of its files, with the dot.
        precisions: precisions it can write.
        default_precision: precision it writes when none is named.
        sizings: whether one file can hold one size, several, or any.
        tools: libraries whose versions go into the manifest.
        expands_norms: whether the converter writes instance norms out.
        rounds_results: whether int8 files round what a convolution gives to a float operation.
        equalization: how far int8 files whose results are not rounded bring channels to one range,
            at most: 1 as the recipe says, 0 not at all.
        shares_phase_scales: whether the phases of an output have one weight scale.
    """

    name: str
    suffix: str
    precisions: Sequence[Precision]
    default_precision: Precision
    sizings: Sequence[Sizing]
    tools: Sequence[str]
    expands_norms: bool = False
    rounds_results: bool = True
    equalization: float = 1.0
    shares_phase_scales: bool = False

    def check(self) -> None:
        """Refuse settings that cannot be applied here, before anything is captured.

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

    def computes_half(self, recipe: Recipe) -> bool:
        """Whether a file computes in float16 what is not in integers."""
        return recipe.precision is Precision.FP16

    def lowering(self, recipe: Recipe) -> Hashable:
        """Return what `lower` depends on, beside the graph: recipes that agree share a model."""
        return None

    def lower(self, source: Source, recipe: Recipe) -> Model:
        """Return the graph in the format's own terms.

        Args:
            source: graph and calibration inputs.
            recipe: only what `lowering` returns of it counts.

        Raises:
            UnsupportedOp: the format cannot express the graph.
        """
        ...

    def write(
        self, graph: Graph, recipe: Recipe, path: Path, calibrate: Callable[[], Sequence[Arrays]]
    ) -> Written:
        """Lower a graph and store one file of it; see `lower` and `Model.store`."""
        return self.lower(Source(graph, calibrate), recipe).store(recipe, path)


def find_target(name: str) -> Target:
    """Return a target by name, with its default settings.

    Raises:
        UsageError: there is none of that name.
        MissingExtra: its library is not installed.
    """
    target: Target = plugins.load(PACKAGE, name, "TARGET")  # pyright: ignore[reportAssignmentType]
    return target
