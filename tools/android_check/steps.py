"""The steps of the check: compile, test, lint, package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from android_harness.check.outcome import StepFailed
from android_harness.check.pieces import Pieces
from android_harness.check.rules import broken_rules
from android_harness.check.stubs import write_stubs

HARNESS = Path(__file__).parents[1]
CONTRACT = HARNESS / "contract/src/main/kotlin"
CONTRACT_TESTS = HARNESS / "contract/src/test/kotlin"
APP = HARNESS / "app/src/main"
FIXTURES = HARNESS.parent / "tests/contract"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
PACKAGE = "org.styleexport.harness"
# As app/build.gradle.kts has them.
LEAST_LEVEL, TARGET_LEVEL, VERSION = 24, 35, "0.1.0"
TOOL_SECONDS = 1800
MOST_WORDS = 6000


class Steps:
    """What is compiled, and where to.

    Args:
        pieces: that the steps need.
        build: folder that they write into.
        fixtures: that the tests read; `tests/contract`.
    """

    def __init__(self, pieces: Pieces, build: Path, fixtures: Path = FIXTURES) -> None:
        self.pieces = pieces
        self.build = build
        self.fixtures = fixtures
        build.mkdir(parents=True, exist_ok=True)

    def check_rules(self) -> str:
        """Look at what no compiler knows."""
        found = broken_rules(HARNESS)
        if found:
            raise StepFailed("\n".join(found))
        return f"{len(list(HARNESS.rglob('*.kt')))} Kotlin files and the manifest"

    def compile_contract(self) -> str:
        """Compile :contract against what Java has at Android's level 24."""
        stubs = write_stubs(self.pieces.signatures(), self.pieces.cache / "stubs", least=True)
        sources = sorted(CONTRACT.rglob("*.kt"))
        jar = self.build / "contract.jar"
        self._kotlin(jar, sources, [stubs], ["-no-jdk", "-Xexplicit-api=strict"])
        return f"{len(sources)} files against Java as Android {LEAST_LEVEL} has it"

    def test_contract(self) -> str:
        """Compile and run the tests of :contract on this machine's Java."""
        junit = self.pieces.junit()
        library = self.pieces.kotlin() / "lib"
        ours = [self.build / "contract.jar", library / "kotlin-test.jar",
                library / "kotlin-test-junit.jar", *junit]  # fmt: skip
        sources = sorted(CONTRACT_TESTS.rglob("*.kt"))
        jar = self.build / "contract-tests.jar"
        friend = f"-Xfriend-paths={self.build / 'contract.jar'}"
        self._kotlin(jar, sources, ours, [friend])
        path = os.pathsep.join(map(str, (jar, library / "kotlin-stdlib.jar", *ours)))
        names = [".".join(one.relative_to(CONTRACT_TESTS).with_suffix("").parts)
                 for one in sources if one.stem.endswith("Test")]  # fmt: skip
        fixtures = f"-Dcontract.fixtures={self.fixtures}"
        java = self.pieces.program("java")
        told = run([java, "-Xmx1g", fixtures, "-cp", path, "org.junit.runner.JUnitCore", *names])
        match = re.search(r"OK \((\d+) tests?\)", told)
        if match is None:
            raise StepFailed(told[-MOST_WORDS:])
        return f"{match[1]} tests passed on the fixtures of {self.fixtures.name}"

    def check_resources(self) -> str:
        """Compile manifest and resources, which writes R.java."""
        shutil.rmtree(self.build / "gen", ignore_errors=True)
        (self.build / "gen").mkdir()
        self._aapt(["-m", "-J", str(self.build / "gen")])
        return "manifest and resources, with aapt and the resources of Android 10"

    def compile_app(self) -> str:
        """Compile :app against Android's API, ONNX Runtime's classes and LiteRT's signatures."""
        if not (self.build / "gen").is_dir():
            self.check_resources()
        stubs = write_stubs(self.pieces.signatures(), self.pieces.cache / "stubs", least=False)
        runtime = self.pieces.onnxruntime() / "classes.jar"
        sources = sorted((APP / "kotlin").rglob("*.kt"))
        classes = [self.build / "contract.jar", stubs, runtime]
        self._kotlin(self.build / "app.jar", [self.build / "gen", *sources], classes, ["-no-jdk"])
        return (
            f"{len(sources)} files against Android's API of level 29, ONNX Runtime's own classes, "
            "and signatures by hand of LiteRT and of newer calls"
        )

    def _kotlin(
        self, jar: Path, sources: Sequence[Path], classes: Sequence[Path], more: Sequence[str]
    ) -> None:
        home = self.pieces.kotlin()
        self.pieces.program("java")
        path = os.pathsep.join(map(str, (*classes, home / "lib/kotlin-stdlib.jar")))
        options = ["-no-stdlib", "-no-reflect", "-jvm-target", "1.8", "-Werror", *more]
        run(["bash", str(home / "bin/kotlinc"), *options, "-classpath", path, "-d", str(jar),
             *map(str, sources)])  # fmt: skip

    def _aapt(self, options: Sequence[str]) -> None:
        """Run aapt on the manifest as Gradle completes it."""
        manifest = self.build / "AndroidManifest.xml"
        added = (
            f' package="{PACKAGE}" android:versionCode="1" android:versionName="{VERSION}">'
            f'<uses-sdk android:minSdkVersion="{LEAST_LEVEL}" '
            f'android:targetSdkVersion="{TARGET_LEVEL}"/>'
        )
        text = (APP / "AndroidManifest.xml").read_text(encoding="utf-8")
        text = re.sub(r"(<manifest [^>]*?)>", lambda match: match[1] + added, text, count=1)
        manifest.write_text(text, encoding="utf-8")
        aapt = self.pieces.program("aapt")
        run([aapt, "package", "-f", "-M", str(manifest), "-S", str(APP / "res"),
             "-I", str(self.pieces.file(FRAMEWORK)), *options])  # fmt: skip

    def package(self, d8: Path) -> str:
        """Assemble, sign and verify an APK for 64-bit ARM, without LiteRT."""
        classes = self._dex(d8)
        raw, aligned = self.build / "raw.apk", self.build / "aligned.apk"
        assets = APP / "assets"
        self._aapt(["-F", str(raw), *(["-A", str(assets)] if assets.is_dir() else [])])
        staged = self.build / "staged"
        shutil.rmtree(staged, ignore_errors=True)
        libraries = staged / "lib/arm64-v8a"
        shutil.copytree(self.pieces.onnxruntime() / "jni/arm64-v8a", libraries)
        shutil.copyfile(classes, staged / "classes.dex")
        names = sorted(
            one.relative_to(staged).as_posix() for one in staged.rglob("*.*") if one.is_file()
        )
        run([self.pieces.program("aapt"), "add", str(raw), *names], staged)
        aligned.unlink(missing_ok=True)
        run([self.pieces.program("zipalign"), "-p", "4", str(raw), str(aligned)])
        apk = self._signed(aligned)
        return (
            f"{apk} ({apk.stat().st_size / 1e6:.1f} MB, arm64, without LiteRT), signature verified"
        )

    def _dex(self, d8: Path) -> Path:
        java, javac = self.pieces.program("java"), self.pieces.program("javac")
        generated = self.build / "generated"
        shutil.rmtree(generated, ignore_errors=True)
        generated.mkdir()
        sources = [str(one) for one in (self.build / "gen").rglob("*.java")]
        run([javac, "--release", "8", "-Xlint:-options", "-d", str(generated), *sources])
        stubs = write_stubs(self.pieces.signatures(), self.pieces.cache / "stubs", least=False)
        jars = [self.build / "contract.jar", self.build / "app.jar",
                self.pieces.onnxruntime() / "classes.jar",
                self.pieces.kotlin() / "lib/kotlin-stdlib.jar"]  # fmt: skip
        run([java, "-Xmx2g", "-cp", str(d8), "com.android.tools.r8.D8", "--release",
             "--min-api", str(LEAST_LEVEL), "--lib", str(stubs), "--output", str(self.build),
             *map(str, jars), *map(str, generated.rglob("*.class"))])  # fmt: skip
        return self.build / "classes.dex"

    def _signed(self, aligned: Path) -> Path:
        """Return the APK, signed with a key that is made for this one and worth nothing."""
        store, apk = self.build / "throwaway.p12", self.build / "styleexport-harness.apk"
        store.unlink(missing_ok=True)
        word = "throwaway"
        run([self.pieces.program("keytool"), "-genkeypair", "-keystore", str(store), "-storepass",
             word, "-alias", "check", "-keyalg", "RSA", "-keysize", "2048", "-validity", "2",
             "-dname", "CN=styleexport check"])  # fmt: skip
        signer = self.pieces.program("apksigner")
        run([signer, "sign", "--ks", str(store), "--ks-pass", f"pass:{word}",
             "--min-sdk-version", str(LEAST_LEVEL), "--out", str(apk), str(aligned)])  # fmt: skip
        run([signer, "verify", "--min-sdk-version", str(LEAST_LEVEL), str(apk)])
        return apk


def run(command: Sequence[str], folder: Path | None = None) -> str:
    """Return what a tool said.

    Raises:
        StepFailed: it ended in failure, or did not end.
    """
    environment = os.environ | {"JAVA_OPTS": "-Xmx2g"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TOOL_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{Path(command[0]).name} took more than {TOOL_SECONDS} s") from error
    if done.returncode != 0:
        raise StepFailed(done.stdout[:MOST_WORDS] or f"{command[0]} ended with {done.returncode}")
    return done.stdout
