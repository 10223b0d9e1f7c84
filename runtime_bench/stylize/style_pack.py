"""Packs of style codes: one small file of an artifact for many style pictures, with thumbnails."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import save

from styleexport.core.errors import BadArtifact, BadImage, UsageError
from styleexport.core.files import NEW, remove_leftovers, replace_file
from styleexport.core.images import IMAGE_SUFFIXES, read_image
from styleexport.core.locks import change_lock
from styleexport.core.manifest import (
    THUMBNAIL_DIGITS,
    THUMBNAILS,
    FileFact,
    Manifest,
    StylePackFact,
    ThumbnailFact,
    is_thumbnail,
    read_manifest,
    sha256_of_file,
    write_manifest,
)
from styleexport.core.shipped_styles import style_files, styles_of_weights
from styleexport.core.style_packs import is_style_pack
from styleexport.core.types import Progress, Role
from styleexport.runtime_bench.stylize.blending import approximation
from styleexport.runtime_bench.stylize.stylizer import Array, Stylizer
from styleexport.runtime_bench.stylize.thumbnails import paint_thumbnails


def pack_styles(
    artifact: Path,
    images: Sequence[Path],
    name: str = "styles",
    progress: Progress = lambda _: None,
) -> StylePackFact:
    """Encode pictures into ``styles/<name>.safetensors`` and list it in the manifest.

    A pack of the same name is replaced: the new one is written beside it, into ``styles/2/`` or
    back, and takes its place when the manifest is written. Thumbnails are named by their contents,
    so that none is ever replaced by another. Whenever the process is killed, the manifest lists
    whole files.

    Args:
        artifact: artifact directory, with an encode file.
        images: picture files, or folders of them.
        name: name of the pack; a pack of the same name is replaced.
        progress: receives who changes the artifact while it is waited for, and why the pack gets
            no thumbnails.

    Raises:
        UsageError: a bad name, two pictures of one name, or an artifact without an encoder.
        BadImage: a picture cannot be read; nothing is written.
        BadArtifact: the artifact was exported anew meanwhile.
    """
    _check_name(name)
    files = _files(images)
    codes: dict[str, Array] = {}
    with Stylizer(artifact) as stylizer:
        for path in files:
            if path.stem in codes:
                raise UsageError(f"two pictures are called {path.stem!r}: rename {path}")
            codes[path.stem] = np.ascontiguousarray(stylizer.encode(read_image(path)))
        manifest = stylizer.manifest
    return _write_codes(artifact, manifest, name, codes, progress)


def add_shipped_styles(
    artifact: Path,
    styles: Sequence[str] = (),
    name: str = "shipped",
    progress: Progress = lambda _: None,
) -> StylePackFact:
    """Copy style codes that ship with the package into an artifact, for apps that read it.

    Args:
        artifact: artifact directory, with an encode file.
        styles: names of styles; () for all.
        name: name of the pack; a pack of the same name is replaced.
        progress: as of `pack_styles`.

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
    return _write_codes(artifact, manifest, name, file.codes(tuple(styles)), progress)


def blend_styles(
    artifact: Path,
    styles: Sequence[str],
    weights: Sequence[float],
    name: str,
    progress: Progress = lambda _: None,
) -> StylePackFact:
    """Blend style codes of an artifact into a pack that holds the blend alone.

    Args:
        artifact: artifact directory.
        styles: names of packed or shipped codes, two or more.
        weights: weight of each; () weights them equally.
        name: name of the pack and of its code; an earlier blend of that name is replaced.
        progress: as of `pack_styles`; also receives why the blend is approximate.

    Raises:
        UsageError: a bad or taken name, no such style, weights that do not fit, or codes that
            cannot be blended.
    """
    _check_name(name)
    if len(styles) < 2:
        raise UsageError(
            f"a blend takes two or more styles, got {', '.join(styles)}: type for example "
            f"`styleexport styles blend {artifact} dusk sea --name {name}`"
        )
    with Stylizer(artifact) as stylizer:
        manifest = stylizer.manifest
        code = stylizer.blend([stylizer.packed(style) for style in styles], weights)
    _check_free(manifest, name)
    if line := approximation(manifest.network):
        progress(line)
    return _write_codes(artifact, manifest, name, {name: code}, progress)


