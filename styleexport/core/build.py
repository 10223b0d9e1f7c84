"""Version of styleexport, and the git commit that it runs from."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path

GIT_SECONDS = 10


def version() -> str:
    """Return the installed version, or ``not installed``."""
    try:
        return importlib.metadata.version("styleexport")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def commit(folder: Path | None = None) -> str | None:
    """Return the git commit that this package runs from, with ``-dirty`` where files were changed.

    None outside a checkout: a package installed below a checkout of another project is not part of
    that project.

    Args:
        folder: folder of the package; None is this package's.
    """
    folder = folder or Path(__file__).resolve().parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ("git", "--no-optional-locks", "-C", str(folder), *arguments)
    try:
        process = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return process.stdout.strip() or None
