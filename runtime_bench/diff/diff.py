"""Where do two files of one artifact part? Outputs, and layer by layer, on a probe."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from styleexport.core.arrays import Array
from styleexport.core.errors import (
    BadArtifact,
    DeviceError,
    MissingExtra,
    UnsupportedOp,
    UsageError,
    first_line,
)
from styleexport.core.gains import with_least_squares_gains
from styleexport.core.manifest import (
    FILE_NAME,
    FileFact,
    Manifest,
    ProbeFact,
    SizeFact,
    read_manifest,
)
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Role, Size
from styleexport.runtime_bench.parity import Tensors, read_probe
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for, runners_for

DEFAULT_THRESHOLD_DB = 40.0


class TensorDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor of B against the same tensor of A.

    Attributes:
        name: of the output or of the layer of the captured network.
        shape: in A, channels first.
        psnr_db: peak signal-to-noise ratio; the peak is 1 for pictures and the largest absolute
            value of A's tensor for all else; 0 where either holds what is not finite.
        max_abs_error: the largest difference of two finite elements.
        worst: where that is, an index an axis; the first element that is not finite in one alone,
            where there is one; None where all are equal.
        not_finite: how many elements are infinite or not a number, in A and in B.
        scaled: whether a rewrite multiplied its channels by gains, which were undone: by the factor
            a channel that brings B nearest to A.
    """

    name: str
    shape: tuple[int, ...]
    psnr_db: float
    max_abs_error: float
    worst: tuple[int, ...] | None
    not_finite: tuple[int, int]
    scaled: bool = False


class DiffReport(msgspec.Struct, frozen=True, kw_only=True):
    """Two files of one artifact, compared on one probe.

    Attributes:
        a: the reference, below the artifact directory.
        b: what is held against it.
        role: of both.
        size: of the probe.
        runners: what ran A and B.
        layer_runners: what showed the layers of A and B; () where none were asked for.
        output: of the files.
        threshold_db: below it, two layers part.
        first: the first layer that parts, in the order in which the network computes them: all
            compared layers that feed it agree. None where none does.
        before: the last compared layer before that one.
        layers: those that both files hold, in the same order.
        left_out: how many layers one file alone holds (the other fused or removed them), or holds
            in a shape that cannot be compared.
    """

    a: str
    b: str
    role: Role
    size: SizeFact
    runners: tuple[str, str]
    layer_runners: tuple[str, ...]
    output: TensorDiff
    threshold_db: float
    first: TensorDiff | None
    before: TensorDiff | None
    layers: tuple[TensorDiff, ...]
    left_out: int

    def worst_layers(self, count: int = 10) -> tuple[TensorDiff, ...]:
        """Return the layers of the lowest PSNR, worst first."""
        return tuple(sorted(self.layers, key=lambda layer: layer.psnr_db)[:count])


@dataclass(frozen=True)
class Diff:
    """A report and the outputs that it speaks of: pictures [1, 3, H, W] or style codes [1, K]."""

    report: DiffReport
    output_a: Array
    output_b: Array
    is_picture: bool


@dataclass(frozen=True)
class _Side:
    """One of the two files, and the tensors of the probe."""

    path: Path
    fact: FileFact
    probe: Tensors

    @property
    def inputs(self) -> Tensors:
        missing = [item.name for item in self.fact.inputs if item.name not in self.probe]
        if missing:
            raise BadArtifact(
                f"the probe of {self.path} holds no {missing[0]}, found {sorted(self.probe)}; "
                "export the network again"
            )
        return {item.name: self.probe[item.name] for item in self.fact.inputs}

    def output(self) -> tuple[str, Array]:
        """Return the runner and what it computes of the probe."""
        runner = runner_for(self.path)
        with _running(self.path), runner.open(self.path, RunOptions()) as session:
            return runner.name, session(self.inputs)[self.fact.outputs[0].name]

    def layers(self, names: list[str]) -> tuple[str, Tensors]:
        """Return the first runner that shows layers, and these layers of the probe's run."""
        held = {name: self.fact.layers[name] for name in names}
        tensors = list(dict.fromkeys(held.values()))
        for runner in runners_for(self.path):
            with _running(self.path):
                found = runner.layers(self.path, self.inputs, tensors)
            if found:
                return runner.name, {n: found[t] for n, t in held.items() if t in found}
        return "none", {}


@contextlib.contextmanager
def _running(path: Path) -> Generator[None]:
    try:
        yield
    except (BadArtifact, DeviceError, MissingExtra, UnsupportedOp):
        raise
    except Exception as error:
        raise BadArtifact(
            f"{path} does not run on its probe: {first_line(error)}; it is not the file that the "
            "manifest describes: export the network again"
        ) from error


