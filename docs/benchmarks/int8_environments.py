"""Environments of the tools whose dependencies conflict with ours, and the runs in them.

Run: python docs/benchmarks/int8_environments.py [TOOL ...] [--environments FOLDER]

Makes FOLDER/TOOL of each tool of int8_tools/*.txt, or of those that are named, and goes on where
one cannot be installed. ExecuTorch and the others need torch: where the registry's build for this
machine brings CUDA, give pip the wheel of the CPU build (PIP_FIND_LINKS, PIP_CONSTRAINT).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core import environments
from styleexport.core.environments import Environment
from styleexport.core.errors import MissingExtra, UnsupportedOp

TOOLS = Path(__file__).with_name("int8_tools")
FOLDER = environments.place("onnx2tf").with_name("int8-benchmark")
NAMES = tuple(sorted(path.stem for path in TOOLS.glob("*.txt")))
FAILURE = re.compile(r"(?m)^[\w.]*?(\w*(?:Error|Exception|InvalidArgument|Fail)\w*: .+)$")

Feeds = Sequence[dict[str, NDArray[np.float32]]]


def environment(tool: str, folder: Path) -> Environment:
    """Return a tool's environment.

    Raises:
        MissingExtra: it is not there.
    """
    found = Environment(tool, folder / tool)
    if not found.python.exists():
        raise MissingExtra(
            f"not installed here: type `python docs/benchmarks/int8_environments.py {tool}`"
        )
    return found


def version(tool: str, folder: Path) -> str | None:
    """Return the version of a tool in its environment; None where there is none."""
    requirement = (TOOLS / f"{tool}.txt").read_text(encoding="utf-8").split("\n", 1)[0]
    name = re.split(r"[=\[]", requirement, maxsplit=1)[0]
    paths = [str(path) for path in (folder / tool).glob("lib/python*/site-packages")]
    found = importlib.metadata.distributions(name=name, path=paths) if paths else ()
    return next((distribution.version for distribution in found), None)


def quantize(
    tool: str, folder: Path, source: Path, target: Path, feeds: Feeds, limit_s: float
) -> None:
    """Write the int8 file that a tool makes in its environment; see int8_tools/quantize.py.

    Raises:
        MissingExtra: the tool is not installed here.
        TimeoutError: it took longer than the limit and was killed.
        UnsupportedOp: it failed; the message is its last error.
    """
    place = environment(tool.partition("-")[0], folder)
    with tempfile.TemporaryDirectory() as temporary:
        calibration = Path(temporary) / "calibration.npz"
        stacked = {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}
        np.savez(calibration, allow_pickle=False, **stacked)
        files = (str(source.absolute()), str(calibration), str(target.absolute()))
        arguments = (str(TOOLS / "quantize.py"), tool, *files)
        done = environments.run(place, arguments, Path(temporary), limit_s)
    if done.code or not target.exists():
        raise UnsupportedOp(telling_error(done))


def telling_error(done: environments.Finished, place: int = -1) -> str:
    """Return an error that a failed run printed, the last by default, or how it ended."""
    failures = FAILURE.findall(done.output)
    ending = f"signal {-done.code}" if done.code < 0 else f"exit code {done.code}"
    return failures[place][:200] if failures else f"no file, ended by {ending}"


def make(tool: str, folder: Path) -> None:
    """Make a tool's environment.

    Raises:
        subprocess.CalledProcessError: pip failed.
    """
    place = folder / tool
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(Environment(tool, place).python), "-I", "-m", "pip", "install", "--no-input"]
    subprocess.run([*pip, "-r", str(TOOLS / f"{tool}.txt")], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tools", nargs="*", choices=[*NAMES, []], metavar="TOOL")
    parser.add_argument("--environments", type=Path, default=FOLDER)
    chosen = parser.parse_args()
    failed: list[str] = []
    for name in chosen.tools or NAMES:
        try:
            make(name, chosen.environments)
        except subprocess.CalledProcessError as error:
            failed.append(f"{name}: {error}")
    sys.exit("\n".join(failed) or None)
