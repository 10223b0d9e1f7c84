"""Check of the folder that an export would replace."""

from __future__ import annotations

import contextlib
from pathlib import Path

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import Manifest, read_manifest, sha256_of_file


def check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse an output folder whose contents an export would destroy.

    An earlier artifact is replaced as long as it holds nothing that an export does not write.

    Raises:
        UsageError: the path is a file, the present folder or one above it (even to be overwritten),
            or holds files that are not an export's.
    """
    if out.resolve() in (Path.cwd(), *Path.cwd().parents, Path.home()):
        raise UsageError(
            f"{out} is the present folder or one above it, which an export would replace: type a "
            f"folder of its own, for example -o {out / 'artifact'}"
        )
    if not out.exists() or overwrite:
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file, expected a folder: choose another with -o")
    extra = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    with contextlib.suppress(BadArtifact):
        manifest = read_manifest(out, check_files=False)
        packs = {pack.path for pack in manifest.styles}
        extra = [path for path in extra if path in packs or not manifest.holds(path)]
        extra += [f"{path}, which was altered" for path in _altered_packages(out, manifest)]
    if extra:
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise UsageError(
            f"{out} holds {extra[0]}{more}, which an export would destroy: choose another folder "
            "with -o, or add --overwrite"
        )


def _altered_packages(out: Path, manifest: Manifest) -> list[str]:
    """Return the packages of an artifact that may hold files that no export wrote."""
    return [
        path
        for path, sha256 in manifest.known_paths().items()
        if (out / path).is_dir() and sha256_of_file(out / path) != sha256
    ]
