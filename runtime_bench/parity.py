"""Does a file compute what the network it came from computes? Measured on golden probes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from styleexport.core.errors import BadArtifact, first_line
from styleexport.core.manifest import FileFact, Manifest, ParityFact, ProbeFact
from styleexport.core.types import Precision
from styleexport.runtime_bench.runners._runner import RunOptions, Session, runner_for

# The least that passes, in dB. Rounding to fp16 costs about 1e-3 of a value; int8 weights alone
# stay above 35 on trained networks; int8 activations are held to what a viewer accepts.
ALLOWED_DB = {
    Precision.FP32: 90.0,
    Precision.FP16: 50.0,
    Precision.INT8_WEIGHTS: 35.0,
    Precision.INT8: 25.0,
}
# What is reported for files that agree to the last bit.
EQUAL_DB = 200.0


def psnr_db(
    output: NDArray[np.float32], reference: NDArray[np.float32], peak: float | None = None
) -> float:
    """Return the peak signal-to-noise ratio, 10·log10(peak² / mean squared error), in dB.

    Args:
        output: what was measured.
        reference: what was expected, of the same shape.
        peak: the largest possible value; None takes the reference's largest absolute value.
    """
    if not np.isfinite(output).all():
        return 0.0
    error = np.mean((output.astype(np.float64) - reference.astype(np.float64)) ** 2)
    top = float(np.abs(reference).max()) if peak is None else peak
    if error == 0:
        return EQUAL_DB
    return min(EQUAL_DB, 10 * math.log10(max(top, 1e-12) ** 2 / error))


def read_probe(folder: Path, probe: ProbeFact) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of one probe: inputs and the output, by name.

    Raises:
        BadArtifact: the file is damaged.
    """
    try:
        return load_file(folder / probe.path)
    except Exception as error:
        raise BadArtifact(
            f"probe {folder / probe.path} cannot be read: {error}; export the network again"
        ) from error


def check_file(folder: Path, fact: FileFact, probes: Sequence[ProbeFact]) -> ParityFact:
    """Return the parity of one file on the probes of its role that it can take.

    Raises:
        BadArtifact: the file cannot be loaded, or there is no probe for it.
    """
    path = folder / fact.path
    fitting = [p for p in probes if p.role is fact.role and fact.size in (None, p.size)]
    if not fitting:
        raise BadArtifact(f"{folder} has no probe for {fact.path}: export the network again")
    runner = runner_for(path)
    worst, largest = EQUAL_DB, 0.0
    with runner.open(path, RunOptions()) as session:
        for probe in fitting:
            tensors = read_probe(folder, probe)
            output, reference = _run(session, fact, tensors, path)
            if output.shape != reference.shape:
                raise BadArtifact(
                    f"{path} returned {list(output.shape)} for {probe.size.size()}, expected "
                    f"{list(reference.shape)}: height and width are swapped or the size is wrong"
                )
            peak = 1.0 if fact.outputs[0].kind == "image" else None
            worst = min(worst, psnr_db(output, reference, peak))
            largest = max(largest, float(np.abs(output - reference).max()))
    return ParityFact(
        runner=runner.name,
        metric="psnr",
        measured_db=round(worst, 2),
        allowed_db=ALLOWED_DB[fact.precision],
        max_abs_error=float(f"{largest:.3g}"),
        probes=len(fitting),
    )


def _run(
    session: Session, fact: FileFact, tensors: dict[str, NDArray[np.float32]], path: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what a file computes of a probe, and what the probe expects."""
    name = fact.outputs[0].name
    missing = [n for n in (*(item.name for item in fact.inputs), name) if n not in tensors]
    if missing:
        raise BadArtifact(
            f"the probe of {path} holds no {missing[0]}, found {sorted(tensors)}; export the "
            "network again"
        )
    try:
        output = session({item.name: tensors[item.name] for item in fact.inputs})[name]
    except Exception as error:
        raise BadArtifact(
            f"{path} does not run on its probe: {first_line(error)}; it is not the file that the "
            "manifest describes: export the network again"
        ) from error
    return output, tensors[name]


def check_artifact(folder: Path, manifest: Manifest) -> dict[str, ParityFact]:
    """Return path → parity of every file of an artifact."""
    return {fact.path: check_file(folder, fact, manifest.probes) for fact in manifest.files}
