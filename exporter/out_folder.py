"""Check of the folder that an export would replace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from styleexport.core.card_file import CARD_NAME, is_edited
from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.files import entries, is_scratch
from styleexport.core.manifest import THUMBNAILS, foreign_files, read_manifest, sha256_of_file


def check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse an output folder whose contents an export would destroy.

    An earlier artifact is replaced; where it holds style packs, altered files or an edited card,
    only with ``overwrite``. Files that no artifact lists are never removed.

    Raises:
        UsageError: the path is a file, the present folder or one above it (even to be overwritten),
            or holds files that are not an export's.
    """
    if out.resolve() in (Path.cwd(), *Path.cwd().parents, Path.home()):
        raise UsageError(
            f"{out} is the present folder or one above it, which an export would replace: type a "
            f"folder of its own, for example -o {out / 'artifact'}"
        )
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file, expected a folder: choose another with -o")
    if foreign := foreign_files(out):
        raise UsageError(
            f"{out} holds {_and_more(foreign)}, which an export would destroy: choose another "
            "folder with -o, or move that away"
        )
    if not overwrite and (own := _worth_keeping(out)):
        raise UsageError(
            f"{out} holds {_and_more(own)}, which an export would destroy: choose another folder "
            "with -o, or add --overwrite"
        )


def _and_more(items: Sequence[str]) -> str:
    return items[0] + (f" and {len(items) - 1} more" if len(items) > 1 else "")


def _worth_keeping(out: Path) -> list[str]:
    """Return what an artifact holds that the same export would not write again."""
    if not entries(out):
        return []
    try:
        manifest = read_manifest(out, check_files=False)
    except BadArtifact:
        return ["an artifact of another version"]
    card = out / CARD_NAME
    packs = {pack.path for pack in manifest.styles}
    packed = sorted(path.relative_to(out).as_posix() for path in (out / "styles").rglob("*.*"))
    return [
        *([f"{CARD_NAME}, which was edited"] if card.exists() and is_edited(card) else []),
        *(
            path
            for path in packed
            if path in packs or not (path.startswith(THUMBNAILS) or is_scratch(Path(path)))
        ),
        *(
            f"{path}, which was altered"
            for path, sha256 in manifest.known_paths().items()
            if path not in packs and (out / path).exists() and sha256_of_file(out / path) != sha256
        ),
    ]
