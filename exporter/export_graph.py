"""One graph of an export: captured once, rewritten, and written to every target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from styleexport.core.file_names import FileName
from styleexport.core.manifest import (
    AgreementFact,
    FileFact,
    ProbeFact,
    ProgramFact,
    RecipeFact,
    SizeFact,
    sha256_of_file,
)
from styleexport.core.program import save_program
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import Role, Size, Sizing
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import all_passes, apply_passes
from styleexport.exporter.graph_job import ExportRun, GraphJob
from styleexport.exporter.int8_export import choose_plans
from styleexport.exporter.probes import write_probe
from styleexport.exporter.request import QUANTIZED, ExportRequest, largest_window, painting_role
from styleexport.exporter.tile_files import write_tiles
from styleexport.exporter.write_files import Plans, WrittenFile, write_files
from styleexport.runtime_bench.parity import agreements

# A file that takes several sizes is traced at sides that no stride divides, so that no cut looks
# idle. One that takes any is run at its own size and at these before it is called dynamic.
TRACE_SIZE = Size(61, 67)
DYNAMIC_SIZES = (Size(200, 264), Size(264, 136), Size(201, 263))
# In int8 at one more, so that four are none that its ranges were taken from, whatever its own is.
DYNAMIC_INT8_SIZES = (*DYNAMIC_SIZES, Size(456, 600))


Writer = Callable[[GraphJob, Plans], tuple[WrittenFile, ...]]


@dataclass(frozen=True)
class ExportedGraph:
    """Everything written of one graph.

    Attributes:
        files: files, in the order of targets and precisions.
        program: captured program.
        probes: golden inputs and outputs.
        recipes: int8 recipes.
        agreements: how near int8 files of several targets come to each other.
        tilings: how pictures of any size are painted tile by tile.
    """

    files: tuple[WrittenFile, ...]
    program: ProgramFact
    probes: tuple[ProbeFact, ...]
    recipes: tuple[RecipeFact, ...]
    agreements: tuple[AgreementFact, ...]
    tilings: tuple[TilingFact, ...] = ()


def export_graph(
    run: ExportRun, role: Role, size: Size, write: Writer = write_files
) -> ExportedGraph:
    """Export one role at one size, to every target from one capture, and check each file.

    Args:
        run: export that the graph is part of.
        role: its role.
        size: its size.
        write: writes the files, in this process alone unless told otherwise.
    """
    request, network = run.request, run.request.network
    fixed = request.sizing is Sizing.FIXED
    name = FileName(network.network.name, role, size if fixed else request.sizing)
    run.progress(f"{name}: capture")
    captured = capture(network, role, size if fixed else TRACE_SIZE, dynamic=not fixed)
    chosen = tuple(item for item in all_passes() if item.name not in request.without)
    graph, passes = apply_passes(captured, chosen)
    if request.sizing is Sizing.ENUMERATED:
        graph = graph.with_sizes(tuple(dict.fromkeys(request.sizes)))
    program = _save_program(run, captured, name, size)
    sizes = graph.sizes or tuple(dict.fromkeys((size, *_other_sizes(run, role))))
    probes = tuple(write_probe(network, role, each, run.folder) for each in sizes)
    job = GraphJob(run, name, graph, passes, probes)
    plans = choose_plans(job)
    files = write(job, plans)
    tiled = write_tiles(job, plans, files) if _is_tiled(request, role, size) else None
    return ExportedGraph(
        files=(*files, *(tiled.files if tiled else ())),
        program=program,
        probes=(*probes, *(tiled.probes if tiled else ())),
        tilings=tiled.tilings if tiled else (),
        recipes=tuple(chosen.recipe for chosen in plans.values()),
        agreements=_agreements(job, [file.fact for file in files]),
    )


def _other_sizes(run: ExportRun, role: Role) -> tuple[Size, ...]:
    """Return the sizes that files of any size are proven at, beside their own."""
    if run.request.sizing is not Sizing.ANY:
        return ()
    precisions = {p for _, precisions in run.targets_of(role) for p in precisions}
    return DYNAMIC_INT8_SIZES if precisions.intersection(QUANTIZED) else DYNAMIC_SIZES


def _is_tiled(request: ExportRequest, role: Role, size: Size) -> bool:
    """Whether a graph is written in tiles too: that of the largest windows."""
    if not request.full or role is not painting_role(request.network):
        return False
    return size == largest_window(request)


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
