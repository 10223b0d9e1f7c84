"""ExecuTorch's ``.pte`` files: one size each, images [1, 3, H, W] in 0..1.

XNNPACK computes on every CPU that apps run on, in fp32 and int8, and is to take the graph whole:
see `forms`. int8 files follow the recipe that all targets follow, written into the graph before it
is lowered. Core ML computes on Apple's devices, in fp16 and fp32: see `core_ml`.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.fx import GraphModule

from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import PassFact
from styleexport.core.plugins import needs
from styleexport.core.recipe import Int8Recipe
from styleexport.core.types import Precision, Sizing
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.blocks import find_blocks, quantized_blocks
from styleexport.exporter.quantize.quantization_fact import quantization_fact
from styleexport.exporter.targets._about import about_graph
from styleexport.exporter.targets._target import Model, Recipe, Source, Target, Written
from styleexport.exporter.targets.executorch.core_ml import core_ml_partitioner, with_fixed_names
from styleexport.exporter.targets.executorch.forms import FORMS
from styleexport.exporter.targets.executorch.int8 import mark, quantize
from styleexport.exporter.targets.executorch.lower import LeftNode, lowered
from styleexport.runtime_bench.formats._pte import PteFile, partitions_text, read_pte
from styleexport.runtime_bench.formats._pte_coreml import CORE_ML
from styleexport.runtime_bench.formats._pte_left import leaving_of


class Delegate(enum.StrEnum):
    """What computes the graph on the device."""

    XNNPACK = "xnnpack"
    CORE_ML = "coreml"


@dataclass(frozen=True)
class ExecutorchTarget(Target):
    """ExecuTorch.

    Attributes:
        delegate: what computes on the device: XNNPACK on every CPU, or Core ML on Apple's devices.
    """

    delegate: Delegate = Delegate.XNNPACK

    name = "executorch"
    suffix = ".pte"
    expands_norms = True
    shares_phase_scales = True
    sizings = (Sizing.FIXED,)

    @property
    def precisions(self) -> Sequence[Precision]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those that the delegate computes in; see `Target.precisions`."""
        other = Precision.INT8 if self.delegate is Delegate.XNNPACK else Precision.FP16
        return (Precision.FP32, other)

    @property
    def default_precision(self) -> Precision:  # pyright: ignore[reportIncompatibleVariableOverride]
        """float32, or float16 in Core ML; see `Target.default_precision`."""
        return Precision.FP32 if self.delegate is Delegate.XNNPACK else Precision.FP16

    @property
    def tools(self) -> Sequence[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Libraries that the delegate's files are made with; see `Target.tools`."""
        xnnpack = self.delegate is Delegate.XNNPACK
        return ("executorch", "torchao" if xnnpack else "coremltools")

    def check(self) -> None:
        """Refuse where ExecuTorch or the delegate's converter is missing; see `Target.check`."""
        with needs("executorch"):
            import executorch.exir as _  # noqa: F401
        if self.delegate is Delegate.CORE_ML:
            core_ml_partitioner(half=True)

    def lowering(self, recipe: Recipe) -> Hashable:
        """Return whether it computes in float16; see `Target.lowering`."""
        return self.computes_half(recipe)

    def lower(self, source: Source, recipe: Recipe) -> Model:
        """Return the graph in the forms that the delegate takes."""
        if self.delegate is Delegate.CORE_ML:
            half = self.computes_half(recipe)
            graph, facts = source.half_range if half else (source.graph, ())
            return CoremlDelegateModel(source, graph, half, facts)
        graph, facts = apply_passes(source.graph, FORMS)
        passes = tuple(fact for fact in facts if fact.applied or fact.refused)
        return ExecutorchModel(source, graph, passes)


@dataclass(frozen=True)
class ExecutorchModel(Model):
    """A graph in the forms that XNNPACK takes, proven to compute the same.

    Attributes:
        source: graph and calibration inputs.
        graph: the graph in these forms.
        passes: rewrites.
    """

    source: Source
    graph: Graph
    passes: tuple[PassFact, ...]

    def store(self, recipe: Recipe, path: Path) -> Written:
        """Write the file; see `Model.store`."""
        module, fact = self.graph.module(), None
        if recipe.precision is Precision.INT8:
            assert recipe.int8 is not None
            module = self._quantized(recipe.int8)
            fact = quantization_fact(self.source.graph.reading, recipe.int8, "static", "int8")
        _keep_used(module)
        about = about_graph(recipe.network, self.source.graph)
        result = lowered(self.graph.with_module(module), about)
        path.write_bytes(result.data)
        file = read_pte(path)
        return Written(
            quantization=fact,
            int8_mac_share=file.int8_mac_share(),
            passes=(*self.passes, partitions_fact(file, result.left)),
        )

    def _quantized(self, recipe: Int8Recipe) -> GraphModule:
        """Return the graph with nodes that quantize it; rewrites keep what is noted on nodes."""
        module = self.source.graph.module()
        mark(module, quantized_blocks(find_blocks(module), recipe.float_layers), recipe.ranges)
        taken = {fact.name for fact in self.passes if fact.applied}
        for form in FORMS:
            if form.name in taken:
                form.rewrite(module)
        quantize(module, per_channel=recipe.settings.weights == "per-channel")
        return module


@dataclass(frozen=True)
class CoremlDelegateModel(Model):
    """A graph for Core ML's delegate.

    Attributes:
        source: graph and calibration inputs.
        graph: the graph, within float16's range where it is computed in float16.
        half: whether it is.
        passes: rewrites.
    """

    source: Source
    graph: Graph
    half: bool
    passes: tuple[PassFact, ...]

    def store(self, recipe: Recipe, path: Path) -> Written:
        """Write the file; see `Model.store`."""
        about = about_graph(recipe.network, self.source.graph)
        result = lowered(self.graph, about, core_ml_partitioner(half=self.half))
        path.write_bytes(result.data)
        file = read_pte(path)
        if [part.delegate for part in file.partitions] != [CORE_ML] or result.left:
            left = ", ".join(map(str, result.left)) or partitions_text(file)
            raise UnsupportedOp(
                f"Core ML's delegate does not take the whole graph ({left}), and what ExecuTorch "
                "computes beside it cannot be proven here: leave out --delegate, or type "
                "styleexport coreml"
            )
        path.write_bytes(with_fixed_names(result.data, file.partitions[0].data))
        return Written(
            float_dtype="float16" if self.half else "float32",
            passes=(*self.passes, partitions_fact(file, ())),
        )


def _keep_used(module: GraphModule) -> None:
    """Drop weights that rewrites have replaced, and lay out the others as XNNPACK's passes ask.

    A program keeps all that its module holds, and a file all that its program does.
    """
    used = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    tensors = (*module.named_parameters(), *module.named_buffers())
    for name, value in tensors:
        owner, _, attribute = name.rpartition(".")
        if name in used:
            value.data = value.data.contiguous()
        else:
            delattr(module.get_submodule(owner), attribute)


def partitions_fact(file: PteFile, left: Sequence[LeftNode]) -> PassFact:
    """Return how many partitions XNNPACK takes, and each node that it leaves, with the reason."""
    return PassFact(
        name="partitions",
        applied=len(file.partitions),
        refused=tuple(f"{node} runs outside: {_reason(node)}" for node in left),
    )


def _reason(node: LeftNode) -> str:
    leaving = leaving_of(node.operation)
    return f"{leaving.reason}; {leaving.remedy}"


TARGET = ExecutorchTarget()
