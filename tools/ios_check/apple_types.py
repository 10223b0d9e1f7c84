"""Type check of the code for Apple's systems, against hand-written stubs of Apple's frameworks.

It finds faults in our own code: misspelt names, wrong types, data races. It cannot find a stub
whose signature differs from Apple's; only Xcode does.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.guide_snippets import write_snippet
from tools.ios_check.outcome import Outcome
from tools.ios_check.sources import HARNESS, ROOT, STUBS

NAME = "types of the app, of the Core ML and Core AI engines and of the guide's lines"
# Each after the modules that it imports.
MODULES = (
    "Darwin",
    "AppleFoundation",
    "CryptoKit",
    "CoreVideo",
    "CoreML",
    "CoreAI",
    "CoreGraphics",
    "ImageIO",
    "UniformTypeIdentifiers",
    "Metal",
    "UIKit",
    "VideoToolbox",
    "AVFoundation",
    "SwiftUI",
    "PhotosUI",
    "Charts",
)
# Module -> pattern of its files. Of the library itself only this file depends on the system.
SOURCES = {
    "FileDigest": "Sources/StyleHarness/Artifact/FileDigest.swift",
    "StyleHarnessCoreML": "Sources/StyleHarnessCoreML/*.swift",
    "styleharness": "Sources/styleharness/*.swift",
    "StyleExport": "App/Sources/*.swift",
}
SECONDS = 600


def check(program: str, scratch: Path) -> Outcome:
    """Return whether the sources type-check; the scratch folder must hold the built package."""
    compiler = str(Path(program).with_name("swiftc"))
    if not Path(compiler).is_file():
        return Outcome(NAME, "not possible here", (f"no swiftc beside {program}",))
    if _has_apple_sdk(compiler):
        return Outcome(NAME, "not possible here", ("this is a Mac: Xcode checks them",))
    package = scratch / "debug" / "Modules"
    if not (package / "StyleHarness.swiftmodule").exists():
        return Outcome(NAME, "not possible here", ("the package was not built",))
    modules = scratch / "stubs"
    modules.mkdir(parents=True, exist_ok=True)
    paths = ("-I", str(modules), "-I", str(package))
    faults = _compile_stubs(compiler, modules)
    for name, pattern in SOURCES.items():
        # Down to SIL: data races are diagnosed after type checking.
        output = ("-wmo", "-emit-sil", "-o", str(modules / f"{name}.sil"))
        module = ("-emit-module-path", str(modules / f"{name}.swiftmodule"))
        sources = sorted(map(str, HARNESS.glob(pattern)))
        language = ("-swift-version", "6", "-module-name", name)
        faults += _faults(compiler, *language, *paths, *output, *module, *sources)
    guide = write_snippet("swift", modules / "Guide.swift")
    faults += _faults(compiler, "-swift-version", "6", *paths, "-typecheck", str(guide))
    return Outcome.of(NAME, faults, f"no fault, against stubs of {len(MODULES)} modules")


def _compile_stubs(compiler: str, modules: Path) -> list[str]:
    """Compile the stubs that have changed, and those that may import them; return the faults."""
    faults: list[str] = []
    changed = False
    for name in MODULES:
        source, module = STUBS / f"{name}.swift", modules / f"{name}.swiftmodule"
        newest_input = max(source.stat().st_mtime, Path(compiler).stat().st_mtime)
        changed = changed or not module.exists() or module.stat().st_mtime < newest_input
        if changed:
            faults += _compile_stub(compiler, source, module)
    return faults


def _compile_stub(compiler: str, source: Path, module: Path) -> list[str]:
    # In Swift 5 mode, like Apple's own modules: what they do not annotate is not checked.
    return _faults(
        compiler,
        "-swift-version",
        "5",
        "-module-name",
        source.stem,
        "-I",
        str(module.parent),
        "-emit-module",
        "-emit-module-path",
        str(module),
        "-parse-as-library",
        str(source),
    )


def _faults(compiler: str, *arguments: str) -> list[str]:
    code, output = _run(compiler, "-diagnostic-style", "llvm", *arguments)
    faults = [line for line in output.splitlines() if line.startswith("/") and ": error: " in line]
    if code and not faults:
        faults = output.splitlines()[-5:]
    return [line.replace(f"{ROOT}/", "") for line in faults]


def _has_apple_sdk(compiler: str) -> bool:
    return "apple" in _run(compiler, "--version")[1].lower()


def _run(compiler: str, *arguments: str) -> tuple[int, str]:
    process = subprocess.run(
        [compiler, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd=STUBS,
    )
    return process.returncode, process.stdout + process.stderr
