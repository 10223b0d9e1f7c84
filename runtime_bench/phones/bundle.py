"""Bundle for an app: the part of an artifact that the app runs, with a manifest of that part."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.manifest import (
    FILE_NAME,
    FileFact,
    Manifest,
    StylePackFact,
    read_manifest,
    size_of_file,
)
from styleexport.core.types import PASSES, Role


@dataclass(frozen=True)
class Bundle:
    """Part of an artifact for an app.

    Attributes:
        source: folder of the artifact.
        name: name of the folder in the app.
        manifest: manifest of the bundled files alone.
    """

    source: Path
    name: str
    manifest: Manifest

    def digests(self) -> dict[str, str]:
        """Return path → sha256 of every file and package but the manifest."""
        return self.manifest.known_paths()

    def sizes(self) -> dict[str, int]:
        """Return path → bytes of the same, and of the manifest."""
        sizes = {path: size_of_file(self.source / path) for path in self.digests()}
        return sizes | {FILE_NAME: len(self.manifest.encoded())}


def bundle_of(
    artifact: Path, suffixes: Collection[str], paths: Collection[str] | None = None
) -> Bundle:
    """Return the bundle of an artifact for an app.

    Args:
        artifact: folder of the artifact; every file is checked against its sha256.
        suffixes: suffixes of the files that the app runs.
        paths: paths of the files to bundle; None bundles all that the app runs.

    Raises:
        BadArtifact: the artifact is incomplete.
        UsageError: it holds no file that the app runs.
    """
    manifest = read_manifest(artifact)
    kept = tuple(
        msgspec.structs.replace(fact, recipe=None)
        for fact in manifest.files
        if Path(fact.path).suffix in suffixes and (paths is None or fact.path in paths)
    )
    if not kept:
        held = ", ".join(sorted({Path(fact.path).suffix for fact in manifest.files}))
        raise UsageError(
            f"{artifact} holds {held} files, the app runs {' and '.join(suffixes)}: type "
            f"`styleexport export {manifest.network.name} --target {_target(suffixes)}`"
        )
    return Bundle(artifact, folder_name(artifact), _reduced(manifest, kept))


def folder_name(artifact: Path) -> str:
    """Return an artifact's name in the letters that devices allow: ``[A-Za-z0-9_.-]``."""
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "-", artifact.resolve().name).strip("-.")
    return name[:100] or "artifact"


def _target(suffixes: Collection[str]) -> str:
    return "coreml" if ".mlpackage" in suffixes else "tflite --target onnx"


def _reduced(manifest: Manifest, kept: Sequence[FileFact]) -> Manifest:
    paths = {fact.path for fact in kept}
    tilings = tuple(t for t in manifest.tilings if {one.path for one in t.passes} <= paths)
    return msgspec.structs.replace(
        manifest,
        files=tuple(kept),
        programs=(),
        recipes=(),
        probes=tuple(
            probe
            for probe in manifest.probes
            if any(fact.role is probe.role and fact.takes(probe.size) for fact in kept)
            # A picture of several tiles proves all passes together.
            or (probe.role in PASSES and tilings)
        ),
        agreements=tuple(a for a in manifest.agreements if {a.a, a.b} <= paths),
        tilings=tilings,
        styles=tuple(_pack(pack, manifest, kept) for pack in manifest.styles),
    )


def _pack(pack: StylePackFact, manifest: Manifest, kept: Sequence[FileFact]) -> StylePackFact:
    """Return a pack that names an encoder of the bundle, preferably of the original size."""
    known: Mapping[str, FileFact] = {fact.path: fact for fact in manifest.files}
    size = known[pack.encoder].size if pack.encoder in known else None
    encoders = [fact for fact in kept if fact.role is Role.ENCODE]
    if not encoders or pack.encoder in {fact.path for fact in encoders}:
        return pack
    nearest = next((fact for fact in encoders if fact.size == size), encoders[0])
    return msgspec.structs.replace(pack, encoder=nearest.path)
