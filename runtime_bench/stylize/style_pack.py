"""Packs of style codes: one small file of an artifact for many style pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import save

from styleexport.core.errors import BadImage, UsageError
from styleexport.core.files import replace_file
from styleexport.core.images import IMAGE_SUFFIXES, read_image
from styleexport.core.manifest import (
    Manifest,
    StylePackFact,
    read_manifest,
    sha256_of_file,
    write_manifest,
)
from styleexport.core.shipped_styles import style_files, styles_of_weights
from styleexport.core.types import Role
from styleexport.runtime_bench.stylize.stylizer import Array, Stylizer


def pack_styles(artifact: Path, images: Sequence[Path], name: str = "styles") -> StylePackFact:
    """Encode pictures into ``styles/<name>.safetensors`` and list it in the manifest.

    Args:
        artifact: artifact directory, with an encode file.
        images: picture files, or folders of them.
        name: name of the pack; a pack of the same name is replaced.

    Raises:
        UsageError: a bad name, two pictures of one name, or an artifact without an encoder.
        BadImage: a picture cannot be read; nothing is written.
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
        manifest = stylizer.manifest
    return _write(artifact, manifest, name, codes)


def add_shipped_styles(
    artifact: Path, styles: Sequence[str] = (), name: str = "shipped"
) -> StylePackFact:
    """Copy style codes that ship with the package into an artifact, for apps that read it.

    Args:
        artifact: artifact directory, with an encode file.
        styles: names of styles; () for all.
        name: name of the pack; a pack of the same name is replaced.

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
    return _write(artifact, manifest, name, file.codes(tuple(styles)))


def _write(artifact: Path, manifest: Manifest, name: str, codes: dict[str, Array]) -> StylePackFact:
    """Write codes as a pack and list it in the manifest."""
    encoders = [fact.path for fact in manifest.files if fact.role is Role.ENCODE]
    if not encoders:
        raise UsageError(
            f"{artifact} has no encode file, to which codes belong: export again with "
            "--role encode --role transform"
        )
    relative = f"styles/{name}.safetensors"
    with replace_file(artifact / relative) as part:
        part.write_bytes(save(codes))
    fact = StylePackFact(
        path=relative,
        names=tuple(codes),
        encoder=encoders[0],
        sha256=sha256_of_file(artifact / relative),
    )
    others = tuple(pack for pack in manifest.styles if pack.path != relative)
    write_manifest(msgspec.structs.replace(manifest, styles=(*others, fact)), artifact)
    return fact


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
