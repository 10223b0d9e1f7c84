"""Reading encoder and decoder pairs under the key names their authors published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.networks._adain import AdainNetwork


def conv_renames(names: Iterable[str], indices: Iterable[int], room: str) -> dict[str, str]:
    """Return checkpoint key → module key of convolutions, both in order of computation."""
    return {
        f"{name}.{kind}": f"{room}.{index}.{kind}"
        for name, index in zip(names, indices, strict=True)
        for kind in ("weight", "bias")
    }


def two_files(network: str, paths: Sequence[Path], expected: str) -> tuple[Path, Path]:
    """Return the two checkpoint files that a call must name.

    Raises:
        BadCheckpoint: not two.
    """
    if len(paths) != 2:
        raise BadCheckpoint(
            f"{network} takes two checkpoint files, {expected}, got {len(paths)}: type "
            "--checkpoint ENCODER --checkpoint DECODER"
        )
    return paths[0], paths[1]


def read_whole(network: AdainNetwork, paths: Sequence[Path]) -> AdainNetwork | None:
    """Fill a network from one file of `styleexport train`; None if it is not such a file."""
    if len(paths) != 1:
        return None
    tensors = read_tensors(paths[0])
    if not any(key.startswith("encoder.") for key in tensors):
        return None
    load_into(network, tensors, paths[0])
    return network
