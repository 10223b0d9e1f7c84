"""Parity of exported files: outputs on the golden probes of the artifact, against the network."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import load_file

from styleexport.core.arrays import Array, Arrays, Run
from styleexport.core.errors import (
    BadArtifact,
    DeviceError,
    MissingExtra,
    UnsupportedOp,
    first_line,
)
from styleexport.core.manifest import (
    AgreementFact,
    FileFact,
    Manifest,
    ParityFact,
    ProbeFact,
    TensorFact,
)
from styleexport.core.psnr import EQUAL_DB, psnr_db
from styleexport.core.thresholds import allowed_in_tiles
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import PASSES, Role
from styleexport.runtime_bench.runners._runner import (
    Runner,
    RunOptions,
    Session,
    runner_for,
    runners_for,
)
from styleexport.runtime_bench.style_packs import check_packs
from styleexport.runtime_bench.tiling.files import TiledFiles
from styleexport.runtime_bench.tiling.painter import TiledPainter

ProbeTensors = dict[str, Array]


def read_probe(folder: Path, probe: ProbeFact) -> ProbeTensors:
    """Return name → tensor of a probe's inputs and its expected output.

    Args:
        folder: artifact directory.
        probe: entry of the manifest.

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


def probe_inputs(tensors: Arrays, fact: FileFact, path: Path | str) -> ProbeTensors:
    """Return name → tensor of the inputs that a file takes.

    Args:
        tensors: tensors of a probe.
        fact: entry of the file.
        path: path of the file, for messages.

    Raises:
        BadArtifact: the probe lacks an input.
    """
    return {item.name: _tensor(tensors, item.name, path) for item in fact.inputs}


def _tensor(tensors: Arrays, name: str, path: Path | str) -> Array:
    if name not in tensors:
        raise BadArtifact(
            f"the probe of {path} holds no {name}, found {sorted(tensors)}; export the network "
            "again"
        )
    return tensors[name]


def measure_parity(
    run: Callable[[ProbeTensors], Arrays],
    fact: FileFact,
    probes: Sequence[Arrays],
    *,
    label: str,
    runner: str,
    allowed_db: float,
) -> ParityFact:
    """Return the parity of a file: the worst PSNR and the largest error of its outputs on probes.

    Args:
        run: returns the outputs of the file by name, for inputs by name.
        fact: entry of the file.
        probes: tensors of each probe, from `read_probe`; images [N, 3, H, W] in 0..1.
        label: name of the file, for messages.
        runner: name of the runner, for the fact.
        allowed_db: minimum PSNR in dB.

    Raises:
        BadArtifact: a probe lacks a tensor, or the output has another shape than the reference.
    """
    worst, largest = EQUAL_DB, 0.0
    for tensors in probes:
        outputs = run(probe_inputs(tensors, fact, label))
        for item in fact.outputs:
            output, expected = outputs[item.name], _tensor(tensors, item.name, label)
            if output.shape != expected.shape:
                raise BadArtifact(
                    f"{label} returned {list(output.shape)}, expected {list(expected.shape)}: "
                    "height and width are swapped or the size is wrong"
                )
            worst = min(worst, psnr_db(output, expected, peak_of(item)))
            largest = max(largest, float(np.abs(np.nan_to_num(output) - expected).max()))
    return ParityFact(
        runner=runner,
        metric="psnr",
        measured_db=round(worst, 2),
        allowed_db=allowed_db,
        max_abs_error=float(f"{largest:.3g}"),
        probes=len(probes),
    )


@contextlib.contextmanager
def runtime_errors_of(path: Path, probe: str = " on its probe") -> Generator[None]:
    """Turn what a runtime raises in the block into an error that names the file.

    Raises:
        BadArtifact: the runtime raised an error of its own, or the file takes other inputs.
    """
    try:
        yield
    except (BadArtifact, DeviceError, MissingExtra, UnsupportedOp):
        raise
    except Exception as error:
        raise BadArtifact(
            f"{path} does not run{probe}: {first_line(error)}; it is not the file that the "
            "manifest describes: export the network again"
        ) from error


def check_file(folder: Path, fact: FileFact, probes: Sequence[ProbeFact]) -> tuple[ParityFact, ...]:
    """Return the parity of a file on the probes that it takes, one fact per available runner.

    Args:
        folder: artifact directory.
        fact: entry of the file.
        probes: probes of the artifact.

    Raises:
        BadArtifact: the file cannot be loaded, or no probe fits it.
        DeviceError: no runner for it can run here.
    """
    path = folder / fact.path
    tensors = [read_probe(folder, probe) for probe in _fitting(fact, probes)]
    if not tensors:
        raise BadArtifact(f"{folder} has no probe for {fact.path}: export the network again")
    parities, unavailable = list[ParityFact](), list[str]()
    for runner in runners_for(path):
        try:
            parity = _run_probes(runner, path, fact, tensors)
        except DeviceError as error:
            unavailable.append(str(error))
            continue
        in_float32 = runner.in_float32() if fact.float_dtype == "float16" else None
        if in_float32 is not None:
            measured_db = _run_probes(in_float32, path, fact, tensors).measured_db
            parity = msgspec.structs.replace(parity, float32_db=measured_db)
        parities.append(parity)
    if not parities:
        raise DeviceError("; ".join(unavailable))
    return tuple(parities)


