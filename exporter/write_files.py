"""Files of one graph: lowered once a group, stored in each precision, checked and judged."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from styleexport.core.file_names import FileName
from styleexport.core.manifest import (
    FileFact,
    ParityFact,
    PassFact,
    QualityFact,
    RiskFact,
    SizeFact,
    SizeQualityFact,
    sha256_of_file,
    size_of_file,
)
from styleexport.core.thresholds import HALF_SUMS_DB, chooses
from styleexport.core.types import Precision, Role
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.layer_map import compose_layer_maps, paired_layers
from styleexport.exporter.graph_job import STEP_IN_FLOAT32, GraphJob
from styleexport.exporter.int8_export import ChosenPlan, budget_of, plan_for
from styleexport.exporter.request import stored_precision
from styleexport.exporter.targets._target import Model, Recipe, Source, Target, Written
from styleexport.exporter.targets.onnx import TARGET as ONNX
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.formats._format import format_of
from styleexport.runtime_bench.parity import check_file
from styleexport.runtime_bench.quality.report import QualityReport
from styleexport.runtime_bench.runners._runner import runner_for

Plans = Mapping[Precision, ChosenPlan]


@dataclass(frozen=True)
class WrittenFile:
    """A file of the artifact, checked.

    Attributes:
        fact: facts of the file.
        seconds: wall time that writing and checking it took.
    """

    fact: FileFact
    seconds: float


@dataclass(frozen=True)
class Planned:
    """A file to be written: one target, one precision.

    Attributes:
        source: graph to lower.
        recipe: how to store it.
        planned: graph that was planned or rewritten, before it was equalized.
        exact: the same equalized as ``source`` is; its layers can be named.
        chosen: plan of int8 files; None for float files.
        passes: rewrites of the plan.
        model: lowered model, where there is one already.
        renamed: layer of ``exact`` → the same layer of ``source``; None where they share names.
    """

    source: Source
    recipe: Recipe
    planned: Graph
    exact: Graph
    chosen: ChosenPlan | None = None
    passes: tuple[PassFact, ...] = ()
    model: Model | None = None
    renamed: Mapping[str, str] | None = None


@dataclass(frozen=True)
class FileGroup:
    """Files of one graph and target that are stored from one lowered model.

    Attributes:
        target: their target.
        precisions: one a file.
    """

    target: Target
    precisions: tuple[Precision, ...]


def file_groups(job: GraphJob, plans: Plans) -> tuple[FileGroup, ...]:
    """Return the groups of a graph's files, in the order of targets and precisions."""
    found: dict[tuple[Target, Hashable], list[Precision]] = {}
    for target, precisions in job.targets:
        for precision in precisions:
            lowering = precision if precision in plans else target.lowering(Recipe(precision))
            found.setdefault((target, lowering), []).append(precision)
    return tuple(FileGroup(target, tuple(group)) for (target, _), group in found.items())


class FileDone(str):
    """A line of progress that says that a file is written and checked."""


def write_files(job: GraphJob, plans: Plans) -> tuple[WrittenFile, ...]:
    """Write the files of one graph to every target, check them, and return them in order.

    Args:
        job: graph and what its files share.
        plans: plan of each precision that is computed in int8.
    """
    groups = file_groups(job, plans)
    return in_order(job, (file for group in groups for file in write_group(job, plans, group)))


def in_order(job: GraphJob, files: Iterable[WrittenFile]) -> tuple[WrittenFile, ...]:
    """Return the files of a graph in the order of targets and precisions."""
    known = {(file.fact.target, file.fact.precision): file for file in files}
    return tuple(known[target.name, p] for target, precisions in job.targets for p in precisions)


def write_group(job: GraphJob, plans: Plans, group: FileGroup) -> Iterator[WrittenFile]:
    """Write the files of a group, and yield each when it is checked."""
    target, model = group.target, None
    for precision in group.precisions:
        started = time.perf_counter()
        name = replace(job.name, precision=precision, suffix=target.suffix)
        job.run.progress(f"{name}: write")
        planned = _planned(job, target, precision, plans.get(precision))
        model = model or planned.model or target.lower(planned.source, planned.recipe)
        written = model.store(planned.recipe, job.run.folder / str(name))
        written = _in_layers_of_the_network(job, planned, written)
        fact = _checked(job, fact_of(job, target, name, planned, written))
        if planned.chosen is not None or chooses(fact):
            fact = _judged(job, fact, name, planned.chosen)
        job.run.progress(FileDone(f"{fact.path}: done"))
        yield WrittenFile(fact, time.perf_counter() - started)


def _planned(
    job: GraphJob, target: Target, precision: Precision, chosen: ChosenPlan | None
) -> Planned:
    """Return what a target writes in one precision."""
    if chosen is None:
        graph, passes = job.for_floats(target.name)
        source = job.source if graph is job.graph else job.source_of(graph)
        return Planned(source, Recipe(precision, job.network), graph, graph, passes=passes)
    plan = plan_for(target, job, chosen)
    applied, model = None, None
    if chosen.measured is not None and plan is chosen.plan and not target.expands_norms:
        applied = chosen.measured.applied
        model = chosen.measured.model if target == ONNX else None
    applied = applied or plan.applied(expand_norms=target.expands_norms)
    source = job.source if applied.graph is job.graph else job.source_of(applied.graph)
    recipe = Recipe(stored_precision(precision), job.network, applied.recipe)
    return Planned(
        source, recipe, plan.source, applied.exact, chosen, plan.facts, model, applied.renamed
    )


