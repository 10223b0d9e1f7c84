"""The file format protocol: a description of a file, from the file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from styleexport.core import plugins
from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.input_files import check_input, is_folder
from styleexport.core.manifest import RiskFact

PACKAGE = "styleexport.runtime_bench.formats"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of one file.

    Attributes:
        format: name of the format.
        version: version of the format, and the oldest system that loads it where it is stored.
        size_bytes: size of the file, or of all files of a package.
        macs: multiply-accumulates of convolutions and matrix products; 0 for dynamic sizes.
        int8_mac_share: share of the MACs whose operands are both integers, 0..1.
        inputs: name, type and shape of each input.
        outputs: name, type and shape of each output.
        ops: operation → count, most frequent first.
        bytes_by_dtype: storage type → bytes of constants.
        peak_activation_bytes: estimated peak memory of activations; None for dynamic sizes.
        risks: known failures and slow paths on some devices.
        about: metadata of the file, such as author and licence.
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
    """A file format.

    Attributes:
        name: name of the format.
        suffix: suffix of its files, with the dot.
    """

    name: str
    suffix: str

    def describe(self, path: Path) -> Description:
        """Return the contents of a file.

        Raises:
            BadArtifact: the file is truncated, altered, or of another format.
            MissingExtra: the library that reads it is not installed.
        """
        ...


def format_of(path: Path) -> Format:
    """Return the format of a file's suffix.

    Raises:
        UsageError: no format has that suffix.
    """
    suffixes: list[str] = []
    for name in plugins.names(PACKAGE):
        candidate: Format = plugins.load(PACKAGE, name, "FORMAT")  # pyright: ignore[reportAssignmentType]
        if candidate.suffix == path.suffix:
            return candidate
        suffixes.append(candidate.suffix)
    raise UsageError(
        f"{path} is neither an artifact folder nor a file ending in {', '.join(suffixes)}"
    )


def describe(path: Path) -> Description:
    """Return the contents of a file; see `Format.describe`.

    Raises:
        BadArtifact: it does not exist or is not a regular file or a folder.
        UsageError: no format has that suffix.
    """
    found = format_of(path)
    if not is_folder(path):
        remedy = f"type the path of a {found.suffix} file"
        check_input(path, error=BadArtifact, remedy=remedy)
    return found.describe(path)
