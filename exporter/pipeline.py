"""Network → verified artifact: capture, passes, targets, probes, parity, manifest."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from styleexport.core.files import remove, replace_folder
from styleexport.core.manifest import (
    FILE_NAME,
    SCHEMA_VERSION,
    AgreementFact,
    FileFact,
    Manifest,
    NetworkFact,
    PassFact,
    ProbeFact,
    ProgramFact,
    SizeFact,
    sha256_of_file,
    size_of_file,
)
from styleexport.core.program import save_program
from styleexport.core.types import Precision, Progress, Role, Size, Sizing
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.layer_map import paired_layers
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.int8_export import Quantizer, composed
from styleexport.exporter.probes import write_probe
from styleexport.exporter.quantize.calibration_inputs import Feeds, GraphFeeds
from styleexport.exporter.rejected import refuse, reject
from styleexport.exporter.request import (
    QUANTIZED,
    ExportRequest,
    check_out,
    check_quantized,
    check_request,
    open_targets,
    precisions_of,
)
from styleexport.exporter.targets._target import Recipe, Target, Written
from styleexport.models.network import LoadedNetwork
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.formats._format import format_of
from styleexport.runtime_bench.parity import agreements, check_file

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
    targets = open_targets(request, progress)
    check_request(request, targets)
    check_out(request.out, overwrite=request.overwrite)
    plan = [(target, precisions_of(target, request, progress)) for target in targets]
    for target, precisions in plan:
        for precision in precisions:
            target.check_precision(precision)
    quantized = any(p in QUANTIZED for _, precisions in plan for p in precisions)
    if quantized:
        check_quantized(request, progress)
    fixed = request.sizing is Sizing.FIXED
    sizes = tuple(dict.fromkeys(request.sizes)) if fixed else request.sizes[:1]
    with replace_folder(request.out) as folder:
        builder = _Builder(request, plan, folder, progress)
        for role in request.roles or request.network.default_roles:
            for size in sizes:
                builder.add(role, size)
        manifest = builder.manifest()
        failed = [fact for fact in manifest.files if not fact.worst.passed]
        if failed:
            reject(request.out, manifest, failed)
        lossy = [fact for fact in manifest.files if fact.quality and fact.quality.failures]
        if lossy and not request.allow_degraded:
            refuse(request.out, manifest, lossy)
        (folder / FILE_NAME).write_bytes(manifest.encoded())
    return Exported(manifest, builder.seconds)


class _Builder:
    """Collects the files and facts of one artifact."""

    def __init__(
        self,
        request: ExportRequest,
        plan: Sequence[tuple[Target, Sequence[Precision]]],
        folder: Path,
        progress: Progress,
    ) -> None:
        self.request = request
        self.network = request.network
        self.plan = plan
        self.folder = folder
        self.progress = progress
        self.feeds = Feeds(request.network, request.calibration)
        self.quantizer = Quantizer(request, folder, progress)
        self.fact = _network_fact(request.network)
        self.files: list[FileFact] = []
        self.probes: list[ProbeFact] = []
        self.programs: list[ProgramFact] = []
        self.agreements: list[AgreementFact] = []
        self.seconds: dict[str, float] = {}

    def add(self, role: Role, size: Size) -> None:
        """Export one role at one size, to every target from one capture, and check each file."""
        fixed = self.request.sizing is Sizing.FIXED
        label = f"{self.network.network.name}_{role}_{size if fixed else self.request.sizing}"
        self.progress(f"{label}: capture")
        traced = size if fixed else TRACE_SIZE
        captured = capture(self.network, role, traced, dynamic=not fixed)
        graph, passes = apply_passes(captured)
        if self.request.sizing is Sizing.ENUMERATED:
            graph = graph.taking(tuple(dict.fromkeys(self.request.sizes)))
        self._add_program(captured, role, size, label)
        self._add_probes(graph, role, size)
        feeds = self.feeds.of(graph)
        for target, precisions in self.plan:
            for precision in precisions:
                self._add_timed(graph, feeds, target, precision, label, passes)
        lossy = [f for f in self._files(graph, Precision.INT8) if f.quality and f.quality.failures]
        if lossy and self.quantizer.other_ranges(graph, feeds, label):
            self._write_again(graph, feeds, label, passes)
        self._add_agreements(graph)

    def _add_timed(
        self,
        graph: Graph,
        feeds: GraphFeeds,
        target: Target,
        precision: Precision,
        label: str,
        passes: tuple[PassFact, ...],
    ) -> None:
        path = f"{label}_{precision}{target.suffix}"
        started = time.perf_counter()
        self.progress(f"{path}: write")
        self._add_file(graph, feeds, target, precision, path, passes)
        self.seconds[self.files[-1].path] = time.perf_counter() - started

    def _write_again(
        self, graph: Graph, feeds: GraphFeeds, label: str, passes: tuple[PassFact, ...]
    ) -> None:
        """Write the int8 files of a graph in the place of those that are there."""
        for fact in self._files(graph, Precision.INT8):
            self.files.remove(fact)
            del self.seconds[fact.path]
            remove(self.folder / fact.path)
        for target, precisions in self.plan:
            if Precision.INT8 in precisions:
                self._add_timed(graph, feeds, target, Precision.INT8, label, passes)

    def _files(self, graph: Graph, precision: Precision) -> list[FileFact]:
        """Return the files of a graph and precision, one a target."""
        wanted = (graph.role, SizeFact.of(graph.size), precision)
        return [fact for fact in self.files if (fact.role, fact.size, fact.precision) == wanted]

    def _add_agreements(self, graph: Graph) -> None:
        """Hold the int8 files of several targets against each other."""
        for precision in QUANTIZED:
            same = self._files(graph, precision)
            if len(same) > 1:
                self.progress(f"{graph.role} {graph.size} {precision}: {len(same)} files agree?")
                self.agreements += agreements(self.folder, same, self.probes)

    def _add_program(self, captured: Graph, role: Role, size: Size, label: str) -> None:
        path = f"programs/{label}.pt2"
        save_program(captured.program, self.folder / path)
        self.programs.append(
            ProgramFact(
                path=path,
                role=role,
                size=SizeFact.of(size),
                sha256=sha256_of_file(self.folder / path),
            )
        )

    def _add_probes(self, graph: Graph, role: Role, size: Size) -> None:
        others = DYNAMIC_SIZES if self.request.sizing is Sizing.ANY else ()
        sizes = graph.sizes or (size, *others)
        self.probes += [write_probe(self.network, role, each, self.folder) for each in sizes]

    def _add_file(
        self,
        graph: Graph,
        feeds: GraphFeeds,
        target: Target,
        precision: Precision,
        path: str,
        passes: tuple[PassFact, ...],
    ) -> None:
        written, recipe = self._write(graph, feeds, target, precision, path)
        file = self.folder / path
        inputs, outputs = target.tensors(graph)
        description = format_of(file).describe(file)
        fact = FileFact(
            path=path,
            role=graph.role,
            target=target.name,
            precision=precision,
            float_dtype=written.float_dtype,
            version=description.version,
            size=None if graph.dynamic else SizeFact.of(graph.size),
            sizes=tuple(map(SizeFact.of, graph.sizes)),
            inputs=inputs,
            outputs=outputs,
            parameters=graph.parameters,
            macs=graph.macs,
            int8_mac_share=written.int8_mac_share,
            quantization=written.quantization,
            recipe=recipe,
            execution=describe_execution(file) if recipe else None,
            passes=(*passes, *written.passes),
            ops=description.ops,
            layers=written.layers,
            scaled_layers=written.scaled_layers,
            peak_activation_bytes=description.peak_activation_bytes,
            risks=description.risks,
            parity=(),
            size_bytes=size_of_file(file),
            sha256=sha256_of_file(file),
        )
        self.progress(f"{path}: parity")
        fact = msgspec.structs.replace(fact, parity=check_file(self.folder, fact, self.probes))
        if recipe:
            self.progress(f"{path}: quality")
            fact = self._judged(fact, graph)
        self.files.append(fact)

    def _write(
        self, graph: Graph, feeds: GraphFeeds, target: Target, precision: Precision, path: str
    ) -> tuple[Written, str | None]:
        """Write a file; return what is said of it, and the recipe that it follows."""
        file = self.folder / path
        if precision not in QUANTIZED:
            return target.write(graph, Recipe(precision, self.fact), file, feeds), None
        label = path.removesuffix(f"_{precision}{target.suffix}")
        plan, fact = self.quantizer.plan(graph, feeds, precision, label)
        if not target.rounds_results:
            plan = self.quantizer.without_gains(graph, feeds, plan)
        source, int8 = plan.followed(expand_norms=target.expands_norms)
        recipe = Recipe(Precision.INT8, self.fact, int8)
        written = target.write(source, recipe, file, feeds)
        # Repaired weights move every layer a little: without them each can be told.
        exact, _ = plan.followed(expand_norms=target.expands_norms, repair=False)
        paired, scaled = paired_layers(graph, exact)
        layers = composed(paired, written.layers)
        written = replace(
            written,
            layers=layers,
            scaled_layers=tuple(
                name
                for name, inner in paired.items()
                if name in layers and (name in scaled or inner in written.scaled_layers)
            ),
            passes=(*plan.facts, *written.passes),
        )
        return written, fact.path

    def _judged(self, fact: FileFact, graph: Graph) -> FileFact:
        """Return the fact with its quality; a degraded file says so in its name."""
        quality = self.quantizer.quality(graph, fact)
        path = fact.path
        if quality.failures:
            path = path.replace(f"_{fact.precision}.", f"_{fact.precision}-degraded.")
            (self.folder / fact.path).rename(self.folder / path)
        return msgspec.structs.replace(fact, quality=quality, path=path)

    def manifest(self) -> Manifest:
        """Return the facts of everything added."""
        tools = (*TOOLS, *(tool for target, _ in self.plan for tool in target.tools))
        return Manifest(
            schema_version=SCHEMA_VERSION,
            network=self.fact,
            files=tuple(self.files),
            programs=tuple(self.programs),
            probes=tuple(self.probes),
            recipes=tuple(self.quantizer.recipes),
            agreements=tuple(self.agreements),
            styles=(),
            tools={name: importlib.metadata.version(name) for name in sorted(set(tools))},
        )


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
