"""No control character of a name, a file or a message reaches the terminal."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from styleexport.core.terminal import MESSAGE, one_line, visible
from tests.cli.conftest import edit_manifest

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "tests/contract"
# Clears the screen, sets the title, turns the text around, and eight-bit and delete characters.
EVIL = "a\x1b[2J\x1b]0;owned\x07\u202eb\x9b31m\x7f\r"


def printable(text: str) -> bool:
    lines = text.replace("\r\n", "\n").split("\n")
    return all(line.isprintable() for line in lines)


def test_what_does_not_print_is_escaped():
    assert visible("a\x1b[2J\u202eb\x9b\x7f\rc\td\ne") == r"a\x1b[2J\u202eb\x9b\x7f\rc d" + "\ne"
    assert visible("grün × 京 ▄") == "grün × 京 ▄"
    assert visible("\udcff") == r"\udcff"


def test_a_long_message_keeps_its_beginning_and_end():
    line = one_line("begin " + "x" * 10_000_000 + " type --end")
    assert len(line) <= MESSAGE
    assert line.startswith("begin x")
    assert line.endswith("x type --end")
    assert one_line("two\nlines") == "two lines"


def test_commands_print_through_the_functions_that_escape():
    left = []
    for path in sorted((ROOT / "styleexport").glob("**/*.py")):
        if path.name in ("_terminal.py", "_group.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                *("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"),
            ):
                left.append(f"{path.name}:{node.lineno}")
    assert left == [], "print with say, talk or document of cli/_common.py"


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", EVIL),
        ("verify", EVIL),
        ("onnx", EVIL),
        ("onnx", f"{EVIL}.pt2"),
        ("onnx", f"{EVIL}:build"),
        ("onnx", "adain-lite", "--checkpoint", EVIL),
        ("onnx", "--role", EVIL),
        ("onnx", "--size", EVIL),
        ("onnx", f"--{EVIL}"),
        ("stylize", EVIL, EVIL, EVIL),
        ("bench", EVIL),
        ("bench", "compare", EVIL, EVIL),
        ("report", EVIL),
        ("report", EVIL, "-o", EVIL),
        ("sweep", EVIL),
        ("serve", EVIL),
        ("styles", "list", EVIL),
        ("compare", EVIL, EVIL),
        ("diff", EVIL, EVIL),
        ("quantize", EVIL),
        ("doctor", "--make-env", EVIL),
        (EVIL,),
    ],
    ids=lambda arguments: " ".join(a.replace(EVIL, "EVIL") for a in arguments),
)
def test_names_that_are_typed(cli, arguments):
    found = cli(*arguments)
    assert found.code in (2, 4)
    assert printable(found.out + found.err)
    assert len(found.talk) == 1


def test_names_in_a_manifest(cli, tmp_path):
    artifact = Path(shutil.copytree(CONTRACT / "artifacts/colour-transfer", tmp_path / "artifact"))

    def poison(manifest: dict) -> None:
        manifest["network"].update(name=EVIL, summary=EVIL, paper=EVIL, source=[EVIL])
        manifest["tools"] = {EVIL: EVIL}
        for file in manifest["files"]:
            file["risks"] = [{"where": EVIL, "reason": EVIL * 5000, "remedy": EVIL}]
            file["passes"] = [{"name": EVIL, "applied": 1, "refused": [EVIL]}]
            file["parity"][0]["runner"] = EVIL
            for value in (*file["inputs"], *file["outputs"]):
                value["name"] = EVIL

    edit_manifest(artifact, poison)
    shown = cli("inspect", artifact)
    assert shown.code == 0
    assert r"\x1b[2J" in shown.out
    assert printable(shown.out + shown.err)
    assert max(map(len, shown.out.splitlines())) <= 10_000
    as_json = cli("inspect", artifact, "--json")
    assert printable(as_json.out)
    assert json.loads(as_json.out)["network"]["name"] == EVIL
    assert printable(cli("verify", artifact).err)


@pytest.mark.parametrize("kind", ["md", "csv", "html", "json-table"])
def test_names_in_a_report(cli, tmp_path, kind):
    report = json.loads((CONTRACT / "reports/desktop.json").read_text())
    report["machine"].update(device=EVIL, os=EVIL)
    for cell in report["cells"]:
        cell["subject"]["network"] = EVIL
    (tmp_path / "report.json").write_text(json.dumps(report))
    found = cli("report", "report.json", "--format", kind)
    assert found.code == 0, found.err
    assert printable(found.out + found.err)


def test_a_locale_without_the_characters_of_a_result(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "styleexport", "inspect", "grün\u202e京"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "PATH": "/usr/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr


def test_a_second_signal_ends_no_cleaning_up_and_a_later_one_interrupts_again(monkeypatch):
    """A library may catch the first interruption, and the command would go on for minutes."""
    from styleexport import __main__ as program

    now = [100.0]
    monkeypatch.setattr(program.time, "monotonic", lambda: now[0])
    interrupt = program.interruption()
    with pytest.raises(KeyboardInterrupt):
        interrupt(2, None)
    now[0] += program.CLEANING_UP - 1
    interrupt(2, None)
    now[0] += 2
    with pytest.raises(KeyboardInterrupt):
        interrupt(2, None)
