"""Network → verified artifact: capture, passes, targets, probes, parity, manifest."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from styleexport.core import plugins
from styleexport.core.errors import BadArtifact, ParityFailure, UsageError
from styleexport.core.files import replace_file, replace_folder
from styleexport.core.images import array_from_image
from styleexport.core.manifest import (
    FILE_NAME,
    SCHEMA_VERSION,
    FileFact,
    Manifest,
    NetworkFact,
    ParityFact,
    PassFact,
    ProbeFact,
    ProgramFact,
    SizeFact,
    read_manifest,
    sha256_of_file,
)
from styleexport.core.program import save_program
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.capture import capture
from styleexport.exporter.graph import Graph
from styleexport.exporter.passes._rewrite import apply_passes
from styleexport.exporter.probes import write_probe
from styleexport.exporter.quantize.calibration import fit, read_calibration
from styleexport.exporter.targets._target import Recipe, Target
from styleexport.models.network import DEFAULT_SIZE, LoadedNetwork
from styleexport.runtime_bench.onnx_macs import integer_mac_share
from styleexport.runtime_bench.parity import check_file

TARGETS = "styleexport.exporter.targets"
TOOLS = ("torch", "onnx", "onnxruntime", "onnxscript", "numpy")
# A file that takes any size is traced at sides that no stride divides, so that no cut looks idle,
# and run at its own size and at these before it is called dynamic.
TRACE_SIZE = Size(61, 67)
DYNAMIC_SIZES = (Size(200, 264), Size(264, 136), Size(201, 263))

Report = Callable[[str], None]


@dataclass(frozen=True)
class ExportRequest:
    """What to export.

    Attributes:
        network: with its weights.
        target: name of the file format.
        precision: of the convolutions.
        roles: which; None takes the network's own default.
        sizes: one file each.
        dynamic: one file for any size instead of one a size.
        calibration: folder of images for int8; None takes those that ship.
        out: the artifact directory.
        overwrite: whether a folder with other files in it may be replaced.
    """

    network: LoadedNetwork
    out: Path
    target: str = "onnx"
    precision: Precision = Precision.FP32
    roles: tuple[Role, ...] | None = None
    sizes: tuple[Size, ...] = field(default=(DEFAULT_SIZE,))
    dynamic: bool = False
    calibration: Path | None = None
    overwrite: bool = False


def find_target(name: str) -> Target:
    """Return a target by name.

    Raises:
        UsageError: there is none of that name.
        MissingExtra: its library is not installed.
    """
    target: Target = plugins.load(TARGETS, name, "TARGET")  # pyright: ignore[reportAssignmentType]
    return target


def export(request: ExportRequest, report: Report = lambda _: None) -> Manifest:
    """Write an artifact directory, whole or not at all, and return its manifest.

    Raises:
        UsageError: sizes, roles or the output folder do not fit.
        UnsupportedOp: the network cannot be captured or expressed in the target.
        ParityFailure: a file does not compute what the network computes; the measured figures are
            kept in ``<out>.rejected.json`` and nothing is written at ``out``.
        DeviceError: the folder is not writable or the disk is full.
    """
    _check_request(request)
    check_out(request.out, overwrite=request.overwrite)
    needs_images = request.precision is Precision.INT8
    calibration = read_calibration(request.calibration) if needs_images else None
    sizes = request.sizes[:1] if request.dynamic else tuple(dict.fromkeys(request.sizes))
    with replace_folder(request.out) as folder:
        builder = _Builder(request, folder, Recipe(request.precision, calibration), report)
        for role in request.roles or request.network.default_roles:
            for size in sizes:
                builder.add(role, size)
        manifest = builder.manifest()
        failed = [fact for fact in manifest.files if fact.parity and not fact.parity.passed]
        if failed:
            _reject(request.out, manifest, failed)
        (folder / FILE_NAME).write_bytes(manifest.encoded())
    return manifest


def _check_request(request: ExportRequest) -> None:
    if request.precision not in find_target(request.target).precisions:
        known = ", ".join(find_target(request.target).precisions)
        raise UsageError(f"{request.target} has no precision {request.precision}: expected {known}")
    for role in request.roles or ():
        request.network.role_module(role)
    if request.dynamic and request.precision is Precision.INT8:
        raise UsageError(
            "int8 ranges are calibrated for fixed sizes: leave out --dynamic and name the sizes, "
            "for example --size 512 --size 384x512; or use --quantize int8-weights --dynamic"
        )
    if request.dynamic and len(request.sizes) > 1:
        raise UsageError("--dynamic writes one file for all sizes: name at most one --size with it")


def check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse an output folder whose contents an export would destroy.

    An earlier artifact is replaced as long as it holds nothing that an export does not write.

    Raises:
        UsageError: the path is a file, the present folder or one above it (even to be overwritten),
            or holds files that are not an export's.
    """
    if out.resolve() in (Path.cwd(), *Path.cwd().parents, Path.home()):
        raise UsageError(
            f"{out} is the present folder or one above it, which an export would replace: type a "
            f"folder of its own, for example -o {out / 'artifact'}"
        )
    if not out.exists() or overwrite:
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file, expected a folder: choose another with -o")
    present = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    known: set[str] = set()
    with contextlib.suppress(BadArtifact):
        manifest = read_manifest(out, check_files=False)
        packs = {pack.path for pack in manifest.styles}
        known = {FILE_NAME, *manifest.known_paths()} - packs
    if extra := sorted(present - known):
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise UsageError(
            f"{out} holds {extra[0]}{more}, which an export would destroy: choose another folder "
            "with -o, or add --overwrite"
        )


