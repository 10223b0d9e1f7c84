"""JavaScript packages of the page: installed by npm at pinned versions into the user's cache."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec

from styleexport.core.cache import cache_folder
from styleexport.core.errors import DeviceError, MissingExtra
from styleexport.core.files import folder_product, replace_folder
from styleexport.core.types import Progress

PAGE = Path(__file__).parent / "page"
LOCK = PAGE / "package-lock.json"
INSTALL = "styleexport serve --install"
# Files that the page loads; no other files of the packages are kept or served.
FILES = (
    "onnxruntime-web/dist/ort.wasm.min.mjs",
    "onnxruntime-web/dist/ort.webgpu.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm",
    "@litertjs/core/dist/index.js",
    "@litertjs/core/wasm/litert_wasm_internal.js",
    "@litertjs/core/wasm/litert_wasm_internal.wasm",
    "@litertjs/core/wasm/litert_wasm_compat_internal.js",
    "@litertjs/core/wasm/litert_wasm_compat_internal.wasm",
    "@litertjs/core/wasm/litert_wasm_threaded_internal.js",
    "@litertjs/core/wasm/litert_wasm_threaded_internal.wasm",
    "@litertjs/wasm-utils/dist/bundle.js",
)
PRODUCT = folder_product(
    "a folder of the page's packages",
    dict.fromkeys(sorted({name.partition("/")[0] for name in FILES}, reverse=True)),
)
NPM = ("ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--silent")


class _Package(msgspec.Struct):
    dependencies: dict[str, str]


def versions() -> dict[str, str]:
    """Return package → pinned version."""
    package = msgspec.json.decode((PAGE / "package.json").read_bytes(), type=_Package)
    return package.dependencies


def packages_folder() -> Path:
    """Return the folder for the packages of this version of the page."""
    digest = hashlib.sha256(LOCK.read_bytes() + "\n".join(FILES).encode()).hexdigest()
    return cache_folder() / "browser" / digest[:16]


def missing() -> str | None:
    """Return how to install the packages where they are missing; None where they are installed."""
    folder = packages_folder()
    if all((folder / name).is_file() for name in FILES):
        return None
    return f"the page's JavaScript packages are not installed: type `{INSTALL}`"


def install(progress: Progress) -> Path:
    """Install the packages with ``npm ci``; return the folder with them and compressed copies.

    Raises:
        MissingExtra: there is no npm.
        DeviceError: npm fails, or the disk is full.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise MissingExtra(f"npm is not installed: install Node.js 20 or newer, then `{INSTALL}`")
    folder = packages_folder()
    named = ", ".join(f"{name} {version}" for name, version in versions().items())
    progress(f"npm: {named}")
    with tempfile.TemporaryDirectory() as place:
        _run_npm(npm, Path(place))
        with replace_folder(folder, PRODUCT) as part:
            for name in FILES:
                _keep(Path(place) / "node_modules" / name, part / name)
    return folder


def _run_npm(npm: str, place: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PAGE / name, place)
    done = subprocess.run(
        [npm, *NPM],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise DeviceError(
            f"npm cannot install the page's packages: {lines[-1] if lines else 'no reason given'}; "
            f"check the network, then `{INSTALL}`"
        )


def _keep(source: Path, target: Path) -> None:
    """Copy a file, with a compressed copy beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        raw = source.read_bytes()
    except OSError as error:
        raise DeviceError(
            f"npm installed no {source.name}: the packages are not those of the lock file; "
            f"type `{INSTALL}` again"
        ) from error
    target.write_bytes(raw)
    target.with_name(f"{target.name}.gz").write_bytes(gzip.compress(raw, 6, mtime=0))
