"""ExecuTorch's ``.pte`` files: fp32 and int8, one size each, images [1, 3, H, W] in 0..1.

XNNPACK computes on every CPU that apps run on, and is to take the graph whole: see `forms`. int8
files follow the recipe that all targets follow, written into the graph before it is lowered.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch.fx import GraphModule

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
from styleexport.exporter.targets.executorch.forms import FORMS
from styleexport.exporter.targets.executorch.int8 import mark, quantize
from styleexport.exporter.targets.executorch.lower import lowered
from styleexport.runtime_bench.formats._pte import PteFile, read_pte


@dataclass(frozen=True)
class ExecutorchTarget(Target):
    """ExecuTorch, with XNNPACK."""

    name = "executorch"
    suffix = ".pte"
    expands_norms = True
    shares_phase_scales = True
    precisions = (Precision.FP32, Precision.INT8)
    default_precision = Precision.FP32
    sizings = (Sizing.FIXED,)
    tools = ("executorch", "torchao")

    def check(self) -> None:
        """Refuse where ExecuTorch is not installed; see `Target.check`."""
        with needs("executorch"):
            import executorch.exir as _  # noqa: F401

    def lower(self, source: Source, recipe: Recipe) -> ExecutorchModel:
        """Return the graph in the forms that XNNPACK takes."""
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
        path.write_bytes(lowered(self.graph.with_module(module), about))
        file = read_pte(path)
        return Written(
            quantization=fact,
            int8_mac_share=file.int8_mac_share(),
            passes=(*self.passes, partitions_fact(file)),
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


def partitions_fact(file: PteFile) -> PassFact:
    """Return how many partitions XNNPACK takes, and what operations it leaves."""
    left = tuple(f"{name} x{count} runs outside" for name, count in file.kernels.items())
    return PassFact(name="partitions", applied=len(file.partitions), refused=left)


TARGET = ExecutorchTarget()
