"""Resume check: settings recorded at the start of a run must match when it is resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.files import replace_file
from styleexport.core.input_files import read_input
from styleexport.models.training.data import image_files


def check_resumable(path: Path, state: msgspec.Struct, *, resume: bool) -> None:
    """Record the settings of a new run, or check that those of a resumed run match the record.

    Args:
        path: JSON file of the record.
        state: settings that decide the run; their JSON names are shown to the user.
        resume: whether the run is resumed.

    Raises:
        UsageError: the folder holds another run, none to resume, or a damaged record.
    """
    if path.exists() and not resume:
        raise UsageError(f"{path} exists: add --resume to go on with it, or choose another -o")
    if not path.exists():
        if resume:
            raise UsageError(f"there is no {path} to go on with: leave out --resume")
        with replace_file(path) as part:
            part.write_bytes(msgspec.json.encode(state))
        return
    try:
        recorded = msgspec.json.decode(read_input(path), type=type(state))
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is damaged ({error}): remove it, or choose another -o") from error
    for field in msgspec.structs.fields(state):
        if getattr(recorded, field.name) != getattr(state, field.name):
            raise UsageError(
                f"{path} was begun with another {field.encode_name.replace('_', ' ')}: give the "
                "same as then, or leave out --resume and choose another -o"
            )


def pictures_sha256(folders: Sequence[Path]) -> str:
    """Return the sha256 over names and sizes in bytes of all pictures in folders.

    Raises:
        UsageError: a folder does not exist, or none holds an image.
    """
    digest = hashlib.sha256()
    for file in image_files(folders):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
    return digest.hexdigest()
