"""Tools and files of the check: installed on this machine, or fetched once into the cache.

They come from package managers: npm for the Kotlin compiler and ONNX Runtime's classes, apt-get
for Gson, JUnit and the signatures of Android's API, pip for D8.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from tools.android_check.outcome import PieceMissing

APT = (
    "sudo apt-get install default-jdk-headless npm aapt apksigner zipalign "
    "android-framework-res junit4 libgoogle-gson-java"
)
KOTLIN = "kotlin-compiler@2.4.20"
# Microsoft's onnxruntime.aar 1.29.0 in a package of a third party: for this check, never committed.
ONNXRUNTIME = "com.github.asus4.onnxruntime@0.4.9"
# Its wheel carries Google's bundletool, which carries D8.
D8 = "mobsf==4.4.0"
FRAMEWORK = "android-platform-frameworks-base"
SHA256 = {
    KOTLIN: "c23dab400d7ce5ea8b6c909947c0ca5454189e4bb1108695b5f464500e5e950f",
    ONNXRUNTIME: "e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d",
    D8: "74329efc7eee885ca6b9448726ca448c6f5c7ca80ec3dc9a98ee11fb7cd7c0d4",
}
JAVA_FOLDER = Path("/usr/share/java")
FETCH_SECONDS = 900


class Pieces:
    """Locations of the tools and files.

    Args:
        cache: folder of fetched packages.
        offline: whether fetching is refused.
        say: callback with the name of a package that is being fetched.
    """

    def __init__(self, cache: Path, *, offline: bool, say: Callable[[str], None]) -> None:
        self.cache = cache
        self.offline = offline
        self.say = say

    def program(self, name: str) -> str:
        """Return the path of an installed program.

        Raises:
            PieceMissing: the program is not installed.
        """
        path = shutil.which(name)
        if path is None:
            raise PieceMissing(f"{name} is not installed: type `{APT}`")
        return path

    def file(self, path: Path) -> Path:
        """Return a file that a Debian package installs.

        Raises:
            PieceMissing: the file does not exist.
        """
        if not path.is_file():
            raise PieceMissing(f"{path} is not there: type `{APT}`")
        return path

    def junit(self) -> tuple[Path, ...]:
        """Return the jars of JUnit 4.

        Raises:
            PieceMissing: JUnit is not installed.
        """
        return tuple(self.file(JAVA_FOLDER / n) for n in ("junit4.jar", "hamcrest-core.jar"))

    def gson(self) -> Path:
        """Return the jar of Gson, with which :contract reads and writes JSON.

        Raises:
            PieceMissing: Gson is not installed.
        """
        return self.file(JAVA_FOLDER / "gson.jar")

    def kotlin(self) -> Path:
        """Return the folder of the Kotlin compiler.

        Raises:
            PieceMissing: the package is not in the cache and cannot be fetched.
        """
        return self._kept("kotlin-2.4.20", lambda into: _unpack(self._npm(KOTLIN, into), into)) / (
            "package"
        )

    def onnxruntime(self) -> Path:
        """Return the folder of ONNX Runtime for Android: classes.jar and jni/.

        Raises:
            PieceMissing: the package is not in the cache and cannot be fetched.
        """

        def make(into: Path) -> None:
            packed = self._npm(ONNXRUNTIME, into)
            with tarfile.open(packed) as tar:
                aar = tar.extractfile("package/Plugins/Android/onnxruntime.aar")
                assert aar is not None
                (into / "onnxruntime.aar").write_bytes(aar.read())
            packed.unlink()
            with zipfile.ZipFile(into / "onnxruntime.aar") as aar:
                aar.extractall(into)
            (into / "onnxruntime.aar").unlink()

        return self._kept("onnxruntime-1.29.0", make)

    def signatures(self) -> Path:
        """Return the text of Android's public API of level 29.

        Raises:
            PieceMissing: the package is not in the cache and cannot be fetched.
        """

        def make(into: Path) -> None:
            archive = self._debian_source(FRAMEWORK, into)
            with tarfile.open(archive) as tar:
                text = tar.extractfile("api/current.txt")
                assert text is not None
                (into / "current.txt").write_bytes(text.read())
            for other in into.iterdir():
                if other.name != "current.txt":
                    _remove(other)

        return self._kept("api-29", make) / "current.txt"

    def d8(self, *, fetch: bool) -> Path:
        """Return a jar that holds D8.

        Raises:
            PieceMissing: D8 is not in the cache and ``fetch`` is false.
        """
        if not fetch and not (self.cache / "d8").is_dir():
            raise PieceMissing("D8 is not there: add --with-d8 to fetch it (100 MB, once)")

        def make(into: Path) -> None:
            self._run(
                [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(into), D8]
            )
            wheel = next(into.glob("*.whl"))
            _check(wheel, D8)
            with zipfile.ZipFile(wheel) as held:
                name = next(n for n in held.namelist() if re.search(r"bundletool-all.*\.jar$", n))
                (into / "d8.jar").write_bytes(held.read(name))
            wheel.unlink()

        return self._kept("d8", make) / "d8.jar"

    def _kept(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return a folder of the cache; create it atomically where it is missing."""
        place = self.cache / name
        if place.is_dir():
            return place
        if self.offline:
            raise PieceMissing(f"{name} is not in {self.cache}: run once without --offline")
        self.say(f"fetching {name}")
        self.cache.mkdir(parents=True, exist_ok=True)
        with _temporary(self.cache) as part:
            try:
                make(part)
            except (
                OSError,
                subprocess.SubprocessError,
                tarfile.TarError,
                zipfile.BadZipFile,
                KeyError,
                StopIteration,
            ) as error:
                raise PieceMissing(f"{name} cannot be fetched: {_last_line(error)}") from error
            part.rename(place)
        return place

    def _npm(self, package: str, into: Path) -> Path:
        self._run([self.program("npm"), "pack", package, "--silent"], into)
        packed = next(into.glob("*.tgz"))
        _check(packed, package)
        return packed

    def _debian_source(self, package: str, into: Path) -> Path:
        """Return a source archive, by the machine's own sources with source packages added."""
        parts = into / "parts"
        parts.mkdir()
        _write_sources(parts)
        (into / "lists" / "partial").mkdir(parents=True)
        options = [
            "-o",
            "Dir::Etc::SourceList=/dev/null",
            "-o",
            f"Dir::Etc::SourceParts={parts}",
            "-o",
            f"Dir::State::Lists={into / 'lists'}",
            "-o",
            f"Dir::Cache={into}",
            "-o",
            "APT::Sandbox::User=root",
            "-q",
        ]
        apt = self.program("apt-get")
        self._run([apt, *options, "update"], into)
        self._run([apt, *options, "source", "--download-only", package], into)
        return next(into.glob("*.orig.tar.*"))

    def _run(self, command: Sequence[str], folder: Path | None = None) -> None:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS
        )


