"""Emulated machine: its files, what is missing, and a run in it."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core import cache
from styleexport.core.errors import DeviceError

QEMU = "qemu-aarch64"
CPU = "cortex-a76"
PREPARE = "python -m styleexport.runtime_bench.runners.emulated_aarch64.prepare"
SECONDS = 1800.0
HERE = Path(__file__).parent


def folder() -> Path:
    """Return the folder of the machine's files: ``aarch64`` of the cache."""
    return cache.cache_folder() / "aarch64"


def missing() -> str | None:
    """Return how to get the machine where it is missing; None where it is installed."""
    if shutil.which(QEMU) is None:
        return f"no {QEMU} found: apt-get install qemu-user, then `{PREPARE}`"
    if not (folder() / "ready").is_file():
        return f"the emulated machine is not there: type `{PREPARE}` (170 MB, Debian 12)"
    return None


@dataclass(frozen=True)
class GuestRun:
    """Result of one run in the machine.

    Attributes:
        outputs: outputs by name.
        load_instructions: number of instructions to load the file.
        instructions: number of instructions of each inference after that.
    """

    outputs: dict[str, NDArray[np.float32]]
    load_instructions: int
    instructions: tuple[int, ...]


def run(model: Path, inputs: dict[str, NDArray[np.float32]]) -> GuestRun:
    """Return the result of a file in the machine.

    Args:
        model: path of the ``.onnx`` file.
        inputs: inputs by name, in the file's layout.

    Raises:
        DeviceError: it failed or did not end in time.
    """
    with tempfile.TemporaryDirectory(prefix="styleexport-aarch64-") as name:
        place = Path(name)
        np.savez(place / "inputs.npz", **inputs)  # pyright: ignore[reportArgumentType]
        files = (model.resolve(), place / "inputs.npz", place / "outputs.npz")
        try:
            done = subprocess.run(
                [*_command(place), str(HERE / "guest.py"), *map(str, files)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"{model.name} did not end in {SECONDS:.0f} s of emulation"
            ) from error
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise DeviceError(f"{model.name} fails under emulation: {lines[-1][:200]}")
        marks = [int(line) for line in (place / "counts").read_text().split()]
        steps = [after - before for before, after in itertools.pairwise(marks)]
        outputs = dict(np.load(files[2]))
        return GuestRun(outputs, steps[0], tuple(steps[1:]))


def _command(place: Path) -> list[str]:
    home = folder()
    variables = {
        "PYTHONHOME": str(home / "sysroot" / "usr"),
        "PYTHONPATH": str(home / "site"),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
    }
    return [
        QEMU,
        "-cpu",
        CPU,
        "-L",
        str(home / "sysroot"),
        "-plugin",
        f"file={home / 'count.so'},out={place / 'counts'}",
        *(part for name, value in variables.items() for part in ("-E", f"{name}={value}")),
        str(home / "sysroot" / "usr" / "bin" / "python3.11"),
        "-S",
        "-B",
    ]
