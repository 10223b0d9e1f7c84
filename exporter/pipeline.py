"""Network → verified artifact: capture, passes, targets, probes, parity, manifest."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from safetensors.numpy import save

from styleexport.core.file_names import FileName
from styleexport.core.files import replace_folder
from styleexport.core.manifest import (
    FILE_NAME,
    SCHEMA_VERSION,
    AgreementFact,
    FileFact,
    Manifest,
    NetworkFact,
    ProbeFact,
    ProgramFact,
    RecipeFact,
    SizeFact,
    StylePackFact,
    sha256_of_file,
)
from styleexport.core.program import save_program
from styleexport.core.types import Precision, Progress, Role, Size, Sizing
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.graph_job import ExportRun, GraphJob
from styleexport.exporter.int8_export import choose_plans
from styleexport.exporter.probes import write_probe
from styleexport.exporter.rejected import raise_over_budget, raise_parity_failure
from styleexport.exporter.request import (
    QUANTIZED,
    ExportRequest,
    check_out,
    check_quantized,
    check_request,
    open_targets,
    precisions_of,
)
from styleexport.exporter.targets._target import Target
from styleexport.exporter.write_files import WrittenFile, write_files
from styleexport.models.network import LoadedNetwork
from styleexport.runtime_bench.parity import agreements

__all__ = ["ExportRequest", "Exported", "check_out", "export"]

TOOLS = ("torch", "numpy")
# A file that takes several sizes is traced at sides that no stride divides, so that no cut looks
# idle. One that takes any is run at its own size and at these before it is called dynamic.
TRACE_SIZE = Size(61, 67)
DYNAMIC_SIZES = (Size(200, 264), Size(264, 136), Size(201, 263))


@dataclass(frozen=True)
class Exported:
    """A finished artifact.

    Attributes:
        manifest: its facts.
        seconds: file → what writing and checking it took, of wall time.
    """

    manifest: Manifest
    seconds: dict[str, float]


def export(request: ExportRequest, progress: Progress = lambda _: None) -> Exported:
    """Write an artifact directory, whole or not at all, and return its facts.

    Raises:
        UsageError: targets, precisions, sizes, roles or the output folder do not fit.
        MissingExtra: a target's library is not installed.
        UnsupportedOp: the network cannot be captured or expressed in the target.
        ParityFailure: a file does not compute what the network computes; the measured figures are
            kept in ``<out>.rejected.json`` and nothing is written at ``out``.
        QualityBudgetExceeded: an int8 file loses more than the budget allows; the same.
        DeviceError: the folder is not writable or the disk is full.
    """
    run_targets = _targets_of(request, progress)
    fixed = request.sizing is Sizing.FIXED
    sizes = tuple(dict.fromkeys(request.sizes)) if fixed else request.sizes[:1]
    with replace_folder(request.out) as folder:
        run = ExportRun(request, _network_fact(request.network), run_targets, folder, progress)
        graphs = [
            _export_graph(run, role, size)
            for role in request.roles or request.network.default_roles
            for size in sizes
        ]
        manifest = _manifest(run, graphs)
        failed = [fact for fact in manifest.files if not fact.worst.passed]
        if failed:
            raise_parity_failure(request.out, manifest, failed)
        lossy = [fact for fact in manifest.files if fact.quality and fact.quality.failures]
        if lossy and not request.allow_degraded:
            raise_over_budget(request.out, manifest, lossy)
        (folder / FILE_NAME).write_bytes(manifest.encoded())
    seconds = {file.fact.path: file.seconds for graph in graphs for file in graph.files}
    return Exported(manifest, seconds)


@dataclass(frozen=True)
class ExportedGraph:
    """Everything written of one graph.

    Attributes:
        files: files, in the order of targets and precisions.
        program: captured program.
        probes: golden inputs and outputs.
        recipes: int8 recipes.
        agreements: how near int8 files of several targets come to each other.
    """

    files: tuple[WrittenFile, ...]
    program: ProgramFact
    probes: tuple[ProbeFact, ...]
    recipes: tuple[RecipeFact, ...]
    agreements: tuple[AgreementFact, ...]


def _targets_of(
    request: ExportRequest, progress: Progress
) -> tuple[tuple[Target, tuple[Precision, ...]], ...]:
    """Return the targets of a request, each with its precisions, when all can be done."""
    targets = open_targets(request, progress)
    check_request(request, targets)
    check_out(request.out, overwrite=request.overwrite)
    plan = tuple((target, precisions_of(target, request, progress)) for target in targets)
    for target, precisions in plan:
        for precision in precisions:
            target.check_precision(precision)
    if any(p in QUANTIZED for _, precisions in plan for p in precisions):
        check_quantized(request, progress)
    return plan


def _export_graph(run: ExportRun, role: Role, size: Size) -> ExportedGraph:
    """Export one role at one size, to every target from one capture, and check each file."""
    request, network = run.request, run.request.network
    fixed = request.sizing is Sizing.FIXED
    name = FileName(network.network.name, role, size if fixed else request.sizing)
    run.progress(f"{name}: capture")
    captured = capture(network, role, size if fixed else TRACE_SIZE, dynamic=not fixed)
    graph, passes = apply_passes(captured)
    if request.sizing is Sizing.ENUMERATED:
        graph = graph.with_sizes(tuple(dict.fromkeys(request.sizes)))
    program = _save_program(run, captured, name, size)
    others = DYNAMIC_SIZES if request.sizing is Sizing.ANY else ()
    sizes = graph.sizes or (size, *others)
    probes = tuple(write_probe(network, role, each, run.folder) for each in sizes)
    job = GraphJob(run, name, graph, passes, probes)
    plans = choose_plans(job)
    files = tuple(write_files(job, plans))
    return ExportedGraph(
        files=files,
        program=program,
        probes=probes,
        recipes=tuple(chosen.recipe for chosen in plans.values()),
        agreements=_agreements(job, [file.fact for file in files]),
    )


def _save_program(run: ExportRun, captured: Graph, name: FileName, size: Size) -> ProgramFact:
    path = f"programs/{replace(name, suffix='.pt2')}"
    save_program(captured.program, run.folder / path)
    return ProgramFact(
        path=path,
        role=captured.role,
        size=SizeFact.of(size),
        sha256=sha256_of_file(run.folder / path),
    )


def _agreements(job: GraphJob, files: Sequence[FileFact]) -> tuple[AgreementFact, ...]:
    """Return how near the int8 files of several targets come to each other."""
    found: list[AgreementFact] = []
    for precision in QUANTIZED:
        same = [fact for fact in files if fact.precision is precision]
        if len(same) > 1:
            job.run.progress(
                f"{job.graph.role} {job.graph.size} {precision}: {len(same)} files agree?"
            )
            found += agreements(job.run.folder, same, job.probes)
    return tuple(found)


def _manifest(run: ExportRun, graphs: Sequence[ExportedGraph]) -> Manifest:
    """Return the facts of everything written."""
    files = tuple(file.fact for graph in graphs for file in graph.files)
    tools = {*TOOLS, *(tool for target, _ in run.targets for tool in target.tools)}
    return Manifest(
        schema_version=SCHEMA_VERSION,
        network=run.network,
        files=files,
        programs=tuple(graph.program for graph in graphs),
        probes=tuple(probe for graph in graphs for probe in graph.probes),
        recipes=tuple(recipe for graph in graphs for recipe in graph.recipes),
        agreements=tuple(item for graph in graphs for item in graph.agreements),
        styles=_own_styles(run, files),
        tools={name: importlib.metadata.version(name) for name in sorted(tools)},
    )


def _own_styles(run: ExportRun, files: Sequence[FileFact]) -> tuple[StylePackFact, ...]:
    """Write the codes of the styles that a network itself holds, one-hot each."""
    names = run.request.network.own_styles
    if not names:
        return ()
    path = "styles/own.safetensors"
    (run.folder / path).parent.mkdir(exist_ok=True)
    codes = np.eye(len(names), dtype=np.float32)
    (run.folder / path).write_bytes(
        save({name: codes[[number]] for number, name in enumerate(names)})
    )
    digest = sha256_of_file(run.folder / path)
    return (StylePackFact(path=path, names=names, encoder=files[0].path, sha256=digest),)


def _network_fact(loaded: LoadedNetwork) -> NetworkFact:
    network = loaded.network
    return NetworkFact(
        name=network.name,
        summary=network.summary,
        paper=network.paper,
        licence=network.licence,
        source=loaded.source,
        source_sha256=loaded.source_sha256,
        min_side=network.min_side,
        roles=loaded.roles,
    )
