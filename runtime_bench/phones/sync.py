"""Copy of an artifact into the source of an app, which then has it built in."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from styleexport.core.errors import UsageError
from styleexport.core.files import replace_folder
from styleexport.core.manifest import ARTIFACT, read_manifest, size_of_file, write_manifest
from styleexport.runtime_bench.phones.bundle import Bundle, bundle_of
from styleexport.runtime_bench.phones.phone import ANDROID_SUFFIXES, IOS_SUFFIXES

System = Literal["android", "ios"]


@dataclass(frozen=True)
class AppSource:
    """Source of an app.

    Attributes:
        source: name of its folder in the project.
        mark: folder inside that identifies it.
        artifacts: folder for artifacts, below the source.
        suffixes: suffixes of the files that the app runs.
    """

    source: str
    mark: str
    artifacts: str
    suffixes: tuple[str, ...]


APPS: dict[System, AppSource] = {
    "android": AppSource(
        "android_harness", "app/src/main", "app/src/main/assets/artifacts", ANDROID_SUFFIXES
    ),
    "ios": AppSource("ios_harness", "App", "App/Resources/artifacts", IOS_SUFFIXES),
}


@dataclass(frozen=True)
class SyncResult:
    """Result of a sync.

    Attributes:
        folder: folder of the bundle.
        sizes: path → bytes of every file and package of the bundle.
        bundled: artifact → bytes of every artifact in the app, this one included.
    """

    folder: Path
    sizes: dict[str, int]
    bundled: dict[str, int]

    @property
    def total_bytes(self) -> int:
        """Bytes of this artifact."""
        return sum(self.sizes.values())


def sync(artifact: Path, into: System, app: Path | None = None) -> SyncResult:
    """Copy the files that an app runs into its source, atomically.

    Args:
        artifact: folder of the artifact.
        into: system of the app.
        app: folder of the app's source; None searches the current folder and its parents.

    Raises:
        BadArtifact: the artifact is incomplete.
        DeviceError: the source cannot be written.
        UsageError: there is no such source, or the artifact holds no file that the app runs.
    """
    known = APPS[into]
    source = _source(known, into, app)
    bundle = bundle_of(artifact, known.suffixes)
    folder = source / known.artifacts / bundle.name
    with replace_folder(folder, ARTIFACT) as part:
        _copy(bundle, part)
        # Checks the sha256 of every copied file, as the app does.
        read_manifest(part)
    beside = sorted(path for path in folder.parent.iterdir() if (path / "manifest.json").is_file())
    return SyncResult(folder, bundle.sizes(), {path.name: size_of_file(path) for path in beside})


def _copy(bundle: Bundle, part: Path) -> None:
    for path in bundle.digests():
        source, target = bundle.source / path, part / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    write_manifest(bundle.manifest, part)


def _source(known: AppSource, into: System, app: Path | None) -> Path:
    if app is not None:
        if (app / known.mark).is_dir():
            return app
        raise UsageError(
            f"{app} is no source of the {into} app: it has no {known.mark}; type for example "
            f"--app {known.source}"
        )
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / known.source / known.mark).is_dir():
            return folder / known.source
        if folder.name == known.source and (folder / known.mark).is_dir():
            return folder
    raise UsageError(
        f"there is no {known.source} in {here} or above: go into a checkout of styleexport, or "
        f"type --app PATH/{known.source}"
    )
