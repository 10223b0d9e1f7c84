"""What a format is: it says what a file holds, from the file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from styleexport.core import plugins
from styleexport.core.errors import UsageError
from styleexport.core.manifest import RiskFact

PACKAGE = "styleexport.runtime_bench.formats"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of one file.

    Attributes:
        format: its name.
        version: of the format, and the least system that loads it where the file says.
        size_bytes: of the file, or of all files of a package.
        macs: of convolutions and matrix products; 0 where sizes are open.
        int8_mac_share: of those, the share whose operands are both integers, 0..1.
        inputs: name, type and shape in words.
        outputs: the same.
        ops: operation → count, most frequent first.
        bytes_by_dtype: stored constants, by how they are stored.
        peak_activation_bytes: the most that activations take at once, an estimate; None where
            sizes are open.
        risks: what is known to fail or to be slow on some devices.
        about: what the file says of itself, such as author and licence.
    """

    format: str
    version: str
    size_bytes: int
    macs: int
    int8_mac_share: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: dict[str, int]
    bytes_by_dtype: dict[str, int]
    peak_activation_bytes: int | None
    risks: tuple[RiskFact, ...] = ()
    about: dict[str, str] = {}


class Format(Protocol):
    """A file format, known by its suffix."""

    name: str
    suffix: str

    def describe(self, path: Path) -> Description:
        """Return what the file holds.

        Raises:
            BadArtifact: the file is truncated, altered, or of another format.
            MissingExtra: the library that reads it is not installed.
        """
        ...


def format_of(path: Path) -> Format:
    """Return the format of a file, by its suffix.

    Raises:
        UsageError: no format has that suffix.
    """
    suffixes: list[str] = []
    for name in plugins.names(PACKAGE):
        found: Format = plugins.load(PACKAGE, name, "FORMAT")  # pyright: ignore[reportAssignmentType]
        if found.suffix == path.suffix:
            return found
        suffixes.append(found.suffix)
    raise UsageError(
        f"{path} is neither an artifact folder nor a file ending in {', '.join(suffixes)}"
    )


def describe(path: Path) -> Description:
    """Return what a file holds; see `Format.describe`.

    Raises:
        UsageError: no format has that suffix.
    """
    return format_of(path).describe(path)
