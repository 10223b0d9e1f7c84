"""The case of the int8 benchmark: the graph of an artifact that paints, its inputs, its judge."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from int8_report import Runtime
from int8_sessions import OPTIONS

from styleexport.core.errors import UsageError
from styleexport.core.images import array_from_image
from styleexport.core.manifest import FileFact, Manifest, read_manifest
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.runtime_bench.quality.judge import Array, Judge
from styleexport.runtime_bench.quality.probes import quality_probes
from styleexport.runtime_bench.runners._runner import Session, find_runner

RUNTIMES: dict[str, Runtime] = {
    ".onnx": "ONNX Runtime",
    ".tflite": "LiteRT",
    ".pte": "ExecuTorch",
    ".pt2": "PyTorch",
}


@dataclass(frozen=True)
class Case:
    """The graph of an artifact that is measured: the one that paints.

    Attributes:
        folder: of the artifact.
        manifest: of the artifact.
        size: of all pictures.
    """

    folder: Path
    manifest: Manifest
    size: Size

    @property
    def files(self) -> list[FileFact]:
        """The files of the graph in formats that run here, float ones first."""
        found = [
            fact
            for fact in self.manifest.files
            if fact.role is not Role.ENCODE and Path(fact.path).suffix in RUNTIMES
            if fact.size is not None and fact.size.size() == self.size
        ]
        return sorted(found, key=lambda fact: tuple(Precision).index(fact.precision))

    @property
    def role(self) -> Role:
        """Return the outputs of the graph."""
        return self.files[0].role

    @property
    def inputs(self) -> list[str]:
        """Names of the graph's inputs, in order."""
        return [fact.name for fact in self.files[0].inputs]

    def float_file(self, suffix: str) -> Path | None:
        """Return the fp32 file of a format, or for ``.pt2`` the captured program."""
        if suffix == ".pt2":
            return self._program_file(self.role)
        for fact in self.files:
            if fact.precision is Precision.FP32 and fact.path.endswith(suffix):
                return self.folder / fact.path
        return None

    def program(self, role: Role) -> AbstractContextManager[Session]:
        """Return a session on the float program of a role."""
        return find_runner("torch").open(self._program_file(role), OPTIONS)

    def _program_file(self, role: Role) -> Path:
        return next(
            self.folder / program.path
            for program in self.manifest.programs
            if program.role is role and program.size.size() == self.size
        )

    def encode(self, style: Array) -> Array:
        """Return the style code of a picture."""
        with self.program(Role.ENCODE) as session:
            return next(iter(session({"style": style}).values()))

    @cached_property
    def digest(self) -> str:
        """Digest of the float programs, which files are judged by."""
        return " ".join(sorted(program.sha256 for program in self.manifest.programs))

    @cached_property
    def judge(self) -> Judge:
        """The judge of the graph's files."""
        probes = quality_probes(self.size, self.inputs, self.encode)
        judge = Judge(shipped_loss_network(), probes)
        with self.program(self.role) as session:
            judge.reference(session)
        return judge

    @cached_property
    def feeds(self) -> list[dict[str, Array]]:
        """The calibration inputs, as the exporter takes them."""
        pictures = read_calibration(None)
        contents = [array_from_image(centre_crop(image, self.size)) for image in pictures.content]
        if self.inputs == ["content"]:
            return [{"content": content} for content in contents]
        styles = [array_from_image(centre_crop(image, self.size)) for image in pictures.style]
        coded = "style_code" in self.inputs
        given = [self.encode(style) for style in styles] if coded else styles
        one = np.ones(1, np.float32)
        return [
            {"content": contents[c], "style_code" if coded else "style": given[s], "strength": one}
            for c, s in pictures.pairs()
        ]


def open_case(folder: Path) -> Case:
    """Return the case of an artifact folder.

    Raises:
        UsageError: it holds no file that paints, or files of several sizes.
    """
    manifest = read_manifest(folder)
    painting = [fact for fact in manifest.files if fact.role is not Role.ENCODE]
    sizes = {fact.size.size() for fact in painting if fact.size is not None}
    if len(sizes) != 1:
        raise UsageError(
            f"{folder} holds files of {len(sizes)} fixed sizes, expected one: name one --size"
        )
    return Case(folder, manifest, sizes.pop())
