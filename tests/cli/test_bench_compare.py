from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from styleexport.runtime_bench.contract.latency import read_report, write_report

CONTRACT = Path(__file__).parents[1] / "contract" / "reports"
DESKTOP, PHONE = CONTRACT / "desktop.json", CONTRACT / "phone.json"
NAME = "adain-lite transform 64x96 fp32 onnx on onnxruntime"


@pytest.fixture
def slower(tmp_path) -> Path:
    """The desktop's report with its first cell a quarter slower."""
    report = read_report(DESKTOP)
    first, *others = report.cells
    rounds = tuple(tuple(int(1.25 * s) for s in samples) for samples in first.rounds_ns)
    cells = (replace(first, rounds_ns=rounds), *others)
    write_report(replace(report, cells=cells), tmp_path / "slower.json")
    return tmp_path / "slower.json"


def test_the_same_report_twice_passes_the_gate(cli):
    done = cli("bench", "compare", DESKTOP, DESKTOP, "--fail-above", "10%")
    done.fine()
    lines = done.out.splitlines()
    assert lines[0].split() == [
        "cell",
        "before",
        "after",
        "change",
        "95",
        "%",
        "interval",
        "p",
        "verdict",
    ]
    assert lines[1].startswith(NAME)
    assert lines[1].endswith("cannot be told apart")
    assert "out-of-memory" in done.out
    assert lines[-1].startswith("geometric mean of 9 cells: +0.0 % (")
    assert lines[-1].endswith("), cannot be told apart")


def test_a_regression_is_printed_and_the_code_is_5(cli, slower):
    done = cli("bench", "compare", DESKTOP, slower, "--fail-above", "10%")
    assert done.code == 5
    assert f"{NAME}: time +25.0 % (" in done.out
    (line,) = done.talk
    assert line.startswith(f"error: {NAME}: time +25.0 % (")
    assert line.endswith(
        "at most +10.0 % allowed; find what changed, or allow more with --fail-above"
    )


@pytest.mark.parametrize("gate", [(), ("--fail-above", "0.3"), ("--fail-above", "30%")])
def test_what_is_allowed_is_told_and_no_more(cli, slower, gate):
    done = cli("bench", "compare", DESKTOP, slower, *gate)
    done.fine()
    assert " slower" in done.out


def test_json_holds_every_cell_and_the_gate_still_holds(cli, slower):
    done = cli("bench", "compare", DESKTOP, slower, "--fail-above", "10%", "--json")
    assert done.code == 5
    found = json.loads(done.out)
    cells, mean = found["cells"], found["geometric_mean"]
    assert len(cells) == 12
    assert mean["cells"] == 9
    assert mean["ratio"] == pytest.approx(1.25 ** (1 / 9), abs=0.001)
    assert cells[0]["latency"]["verdict"] == "slower"
    assert cells[0]["latency"]["ratio"] == pytest.approx(1.25, abs=0.001)
    assert cells[-1]["latency"] is None


def test_other_machines_are_compared_when_asked_for(cli, tmp_path):
    report = read_report(DESKTOP)
    machine = replace(report.machine, processor="Ryzen 9\x1b[2J")
    write_report(replace(report, machine=machine), tmp_path / "other.json")
    cli("bench", "compare", DESKTOP, "other.json").refused(2, "add --across-machines")
    done = cli("bench", "compare", DESKTOP, "other.json", "--across-machines")
    assert (done.code, done.talk) == (
        0,
        ["processor differs: Intel Core Ultra 7, then Ryzen 9\\x1b[2J"],
    )


