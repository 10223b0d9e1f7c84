"""Reader of an artifact's packs of style codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from styleexport.core.errors import BadArtifact, first_line
from styleexport.core.input_files import read_input
from styleexport.core.manifest import Manifest, StylePackFact, code_length

Codes = dict[str, NDArray[np.float32]]


def read_pack(folder: Path, manifest: Manifest, pack: StylePackFact) -> Codes:
    """Return name → style code [1, K] of a pack.

    Raises:
        BadArtifact: the file is no pack, or its codes are not those that the manifest lists for
            this encoder.
    """
    path, again = (
        folder / pack.path,
        f"pack the styles again with `styleexport styles pack {folder}`",
    )
    raw = read_input(path, "style pack", error=BadArtifact, remedy=again)
    try:
        codes = load(raw)
    except Exception as error:  # what damaged bytes make a reader raise is not a closed list
        raise BadArtifact(
            f"style pack {path} cannot be read: {first_line(error)}; {again}"
        ) from error
    if set(codes) != set(pack.names):
        raise BadArtifact(
            f"style pack {path} holds {len(codes)} codes, not the {len(set(pack.names))} that the "
            f"manifest names: {again}"
        )
    length = code_length([fact for fact in manifest.files if fact.path == pack.encoder])
    for name, code in codes.items():
        fits = code.ndim == 2 and code.shape[0] == 1 and code.dtype == np.float32
        if not fits or code.shape[1] != (length or code.shape[1]) or not np.isfinite(code).all():
            raise BadArtifact(
                f"style pack {path} holds {name} as {code.dtype} {list(code.shape)}, expected "
                f"finite float32 [1, {length or 'K'}]: {again}"
            )
    return codes


def check_packs(folder: Path, manifest: Manifest) -> None:
    """Check that every pack of an artifact can be read; see `read_pack`."""
    for pack in manifest.styles:
        read_pack(folder, manifest, pack)
