"""What a training in a folder was begun with: it goes on with the same, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.files import replace_file
from styleexport.models.training.data import image_files


def begin(path: Path, state: msgspec.Struct, *, resume: bool) -> None:
    """Note what a training is of, or check that the one in the folder is of the same.

    Args:
        path: of the note.
        state: what decides the training, a field each; its names are shown to the user.
        resume: whether the training goes on.

    Raises:
        UsageError: the folder holds another training, none, or a damaged note.
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
        before = msgspec.json.decode(path.read_bytes(), type=type(state))
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is damaged ({error}): remove it, or choose another -o") from error
    for name, now in msgspec.structs.asdict(state).items():
        if getattr(before, name) != now:
            raise UsageError(
                f"{path} was begun with another {name.replace('_', ' ')}: give the same as then, "
                "or leave out --resume and choose another -o"
            )


def pictures_sha256(folders: Sequence[Path]) -> str:
    """Return a digest over the names and sizes of all pictures in folders.

    Raises:
        UsageError: a folder does not exist, or none holds an image.
    """
    digest = hashlib.sha256()
    for file in image_files(folders):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
    return digest.hexdigest()
