"""Virtual environments for tools whose dependencies conflict with ours, built on request.

An environment pins exact versions and the sha256 of every wheel. Its folder in the user's cache is
named after the tool, the tool's version and the Python version, so an upgrade is built beside the
old one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from styleexport.core import assets
from styleexport.core.errors import DeviceError, MissingExtra, UsageError
from styleexport.core.files import Product, replace_folder
from styleexport.core.locks import change_lock
from styleexport.core.types import Progress

STAMP = "complete.txt"
PROGRESS_LINES = ("Collecting ", "Downloading ", "Installing ")


@dataclass(frozen=True)
class Tool:
    """Tool that has an environment of its own.

    Attributes:
        version: version of the tool.
        requirements: all packages to install, at exact versions with the sha256 of their wheels, as
            a requirements file of pip.
        pythons: versions of Python that it is tested with.
        check: arguments for the environment's Python that fail if the tool cannot run.
    """

    version: str
    requirements: str
    pythons: Sequence[str]
    check: Sequence[str]


# onnx2tf's own list adds packages that only its other back ends and its reports need. It declares
# Python 3.12; the part that we use runs on 3.11 too and writes the same bytes.
TOOLS: Mapping[str, Tool] = {
    "onnx2tf": Tool(
        version="2.6.9",
        requirements=(assets.folder() / "onnx2tf.txt").read_text(encoding="utf-8"),
        pythons=("3.11", "3.12", "3.13"),
        check=("-c", "import onnx2tf.onnx2tf"),
    )
}
ENVIRONMENT = Product("a virtual environment", lambda path: (path / "pyvenv.cfg").is_file())


@dataclass(frozen=True)
class Environment:
    """Complete environment of a tool.

    Attributes:
        tool: name of the tool.
        folder: folder of the environment.
    """

    tool: str
    folder: Path

    @property
    def python(self) -> Path:
        """Path of its Python interpreter."""
        return _python(self.folder)


@dataclass(frozen=True)
class Finished:
    """Result of a run: its exit code, and stdout and stderr together."""

    code: int
    output: str


def place(tool: str) -> Path:
    """Return the folder of a tool's environment for this Python, whether it exists or not.

    Its parent is ``STYLEEXPORT_ENVS`` or, if that is not set, a folder in the user's cache (XDG
    base directory specification).

    Raises:
        UsageError: there is no such tool.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "styleexport"
    root = Path(os.environ.get("STYLEEXPORT_ENVS") or cache / "envs").absolute()
    return root / f"{tool}-{_tool(tool).version}-py{_python_version()}"


def find(tool: str) -> Environment:
    """Return a tool's environment.

    Raises:
        UsageError: there is no such tool.
        MissingExtra: its environment does not exist or is incomplete.
        DeviceError: the tool is not tested with this Python.
    """
    folder, contents = place(tool), _contents(tool)
    if not (_python(folder).exists() and _stamp(folder) == contents):
        state = "not complete" if folder.exists() else "not there"
        raise MissingExtra(
            f"{tool} runs in an environment of its own, which is {state} at {folder}: type "
            f"`styleexport doctor --make-env {tool}`"
        )
    return Environment(tool, folder)


def make(tool: str, progress: Progress = lambda _: None) -> Environment:
    """Return a tool's environment, built from the package registry if there is none that works.

    Only wheels whose sha256 is known are installed, so no set-up code runs and nothing that was
    exchanged on the way.

    Raises:
        UsageError: there is no such tool, or something else than an environment is at its place.
        DeviceError: the tool is not tested with this Python, the registry or the disk failed, or
            the tool does not run; nothing is left behind.
    """
    folder, contents = place(tool), _contents(tool)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with change_lock(folder.with_name(f"{folder.name}.making"), progress):
            with contextlib.suppress(MissingExtra, DeviceError):
                present = find(tool)
                _try(present, progress)
                return present
            progress(f"{tool}: making {folder}")
            with replace_folder(folder, ENVIRONMENT, progress) as part:
                _build(Environment(tool, part), contents, progress)
    except OSError as error:
        raise DeviceError(
            f"cannot make {folder}: {error.strerror or error}; free some space or set "
            "STYLEEXPORT_ENVS to another folder"
        ) from error
    return Environment(tool, folder)


def _build(environment: Environment, contents: str, progress: Progress) -> None:
    new = [sys.executable, "-m", "venv", str(environment.folder)]
    _step(environment, new, "install Python's venv and ensurepip", progress)
    # What it is complete with is written first; it is in its place only when all is.
    stamp = environment.folder / STAMP
    stamp.write_text(contents, encoding="utf-8")
    options = [
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--ignore-requires-python",
        "--no-input",
        "--progress-bar=off",
    ]
    install = [str(environment.python), "-I", "-m", "pip", "install", *options, "-r", str(stamp)]
    _step(environment, install, "look at the connection and pip's configuration", progress)
    _try(environment, progress)


def _try(environment: Environment, progress: Progress) -> None:
    progress(f"{environment.tool}: trying {environment.folder}")
    check = [str(environment.python), "-I", *_tool(environment.tool).check]
    _step(environment, check, "report it", progress)


def run(
    environment: Environment, arguments: Sequence[str], folder: Path, timeout_s: float
) -> Finished:
    """Run an environment's Python in a folder, without our libraries, and return the result.

    Raises:
        TimeoutError: it took longer and was killed.
    """
    try:
        process = subprocess.run(
            [str(environment.python), "-I", *arguments],
            cwd=folder,
            env=_variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{environment.tool} took longer than {timeout_s:g} s") from error
    return Finished(process.returncode, process.stdout)


def _step(
    environment: Environment, command: Sequence[str], remedy: str, progress: Progress
) -> None:
    """Run one step of a build and report its progress.

    Raises:
        DeviceError: it failed; the message contains its last error.
    """
    tool = environment.tool
    lines: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        command,
        env=_variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in filter(None, map(str.strip, process.stdout)):
            lines.append(line)
            if line.startswith(PROGRESS_LINES):
                progress(f"{tool}: {line[:100]}")
    if process.returncode:
        errors = [line for line in lines if line.startswith("ERROR:")]
        reason = (errors or list(lines) or [f"exit code {process.returncode}"])[-1]
        reason = reason.removeprefix("ERROR: ")
        raise DeviceError(
            f"the environment of {tool} cannot be made: {reason[:200]}; {remedy}, then type "
            f"`styleexport doctor --make-env {tool}` again"
        )


def _tool(name: str) -> Tool:
    if name not in TOOLS:
        raise UsageError(
            f"unknown environment {name!r}: expected one of {', '.join(TOOLS)}; type "
            f"--make-env {next(iter(TOOLS))}"
        )
    return TOOLS[name]


def _contents(tool: str) -> str:
    """Return the requirements file of a tool's environment for this Python."""
    known = _tool(tool)
    if _python_version() not in known.pythons:
        raise DeviceError(
            f"{tool} is tested with Python {', '.join(known.pythons)}, this is "
            f"{_python_version()}: install styleexport with one of those"
        )
    return known.requirements


def _stamp(folder: Path) -> str:
    """Return the requirements that an environment was completed with; "" if it was not."""
    try:
        return (folder / STAMP).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _variables() -> dict[str, str]:
    """Return the environment variables without those that would import other libraries."""
    dropped = ("PYTHON", "VIRTUAL_ENV", "__PYVENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
