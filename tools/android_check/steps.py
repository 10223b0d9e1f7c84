"""The steps of the check: compile, test, lint, package."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tools.android_check.outcome import StepFailed
from tools.android_check.pieces import Pieces
from tools.android_check.rules import broken_rules
from tools.android_check.stubs import SIGNATURES, write_stubs
from tools.guide_snippets import write_snippet

ROOT = Path(__file__).parents[2]
HARNESS = ROOT / "android_harness"
CONTRACT = HARNESS / "contract/src/main/kotlin"
CONTRACT_TESTS = HARNESS / "contract/src/test/kotlin"
APP = HARNESS / "app/src/main"
FIXTURES = ROOT / "tests/contract"
BUILD = ROOT / "build/android-check"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
PACKAGE = "org.styleexport.harness"
# As app/build.gradle.kts has them.
MIN_LEVEL, TARGET_LEVEL, VERSION = 24, 35, "0.1.0"
TOOL_SECONDS = 1800
MAX_OUTPUT = 6000
# Folder in which every language of the contract leaves a report for the others.
EXCHANGE = "STYLEEXPORT_CONTRACT_EXCHANGE"
EXCHANGE_FOLDER = ROOT / "build/contract-exchange"


class Steps:
    """Steps of the check. A jar is compiled again only where its sources or classes changed.

    Args:
        pieces: tools and files that the steps need.
        build: folder of the jars.
    """

    def __init__(self, pieces: Pieces, build: Path) -> None:
        self.pieces = pieces
        self.build = build
        build.mkdir(parents=True, exist_ok=True)

    def check_rules(self) -> str:
        """Check the rules that no compiler checks."""
        faults = broken_rules(HARNESS)
        if faults:
            raise StepFailed("\n".join(faults))
        return f"{len(list(HARNESS.rglob('*.kt')))} Kotlin files and the manifest"

    def compile_contract(self) -> str:
        """Compile :contract against the Java API of Android's level 24."""
        stubs = write_stubs(self.pieces.signatures(), self.pieces.cache / "stubs", least=True)
        sources = sorted(CONTRACT.rglob("*.kt"))
        jar = self.build / "contract.jar"
        classes = [stubs, self.pieces.gson()]
        self._kotlin(jar, sources, classes, ["-no-jdk", "-Xexplicit-api=strict"])
        return f"{len(sources)} files against the Java API of Android {MIN_LEVEL}"

    def test_contract(self) -> str:
        """Compile and run the tests of :contract on this machine's Java."""
        sources = sorted(CONTRACT_TESTS.rglob("*.kt"))
        friend = f"-Xfriend-paths={self.build / 'contract.jar'}"
        self._kotlin(self.build / "contract-tests.jar", sources, self._test_classes(), [friend])
        output = self.run_junit()
        match = re.search(r"OK \((\d+) tests?\)", output)
        if match is None:
            raise StepFailed(output[-MAX_OUTPUT:])
        return f"{match[1]} tests passed on the fixtures of {FIXTURES.relative_to(ROOT)}"

    def run_junit(
        self,
        fixtures: Path = FIXTURES,
        exchange: Path | None = None,
        names: Sequence[str] = (),
    ) -> str:
        """Run the compiled tests of :contract; return JUnit's output, passed or failed.

        Args:
            fixtures: folder of the contract's fixtures.
            exchange: folder of the languages' reports; None is that of the environment.
            names: names of the test classes; empty runs all.
        """
        tests = names or [one.stem for one in CONTRACT_TESTS.rglob("*Test.kt")]
        jars = [
            self.build / "contract-tests.jar",
            self.pieces.kotlin() / "lib/kotlin-stdlib.jar",
            *self._test_classes(),
        ]
        folder = str(exchange or os.environ.get(EXCHANGE) or EXCHANGE_FOLDER)
        command = [
            self.pieces.program("java"),
            "-Xmx1g",
            f"-Dcontract.fixtures={fixtures}",
            "-cp",
            os.pathsep.join(map(str, jars)),
            "org.junit.runner.JUnitCore",
            *(f"org.styleexport.contract.{name}" for name in sorted(tests)),
        ]
        return run(command, allowed=(0, 1), variables={EXCHANGE: folder})

    def _test_classes(self) -> list[Path]:
        library = self.pieces.kotlin() / "lib"
        tests = [library / "kotlin-test.jar", library / "kotlin-test-junit.jar"]
        return [self.build / "contract.jar", *tests, self.pieces.gson(), *self.pieces.junit()]

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
        classes = [self.build / "contract.jar", stubs, runtime, self._kotlin_signatures(stubs)]
        self._kotlin(self.build / "app.jar", [self.build / "gen", *sources], classes, ["-no-jdk"])
        guide = write_snippet("kotlin", self.build / "guide" / "Guide.kt")
        self._kotlin(self.build / "guide.jar", [guide], classes, ["-no-jdk"])
        return (
            f"{len(sources)} files and the guide's lines against Android's API of level 29, ONNX "
            "Runtime's own classes, and signatures by hand of LiteRT and of newer calls"
        )

    def _kotlin_signatures(self, stubs: Path) -> Path:
        """Return a jar of the signatures that are written in Kotlin."""
        jar = self.build / "signatures.jar"
        self._kotlin(jar, sorted(SIGNATURES.glob("*.kt")), [stubs], ["-no-jdk"])
        return jar

    def _kotlin(
        self, jar: Path, sources: Sequence[Path], classes: Sequence[Path], more: Sequence[str]
    ) -> None:
        home = self.pieces.kotlin()
        self.pieces.program("java")
        classpath = [*classes, home / "lib/kotlin-stdlib.jar"]
        options = ["-no-stdlib", "-no-reflect", "-jvm-target", "1.8", "-Werror", *more]
        stamp = jar.with_suffix(".stamp")
        digest = _digest([*options, home.parent.name], [*sources, *classpath])
        if jar.is_file() and stamp.is_file() and stamp.read_text() == digest:
            return
        stamp.unlink(missing_ok=True)
        command = ["bash", str(home / "bin/kotlinc"), *options]
        command += ["-classpath", os.pathsep.join(map(str, classpath)), "-d", str(jar)]
        run([*command, *map(str, sources)])
        stamp.write_text(digest)

    def _aapt(self, options: Sequence[str]) -> None:
        """Run aapt on the manifest as Gradle completes it."""
        manifest = self.build / "AndroidManifest.xml"
        added = (
            f' package="{PACKAGE}" android:versionCode="1" android:versionName="{VERSION}">'
            f'<uses-sdk android:minSdkVersion="{MIN_LEVEL}" '
            f'android:targetSdkVersion="{TARGET_LEVEL}"/>'
        )
        text = (APP / "AndroidManifest.xml").read_text(encoding="utf-8")
        text = re.sub(r"(<manifest [^>]*?)>", lambda match: match[1] + added, text, count=1)
        manifest.write_text(text, encoding="utf-8")
        aapt = self.pieces.program("aapt")
        inputs = ["-M", str(manifest), "-S", str(APP / "res")]
        run([aapt, "package", "-f", *inputs, "-I", str(self.pieces.file(FRAMEWORK)), *options])

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
        jars = [
            self.build / "contract.jar",
            self.build / "app.jar",
            self.pieces.onnxruntime() / "classes.jar",
            self.pieces.gson(),
            self.pieces.kotlin() / "lib/kotlin-stdlib.jar",
        ]
        command = [java, "-Xmx2g", "-cp", str(d8), "com.android.tools.r8.D8", "--release"]
        command += ["--min-api", str(MIN_LEVEL), "--lib", str(stubs)]
        command += ["--lib", str(self._kotlin_signatures(stubs)), "--output", str(self.build)]
        run([*command, *map(str, jars), *map(str, generated.rglob("*.class"))])
        return self.build / "classes.dex"

    def _signed(self, aligned: Path) -> Path:
        """Return the APK, signed with a throwaway key."""
        store, apk = self.build / "throwaway.p12", self.build / "styleexport-harness.apk"
        store.unlink(missing_ok=True)
        word = "throwaway"
        key = ["-alias", "check", "-keyalg", "RSA", "-keysize", "2048", "-validity", "2"]
        key += ["-dname", "CN=styleexport check", "-storepass", word]
        run([self.pieces.program("keytool"), "-genkeypair", "-keystore", str(store), *key])
        signer = self.pieces.program("apksigner")
        level = ["--min-sdk-version", str(MIN_LEVEL)]
        store_options = ["--ks", str(store), "--ks-pass", f"pass:{word}"]
        run([signer, "sign", *store_options, *level, "--out", str(apk), str(aligned)])
        run([signer, "verify", *level, str(apk)])
        return apk


def run(
    command: Sequence[str],
    folder: Path | None = None,
    *,
    allowed: Sequence[int] = (0,),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run a tool; return its output.

    Args:
        command: program and arguments.
        folder: working directory.
        allowed: exit codes that are no failure.
        variables: added to the environment.

    Raises:
        StepFailed: the tool ended with another exit code, or did not end.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "JAVA_OPTS": "-Xmx2g", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TOOL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{Path(command[0]).name} took more than {TOOL_SECONDS} s") from error
    if done.returncode not in allowed:
        raise StepFailed(done.stdout[:MAX_OUTPUT] or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def _digest(words: Sequence[str], paths: Sequence[Path]) -> str:
    """Return a sha256 over words, and names and contents of files and of folders' files."""
    files = [
        one for path in paths for one in (sorted(path.rglob("*")) if path.is_dir() else [path])
    ]
    total = hashlib.sha256("\0".join(words).encode())
    for file in files:
        if file.is_file():
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            total.update(f"{file.name} {content}\n".encode())
    return total.hexdigest()