def test_a_phone_is_compared_where_both_measured_the_same(cli):
    done = cli("bench", "compare", DESKTOP, PHONE, "--across-machines", "--json")
    assert done.code == 0
    both = [cell for cell in json.loads(done.out)["cells"] if cell["latency"]]
    assert [(c["precision"], c["runner"], c["size"]) for c in both] == [
        ("fp32", "litert", "128x128"),
        ("int8", "litert", "128x128"),
    ]
    assert [c["latency"]["verdict"] for c in both] == ["slower", "slower"]
    assert "governor differs: performance, then unknown" in done.talk


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((DESKTOP, "no.json"), "no.json does not exist"),
        ((DESKTOP, CONTRACT / "other_version.json"), "schema version 2, expected 1"),
        ((DESKTOP, PHONE), "the reports are of different machines: device 'ThinkPad X1' and"),
        ((DESKTOP, DESKTOP, "--fail-above", "ten"), "--fail-above 'ten' is not a share"),
        ((DESKTOP, DESKTOP, "--fail-above", "-5%"), "type --fail-above 10%"),
        ((DESKTOP, DESKTOP, "--fail-above", "nan"), "type --fail-above 10%"),
        ((DESKTOP,), "expected a second report, or what to compare the cells of one by"),
        ((DESKTOP, DESKTOP, "--by", "runner"), "compare report.json --by precision"),
        ((DESKTOP, DESKTOP, "-o", "history.txt"), "expected a suffix .html or .md"),
        ((DESKTOP, DESKTOP, PHONE), "the reports are of different machines"),
    ],
)
def test_bad_calls_end_in_one_line(cli, arguments, message):
    cli("bench", "compare", *arguments).refused(2, message)


def test_cells_of_one_report_are_compared(cli):
    done = cli("bench", "compare", DESKTOP, "--by", "precision")
    done.fine()
    assert ", then int8" in done.out.splitlines()[1]
    (found, *_) = json.loads(cli("bench", "compare", DESKTOP, "--by", "precision", "--json").out)
    assert (found["first"], found["second"]) == ("fp32", "int8")


@pytest.fixture
def reports(tmp_path) -> Path:
    """Reports of three commits; the last is a quarter slower in every cell."""
    folder = tmp_path / "reports"
    folder.mkdir()
    report = read_report(DESKTOP)
    for month, (commit, factor) in enumerate(
        (("aaaaaaa", 1), ("bbbbbbb", 1), ("ccccccc", 1.25)), 1
    ):
        cells = tuple(
            replace(c, rounds_ns=tuple(tuple(int(factor * s) for s in r) for r in c.rounds_ns))
            for c in report.cells
        )
        created = f"2026-0{month}-01T00:00:00Z"
        write_report(replace(report, cells=cells, created=created), folder / f"{commit}.json")
    return folder


def test_a_folder_of_reports_gives_a_history(cli, reports, tmp_path):
    done = cli("bench", "compare", reports, "-o", "history.html")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "3 reports: aaaaaaa, bbbbbbb, ccccccc"
    assert lines[-1].startswith("ccccccc, since aaaaaaa: geometric mean of 9 cells: +25.0 % (+")
    assert done.talk == ["history: history.html"]
    assert "Latency by commit" in (tmp_path / "history.html").read_text()
    cli("bench", "compare", reports, "-o", "history.html").refused(2, "add --overwrite")
    assert cli("bench", "compare", reports, "-o", "history.html", "--overwrite").code == 0


def test_the_gate_of_a_history_holds_for_its_last_two_reports(cli, reports):
    first, second, third = sorted(reports.iterdir())
    done = cli("bench", "compare", third, first, second, "--fail-above", "10%", "--json")
    assert done.code == 5
    assert ": time +25.0 % (" in done.talk[-1]
    assert "9 more" in done.talk[-1]
    found = json.loads(done.out)
    assert found["labels"] == ["aaaaaaa", "bbbbbbb", "ccccccc"]
    assert found["means"][-1]["ratio"] == pytest.approx(1.25, abs=0.001)
    assert found["courses"][0]["steps"][0]["label"] == "ccccccc"
    cli("bench", "compare", third, first, second, "--fail-above", "30%").fine()


def test_two_reports_in_a_folder_are_a_history_too(cli, reports):
    (reports / "ccccccc.json").unlink()
    assert cli("bench", "compare", reports).out.startswith("2 reports: aaaaaaa, bbbbbbb")