def _reject(out: Path, manifest: Manifest, failed: Sequence[FileFact]) -> None:
    path = out.with_name(f"{out.name}.rejected.json")
    with replace_file(path) as part:
        part.write_bytes(manifest.encoded())
    worst = min(failed, key=lambda fact: fact.parity.measured_db if fact.parity else 0.0)
    assert worst.parity is not None
    remedy = "other --calibration images or --quantize fp16" if worst.quantization else "report it"
    raise ParityFailure(
        f"{worst.path} differs from the network: psnr {worst.parity.measured_db} dB measured with "
        f"{worst.parity.runner}, at least {worst.parity.allowed_db} allowed; figures in {path}; "
        f"try {remedy}"
    )


class _Builder:
    """Collects the files and facts of one artifact."""

    def __init__(
        self, request: ExportRequest, folder: Path, recipe: Recipe, report: Report
    ) -> None:
        self.network = request.network
        self.target = find_target(request.target)
        self.folder = folder
        self.recipe = recipe
        self.dynamic = request.dynamic
        self.report = report
        self.files: list[FileFact] = []
        self.probes: list[ProbeFact] = []
        self.programs: list[ProgramFact] = []

    def add(self, role: Role, size: Size) -> None:
        """Export one role at one size and check it."""
        name = self.network.network.name
        label = f"{name}_{role}_{'any' if self.dynamic else size}"
        self.report(f"{label}: capture")
        traced = TRACE_SIZE if self.dynamic else size
        captured = capture(self.network, role, traced, dynamic=self.dynamic)
        graph, passes = apply_passes(captured)
        self._add_program(captured, role, size, label)
        precision = self.recipe.precision
        self.report(f"{label}: {self.target.name} {precision}")
        path = f"{label}_{precision}{self.target.suffix}"
        self._add_probes(role, size)
        self._add_file(graph, path, passes)

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

    def _add_probes(self, role: Role, size: Size) -> None:
        sizes = (size, *DYNAMIC_SIZES) if self.dynamic else (size,)
        self.probes += [write_probe(self.network, role, each, self.folder) for each in sizes]

    def _add_file(self, graph: Graph, path: str, passes: tuple[PassFact, ...]) -> None:
        file = self.folder / path
        written = self.target.write(graph, self.recipe, file, lambda: self._feeds(graph))
        fact = FileFact(
            path=path,
            role=graph.role,
            target=self.target.name,
            precision=self.recipe.precision,
            size=None if graph.dynamic else SizeFact.of(graph.size),
            inputs=graph.inputs,
            outputs=graph.outputs,
            opset=written.opset,
            parameters=written.parameters,
            macs=written.macs,
            int8_mac_share=0.0,
            quantization=written.quantization,
            passes=passes,
            parity=None,
            size_bytes=file.stat().st_size,
            sha256=sha256_of_file(file),
        )
        self.report(f"{path}: parity")
        parity: ParityFact = check_file(self.folder, fact, self.probes)
        share = 0.0
        if self.recipe.precision is Precision.INT8:
            share = round(integer_mac_share(file, self._feeds(graph, most=1)[0]), 4)
        self.files.append(msgspec.structs.replace(fact, parity=parity, int8_mac_share=share))

    def _feeds(self, graph: Graph, most: int | None = None) -> list[dict[str, NDArray[np.float32]]]:
        """Return calibration inputs: contents, each with two styles where the graph takes one."""
        images = self.recipe.calibration
        assert images is not None
        names = [fact.name for fact in graph.inputs]

        @cache
        def picture(kind: str, index: int) -> NDArray[np.float32]:
            source = images.content if kind == "content" else images.style
            return array_from_image(fit(source[index], graph.size))

        @cache
        def code(index: int) -> NDArray[np.float32]:
            with torch.inference_mode():
                encode = self.network.role_module(Role.ENCODE)
                return encode(torch.from_numpy(picture("style", index))).numpy()

        if names == ["content"]:
            return [{"content": picture("content", i)} for i in range(len(images.content))][:most]
        if names == ["style"]:
            return [{"style": picture("style", i)} for i in range(len(images.style))][:most]
        feeds: list[dict[str, NDArray[np.float32]]] = []
        for content, style in images.pairs()[:most]:
            values = {
                "content": lambda c=content: picture("content", c),
                "style": lambda s=style: picture("style", s),
                "style_code": lambda s=style: code(s),
                "strength": lambda: np.ones(1, np.float32),
            }
            feeds.append({name: values[name]() for name in names})
        return feeds

    def manifest(self) -> Manifest:
        """Return the facts of everything added."""
        network = self.network.network
        return Manifest(
            schema_version=SCHEMA_VERSION,
            network=NetworkFact(
                name=network.name,
                summary=network.summary,
                paper=network.paper,
                licence=network.licence,
                source=self.network.source,
                source_sha256=self.network.source_sha256,
                min_side=network.min_side,
            ),
            files=tuple(self.files),
            programs=tuple(self.programs),
            probes=tuple(self.probes),
            styles=(),
            tools={name: importlib.metadata.version(name) for name in TOOLS},
        )