def diff_files(
    a: Path,
    b: Path,
    *,
    size: Size | None = None,
    layers: bool = False,
    threshold_db: float = DEFAULT_THRESHOLD_DB,
) -> Diff:
    """Return how file B differs from file A on a probe of their artifact.

    Args:
        a: the reference.
        b: of the same artifact and role.
        size: of the probe; None takes the first that both files take.
        layers: whether to compare layer by layer too.
        threshold_db: below it, two layers part.

    Raises:
        UsageError: the files are of two artifacts or roles, or take no size in common.
        BadArtifact: they are in no artifact, it is damaged, or a file does not run.
        DeviceError: no runner of a file can run here.
    """
    probe, side_a, side_b = _sides(a, b, size)
    (runner_a, output_a), (runner_b, output_b) = side_a.output(), side_b.output()
    returned = side_a.fact.outputs[0]
    picture = returned.kind == "image"
    if output_a.shape != output_b.shape:
        raise BadArtifact(
            f"{a} returned {list(output_a.shape)} and {b} {list(output_b.shape)} of one probe: "
            "export the network again"
        )
    compared, runners, left_out = _diff_layers(side_a, side_b) if layers else ((), (), 0)
    index = next((i for i, x in enumerate(compared) if x.psnr_db < threshold_db), None)
    report = DiffReport(
        a=side_a.fact.path,
        b=side_b.fact.path,
        role=probe.role,
        size=probe.size,
        runners=(runner_a, runner_b),
        layer_runners=runners,
        output=_diff(returned.name, output_a, output_b, 1.0 if picture else None),
        threshold_db=threshold_db,
        first=None if index is None else compared[index],
        before=compared[index - 1] if index else None,
        layers=compared,
        left_out=left_out,
    )
    return Diff(report, output_a, output_b, picture)


def _sides(a: Path, b: Path, size: Size | None) -> tuple[ProbeFact, _Side, _Side]:
    """Return the probe and both files with its tensors."""
    folder = _artifact_of(a)
    if _artifact_of(b) != folder:
        raise UsageError(
            f"{a} and {b} are of two artifacts: name two files of one; export several targets or "
            "precisions into one with `styleexport export`"
        )
    manifest = read_manifest(folder)
    facts = _listed(folder, manifest, a), _listed(folder, manifest, b)
    probe = _probe(manifest, *facts, size)
    tensors = read_probe(folder, probe)
    side_a, side_b = (_Side(folder / fact.path, fact, tensors) for fact in facts)
    return probe, side_a, side_b


def _artifact_of(path: Path) -> Path:
    """Return the artifact directory that a file lies in."""
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
    """Return the fact of a file."""
    name = path.resolve().relative_to(folder).as_posix()
    for fact in manifest.files:
        if fact.path == name:
            return fact
    raise UsageError(
        f"{folder / FILE_NAME} lists no exported file {name}: expected one of "
        f"{', '.join(fact.path for fact in manifest.files)}"
    )


def _probe(manifest: Manifest, a: FileFact, b: FileFact, size: Size | None) -> ProbeFact:
    """Return the probe to compare two files on."""
    if a.role is not b.role:
        raise UsageError(
            f"{a.path} computes {a.role} and {b.path} {b.role}: name two files of one role"
        )
    own = [probe for probe in manifest.probes if probe.role is a.role]
    both = [probe for probe in own if a.takes(probe.size) and b.takes(probe.size)]
    if not both:
        sizes = [", ".join(str(p.size.size()) for p in own if f.takes(p.size)) for f in (a, b)]
        raise UsageError(
            f"no probe fits both: {a.path} takes {sizes[0] or 'none'} and {b.path} "
            f"{sizes[1] or 'none'}; name two files of one size"
        )
    for probe in both:
        if size in (None, probe.size.size()):
            return probe
    known = [str(probe.size.size()) for probe in both]
    raise UsageError(
        f"no probe of {size} for both files: expected one of {', '.join(known)}; "
        f"type --size {known[0]}"
    )


def _diff_layers(a: _Side, b: _Side) -> tuple[tuple[TensorDiff, ...], tuple[str, ...], int]:
    """Return the layers compared in A's order, what ran A and B, and how many were left out."""
    shared = [name for name in a.fact.layers if name in b.fact.layers]
    runner_a, found_a = a.layers(shared) if shared else ("none", {})
    runner_b, found_b = b.layers(shared) if shared else ("none", {})
    compared: list[TensorDiff] = []
    scaled = {*a.fact.scaled_layers, *b.fact.scaled_layers}
    for name in shared:
        if name not in found_a or name not in found_b:
            continue
        value_a, value_b = found_a[name], found_b[name]
        # Formats keep or drop axes of length 1; more than that is not the same tensor.
        if value_a.squeeze().shape == value_b.squeeze().shape:
            value_b = value_b.reshape(value_a.shape)
            if name in scaled:
                value_b = with_least_squares_gains(value_b, value_a)
            found = _diff(name, value_a, value_b, None)
            compared.append(msgspec.structs.replace(found, scaled=name in scaled))
    if not compared:
        raise UsageError(
            f"{a.fact.path} and {b.fact.path} have no layer in common that can be looked at here: "
            "leave out --layers"
        )
    all_names = a.fact.layers.keys() | b.fact.layers.keys()
    return tuple(compared), (runner_a, runner_b), len(all_names) - len(compared)


def _diff(name: str, a: Array, b: Array, peak: float | None) -> TensorDiff:
    """Return how B's tensor differs from A's, of the same shape."""
    finite_a, finite_b = np.isfinite(a), np.isfinite(b)
    both = finite_a & finite_b
    error = np.abs(np.where(both, a, 0) - np.where(both, b, 0))
    alone = finite_a != finite_b
    parts = bool(alone.any() or error.any())
    at = int(np.argmax(alone if alone.any() else error))
    return TensorDiff(
        name=name,
        shape=a.shape,
        # Half precision that overflows in A is no less a difference than in B.
        psnr_db=round(psnr_db(b, a, peak), 2) if finite_a.all() else 0.0,
        max_abs_error=float(f"{error.max(initial=0.0):.3g}"),
        worst=tuple(map(int, np.unravel_index(at, a.shape))) if parts else None,
        not_finite=(int((~finite_a).sum()), int((~finite_b).sum())),
    )