def cache_folder() -> Path:
    """Return the folder of the check in the project's cache, as core/cache.py finds that."""
    if named := os.environ.get("STYLEEXPORT_CACHE"):
        return Path(named) / "android"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "styleexport" / "android"


def _write_sources(parts: Path) -> None:
    """Write the machine's package sources with ``deb`` turned into ``deb-src``."""
    etc = Path("/etc/apt")
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if not path.is_file() or path.suffix not in (".list", ".sources"):
            continue
        text = re.sub(r"^Types:.*$", "Types: deb-src", path.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^deb\s", "deb-src ", text, flags=re.MULTILINE)
        (parts / path.name).write_text(text)


def _unpack(packed: Path, into: Path) -> None:
    with tarfile.open(packed) as tar:
        tar.extractall(into, filter="data")
    packed.unlink()


def _check(path: Path, package: str) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256[package]:
        raise PieceMissing(f"{package} is not the tested file: its sha256 is {digest[:12]}…")


@contextlib.contextmanager
def _temporary(beside: Path) -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".part-", dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _last_line(error: Exception) -> str:
    output = error.stderr if isinstance(error, subprocess.CalledProcessError) else None
    lines = (output or str(error) or type(error).__name__).strip().splitlines()
    return lines[-1][:200] if lines else type(error).__name__
