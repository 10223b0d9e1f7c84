"""Parity: outputs of exported files on golden probes, compared with the float network's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from styleexport.core.arrays import Arrays
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
    """Return the tensors of a probe by name: inputs and the reference output.

    Args:
        folder: folder of the artifact.
        probe: manifest entry of the probe.

    Raises:
        BadArtifact: the file is damaged, or holds elements other than float32.
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


def measure_parity(
    run: Callable[[Tensors], NDArray[np.float32]],
    fact: FileFact,
    probes: Sequence[Arrays],
    *,
    label: str,
    runner: str,
    allowed_db: float,
) -> ParityFact:
    """Return the parity of a file: the worst PSNR and the largest error over some probes.

    Args:
        run: returns the first output of the file for inputs by name.
        fact: manifest entry of the file.
        probes: tensors of each probe, from `read_probe`; images [N, 3, H, W] in 0..1.
        label: name of the file, for messages.
        runner: name of the runner, for the fact.
        allowed_db: minimum PSNR in dB.

    Raises:
        BadArtifact: a probe lacks a tensor, or the output has another shape than the reference.
    """
    worst, largest = EQUAL_DB, 0.0
    peak = 1.0 if fact.outputs[0].kind == "image" else None
    for tensors in probes:
        inputs, reference = _split(tensors, fact, label)
        output = run(inputs)
        if output.shape != reference.shape:
            raise BadArtifact(
                f"{label} returned {list(output.shape)}, expected {list(reference.shape)}: "
                "height and width are swapped or the size is wrong"
            )
        worst = min(worst, psnr_db(output, reference, peak))
        largest = max(largest, float(np.abs(np.nan_to_num(output) - reference).max()))
    return ParityFact(
        runner=runner,
        metric="psnr",
        measured_db=round(worst, 2),
        allowed_db=allowed_db,
        max_abs_error=float(f"{largest:.3g}"),
        probes=len(probes),
    )


def _split(tensors: Arrays, fact: FileFact, label: str) -> tuple[Tensors, NDArray[np.float32]]:
    """Return the inputs of a probe and its reference output."""
    names = [item.name for item in fact.inputs]
    output = fact.outputs[0].name
    missing = [name for name in (*names, output) if name not in tensors]
    if missing:
        raise BadArtifact(
            f"the probe of {label} holds no {missing[0]}, found {sorted(tensors)}; export the "
            "network again"
        )
    return {name: tensors[name] for name in names}, tensors[output]


def check_file(folder: Path, fact: FileFact, probes: Sequence[ProbeFact]) -> tuple[ParityFact, ...]:
    """Return the parity of a file on the probes that it takes, one fact per available runner.

    Args:
        folder: folder of the artifact.
        fact: manifest entry of the file.
        probes: probes of the artifact.

    Raises:
        BadArtifact: the file cannot be loaded, or there is no probe for it.
        DeviceError: no runner for it can run here.
    """
    path = folder / fact.path
    tensors = [read_probe(folder, probe) for probe in _fitting(fact, probes)]
    if not tensors:
        raise BadArtifact(f"{folder} has no probe for {fact.path}: export the network again")
    facts, reasons = list[ParityFact](), list[str]()
    for runner in runners_for(path):
        try:
            parity = _run_probes(runner, path, fact, tensors)
        except DeviceError as error:
            reasons.append(str(error))
            continue
        exact = runner.in_float32() if fact.float_dtype == "float16" else None
        if exact is not None:
            measured_db = _run_probes(exact, path, fact, tensors).measured_db
            parity = msgspec.structs.replace(parity, float32_db=measured_db)
        facts.append(parity)
    if not facts:
        raise DeviceError("; ".join(reasons))
    return tuple(facts)


def _fitting(fact: FileFact, probes: Sequence[ProbeFact]) -> list[ProbeFact]:
    """Return the probes of a file's role and sizes."""
    return [probe for probe in probes if probe.role is fact.role and fact.takes(probe.size)]


def _run_probes(
    runner: Runner, path: Path, fact: FileFact, probes: Sequence[Tensors]
) -> ParityFact:
    """Return the parity of a file with one runner."""
    rounds = runner.rounds_pictures
    with runner.open(path, RunOptions()) as session:
        return measure_parity(
            lambda inputs: _run(session, fact, inputs, path),
            fact,
            probes,
            label=str(path),
            runner=runner.name,
            allowed_db=allowed_on_device(fact) if rounds else ALLOWED_DB[fact.precision],
        )


def _run(session: Session, fact: FileFact, inputs: Tensors, path: Path) -> NDArray[np.float32]:
    """Return the first output of a file for the inputs of its probe."""
    try:
        return session(inputs)[fact.outputs[0].name]
    except Exception as error:
        raise BadArtifact(
            f"{path} does not run on its probe: {first_line(error)}; it is not the file that the "
            "manifest describes: export the network again"
        ) from error


def agreements(
    folder: Path, facts: Sequence[FileFact], probes: Sequence[ProbeFact]
) -> tuple[AgreementFact, ...]:
    """Return the PSNR between files of one role, size and precision, for every pair.

    Args:
        folder: folder of the artifact.
        facts: manifest entries of files that compute the same, each with its own rounding.
        probes: probes of the artifact.

    Raises:
        BadArtifact: a file cannot be loaded or run.
        DeviceError: no runner for it can run here.
    """
    outputs = {fact.path: _outputs(folder, fact, probes) for fact in facts}
    peak = 1.0 if facts and facts[0].outputs[0].kind == "image" else None
    pairs: list[AgreementFact] = []
    for a, b in itertools.combinations(outputs, 2):
        both = zip(outputs[a], outputs[b], strict=True)
        decibels = min(psnr_db(other, one, peak) for one, other in both)
        pairs.append(AgreementFact(a=a, b=b, measured_db=round(decibels, 2)))
    return tuple(pairs)


def _outputs(
    folder: Path, fact: FileFact, probes: Sequence[ProbeFact]
) -> list[NDArray[np.float32]]:
    """Return the output for each probe that a file takes, with its first available runner."""
    path = folder / fact.path
    with runner_for(path).open(path, RunOptions()) as session:
        return [
            _run(session, fact, _split(read_probe(folder, probe), fact, str(path))[0], path)
            for probe in _fitting(fact, probes)
        ]


def check_artifact(folder: Path, manifest: Manifest) -> dict[str, tuple[ParityFact, ...]]:
    """Return path → parity of every file of an artifact, one fact per available runner."""
    return {fact.path: check_file(folder, fact, manifest.probes) for fact in manifest.files}
