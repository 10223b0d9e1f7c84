"""Files of style codes: their header, and the network whose codes they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from styleexport.core.errors import BadArtifact
from styleexport.core.input_files import open_input

MOST_HEADER_BYTES = 10_000_000


class PackOwner(Struct, frozen=True, kw_only=True):
    """Network whose codes a pack holds, as the metadata of its safetensors file.

    Attributes:
        network: name of the network.
        weights_sha256: sha256 of its weights: a code of other weights is numbers without meaning.
        parts: parts of its codes, in words: levels of one file of weights may have codes of one
            length; "" in packs and artifacts of older versions.
    """

    network: str
    weights_sha256: str
    parts: str = ""

    def metadata(self) -> dict[str, str]:
        """Return the owner as safetensors stores it."""
        return msgspec.structs.asdict(self)

    def fits(self, other: PackOwner) -> bool:
        """Whether codes of one are codes of the other, as far as both say."""
        same = (self.network, self.weights_sha256) == (other.network, other.weights_sha256)
        return same and (not self.parts or not other.parts or self.parts == other.parts)

    def __str__(self) -> str:
        parts = f" with {self.parts}" if self.parts else ""
        return f"{self.network} (weights {self.weights_sha256[:12]}){parts}"


class _CodeEntry(Struct):
    dtype: Literal["F32"]
    shape: list[int]


def is_style_pack(path: Path) -> bool:
    """Whether a file holds nothing but style codes, float32 [1, K] (safetensors)."""
    try:
        entries = {name: msgspec.json.decode(e, type=_CodeEntry) for name, e in _header(path)[1]}
    except (BadArtifact, OSError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    shapes = [entry.shape for entry in entries.values()]
    return bool(shapes) and all(shape[:1] == [1] and len(shape) == 2 for shape in shapes)


def check_owner(path: Path, owner: PackOwner) -> None:
    """Check that a pack holds codes of a network; packs of older versions do not say whose.

    Raises:
        BadArtifact: the codes are of another network, or of other weights.
    """
    try:
        stated = _header(path)[0]
    except (BadArtifact, OSError, msgspec.DecodeError, UnicodeDecodeError):
        return  # what is no pack is refused by its sha256, or by its reader
    if stated is not None and not stated.fits(owner):
        raise BadArtifact(
            f"style pack {path} holds codes of {stated}, and the artifact is of {owner}: codes of "
            "one network mean nothing to another; put the artifact's own pack back, or export the "
            "network again"
        )


def _header(path: Path) -> tuple[PackOwner | None, list[tuple[str, msgspec.Raw]]]:
    """Return the owner that a file states, and the entries of its tensors by name.

    Raises:
        BadArtifact: it has no header.
        DecodeError: the header is no JSON object.
    """
    with open_input(path, error=BadArtifact) as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 < length <= MOST_HEADER_BYTES:
            raise BadArtifact(f"{path} has no header of a safetensors file")
        header = msgspec.json.decode(file.read(length), type=dict[str, msgspec.Raw])
    stated = msgspec.json.decode(header.pop("__metadata__", b"{}"), type=dict[str, str])
    states_owner = {"network", "weights_sha256"} <= set(stated)
    return msgspec.convert(stated, PackOwner) if states_owner else None, list(header.items())
