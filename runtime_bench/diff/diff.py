"""Diff of two files of one artifact on a probe: their outputs, and layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from styleexport.core.arrays import Array
from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.gains import with_least_squares_gains
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Size
from styleexport.runtime_bench.diff.probed_file import ProbedFile, find_pair
from styleexport.runtime_bench.diff.report import DiffReport, TensorDiff
from styleexport.runtime_bench.parity import peak_of

DEFAULT_THRESHOLD_DB = 40.0


@dataclass(frozen=True)
class Diff:
    """A report and the outputs behind it.

    Attributes:
        report: figures of the comparison.
        output_a: of the outputs, the one that differs most: picture [1, 3, H, W] in 0..1, style
            code [1, K], content target [1, T], loss [1] or gradient [1, 3, H, W].
        output_b: output of B, of the same shape.
        is_picture: whether the outputs are pictures.
    """

    report: DiffReport
    output_a: Array
    output_b: Array
    is_picture: bool


def diff_files(
    a: Path,
    b: Path,
    *,
    size: Size | None = None,
    layers: bool = False,
    threshold_db: float = DEFAULT_THRESHOLD_DB,
) -> Diff:
    """Return the differences between files A and B on a probe of their artifact.

    Args:
        a: reference.
        b: file of the same artifact and role.
        size: size of the probe; None takes the first that fits both files.
        layers: whether to compare layers too.
        threshold_db: PSNR below which layers count as different.

    Raises:
        UsageError: the files are of two artifacts or roles, or no probe fits both.
        BadArtifact: they are in no artifact, it is damaged, or a file does not run.
        DeviceError: no runner of a file can run here.
    """
    probe, file_a, file_b = find_pair(a, b, size)
    (runner_a, outputs_a), (runner_b, outputs_b) = file_a.outputs(), file_b.outputs()
    for name, output in outputs_a.items():
        if output.shape != outputs_b[name].shape:
            raise BadArtifact(
                f"{a} returned {list(output.shape)} and {b} {list(outputs_b[name].shape)} of one "
                "probe: export the network again"
            )
    output = min(
        (
            diff_tensors(item.name, outputs_a[item.name], outputs_b[item.name], peak_of(item))
            for item in file_a.fact.outputs
        ),
        key=lambda diff: diff.psnr_db,
    )
    compared, runners, left_out = _diff_layers(file_a, file_b) if layers else ((), (), 0)
    index = next((i for i, x in enumerate(compared) if x.psnr_db < threshold_db), None)
    report = DiffReport(
        a=file_a.fact.path,
        b=file_b.fact.path,
        role=probe.role,
        size=probe.size,
        runners=(runner_a, runner_b),
        layer_runners=runners,
        output=output,
        threshold_db=threshold_db,
        first=None if index is None else compared[index],
        before=compared[index - 1] if index else None,
        layers=compared,
        left_out=left_out,
    )
    is_picture = file_a.fact.outputs[0].kind == "image"
    return Diff(report, outputs_a[output.name], outputs_b[output.name], is_picture)


def diff_tensors(name: str, a: Array, b: Array, peak: float | None) -> TensorDiff:
    """Return the difference of two tensors.

    Args:
        name: name of the tensor.
        a: reference.
        b: compared tensor, of the same shape.
        peak: peak of the PSNR; None takes A's largest absolute value.
    """
    finite_a, finite_b = np.isfinite(a), np.isfinite(b)
    both = finite_a & finite_b
    error = np.abs(np.where(both, a, 0) - np.where(both, b, 0))
    finite_in_one = finite_a != finite_b
    differs = bool(finite_in_one.any() or error.any())
    at = int(np.argmax(finite_in_one if finite_in_one.any() else error))
    return TensorDiff(
        name=name,
        shape=a.shape,
        # Half precision that overflows in A is no less a difference than in B.
        psnr_db=round(psnr_db(b, a, peak), 2) if finite_a.all() else 0.0,
        max_abs_error=float(f"{error.max(initial=0.0):.3g}"),
        worst=tuple(map(int, np.unravel_index(at, a.shape))) if differs else None,
        not_finite=(int((~finite_a).sum()), int((~finite_b).sum())),
    )


def _diff_layers(
    a: ProbedFile, b: ProbedFile
) -> tuple[tuple[TensorDiff, ...], tuple[str, ...], int]:
    """Return the differences of layers in A's order, the runners, and the number left out."""
    shared = [name for name in a.fact.layers if name in b.fact.layers]
    runner_a, values_a = a.layers(shared) if shared else ("none", {})
    runner_b, values_b = b.layers(shared) if shared else ("none", {})
    scaled = {*a.fact.scaled_layers, *b.fact.scaled_layers}
    compared: list[TensorDiff] = []
    for name in shared:
        if name not in values_a or name not in values_b:
            continue
        value_a, value_b = values_a[name], values_b[name]
        # Formats keep or drop axes of length 1; a larger difference is not the same tensor.
        if value_a.squeeze().shape == value_b.squeeze().shape:
            value_b = value_b.reshape(value_a.shape)
            if name in scaled:
                value_b = with_least_squares_gains(value_b, value_a)
            diff = diff_tensors(name, value_a, value_b, None)
            compared.append(msgspec.structs.replace(diff, scaled=name in scaled))
    if not compared:
        raise UsageError(
            f"{a.fact.path} and {b.fact.path} have no layer in common that can be looked at here: "
            "leave out --layers"
        )
    all_names = a.fact.layers.keys() | b.fact.layers.keys()
    return tuple(compared), (runner_a, runner_b), len(all_names) - len(compared)