def _check_free(manifest: Manifest, name: str) -> None:
    """Check that no pack but an earlier blend has a name.

    Raises:
        UsageError: one has; it is named.
    """
    for pack in manifest.styles:
        if pack.names != (name,) and (name in pack.names or Path(pack.path).stem == name):
            raise UsageError(
                f"{name!r} is taken by {pack.path} ({', '.join(pack.names)}): type another --name"
            )


def _check_name(name: str) -> None:
    """Check that a pack can have a name.

    Raises:
        UsageError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*", name):
        raise UsageError(
            f"pack name {name!r} may hold letters, digits, '_', '-' and '.': type --name mine"
        )


def _write_codes(
    artifact: Path, manifest: Manifest, name: str, codes: Mapping[str, Array], progress: Progress
) -> StylePackFact:
    """Write codes that belong to the files of a manifest as a pack with thumbnails.

    Raises:
        UsageError: the artifact has no encoder.
        BadArtifact: it holds other files meanwhile.
    """
    _encoder(manifest)
    thumbnails = paint_thumbnails(artifact, codes, progress)
    with change_lock(artifact, progress):
        current = read_manifest(artifact)
        if current.files != manifest.files:
            raise BadArtifact(f"{artifact} was exported anew meanwhile: pack the styles again")
        return _write_pack(artifact, current, name, codes, thumbnails)


def _write_pack(
    artifact: Path,
    manifest: Manifest,
    name: str,
    codes: Mapping[str, Array],
    thumbnails: Mapping[str, bytes],
) -> StylePackFact:
    """Write a pack, then the manifest, then remove the pack that it replaces.

    The lock of the artifact is held.
    """
    places = [f"styles/{name}.safetensors", f"styles/2/{name}.safetensors"]
    taken = {pack.path for pack in manifest.styles}
    relative = next(place for place in places if place not in taken)
    path = artifact / relative
    if path.exists() and not is_style_pack(path):
        raise UsageError(
            f"{path} is no pack of styles, so it is kept: move it away, or type --name"
        )
    with replace_file(path) as part:
        part.write_bytes(save(dict(codes), manifest.network.owner.metadata()))
    fact = StylePackFact(
        path=relative,
        names=tuple(codes),
        encoder=_encoder(manifest).path,
        sha256=sha256_of_file(path),
        thumbnails=tuple(_write_thumbnail(artifact, *item) for item in thumbnails.items()),
    )
    others = tuple(pack for pack in manifest.styles if pack.path not in places)
    changed = msgspec.structs.replace(manifest, styles=(*others, fact))
    write_manifest(changed, artifact)
    _remove_unlisted(artifact, changed.known_paths())
    return fact


def _write_thumbnail(artifact: Path, style: str, jpeg: bytes) -> ThumbnailFact:
    """Write the thumbnail of a style, unless the same one is there."""
    digest = hashlib.sha256(jpeg).hexdigest()
    relative = f"{THUMBNAILS}/{digest[:THUMBNAIL_DIGITS]}.jpg"
    if not is_thumbnail(artifact / relative):
        with replace_file(artifact / relative, NEW) as part:
            part.write_bytes(jpeg)
    return ThumbnailFact(style=style, path=relative, sha256=digest)


def _remove_unlisted(artifact: Path, listed: Collection[str]) -> None:
    """Remove replaced packs and thumbnails, and those that a killed process did not list."""
    folders = [artifact / folder for folder in ("styles", "styles/2", THUMBNAILS)]
    for path in (path for folder in folders for path in folder.glob("*.*")):
        ours = is_style_pack(path) if path.suffix == ".safetensors" else is_thumbnail(path)
        if ours and path.relative_to(artifact).as_posix() not in listed:
            path.unlink()
    for folder in folders[1:]:
        remove_leftovers(folder)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _encoder(manifest: Manifest) -> FileFact:
    """Return the file that codes belong to: that of the packs of a network's own styles, or encode.

    Raises:
        UsageError: there is none.
    """
    owners = {pack.encoder for pack in manifest.styles}
    encoders = [f for f in manifest.files if f.role is Role.ENCODE or f.path in owners]
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