def check_tiling(
    folder: Path, tiling: TilingFact, files: Sequence[FileFact], probe: ProbeFact
) -> tuple[ParityFact, ...]:
    """Return the parity of a picture that files paint in tiles, one fact per available runner.

    Args:
        folder: artifact directory.
        tiling: how the files are used.
        files: files of its passes, in order.
        probe: a picture larger than a window, and the painting of the float network.

    Raises:
        BadArtifact: a file cannot be loaded, or the probe does not fit.
        DeviceError: no runner for them can run here.
    """
    tensors = read_probe(folder, probe)
    expected = _tensor(tensors, "image", files[0].path)
    parities, unavailable = list[ParityFact](), list[str]()
    for runner in runners_for(folder / files[0].path):
        if not runner.proves_tiles:
            continue
        opened = TiledFiles(tiling, tuple(files), partial(_pass, runner, folder))
        try:
            painted = TiledPainter(opened).painting(tensors)
        except DeviceError as error:
            unavailable.append(str(error))
            continue
        parities.append(
            ParityFact(
                runner=runner.name,
                metric="psnr",
                measured_db=round(psnr_db(painted, expected, 1.0), 2),
                allowed_db=allowed_in_tiles(files, on_device=runner.rounds_pictures),
                max_abs_error=float(f"{np.abs(painted - expected).max():.3g}"),
                probes=1,
            )
        )
    if not parities:
        raise DeviceError("; ".join(unavailable))
    return tuple(parities)


@contextlib.contextmanager
def _pass(runner: Runner, folder: Path, file: FileFact) -> Generator[Run]:
    """Open the file of a pass."""
    path = folder / file.path
    with runtime_errors_of(path), runner.open(path, RunOptions()) as session:
        yield session


def agreements(
    folder: Path, facts: Sequence[FileFact], probes: Sequence[ProbeFact]
) -> tuple[AgreementFact, ...]:
    """Return the worst PSNR between the outputs of each pair of files.

    Args:
        folder: artifact directory.
        facts: entries of files of one role, size and precision, in several formats.
        probes: probes of the artifact.

    Raises:
        BadArtifact: a file cannot be loaded or run.
        DeviceError: no runner for it can run here.
    """
    outputs = {fact.path: _outputs(folder, fact, probes) for fact in facts}
    peak = peak_of(facts[0].outputs[0]) if facts else None
    return tuple(
        AgreementFact(
            a=a,
            b=b,
            measured_db=round(
                min(psnr_db(y, x, peak) for x, y in zip(outputs[a], outputs[b], strict=True)), 2
            ),
        )
        for a, b in itertools.combinations(outputs, 2)
    )


def check_artifact(folder: Path, manifest: Manifest) -> dict[str, tuple[ParityFact, ...]]:
    """Return path → parity of every file of an artifact, one fact per available runner.

    Raises:
        BadArtifact: a file or a pack of styles cannot be loaded, or no probe fits a file.
        DeviceError: no runner for a file can run here.
    """
    check_packs(folder, manifest)
    checked = {
        fact.path: check_file(folder, fact, manifest.probes)
        for fact in manifest.files
        if fact.role not in PASSES
    }
    by_path = {fact.path: fact for fact in manifest.files}
    for tiling in manifest.tilings:
        files = [by_path[item.path] for item in tiling.passes]
        probe = next((probe for probe in manifest.probes if probe.role is Role.RENDER), None)
        if probe is None:
            raise BadArtifact(f"{folder} has no probe for its tiles: export the network again")
        parity = check_tiling(folder, tiling, files, probe)
        checked |= {fact.path: parity for fact in files}
    return checked


def _fitting(fact: FileFact, probes: Sequence[ProbeFact]) -> list[ProbeFact]:
    return [probe for probe in probes if probe.role is fact.role and fact.takes(probe.size)]


def peak_of(output: TensorFact) -> float | None:
    """Return the peak of an output; None takes the expected output's largest value."""
    return 1.0 if output.kind == "image" else None


def _run_probes(
    runner: Runner, path: Path, fact: FileFact, probes: Sequence[ProbeTensors]
) -> ParityFact:
    """Return the parity of a file with one runner."""
    with runner.open(path, RunOptions()) as session:
        return measure_parity(
            lambda inputs: _run(session, fact, inputs, path),
            fact,
            probes,
            label=str(path),
            runner=runner.name,
            allowed_db=runner.allowed_db(fact),
        )


def _run(session: Session, fact: FileFact, inputs: ProbeTensors, path: Path) -> ProbeTensors:
    """Return the outputs of a file, by name, for the inputs of its probe."""
    with runtime_errors_of(path):
        made = session(inputs)
        return {item.name: made[item.name] for item in fact.outputs}


def _outputs(folder: Path, fact: FileFact, probes: Sequence[ProbeFact]) -> list[Array]:
    """Return a file's first output on the probes that fit it, with its first available runner."""
    path = folder / fact.path
    with runner_for(path).open(path, RunOptions()) as session:
        return [
            _run(session, fact, probe_inputs(read_probe(folder, probe), fact, path), path)[
                fact.outputs[0].name
            ]
            for probe in _fitting(fact, probes)
        ]