def _in_layers_of_the_network(job: GraphJob, planned: Planned, written: Written) -> Written:
    """Return the facts of a file with its layers called as in the graph before the plan."""
    if planned.exact is job.graph:
        return replace(written, passes=(*planned.passes, *written.passes))
    # Rounded weights move every layer a little: the exact graph tells which is which. Gains hide a
    # layer from all but its name, which a rewrite of the graph may change.
    before, _ = paired_layers(job.graph, planned.planned)
    behind, gained = paired_layers(planned.planned, planned.exact)
    paired = compose_layer_maps(before, behind)
    scaled = {name for name in paired if before[name] in gained}
    if planned.renamed is not None:
        paired = compose_layer_maps(paired, planned.renamed)
    layers = compose_layer_maps(paired, written.layers)
    return replace(
        written,
        layers=layers,
        scaled_layers=tuple(
            name
            for name, inner in paired.items()
            if name in layers and (name in scaled or inner in written.scaled_layers)
        ),
        passes=(*planned.passes, *written.passes),
    )


def fact_of(
    job: GraphJob, target: Target, name: FileName, planned: Planned, written: Written
) -> FileFact:
    """Return the facts of a file, before it is checked."""
    graph, file = job.graph, job.run.folder / str(name)
    inputs, outputs = target.tensors(graph)
    in_float32 = (STEP_IN_FLOAT32,) if graph.role is Role.STEP else ()
    description = format_of(file).describe(file)
    assert name.precision is not None
    return FileFact(
        path=str(name),
        role=graph.role,
        target=target.name,
        precision=name.precision,
        float_dtype=written.float_dtype,
        version=description.version,
        size=None if graph.dynamic else SizeFact.of(graph.size),
        sizes=tuple(map(SizeFact.of, graph.sizes)),
        inputs=inputs,
        outputs=outputs,
        parameters=graph.parameters,
        macs=planned.source.graph.macs,
        int8_mac_share=written.int8_mac_share,
        quantization=written.quantization,
        recipe=planned.chosen.recipe.path if planned.chosen else None,
        execution=describe_execution(file) if planned.chosen else None,
        passes=(*job.passes, *written.passes, *in_float32),
        ops=description.ops,
        whitens=job.whitens,
        layers=written.layers,
        scaled_layers=written.scaled_layers,
        peak_activation_bytes=description.peak_activation_bytes,
        risks=description.risks,
        parity=(),
        size_bytes=size_of_file(file),
        sha256=sha256_of_file(file),
    )


def _checked(job: GraphJob, fact: FileFact) -> FileFact:
    """Return the facts of a file with its parity on the probes."""
    job.run.progress(f"{fact.path}: parity")
    parity = check_file(job.run.folder, fact, job.probes)
    return msgspec.structs.replace(fact, parity=parity, risks=(*fact.risks, *_half_risks(parity)))


def _half_risks(parity: Sequence[ParityFact]) -> Iterator[RiskFact]:
    """Yield the risk of a file that float16 is known not to do for, where it does not."""
    for item in parity:
        if not item.allowed_db and item.measured_db < HALF_SUMS_DB:
            yield RiskFact(
                where="GPUs",
                reason=f"computed in float16, sums included, it comes within {item.measured_db:g} "
                f"dB of the network ({item.runner})",
                remedy="run it on the CPU, or have the GPU compute in float32",
            )


def _judged(job: GraphJob, fact: FileFact, name: FileName, chosen: ChosenPlan | None) -> FileFact:
    """Return the facts of a file with its quality; a degraded one says so in its name."""
    job.run.progress(f"{fact.path}: quality")
    quality = _quality(job, fact, chosen)
    if quality.failures:
        name = replace(name, degraded=True)
        (job.run.folder / fact.path).rename(job.run.folder / str(name))
    return msgspec.structs.replace(fact, quality=quality, path=str(name))


def _quality(job: GraphJob, fact: FileFact, chosen: ChosenPlan | None) -> QualityFact:
    """Return what a file loses, measured with the first runner of its format here."""
    file, budget = job.run.folder / fact.path, budget_of(job, fact.precision)
    runner, measured = runner_for(file), chosen.measured if chosen else None
    if measured is not None and measured.sha256 == fact.sha256:
        report, *others = measured.reports
    else:
        report, *others = job.judged(file)
    return QualityFact(
        runner=runner.name,
        loss_network=report.loss_network,
        pictures=len(report.pictures),
        psnr_db=report.measured("psnr") or 0.0,
        all_psnr_db=report.psnr_db,
        worst_psnr_db=report.worst_psnr_db,
        ssim=report.ssim,
        style_change=report.style_change,
        gram_change=report.gram_change,
        flicker_change=report.flicker_change,
        budget=str(budget),
        failures=(
            *budget.failures(report),
            *(f"{x.size.size()}: {line}" for x in others for line in budget.failures(x)),
        ),
        sizes=tuple(map(_at_its_size, others)),
    )


def _at_its_size(report: QualityReport) -> SizeQualityFact:
    return SizeQualityFact(
        size=report.size,
        psnr_db=report.measured("psnr") or 0.0,
        all_psnr_db=report.psnr_db,
        worst_psnr_db=report.worst_psnr_db,
        ssim=report.ssim,
        style_change=report.style_change,
    )
