"""Rules of the Android sources that no compiler of ours knows."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

ANDROID = "{http://schemas.android.com/apk/res/android}"
MOST_LINES, MOST_COLUMNS = 300, 100
# Calls newer than the app's least level, 24: where they stand, the level must be looked at.
NEWER = {
    "currentThermalStatus": 29, "SOC_MODEL": 31, "SOC_MANUFACTURER": 31, "NnApiDelegate(": 27,
    "addNnapi": 27, "getThermalHeadroom": 30, "windowMetrics": 30,
}  # fmt: skip
FOREIGN = re.compile(r"^import (androidx|com\.google|kotlinx|org\.jetbrains)\b", re.MULTILINE)
LIBRARIES = {"libOpenCL.so", "libOpenCL-pixel.so", "libOpenCL-car.so"}
# A format's description may be named; nothing else on the network is the app's business.
HOST = re.compile(r"https?://(?!schemas\.android\.com|github\.com/huggingface)")


def broken_rules(harness: Path) -> list[str]:
    """Return what breaks a rule, each with its file."""
    found = list(_manifest(harness / "app/src/main/AndroidManifest.xml"))
    for path in sorted(harness.rglob("*.kt")):
        if "build" not in path.relative_to(harness).parts:
            found += [f"{path.relative_to(harness)}: {what}" for what in _source(path)]
    return found


def _source(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        yield f"{len(lines)} lines, at most {MOST_LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_COLUMNS:
            yield f"line {number} has {len(line)} columns, at most {MOST_COLUMNS}"
    if FOREIGN.search(text):
        yield "imports a library that the app is to do without"
    if HOST.search(text):
        yield "names an address"
    for call, level in NEWER.items():
        if call in text and "SDK_INT" not in text:
            yield f"{call} needs level {level}, and SDK_INT is not looked at"


def _manifest(path: Path) -> Iterator[str]:
    root = ElementTree.parse(path).getroot()
    permissions = {one.get(f"{ANDROID}name") for one in root.iter("uses-permission")}
    if permissions != {"android.permission.CAMERA"}:
        yield f"AndroidManifest.xml: permissions {sorted(map(str, permissions))}, expected CAMERA"
    libraries = {
        one.get(f"{ANDROID}name"): one.get(f"{ANDROID}required")
        for one in root.iter("uses-native-library")
    }
    if libraries != dict.fromkeys(LIBRARIES, "false"):
        yield f"AndroidManifest.xml: native libraries {libraries}, expected {sorted(LIBRARIES)}"
    for tag in ("activity", "provider"):
        for one in root.iter(tag):
            name = one.get(f"{ANDROID}name", "")
            if one.get(f"{ANDROID}exported") is None:
                yield f"AndroidManifest.xml: {name} does not say whether it is exported"
            folder = path.parent / "kotlin"
            if not (folder / f"{name.replace('.', '/')}.kt").is_file():
                yield f"AndroidManifest.xml: there is no class {name}"
