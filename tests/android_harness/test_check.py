"""The check of the Android app: its own parts, and the check itself where its pieces are here."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from android_harness.check import __main__ as check
from android_harness.check.class_file import encoded
from android_harness.check.outcome import PieceMissing, StepFailed
from android_harness.check.pieces import Pieces, cache_folder
from android_harness.check.rules import broken_rules
from android_harness.check.signature_text import class_files, declared
from android_harness.check.steps import HARNESS, Steps
from android_harness.check.stubs import write_stubs

# The user's own, looked up before the tests are given theirs: 0.3 GB are not fetched by a test.
CACHE = cache_folder()
SOURCES = "kotlin/org/styleexport/harness"
SIGNATURES = """\
// Signature format: 2.0
package java.lang {
  public class Object {
    ctor public Object();
  }
  public final class String {
  }
  public abstract class Enum<E extends java.lang.Enum<E>> {
  }
}
package java.util {
  public interface List<E> {
    method public default void sort(@Nullable java.util.List<? super E>);
    method public E get(int);
    method @NonNull public static <T> java.util.List<T> of(@IntRange(from=0, to=(2)) T...);
  }
}
package java.time {
  public final class Clock {
  }
}
package a.b {
  public class Outer extends java.lang.Object implements java.util.List<java.lang.String> {
    field public static final int BIG = -2147483648; // 0x80000000
    field public static final String WORD = "a \\"b\\" \\u00e9";
    field protected int[] numbers;
  }
  public static final class Outer.Inner {
  }
  public enum Colour {
    enum_constant public static final a.b.Colour RED;
  }
}
"""


def classes() -> dict[str, bytes]:
    return {one.name: encoded(one) for one in class_files(declared(SIGNATURES))}


def test_signatures_become_class_files():
    found = classes()
    assert len(found) == 8
    assert all(struct.unpack(">I", raw[:4])[0] == 0xCAFEBABE for raw in found.values())
    outer = found["a/b/Outer"]
    assert b"a/b/Outer$Inner" in outer and 'a "b" é'.encode() in outer
    assert b"Ljava/lang/Object;Ljava/util/List<Ljava/lang/String;>;" in outer
    assert b"<T:Ljava/lang/Object;>([TT;)Ljava/util/List<TT;>;" in found["java/util/List"]


@pytest.mark.skipif(shutil.which("javap") is None, reason="javap is not installed")
def test_class_files_are_what_java_reads(tmp_path):
    with zipfile.ZipFile(tmp_path / "stubs.jar", "w") as jar:
        for name, raw in classes().items():
            jar.writestr(f"{name}.class", raw)
    with zipfile.ZipFile(tmp_path / "stubs.jar") as jar:
        jar.extractall(tmp_path)
    files = [str(tmp_path / name) for name in ("java/util/List.class", "a/b/Outer.class")]
    told = subprocess.run(
        ["javap", "-constants", *files], capture_output=True, text=True, check=True
    ).stdout
    assert "public abstract E get(int);" in told
    assert "public static <T> java.util.List<T> of(T...);" in told
    assert "public static final int BIG = -2147483648;" in told


def test_the_library_is_compiled_without_what_came_after_level_24(tmp_path):
    api = tmp_path / "api.txt"
    api.write_text(SIGNATURES)
    jar = write_stubs(api, tmp_path, least=True)
    names = zipfile.ZipFile(jar).namelist()
    assert "java/util/List.class" in names
    assert "java/time/Clock.class" not in names and "a/b/Outer.class" not in names
    assert write_stubs(api, tmp_path, least=True) == jar


def copy_of_harness(folder: Path) -> Path:
    ignore = shutil.ignore_patterns("build", ".gradle", "__pycache__", "assets")
    return Path(shutil.copytree(HARNESS, folder / "android_harness", ignore=ignore))


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        ("AndroidManifest.xml", "permission.CAMERA", "permission.INTERNET", "permissions"),
        ("AndroidManifest.xml", "libOpenCL-car.so", "libOpenGL.so", "native libraries"),
        ("AndroidManifest.xml", ".BenchActivity", ".NoActivity", "there is no class"),
        (f"{SOURCES}/device/PhoneState.kt", "SDK_INT", "X", "needs level 29"),
        (f"{SOURCES}/HarnessApp.kt", "import java", "import androidx", "imports a library"),
        (f"{SOURCES}/HarnessApp.kt", "/**", "/**" + "x" * 100, "columns"),
    ],
)  # fmt: skip
def test_rules_find_what_breaks_them(tmp_path, path, old, new, words):
    harness = copy_of_harness(tmp_path)
    assert broken_rules(harness) == []
    file = harness / "app/src/main" / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    assert any(words in line for line in broken_rules(harness))


def test_a_piece_that_is_missing_says_what_to_type(tmp_path, monkeypatch):
    pieces = Pieces(tmp_path, offline=True, say=print)
    with pytest.raises(PieceMissing, match="run once without --offline"):
        pieces.kotlin()
    with pytest.raises(PieceMissing, match="--with-d8"):
        pieces.d8(fetch=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PieceMissing, match=r"sudo apt-get install .*aapt"):
        pieces.program("aapt")


def test_the_cache_is_the_projects(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEEXPORT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "android"


def test_what_cannot_be_done_is_said_and_is_no_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STYLEEXPORT_CACHE", str(tmp_path))
    assert check.main(["--offline", "--build", str(tmp_path / "build")]) == 0
    told = capsys.readouterr().out
    assert "not done here: compile :contract: api-29 is not in" in told
    assert "never done by this check: anything on a phone" in told


def test_a_step_that_fails_is_a_failure(tmp_path, monkeypatch, capsys):
    def broken(self: Steps) -> str:
        raise StepFailed("Broken.kt: line 3")

    monkeypatch.setenv("STYLEEXPORT_CACHE", str(tmp_path))
    monkeypatch.setattr(Steps, "check_rules", broken)
    assert check.main(["--offline", "--build", str(tmp_path / "build")]) == 1
    assert "failed: rules: Broken.kt: line 3" in capsys.readouterr().out


@pytest.mark.slow
def test_the_check_passes_and_an_altered_fixture_does_not(tmp_path):
    """Everything from the cache: nothing is fetched by a test."""
    root = HARNESS.parent
    command = [sys.executable, "-m", "android_harness.check", "--offline"]
    build = ["--build", str(tmp_path / "build")]
    environment = os.environ | {"STYLEEXPORT_CACHE": str(CACHE.parent)}
    done = subprocess.run(
        [*command, *build], cwd=root, env=environment, capture_output=True, text=True
    )
    if "passed: test :contract" not in done.stdout and done.returncode == 0:
        missing = [line.strip() for line in done.stdout.splitlines() if "not done here" in line]
        pytest.skip(f"{missing[0]}; type `make android-check`")
    assert done.returncode == 0, done.stdout
    fixtures = Path(shutil.copytree(root / "tests/contract", tmp_path / "contract"))
    for path, old, new in (
        ("arithmetic.json", b'"overlap": 16', b'"overlap": 17'),
        ("manifests/one-filter.json", b'"precision": "fp32"', b'"precision": "fp16"'),
    ):
        original = (fixtures / path).read_bytes()
        assert old in original
        (fixtures / path).write_bytes(original.replace(old, new, 1))
        told = run_tests(tmp_path, fixtures)
        assert "everyFixtureIsListedWithItsHash" in told and path in told
        (fixtures / path).write_bytes(original)


def run_tests(tmp_path: Path, fixtures: Path) -> str:
    """Return what the tests of :contract, compiled already, say of some fixtures."""
    home = Pieces(CACHE, offline=True, say=print).kotlin() / "lib"
    jars = [tmp_path / "build" / name for name in ("contract.jar", "contract-tests.jar")]
    jars += [home / f"{name}.jar" for name in ("kotlin-stdlib", "kotlin-test", "kotlin-test-junit")]
    jars += [Path("/usr/share/java") / name for name in ("junit4.jar", "hamcrest-core.jar")]
    names = [f"org.styleexport.contract.{name}Test" for name in ("Fixtures", "Arithmetic", "Facts")]
    return subprocess.run(
        ["java", f"-Dcontract.fixtures={fixtures}", "-cp", os.pathsep.join(map(str, jars)),
         "org.junit.runner.JUnitCore", *names],
        capture_output=True, text=True,
    ).stdout  # fmt: skip
