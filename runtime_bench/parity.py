"""Does a file compute what the network it came from computes? Measured on golden probes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from styleexport.core.errors import BadArtifact, DeviceError, first_line
from styleexport.core.manifest import AgreementFact, FileFact, Manifest, ParityFact, ProbeFact
from styleexport.core.psnr import EQUAL_DB, psnr_db
from styleexport.core.thresholds import ALLOWED_DB, allowed_on_device
from styleexport.runtime_bench.runners._runner import (
    Runner,
    RunOptions,
    Session,
    runner_for,
    runners_for,
)

Tensors = dict[str, NDArray[np.float32]]


def read_probe(folder: Path, probe: ProbeFact) -> Tensors:
    """Return the tensors of one probe: inputs and the output, by name.

    Raises:
        BadArtifact: the file is damaged, or holds other elements than float32.
    """
    try:
        tensors = load_file(folder / probe.path)
    except Exception as error:
        raise BadArtifact(
            f"probe {folder / probe.path} cannot be read: {error}; export the network again"
        ) from error
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise BadArtifact(
                f"probe {folder / probe.path} holds {name} as {tensor.dtype}, expected float32; "
                "export the network again"
            )
    return tensors


def check_file(folder: Path, fact: FileFact, probes: Sequence[ProbeFact]) -> tuple[ParityFact, ...]:
    """Return the parity of one file on the probes that it can take, once a runner.

    Raises:
        BadArtifact: the file cannot be loaded, or there is no probe for it.
        DeviceError: no runner for it can run here.
    """
    path = folder / fact.path
    fitting = [p for p in probes if p.role is fact.role and fact.takes(p.size)]
    if not fitting:
        raise BadArtifact(f"{folder} has no probe for {fact.path}: export the network again")
    tensors = [read_probe(folder, probe) for probe in fitting]
    found, refused = list[ParityFact](), list[str]()
    for runner in runners_for(path):
        try:
            measured, largest = _measure(runner, path, fact, tensors)
        except DeviceError as error:
            refused.append(str(error))
            continue
        exact = runner.in_float32() if fact.float_dtype == "float16" else None
        found.append(
            ParityFact(
                runner=runner.name,
                metric="psnr",
                measured_db=measured,
                allowed_db=_allowed(fact, runner),
                max_abs_error=largest,
                probes=len(fitting),
                float32_db=_measure(exact, path, fact, tensors)[0] if exact else None,
            )
        )
    if not found:
        raise DeviceError("; ".join(refused))
    return tuple(found)


def _allowed(fact: FileFact, runner: Runner) -> float:
    return allowed_on_device(fact) if runner.rounds_pictures else ALLOWED_DB[fact.precision]


def _measure(
    runner: Runner, path: Path, fact: FileFact, probes: Sequence[Tensors]
) -> tuple[float, float]:
    """Return the worst PSNR in dB and the largest difference of one element."""
    worst, largest = EQUAL_DB, 0.0
    peak = 1.0 if fact.outputs[0].kind == "image" else None
    with runner.open(path, RunOptions()) as session:
        for tensors in probes:
            output, reference = _run(session, fact, tensors, path)
            if output.shape != reference.shape:
                raise BadArtifact(
                    f"{path} returned {list(output.shape)}, expected {list(reference.shape)}: "
                    "height and width are swapped or the size is wrong"
                )
            worst = min(worst, psnr_db(output, reference, peak))
            largest = max(largest, float(np.abs(np.nan_to_num(output) - reference).max()))
    return round(worst, 2), float(f"{largest:.3g}")


def _run(
    session: Session, fact: FileFact, tensors: Tensors, path: Path
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


def agreements(
    folder: Path, facts: Sequence[FileFact], probes: Sequence[ProbeFact]
) -> tuple[AgreementFact, ...]:
    """Return how near files of one role, size and precision come to each other, pair by pair.

    Args:
        folder: of the artifact.
        facts: of files that are to compute the same, each with its own rounding.
        probes: of the artifact.

    Raises:
        BadArtifact: a file cannot be loaded or run.
        DeviceError: no runner for it can run here.
    """
    outputs = {fact.path: _outputs(folder, fact, probes) for fact in facts}
    peak = 1.0 if facts and facts[0].outputs[0].kind == "image" else None
    found: list[AgreementFact] = []
    for a, b in itertools.combinations(outputs, 2):
        both = zip(outputs[a], outputs[b], strict=True)
        decibels = min(psnr_db(other, one, peak) for one, other in both)
        found.append(AgreementFact(a=a, b=b, measured_db=round(decibels, 2)))
    return tuple(found)


def _outputs(
    folder: Path, fact: FileFact, probes: Sequence[ProbeFact]
) -> list[NDArray[np.float32]]:
    """Return what a file computes of each probe that it takes, with its first runner here."""
    path = folder / fact.path
    fitting = [p for p in probes if p.role is fact.role and fact.takes(p.size)]
    with runner_for(path).open(path, RunOptions()) as session:
        return [_run(session, fact, read_probe(folder, probe), path)[0] for probe in fitting]


def check_artifact(folder: Path, manifest: Manifest) -> dict[str, tuple[ParityFact, ...]]:
    """Return path → parity of every file of an artifact, once a runner."""
    return {fact.path: check_file(folder, fact, manifest.probes) for fact in manifest.files}
