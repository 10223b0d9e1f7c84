"""From the command line to a page: this machine's report and a phone's, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from styleexport.runtime_bench.contract.latency import read_report
from tests.cli.conftest import Cli, cli

__all__ = ["cli"]

QUICK = ("--rounds", 2, "--seconds", 0.01, "--warm-up", 0.1, "--threads", 1, "--no-peak")


def test_a_phone_beside_the_desktop(cli: Cli, colour, plug, tmp_path):
    plug()
    done = cli("bench", colour, "--runner", "onnxruntime", "--runner", "android", *QUICK)
    assert done.code == 0, done.err
    desktop = read_report(tmp_path / "colour-transfer-latency.json")
    phone = read_report(tmp_path / "colour-transfer-latency-android.json")
    assert {cell.runner for cell in desktop.cells} == {"onnxruntime"}
    assert {cell.runner for cell in phone.cells} == {"android"}
    assert (phone.machine.device, len(phone.cells)) == ("Acme Phone 7", 4)
    assert "Acme Phone 7, Android 15 (API 35)" in done.out

    shown = cli(
        "report",
        tmp_path / "colour-transfer-latency.json",
        tmp_path / "colour-transfer-latency-android.json",
        "-o",
        "both.html",
    )
    assert shown.code == 0, shown.err
    page = Path("both.html").read_text()
    assert "Acme Phone 7" in page
    assert desktop.machine.device in page or desktop.machine.processor in page


def test_a_phone_alone_takes_the_name_that_was_typed(cli: Cli, colour, plug, tmp_path):
    plug()
    done = cli(
        "bench",
        colour,
        "--runner",
        "android",
        "--runner",
        "android:delegate=nnapi",
        *QUICK,
        "-o",
        "phone.json",
        "--json",
    )
    assert done.code == 0, done.err
    cells = json.loads(done.out)["cells"]
    assert [cell["status"] for cell in cells].count("unavailable") == 4
    assert [path.name for path in tmp_path.glob("*.json")] == ["phone.json"]
    assert len(read_report(tmp_path / "phone.json").cells) == 8


def test_a_cell_that_the_phone_leaves_out_is_in_the_report_as_failed(cli: Cli, colour, plug):
    plug(fault="half")
    done = cli("bench", colour, "--runner", "android", *QUICK, "-o", "r.json")
    assert done.code == 0, done.err
    first = read_report(Path("r.json")).cells[0]
    assert (first.status, first.message) == ("failed", "android sent nothing of it")


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["--runner", "android", "--serial", "Z"], 4, "no phone Z is connected, here A1 (device)"),
        (["--runner", "android:delegate=dsp"], 2, "android takes delegate=cpu or xnnpack or gpu"),
        (["--runner", "android", "--suppress", "hot"], 2, "--suppress 'hot' is no list of doubts"),
        (["--runner", "android", "--batch", 2], 4, "android takes one picture at a time"),
    ],
)
def test_bad_calls_leave_no_report(cli: Cli, colour, plug, tmp_path, arguments, code, part):
    plug()
    cli("bench", colour, *arguments, *QUICK).refused(code, part)
    assert not list(tmp_path.glob("*.json"))


def test_a_phone_that_is_gone_is_known_before_the_desktop_measures(cli: Cli, colour, adb, tmp_path):
    done = cli("bench", colour, "--runner", "onnxruntime", "--runner", "android", *QUICK)
    done.refused(4, "no Android phone is connected")
    assert not list(tmp_path.glob("*.json"))


def test_a_phone_is_not_measured_where_it_is_not_named(cli: Cli, colour, plug):
    phone = plug()
    done = cli("bench", colour, "--role", "encode", *QUICK, "-o", "r.json")
    assert done.code == 0, done.err
    assert phone.commands == []
