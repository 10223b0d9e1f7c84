"""Stages of an export: the whole run, then one graph of it with all that its files share."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import torch

from styleexport.core.arrays import Array, Arrays
from styleexport.core.counted import Prefixed
from styleexport.core.file_names import FileName
from styleexport.core.manifest import NetworkFact, PassFact, ProbeFact
from styleexport.core.types import Precision, Progress, Role, Size
from styleexport.exporter.graph.following_runs import FollowingRuns
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.whitening import before_first_whitening
from styleexport.exporter.known_quality import known_quality
from styleexport.exporter.quantize.calibration import CalibrationSet, read_calibration
from styleexport.exporter.quantize.calibration_inputs import (
    CalibrationInputs,
    calibration_inputs,
    style_code,
)
from styleexport.exporter.request import ExportRequest
from styleexport.exporter.rewrites.choices import Form, for_floats, for_integers
from styleexport.exporter.targets._target import Source, Target
from styleexport.models.code_layouts import code_layout
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.models.network import LoadedNetwork
from styleexport.runtime_bench.quality.judge import Judge
from styleexport.runtime_bench.quality.probes import quality_probes, style_pictures
from styleexport.runtime_bench.quality.report import QualityReport
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for

STEP_IN_FLOAT32 = PassFact(
    name="float32",
    applied=0,
    refused=(
        "step is float32 in every precision: gradients by a pixel lie below the smallest float16 "
        "values, and the optimization adds up their differences",
    ),
)


@dataclass(frozen=True)
class ExportRun:
    """One export: what all its graphs share.

    Attributes:
        request: what was asked for.
        network: facts of the network.
        targets: each target with the precisions that it is to write.
        folder: folder of the artifact, being written.
        progress: receives one line at a time.
    """

    request: ExportRequest
    network: NetworkFact
    targets: tuple[tuple[Target, tuple[Precision, ...]], ...]
    folder: Path
    progress: Progress

    def targets_of(self, role: Role) -> tuple[tuple[Target, tuple[Precision, ...]], ...]:
        """Return each target with the precisions that it is to write of a role.

        A step stays float32: see `STEP_IN_FLOAT32`.
        """
        if role is not Role.STEP:
            return self.targets
        return tuple((target, (Precision.FP32,)) for target, _ in self.targets)

    @cached_property
    def images(self) -> CalibrationSet:
        """The calibration pictures, read when first asked for."""
        return read_calibration(self.request.calibration)


@dataclass(frozen=True)
class GraphJob:
    """One graph of an export, and what its files share; each part is made when first asked for.

    Attributes:
        run: export that it belongs to.
        name: name of its files, without precision and suffix.
        graph: rewritten graph.
        passes: rewrites of the graph.
        probes: golden inputs and outputs of its role and sizes.
    """

    run: ExportRun
    name: FileName
    graph: Graph
    passes: tuple[PassFact, ...]
    probes: tuple[ProbeFact, ...]

    @property
    def targets(self) -> tuple[tuple[Target, tuple[Precision, ...]], ...]:
        """Each target with the precisions that it is to write of the graph."""
        return self.run.targets_of(self.graph.role)

    @property
    def progress(self) -> Progress:
        """Takes lines of progress, and puts the graph's name before them."""
        return Prefixed(self.run.progress, str(self.name))

    @cached_property
    def network(self) -> NetworkFact:
        """Facts of the network, with the layout of the codes that the graph takes or gives."""
        lengths = [fact.shape[-1] for fact in (*self.graph.inputs, *self.graph.outputs)
                   if fact.kind == "style_code"]  # fmt: skip
        if not lengths or not isinstance(lengths[0], int):
            return self.run.network
        layout = code_layout(self.run.request.network.module, lengths[0])
        return msgspec.structs.replace(self.run.network, code_layout=layout)

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes of its probes: that of its files first, and others where they take more."""
        return tuple(probe.size.size() for probe in self.probes) or (self.graph.size,)

    @property
    def judged_sizes(self) -> tuple[Size, ...]:
        """The sizes at which its files are held to their budget: all, where they take any."""
        any_size = self.graph.dynamic and not self.graph.sizes
        return self.sizes if any_size else self.sizes[:1]

    @cached_property
    def _forms(self) -> dict[tuple[str, bool], Form]:
        return {}

    def for_integers(self, target: str = "onnx") -> Form:
        """Return the graph that a target's int8 files are planned on, and what was rewritten.

        Targets of which the same layers are rewritten share one graph.
        """
        if (target, True) not in self._forms:
            form = for_integers(self.graph, self.run.request.without, target)
            same = (x for (_, integers), x in self._forms.items() if integers and x[1] == form[1])
            self._forms[target, True] = next(same, form)
        return self._forms[target, True]

    def for_floats(self, target: str) -> Form:
        """Return the graph of a target's float files, and what was rewritten for them."""
        if (target, False) not in self._forms:
            step = self.graph.role is Role.STEP
            without = self.run.request.without
            form = (self.graph, ()) if step else for_floats(self.graph, target, without)
            self._forms[target, False] = form
        return self._forms[target, False]

    @cached_property
    def calibration(self) -> CalibrationInputs:
        """Calibration inputs of the graph."""
        return calibration_inputs(self.run.request.network, self.run.images, self.graph)

    @cached_property
    def whitens(self) -> bool:
        """Whether the graph multiplies features by a root of their covariance."""
        return bool(before_first_whitening(self.graph.reading.graph))

    @cached_property
    def source(self) -> Source:
        """The graph as targets take it."""
        return self.source_of(self.graph)

    @property
    def judge(self) -> Judge:
        """Judge of what the graph's files lose."""
        return self.judge_at(self.sizes[0])

    @cached_property
    def _judges(self) -> dict[Size, Judge]:
        return {}

    def judge_at(self, size: Size) -> Judge:
        """Return the judge of what the graph's files lose at a size."""
        if size not in self._judges:
            network = self.run.request.network
            self._judges[size] = judge_of(network, self.graph, self.progress, size)
        return self._judges[size]

    def judged(self, file: Path) -> tuple[QualityReport, ...]:
        """Return what a file of the graph loses, at each size that it is judged at, its own first.

        It is run with the first runner of its format, unless the same file was judged before.
        """
        return tuple(
            known_quality(file, self.graph, size, self._codes, lambda s=size: self._judged(file, s))
            for size in self.judged_sizes
        )

    def _judged(self, file: Path, size: Size) -> QualityReport:
        judge = self.judge_at(size)
        with runner_for(file).open(file, RunOptions()) as session:
            return judge(session)

    def _codes(self, size: Size) -> bytes:
        """Return the style codes that files are judged with; b"" for a graph that takes none."""
        if all(fact.kind != "style_code" for fact in self.graph.inputs):
            return b""
        network = self.run.request.network
        return b"".join(style_code(network, x.array).tobytes() for x in style_pictures(size))

    def source_of(self, graph: Graph) -> Source:
        """Return a rewritten form of the graph as targets take it."""
        return Source(graph, lambda: self.calibration.inputs, self.run.request.without)


def judge_of(
    network: LoadedNetwork,
    graph: Graph,
    progress: Progress = lambda _: None,
    size: Size | None = None,
) -> Judge:
    """Return a judge that holds what the float graph makes of the quality probes.

    Args:
        network: encodes styles.
        graph: float32.
        progress: takes a line every few seconds.
        size: size of the pictures, one that the graph takes; None for its own.
    """
    module, result = graph.reading, graph.outputs[0].name  # a step is never judged
    mine = threading.local()
    names = [fact.name for fact in graph.inputs]
    size = size or (graph.sizes or (graph.size,))[0]

    def reference(inputs: Arrays) -> dict[str, Array]:
        if not hasattr(mine, "runs"):
            mine.runs = FollowingRuns(module)
        runs: FollowingRuns = mine.runs
        arrays = [np.asarray(inputs[name]) for name in names]
        with torch.inference_mode():
            output = runs.follow(arrays, [torch.from_numpy(array) for array in arrays])
        return {result: (output[0] if isinstance(output, (tuple, list)) else output).numpy()}

    probes = quality_probes(size, names, functools.partial(style_code, network))
    judge = Judge(shipped_loss_network(), probes, progress=progress, at_once=True)
    judge.reference(reference)
    return judge
