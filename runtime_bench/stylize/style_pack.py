"""Packs of style codes: one small file of an artifact for many style pictures."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import save

from styleexport.core.errors import BadArtifact, BadImage, UsageError
from styleexport.core.files import replace_file
from styleexport.core.images import IMAGE_SUFFIXES, read_image
from styleexport.core.locks import change_lock
from styleexport.core.manifest import (
    FileFact,
    Manifest,
    StylePackFact,
    is_style_pack,
    read_manifest,
    sha256_of_file,
    write_manifest,
)
from styleexport.core.shipped_styles import style_files, styles_of_weights
from styleexport.core.types import Progress, Role
from styleexport.runtime_bench.stylize.stylizer import Array, Stylizer


def pack_styles(
    artifact: Path,
    images: Sequence[Path],
    name: str = "styles",
    waiting: Progress = lambda _: None,
) -> StylePackFact:
    """Encode pictures into ``styles/<name>.safetensors`` and list it in the manifest.

    A pack of the same name is replaced: the new one is written beside it, into ``styles/2/`` or
    back, and takes its place when the manifest is written. Whenever the process is killed, the
    manifest lists whole files.

    Args:
        artifact: artifact directory, with an encode file.
        images: picture files, or folders of them.
        name: name of the pack; a pack of the same name is replaced.
        waiting: receives who changes the artifact while it is waited for.

    Raises:
        UsageError: a bad name, two pictures of one name, or an artifact without an encoder.
        BadImage: a picture cannot be read; nothing is written.
        BadArtifact: the artifact was exported anew meanwhile.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*", name):
        raise UsageError(
            f"pack name {name!r} may hold letters, digits, '_', '-' and '.': type --name mine"
        )
    files = _files(images)
    codes: dict[str, Array] = {}
    with Stylizer(artifact) as stylizer:
        for path in files:
            if path.stem in codes:
                raise UsageError(f"two pictures are called {path.stem!r}: rename {path}")
            codes[path.stem] = np.ascontiguousarray(stylizer.encode(read_image(path)))
        encoder = _encoder(stylizer.manifest)
    with change_lock(artifact, waiting):
        return _write_codes(artifact, encoder, name, codes)


def add_shipped_styles(
    artifact: Path,
    styles: Sequence[str] = (),
    name: str = "shipped",
    waiting: Progress = lambda _: None,
) -> StylePackFact:
    """Copy style codes that ship with the package into an artifact, for apps that read it.

    Args:
        artifact: artifact directory, with an encode file.
        styles: names of styles; () for all.
        name: name of the pack; a pack of the same name is replaced.
        waiting: receives who changes the artifact while it is waited for.

    Raises:
        UsageError: no styles ship for the artifact's weights, no such style, or an artifact
            without an encoder.
    """
    manifest = read_manifest(artifact)
    network = manifest.network
    file = styles_of_weights(network.name, network.source_sha256)
    if file is None:
        shipped = ", ".join(
            f"{f.facts.network} ({f.facts.weights_sha256[:12]})" for f in style_files()
        )
        raise UsageError(
            f"no styles ship for the weights of {artifact}, {network.name} "
            f"({network.source_sha256[:12]}): they ship for {shipped}; pack paintings with "
            f"`styleexport styles pack {artifact} IMAGE`"
        )
    codes = file.codes(tuple(styles))
    encoder = _encoder(manifest)
    with change_lock(artifact, waiting):
        return _write_codes(artifact, encoder, name, codes)


def _write_codes(
    artifact: Path, encoder: FileFact, name: str, codes: dict[str, Array]
) -> StylePackFact:
    """Write codes of an encoder as a pack; the lock of the artifact is held."""
    manifest = read_manifest(artifact)
    if _encoder(manifest) != encoder:
        raise BadArtifact(f"{artifact} was exported anew meanwhile: pack the styles again")
    return _write_pack(artifact, manifest, name, codes)


def _write_pack(
    artifact: Path, manifest: Manifest, name: str, codes: dict[str, Array]
) -> StylePackFact:
    """Write a pack, then the manifest, then remove the pack that it replaces."""
    places = [f"styles/{name}.safetensors", f"styles/2/{name}.safetensors"]
    taken = {pack.path for pack in manifest.styles}
    relative = next(place for place in places if place not in taken)
    path = artifact / relative
    if path.exists() and not is_style_pack(path):
        raise UsageError(
            f"{path} is no pack of styles, so it is kept: move it away, or type --name"
        )
    with replace_file(path) as part:
        part.write_bytes(save(codes))
    fact = StylePackFact(
        path=relative,
        names=tuple(codes),
        encoder=_encoder(manifest).path,
        sha256=sha256_of_file(path),
    )
    others = tuple(pack for pack in manifest.styles if pack.path not in places)
    write_manifest(msgspec.structs.replace(manifest, styles=(*others, fact)), artifact)
    _remove_unlisted(artifact, {pack.path for pack in (*others, fact)})
    return fact


def _remove_unlisted(artifact: Path, listed: Collection[str]) -> None:
    """Remove replaced packs, and those that a killed process did not list."""
    for folder in (artifact / "styles", artifact / "styles/2"):
        for path in folder.glob("*.safetensors"):
            if path.relative_to(artifact).as_posix() not in listed and is_style_pack(path):
                path.unlink()
    with contextlib.suppress(OSError):
        (artifact / "styles/2").rmdir()


def _encoder(manifest: Manifest) -> FileFact:
    """Return the encode file that codes belong to.

    Raises:
        UsageError: there is none.
    """
    encoders = [fact for fact in manifest.files if fact.role is Role.ENCODE]
    if not encoders:
        raise UsageError(
            "the artifact has no encode file, to which codes belong: export again with "
            "--role encode --role transform"
        )
    return encoders[0]


def _files(images: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in images:
        if path.is_dir():
            files += sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        else:
            files.append(path)
    if not files:
        raise BadImage(f"no pictures in {', '.join(map(str, images))}: name image files or folders")
    return files
