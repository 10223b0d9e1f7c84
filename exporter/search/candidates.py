"""Candidates: int8 files of one plan, written and timed in ONNX Runtime."""

from __future__ import annotations

import contextlib
import gc
import tempfile
import time
from collections.abc import Collection, Generator
from pathlib import Path

import onnx
from onnx import numpy_helper

from styleexport.core.arrays import Arrays
from styleexport.exporter.graph.rewrite import tensor_of
from styleexport.exporter.quantize.blocks import (
    QuantizedBlock,
    find_blocks,
    nodes_by_name,
    quantized_blocks,
)
from styleexport.exporter.quantize.plan import Int8Plan
from styleexport.exporter.quantize.segments import segmented
from styleexport.exporter.targets.onnx import model_from_graph, tensor_names
from styleexport.exporter.targets.onnx.int8 import quantize_blocks
from styleexport.runtime_bench.runners._runner import RunOptions, Session, find_runner
from styleexport.runtime_bench.stats import median

ROUNDS = 9
# A round of one candidate lasts at least so long, in seconds.
ROUND_SECONDS = 0.05


class Candidates:
    """Writes and runs the int8 files that one plan allows.

    Args:
        plan: ranges, scales and rounded weights; its float layers stay in float in every candidate.
        inputs: inputs that time is measured on.
    """

    def __init__(self, plan: Int8Plan, inputs: Arrays) -> None:
        self.plan = plan
        self.inputs = inputs
        self.blocks = quantized_blocks(
            find_blocks(plan.equalized.reading), plan.recipe.float_layers
        )
        limits = plan.recipe_for(plan.equalized).ranges
        graph, _ = segmented(plan.equalized, plan.recipe.segments, limits)
        applied = plan.applied()
        # Weights are rounded there, and layers have the same names.
        nodes, rounded = nodes_by_name(applied.graph.reading), applied.graph.reading
        self.rounded = {
            layer: [tensor_of(rounded, value) for value in nodes[layer].args[1:3]]
            for layer in plan.weights
        }
        self.recipe, module = applied.recipe, graph.reading
        self.stored = {block.layer: block for block in find_blocks(module)}
        self.names = tensor_names(graph, module)
        self.model = model_from_graph(graph)

    def written(self, blocks: Collection[QuantizedBlock]) -> onnx.ModelProto:
        """Return the model with these blocks in int8 and all others in float."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        convolutions = {node.output[0]: node for node in model.graph.node}
        stored = {item.name: item for item in model.graph.initializer}
        for block in blocks:
            values = self.rounded.get(block.layer, ())
            for name, value in zip(convolutions[block.layer].input[1:], values, strict=False):
                if value is not None:
                    array = value.float().numpy()
                    stored[name].CopyFrom(numpy_helper.from_array(array, name))
        inside = [self.stored[block.layer] for block in blocks]
        quantize_blocks(model, inside, self.recipe, self.names)
        return model

    @contextlib.contextmanager
    def session(self, blocks: Collection[QuantizedBlock]) -> Generator[Session]:
        """Yield a session on a candidate; of no blocks, on the float file."""
        model = self.written(blocks) if blocks else self.model
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "candidate.onnx"
            path.write_bytes(model.SerializeToString())
            with find_runner("onnxruntime").open(path, RunOptions()) as session:
                yield session

    def time_share(self, session: Session, baseline: Session) -> float:
        """Return a session's time by that of another, taken in turns: the median of rounds."""
        repeats = max(1, round(ROUND_SECONDS / max(self._seconds(baseline, 1), 1e-4)))
        with _undisturbed():
            shares = [
                self._seconds(session, repeats) / self._seconds(baseline, repeats)
                for _ in range(ROUNDS)
            ]
        return median(shares)

    def _seconds(self, session: Session, repeats: int) -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            session(self.inputs)
        return time.perf_counter() - started


@contextlib.contextmanager
def _undisturbed() -> Generator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
