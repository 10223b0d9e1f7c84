"""Jars of signatures that Kotlin is compiled against in the place of Android's own."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from tools.android_check.class_file import encoded
from tools.android_check.signature_text import class_files, declared

SIGNATURES = Path(__file__).parent / "signatures"
# Of Java, what Android has since level 26 only: the library must do without, its least is 24.
SINCE_26 = ("java.time", "java.nio.file", "java.lang.invoke", "java.util.Base64")


def write_stubs(api: Path, folder: Path, *, least: bool) -> Path:
    """Return a jar of signatures, made anew where what it is made from has changed.

    Args:
        api: text of Android's API.
        folder: that jars are kept in.
        least: whether to keep Java alone, and of it only what level 24 has; else Android's API
            with LiteRT's and newer calls by hand.
    """
    by_hand = [] if least else sorted(SIGNATURES.glob("*.txt"))
    texts = [path.read_text(encoding="utf-8") for path in (api, *by_hand)]
    key = hashlib.sha256("".join((str(least), *SINCE_26, *texts)).encode()).hexdigest()[:16]
    jar = folder / f"stubs-{key}.jar"
    if jar.exists():
        return jar
    folder.mkdir(parents=True, exist_ok=True)
    part = jar.with_suffix(".part")
    classes = class_files(one for text in texts for one in declared(text))
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for one in classes:
            if not least or _is_kept(one.name.replace("/", ".")):
                out.writestr(f"{one.name}.class", encoded(one))
    part.rename(jar)
    return jar


def _is_kept(name: str) -> bool:
    is_newer = any(name == one or name.startswith((f"{one}.", f"{one}$")) for one in SINCE_26)
    return name.startswith(("java.", "javax.")) and not is_newer
