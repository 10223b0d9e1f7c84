"""`styleexport doctor`: installed versions against tested ones, and the command that fixes them."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from styleexport.cli._common import json_option, print_json, print_table, say, talk
from styleexport.core.errors import DeviceError, MissingExtra


@dataclass(frozen=True)
class LibraryRow:
    """One library: the version found ("-" for none), the tested one, and what that means."""

    library: str
    found: str
    tested: str
    verdict: str


@dataclass(frozen=True)
class EnvironmentRow:
    """One tool's environment: its version, where it lies (None for nowhere), what is to be done."""

    tool: str
    version: str
    folder: str | None
    remedy: str


@dataclass(frozen=True)
class Health:
    """All that is looked at; ``mend`` is the pip line for the libraries, empty for nothing."""

    python: str
    libraries: list[LibraryRow]
    environments: list[EnvironmentRow]
    mend: str


@click.command(
    short_help="Compare installed libraries with tested versions.",
    epilog="Examples: styleexport doctor  |  styleexport doctor --make-env onnx2tf",
)
@click.option(
    "--make-env",
    "tool",
    metavar="NAME",
    help="Install a tool into an environment of its own: onnx2tf.",
)
@json_option
def doctor(tool: str | None, as_json: bool) -> None:
    """Compare installed libraries with tested versions, and print the command that fixes them.

    --make-env downloads a tool whose dependencies conflict into an environment of its own.
    """
    if tool is not None:
        _make(tool, as_json)
        return
    libraries = _libraries()
    health = Health(platform.python_version(), libraries, _environments(), _mending(libraries))
    if as_json:
        print_json(health)
    else:
        _print(health)
    missing = [row.library for row in libraries if row.verdict == "missing"]
    if missing:
        raise MissingExtra(f"{', '.join(missing)} not installed: {health.mend}")


def _make(tool: str, as_json: bool) -> None:
    from styleexport.core import environments

    folder = str(environments.make(tool, talk).folder)
    if as_json:
        print_json({"tool": tool, "folder": folder})
    else:
        say(folder)


def _libraries() -> list[LibraryRow]:
    from styleexport.core.versions import EXTRAS, TESTED

    return [
        LibraryRow(name, _found(name) or "-", tested, _verdict(name, tested, extra))
        for extra, packages in {"": TESTED, **EXTRAS}.items()
        for name, tested in packages.items()
    ]


def _found(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _verdict(name: str, tested: str, extra: str) -> str:
    installed = _found(name)
    if installed is None:
        return f"not installed (extra: {extra})" if extra else "missing"
    exact = not tested.replace(".", "").isdigit()  # betas change from one to the next
    same = installed == tested if exact else _release(installed) == _release(tested)
    return "tested" if same else "untested"


def _release(version: str) -> tuple[str, ...]:
    return tuple(version.split("+")[0].split(".")[:2])


def _environments() -> list[EnvironmentRow]:
    from styleexport.core import environments

    rows: list[EnvironmentRow] = []
    for name, tool in environments.TOOLS.items():
        folder, remedy = None, ""
        try:
            folder = str(environments.find(name).folder)
        except MissingExtra:
            remedy = f"styleexport doctor --make-env {name}"
        except DeviceError as error:
            remedy = str(error)
        rows.append(EnvironmentRow(name, tool.version, folder, remedy))
    return rows


def _mending(libraries: Sequence[LibraryRow]) -> str:
    """Return the pip line that installs what is missing or untested; empty for nothing."""
    mend = [f"{r.library}=={r.tested}" for r in libraries if r.verdict in ("missing", "untested")]
    return f"pip install {' '.join(mend)}" if mend else ""


def _print(health: Health) -> None:
    say(f"Python {health.python} on {platform.system()} {platform.machine()}")
    header = tuple(asdict(health.libraries[0]))
    print_table(header, [tuple(asdict(row).values()) for row in health.libraries])
    for row in health.environments:
        state = f"in {row.folder}" if row.folder else f"not made (optional): {row.remedy}"
        say(f"{row.tool} {row.version}, in an environment of its own: {state}")
    mend = health.mend
    say(f"to mend: {mend}" if mend else "everything that is installed was tested together")


SECTION = "check"
COMMAND = doctor
