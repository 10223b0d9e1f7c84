"""Do the files for Apple's systems type-check, against signatures that are written by hand?

It finds what a compiler finds in our own code: misspelt names, wrong types, data races. A signature
that we remember wrongly it does not find: only Xcode does.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from ios_harness.check.outcome import Outcome
from ios_harness.check.sources import HARNESS

NAME = "types of the app and of Core ML's engine"
STUBS = HARNESS / "check" / "stubs"
# Each after those that it imports.
MODULES = (
    "Darwin", "AppleFoundation", "CoreVideo", "CoreML", "CoreGraphics", "ImageIO",
    "UniformTypeIdentifiers", "Metal", "UIKit", "VideoToolbox", "AVFoundation", "SwiftUI",
    "PhotosUI", "Charts",
)  # fmt: skip
SOURCES = {
    "StyleHarnessCoreML": HARNESS / "Sources" / "StyleHarnessCoreML",
    "styleharness": HARNESS / "Sources" / "styleharness",
    "StyleExport": HARNESS / "App" / "Sources",
}
SECONDS = 600


def check(program: str, scratch: Path) -> Outcome:
    """Return whether they do; a package that was built lies in the scratch folder."""
    compiler = str(Path(program).with_name("swiftc"))
    if not Path(compiler).is_file():
        return Outcome(NAME, "not possible here", (f"no swiftc beside {program}",))
    if _has_apple_sdk(compiler):
        return Outcome(NAME, "not possible here", ("this is a Mac: Xcode checks them",))
    built = scratch / "debug" / "Modules"
    if not (built / "StyleHarness.swiftmodule").exists():
        return Outcome(NAME, "not possible here", ("the package was not built",))
    modules = scratch / "stubs"
    modules.mkdir(parents=True, exist_ok=True)
    paths = ("-I", str(modules), "-I", str(built))
    faults = [fault for name in MODULES for fault in _stub_faults(compiler, name, modules)]
    for name, files in SOURCES.items():
        # As far as SIL: data races are looked for after types are known.
        out = ("-wmo", "-emit-sil", "-o", str(modules / f"{name}.sil"))
        module = ("-emit-module-path", str(modules / f"{name}.swiftmodule"))
        sources = sorted(map(str, files.glob("*.swift")))
        language = ("-swift-version", "6", "-module-name", name)
        faults += _faults(compiler, *language, *paths, *out, *module, *sources)
    return Outcome.of(NAME, faults, f"fit, against {len(MODULES)} modules of remembered signatures")


def _stub_faults(compiler: str, name: str, modules: Path) -> list[str]:
    # In the older mode, as Apple's own modules are: what they have not annotated stays so.
    return _faults(
        compiler, "-swift-version", "5", "-module-name", name, "-I", str(modules),
        "-emit-module", "-emit-module-path", str(modules / f"{name}.swiftmodule"),
        "-parse-as-library", str(STUBS / f"{name}.swift"),
    )  # fmt: skip


def _faults(compiler: str, *arguments: str) -> list[str]:
    code, said = _run(compiler, "-diagnostic-style", "llvm", *arguments)
    found = [line for line in said.splitlines() if line.startswith("/") and ": error: " in line]
    if code and not found:
        found = said.splitlines()[-5:]
    return [line.replace(f"{HARNESS}/", "") for line in found]


def _has_apple_sdk(compiler: str) -> bool:
    return "apple" in _run(compiler, "--version")[1].lower()


def _run(compiler: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [compiler, *arguments], capture_output=True, text=True, check=False, timeout=SECONDS,
        cwd=STUBS,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
