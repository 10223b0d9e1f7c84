"""The check of the Android app: its own parts, and the check itself where its pieces are here."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from styleexport.runtime_bench.contract.latency import read_report
from tests.contract import exchange
from tools.android_check import __main__ as check
from tools.android_check import steps as steps_module
from tools.android_check.class_file import encoded
from tools.android_check.outcome import PieceMissing, StepFailed
from tools.android_check.pieces import Pieces, cache_folder
from tools.android_check.rules import broken_rules
from tools.android_check.signature_text import class_files, declared
from tools.android_check.steps import BUILD, FIXTURES, HARNESS, Steps
from tools.android_check.stubs import write_stubs

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
    files = classes()
    assert len(files) == 8
    assert all(struct.unpack(">I", raw[:4])[0] == 0xCAFEBABE for raw in files.values())
    outer = files["a/b/Outer"]
    assert b"a/b/Outer$Inner" in outer and 'a "b" é'.encode() in outer
    assert b"Ljava/lang/Object;Ljava/util/List<Ljava/lang/String;>;" in outer
    assert b"<T:Ljava/lang/Object;>([TT;)Ljava/util/List<TT;>;" in files["java/util/List"]


@pytest.mark.skipif(shutil.which("javap") is None, reason="javap is not installed")
def test_class_files_are_what_java_reads(tmp_path):
    with zipfile.ZipFile(tmp_path / "stubs.jar", "w") as jar:
        for name, raw in classes().items():
            jar.writestr(f"{name}.class", raw)
    with zipfile.ZipFile(tmp_path / "stubs.jar") as jar:
        jar.extractall(tmp_path)
    files = [str(tmp_path / name) for name in ("java/util/List.class", "a/b/Outer.class")]
    output = subprocess.run(
        ["javap", "-constants", *files], capture_output=True, text=True, check=True
    ).stdout
    assert "public abstract E get(int);" in output
    assert "public static <T> java.util.List<T> of(T...);" in output
    assert "public static final int BIG = -2147483648;" in output


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
        (f"{SOURCES}/device/DeviceState.kt", "SDK_INT", "X", "needs level 29"),
        (f"{SOURCES}/HarnessApp.kt", "import java", "import androidx", "imports a library"),
        (f"{SOURCES}/HarnessApp.kt", "/**", "/**" + "x" * 100, "columns"),
    ],
)
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
    output = capsys.readouterr().out
    assert "not done here: compile :contract: api-29 is not in" in output
    assert "never done by this check: anything on a phone" in output


def test_a_step_that_fails_is_a_failure(tmp_path, monkeypatch, capsys):
    def broken(self: Steps) -> str:
        raise StepFailed("Broken.kt: line 3")

    monkeypatch.setenv("STYLEEXPORT_CACHE", str(tmp_path))
    monkeypatch.setattr(Steps, "check_rules", broken)
    assert check.main(["--offline", "--build", str(tmp_path / "build")]) == 1
    assert "failed: rules: Broken.kt: line 3" in capsys.readouterr().out


@pytest.fixture(scope="module")
def steps() -> Iterator[Steps]:
    """Return steps whose :contract is compiled, by `make android-check` or here."""
    # CI may come here before `make android-check` has fetched anything.
    is_ci = os.environ.get("CI") == "true"
    steps = Steps(Pieces(CACHE, offline=not is_ci, say=print), BUILD)
    with check.locked(BUILD):
        try:
            steps.compile_contract()
            steps.test_contract()
        except PieceMissing as error:
            pytest.skip(f"{error}; type `make android-check`")
        yield steps


@pytest.mark.timeout(1800)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("tiles.json", b'"first": 16', b'"first": 17'),
        ("manifests/one-filter.json", b'"precision": "fp32"', b'"precision": "fp16"'),
        ("reports/phone.json", b'"cores": 9', b'"cores": 8'),
    ],
)
def test_an_altered_fixture_fails(steps, tmp_path, path, old, new):
    fixtures = Path(shutil.copytree(FIXTURES, tmp_path / "contract"))
    original = (fixtures / path).read_bytes()
    assert old in original
    (fixtures / path).write_bytes(original.replace(old, new, 1))
    output = steps.run_junit(fixtures, tmp_path, ["FixturesTest", "ArithmeticTest", "ContractTest"])
    assert "everyFixtureIsListedWithItsHash" in output and path in output


@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_kotlin_and_the_others_read_the_reports_of_each_other(steps, tmp_path):
    """What Kotlin wrote is read in tests/contract/test_exchange.py."""
    folder = tmp_path / "exchange"
    if exchange.exchange_folder().is_dir():
        shutil.copytree(exchange.exchange_folder(), folder)
    exchange.write_python(folder)
    if shutil.which("node"):
        assert exchange.run_javascript(folder) is None
    assert "OK (2 tests)" in steps.run_junit(exchange=folder, names=["ExchangeTest"])
    written = exchange.report_path(folder, "kotlin")
    assert read_report(written) == exchange.expected_report()
    other = exchange.report_path(folder, "python")
    other.write_bytes(other.read_bytes().replace(b'"cores": 9', b'"cores": 8'))
    output = steps.run_junit(exchange=folder, names=["ExchangeTest"])
    assert "reportsOfTheOtherLanguagesAreRead" in output and "python" in output


class FakePieces(Pieces):
    """Tools that are installed, and files that are empty."""

    def program(self, name: str) -> str:
        return name

    def kotlin(self) -> Path:
        return self.file(self.cache / "kotlin/lib/kotlin-stdlib.jar").parents[1]

    def gson(self) -> Path:
        return self.file(self.cache / "gson.jar")

    def signatures(self) -> Path:
        return self.file(self.cache / "api.txt")

    def file(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path


def test_a_jar_is_compiled_again_only_where_its_sources_or_classes_changed(tmp_path, monkeypatch):
    compiled = []

    def compile_jar(command: list[str]) -> str:
        compiled.append(Path(command[command.index("-d") + 1]))
        compiled[-1].write_text("jar")
        if fails:
            raise StepFailed("A.kt: line 3")
        return ""

    fails = False
    source = tmp_path / "A.kt"
    source.write_text("val a = 1")
    monkeypatch.setattr(steps_module, "run", compile_jar)
    monkeypatch.setattr(steps_module, "CONTRACT", tmp_path)
    steps = Steps(FakePieces(tmp_path, offline=True, say=print), tmp_path / "build")
    steps.compile_contract()
    steps.compile_contract()
    assert compiled == [tmp_path / "build/contract.jar"]
    source.write_text("val a = 2")
    steps.compile_contract()
    (tmp_path / "gson.jar").write_text("another Gson")
    steps.compile_contract()
    assert len(compiled) == 3
    fails = True
    source.write_text("val a = 3")
    for _ in range(2):
        with pytest.raises(StepFailed):
            steps.compile_contract()
    assert len(compiled) == 5
