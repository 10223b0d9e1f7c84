"""Exported files with a probe that they run on: selected by path, run for outputs and layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import FILE_NAME, FileFact, Manifest, ProbeFact, read_manifest
from styleexport.core.types import Size
from styleexport.runtime_bench.parity import (
    ProbeTensors,
    probe_inputs,
    read_probe,
    runtime_errors_of,
)
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for, runners_for


@dataclass(frozen=True)
class ProbedFile:
    """An exported file and the tensors of a probe.

    Attributes:
        path: path of the file.
        fact: its entry in the manifest.
        probe: name → tensor of the probe.
    """

    path: Path
    fact: FileFact
    probe: ProbeTensors

    def outputs(self) -> tuple[str, Arrays]:
        """Return the name of the runner, and the file's outputs on the probe by name.

        Raises:
            BadArtifact: the file does not run.
            DeviceError: no runner of the file can run here.
        """
        inputs, runner = probe_inputs(self.probe, self.fact, self.path), runner_for(self.path)
        with runtime_errors_of(self.path), runner.open(self.path, RunOptions()) as session:
            made = session(inputs)
            return runner.name, {item.name: made[item.name] for item in self.fact.outputs}

    def layers(self, names: list[str]) -> tuple[str, ProbeTensors]:
        """Return the name of the first runner that exposes layers, and the named layers.

        Raises:
            BadArtifact: the file does not run.
        """
        inputs = probe_inputs(self.probe, self.fact, self.path)
        tensor_of = {name: self.fact.layers[name] for name in names}
        requested = list(dict.fromkeys(tensor_of.values()))
        for runner in runners_for(self.path):
            with runtime_errors_of(self.path):
                values = runner.layers(self.path, inputs, requested)
            if values:
                return runner.name, {n: values[t] for n, t in tensor_of.items() if t in values}
        return "none", {}


def find_pair(a: Path, b: Path, size: Size | None) -> tuple[ProbeFact, ProbedFile, ProbedFile]:
    """Return two files of one artifact, with a probe that fits both.

    Args:
        a: first file.
        b: second file.
        size: size of the probe; None takes the first that fits.

    Raises:
        UsageError: the files are of two artifacts or roles, or no probe fits both.
        BadArtifact: they are in no artifact, or it is damaged.
    """
    folder = artifact_of(a)
    if artifact_of(b) != folder:
        raise UsageError(
            f"{a} and {b} are of two artifacts: name two files of one; export several targets or "
            "precisions into one with `styleexport export`"
        )
    manifest = read_manifest(folder)
    facts = _listed(folder, manifest, a), _listed(folder, manifest, b)
    probe = _common_probe(manifest, *facts, size)
    tensors = read_probe(folder, probe)
    first, second = (ProbedFile(folder / fact.path, fact, tensors) for fact in facts)
    return probe, first, second


def artifact_of(path: Path) -> Path:
    """Return the artifact directory that a file lies in.

    Raises:
        UsageError: the path is an artifact directory itself.
        BadArtifact: the file lies in no artifact.
    """
    for folder in path.resolve().parents:
        if (folder / FILE_NAME).is_file():
            return folder
    if (path / FILE_NAME).is_file():
        raise UsageError(
            f"{path} is an artifact folder: name two of its files; `styleexport inspect {path}` "
            "lists them"
        )
    raise BadArtifact(
        f"{path} is in no artifact: expected a file below a folder with a {FILE_NAME}; make one "
        "with `styleexport export`"
    )


def _listed(folder: Path, manifest: Manifest, path: Path) -> FileFact:
    """Return a file's entry in the manifest."""
    name = path.resolve().relative_to(folder).as_posix()
    for fact in manifest.files:
        if fact.path == name:
            return fact
    raise UsageError(
        f"{folder / FILE_NAME} lists no exported file {name}: expected one of "
        f"{', '.join(fact.path for fact in manifest.files)}"
    )


def _common_probe(manifest: Manifest, a: FileFact, b: FileFact, size: Size | None) -> ProbeFact:
    """Return the probe of a size, or else the first, that fits both files."""
    if a.role is not b.role:
        raise UsageError(
            f"{a.path} computes {a.role} and {b.path} {b.role}: name two files of one role"
        )
    of_role = [probe for probe in manifest.probes if probe.role is a.role]
    common = [probe for probe in of_role if a.takes(probe.size) and b.takes(probe.size)]
    if not common:
        sizes = [", ".join(str(p.size.size()) for p in of_role if f.takes(p.size)) for f in (a, b)]
        raise UsageError(
            f"no probe fits both: {a.path} takes {sizes[0] or 'none'} and {b.path} "
            f"{sizes[1] or 'none'}; name two files of one size"
        )
    for probe in common:
        if size in (None, probe.size.size()):
            return probe
    known = [str(probe.size.size()) for probe in common]
    raise UsageError(
        f"no probe of {size} for both files: expected one of {', '.join(known)}; "
        f"type --size {known[0]}"
    )
