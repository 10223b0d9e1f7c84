"""`styleexport doctor`: versions found against versions tested, and the line that mends it."""

from __future__ import annotations

import importlib.metadata
import platform

import click

from styleexport.cli._common import json_option, print_json, print_table
from styleexport.core.errors import MissingExtra


def _found(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[str, ...]:
    return tuple(version.split("+")[0].split(".")[:2])


@click.command(epilog="Example: styleexport doctor")
@json_option
def doctor(as_json: bool) -> None:
    """Compare the installed libraries with the tested ones and say how to mend what differs."""
    from styleexport.core.versions import EXTRAS, TESTED

    rows: list[dict[str, str]] = []
    mend: list[str] = []
    for extra, packages in {"": TESTED, **EXTRAS}.items():
        for name, tested in packages.items():
            found = _found(name)
            if found is None:
                verdict = f"not installed (extra: {extra})" if extra else "missing"
            elif _release(found) == _release(tested):
                verdict = "tested"
            else:
                verdict = "untested"
            if verdict in ("missing", "untested"):
                mend.append(f"{name}=={tested}")
            rows.append(
                {"library": name, "found": found or "-", "tested": tested, "verdict": verdict}
            )
    line = f"pip install {' '.join(mend)}" if mend else ""
    if as_json:
        print_json({"python": platform.python_version(), "libraries": rows, "mend": line})
    else:
        click.echo(
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        )
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
        click.echo(
            f"to mend: {line}" if line else "everything that is installed was tested together"
        )
    missing = [row["library"] for row in rows if row["verdict"] == "missing"]
    if missing:
        raise MissingExtra(f"{', '.join(missing)} not installed: {line}")


COMMAND = doctor
