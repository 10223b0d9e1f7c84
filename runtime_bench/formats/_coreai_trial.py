"""Trial of a Core AI program in a process of its own: Apple's parser ends the process on some.

`main.hash` tells altered programs from whole ones, but whoever makes a program can make its hash.
A program is parsed in a child process when it is first met, and its digest is kept in the cache.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from styleexport.core.cache import remembered
from styleexport.core.errors import BadArtifact

KIND = "coreai-programs"
CODE = (
    "import sys; from coreai.authoring import AIModelAsset; AIModelAsset.load(sys.argv[1]).program"
)


class Parsed(Struct, frozen=True):
    """A program that the parser has survived."""

    library: str


class _NotParsedError(Exception):
    """The parser says what it does not like; the caller's own call will say it again."""


def try_program(path: Path) -> None:
    """Refuse a folder whose program ends the process that parses it.

    Args:
        path: folder whose `main.hash` was compared.

    Raises:
        BadArtifact: Apple's parser ends the process.
    """
    try:
        remembered(KIND, _key(path), Parsed, lambda: _parsed_in_child(path))
    except _NotParsedError:
        return


def keep_as_parsed(path: Path) -> None:
    """Note a folder that this process has written, which needs no trial."""
    remembered(KIND, _key(path), Parsed, lambda: Parsed(_library()))


def _key(path: Path) -> str:
    return f"{(path / 'main.hash').read_bytes().hex()[:64]}-{_library()}"


def _library() -> str:
    return version("coreai-core")


def _parsed_in_child(path: Path) -> Parsed:
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, str(path.absolute())], capture_output=True, check=False
    )
    if done.returncode < 0:
        raise BadArtifact(
            f"{path} cannot be read: Apple's library ends the process on it (signal "
            f"{-done.returncode}), which no file that was exported whole does; export the network "
            "again"
        )
    if done.returncode:
        raise _NotParsedError
    return Parsed(_library())
