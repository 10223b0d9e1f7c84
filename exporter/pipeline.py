"""Network → verified artifact: capture, passes, targets, probes, parity, manifest."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import msgspec
import numpy as np
from safetensors.numpy import save

from styleexport.core.card_file import CARD_NAME
from styleexport.core.counted import Tally
from styleexport.core.files import replace_folder
from styleexport.core.manifest import (
    ARTIFACT,
    FILE_NAME,
    SCHEMA_VERSION,
    FileFact,
    Manifest,
    NetworkFact,
    PixelFormatFact,
    PixelsFact,
    StylePackFact,
    code_length,
    sha256_of_file,
)
from styleexport.core.types import Precision, Progress, Sizing
from styleexport.exporter.export_graph import ExportedGraph
from styleexport.exporter.graph_job import ExportRun
from styleexport.exporter.iterations import settled
from styleexport.exporter.out_folder import check_out
from styleexport.exporter.processes import export_graphs
from styleexport.exporter.rejected import raise_over_budget, raise_parity_failure
from styleexport.exporter.request import (
    QUANTIZED,
    ExportRequest,
    check_quantized,
    check_request,
    open_targets,
    precisions_of,
)
from styleexport.exporter.targets._target import Target
from styleexport.exporter.tile_files import with_windows_on_grid
from styleexport.exporter.write_files import FileDone
from styleexport.models.code_layouts import code_layout
from styleexport.models.network import Basis, LoadedNetwork
from styleexport.models.pixels import PixelFormat
from styleexport.runtime_bench.publish.card import model_card

__all__ = ["ExportRequest", "Exported", "check_out", "export"]

TOOLS = ("torch", "numpy")


@dataclass(frozen=True)
class Exported:
    """A finished artifact.

    Attributes:
        manifest: its facts.
        seconds: file → what writing and checking it took, of wall time.
    """

    manifest: Manifest
    seconds: dict[str, float]

    def __repr__(self) -> str:
        return f"<Exported: {self.manifest}>"

    def _repr_html_(self) -> str:
        """Return a table of the files, as notebooks show it."""
        return self.manifest._repr_html_()  # pyright: ignore[reportPrivateUsage]


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
    if request.full:
        request = with_windows_on_grid(request, progress)
    for line in request.network.pixel_lines():
        progress(line)
    fixed = request.sizing is Sizing.FIXED
    sizes = tuple(dict.fromkeys(request.sizes)) if fixed else request.sizes[:1]
    request, iterations = settled(request, progress)
    with replace_folder(request.out, ARTIFACT, progress) as folder:
        network = msgspec.structs.replace(_network_fact(request.network), iterations=iterations)
        roles = request.roles or request.network.default_roles
        run = ExportRun(request, network, run_targets, folder, progress)
        keys = [(role, size) for role in roles for size in sizes]
        count = sum(len(precisions) for role, _ in keys for _, precisions in run.targets_of(role))
        run = replace(run, progress=_Files(progress, count))
        graphs = export_graphs(run, keys)
        manifest = _manifest(run, graphs)
        lossy = [fact for fact in manifest.files if fact.quality and fact.quality.failures]
        refused = [] if request.allow_degraded else lossy
        failed = [fact for fact in manifest.files if not fact.worst.passed and fact not in refused]
        if failed:
            raise_parity_failure(request.out, manifest, failed)
        if refused:
            raise_over_budget(request.out, manifest, refused)
        (folder / FILE_NAME).write_bytes(manifest.encoded())
        (folder / CARD_NAME).write_text(model_card(manifest), encoding="utf-8")
    seconds = {file.fact.path: file.seconds for graph in graphs for file in graph.files}
    return Exported(manifest, seconds)


class _Files:
    """Progress of an export, which counts the files that are done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._start = time.monotonic()

    def __call__(self, line: str) -> None:
        """Pass a line on; that of a finished file as how many are."""
        if isinstance(line, FileDone):
            self._done += 1
            seconds = time.monotonic() - self._start
            line = Tally("files", self._done, self._total, seconds)
        self._progress(line)


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


def _manifest(run: ExportRun, graphs: Sequence[ExportedGraph]) -> Manifest:
    """Return the facts of everything written."""
    files = tuple(file.fact for graph in graphs for file in graph.files)
    tools = {*TOOLS, *(tool for target, _ in run.targets for tool in target.tools)}
    length = code_length(files)
    layout = None if length is None else code_layout(run.request.network.module, length)
    return Manifest(
        schema_version=SCHEMA_VERSION,
        network=msgspec.structs.replace(run.network, code_layout=layout),
        files=files,
        programs=tuple(graph.program for graph in graphs),
        probes=tuple(probe for graph in graphs for probe in graph.probes),
        recipes=tuple(recipe for graph in graphs for recipe in graph.recipes),
        agreements=tuple(item for graph in graphs for item in graph.agreements),
        tilings=tuple(tiling for graph in graphs for tiling in graph.tilings),
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
    eye = np.eye(len(names), dtype=np.float32)
    codes = {name: eye[[number]] for number, name in enumerate(names)}
    (run.folder / path).write_bytes(save(codes, run.network.owner.metadata()))
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
        pixels=pixels_fact(loaded),
        optimization=loaded.optimization,
    )


def pixels_fact(loaded: LoadedNetwork) -> PixelsFact:
    """Return how a network is applied to pictures, for the manifest."""
    network, basis = loaded.network, loaded.basis

    def fact(pixels: PixelFormat, known: Basis) -> PixelFormatFact:
        facts = {name: value for name, value in asdict(pixels).items() if name != "clips"}
        return PixelFormatFact(**facts, basis=known.kind, reason=known.reason)

    return PixelsFact(
        input=fact(network.input_pixels, basis.input),
        output=fact(network.output_pixels, basis.output),
        scale=network.scale,
        scale_basis=basis.scale.kind,
        scale_reason=basis.scale.reason,
        summary="; ".join(loaded.pixel_lines()),
    )
