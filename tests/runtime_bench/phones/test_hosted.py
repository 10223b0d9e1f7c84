"""Hosted phones: an adb bridge with latency, lost connections and sessions; and their lease."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.contract.latency import read_report
from tests.cli.conftest import Cli, cli
from tests.runtime_bench.phones.conftest import ROOT
from tests.runtime_bench.phones.test_android import measure
from tests.runtime_bench.phones.test_end_to_end import QUICK

__all__ = ["cli"]

BENCH = ("--runner", "android", *QUICK, "-o", "r.json")
# Notes its last word and serial; acquires unless there is a file `none`, and prints as adb does.
FARM = """#!/bin/sh
echo "$1 $STYLEEXPORT_SERIAL" >> "{folder}/calls"
[ "$1" = release ] && exit {release}
[ -e "{folder}/none" ] && {{ echo "no phone is free"; exit 3; }}
echo "connecting" >&2
[ -z "{serial}" ] || {{ echo "the phone is"; echo "{serial}"; }}
"""


@pytest.fixture
def farm(tmp_path):
    """Write the user's command, and return it with the calls that it got."""

    def write(serial: str = "", release: int = 0) -> tuple[str, Path]:
        folder = tmp_path / "my farm"
        folder.mkdir()
        program = folder / "farm.sh"
        program.write_text(FARM.format(folder=folder, serial=serial, release=release))
        program.chmod(0o755)
        return shlex.quote(str(program)), folder / "calls"

    return write


def test_a_bridge_with_latency_and_lost_connections_is_measured_through(colour, plug):
    phone = plug(latency=0.005, drop_every=4, cut_sends=2)
    report = measure(colour)
    assert {cell.status for cell in report.cells} == {"measured"}
    assert phone.requests > 20
    assert phone.cut_sends == 0


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (4, "is not connected any more"),
        (9, "is not connected any more"),
    ],
)
def test_a_session_that_ends_is_said_and_what_to_do(colour, plug, session, words):
    plug(session=session)
    with pytest.raises(DeviceError, match=r"a hosted phone: begin a new session") as caught:
        measure(colour)
    assert words in str(caught.value)


def test_a_session_that_ends_while_the_app_measures(colour, plug):
    plug(fault="unplugged")
    with pytest.raises(DeviceError, match=r"was lost while it measured .* begin a new session"):
        measure(colour)


def test_a_lease_gives_the_serial_and_is_released(cli: Cli, colour, plug, farm):
    plug("A1"), plug("B2")
    command, calls = farm(serial="B2")
    done = cli("bench", colour, *BENCH, "--lease", command)
    assert done.code == 0, done.err
    assert calls.read_text() == "acquire \nrelease B2\n"
    assert read_report(Path("r.json")).cells
    assert [line.rpartition(" ")[2] for line in done.talk if line.startswith("lease: ")] == [
        "acquire",
        "release",
    ]


@pytest.mark.parametrize("fault", ["crash", "hang", "nonce", "unplugged", "full"])
def test_it_is_released_whatever_goes_wrong(cli: Cli, colour, plug, farm, fault):
    plug(fault=fault)
    command, calls = farm(serial="A1")
    assert cli("bench", colour, *BENCH, "--lease", command).code == 4
    assert calls.read_text() == "acquire \nrelease A1\n"


def test_an_acquire_that_fails_is_an_error_and_nothing_is_released(cli: Cli, colour, plug, farm):
    phone = plug()
    command, calls = farm()
    (calls.parent / "none").touch()
    done = cli("bench", colour, *BENCH, "--lease", command)
    assert done.code == 4
    assert "acquire` failed with code 3: no phone is free; nothing was acquired" in done.talk[-1]
    assert calls.read_text() == "acquire \n"
    assert phone.requests == 0
    done = cli("bench", colour, *BENCH, "--lease", "/no/such/program")
    assert done.code == 4
    assert "acquire` cannot be started: No such file" in done.talk[-1]


def test_a_release_that_fails_is_a_warning(cli: Cli, colour, plug, farm):
    plug()
    command, _ = farm(release=7)
    done = cli("bench", colour, *BENCH, "--lease", command)
    assert done.code == 0
    assert any("release` failed with code 7: the device may still" in line for line in done.talk)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--runner", "onnxruntime", "--lease", "farm"), "and no runner would take it"),
        (("--runner", "android", "--lease", "farm '"), "cannot be split into words"),
        (("--runner", "android", "--lease", ""), "--lease is empty: type a command"),
    ],
)
def test_bad_leases_are_refused(cli: Cli, colour, plug, arguments, part):
    plug()
    cli("bench", colour, *arguments, *QUICK).refused(2, part)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_it_is_released_when_the_user_interrupts(colour, plug, farm, tmp_path, number):
    plug(fault="hang")
    command, calls = farm(serial="A1")
    arguments = ["bench", str(colour), *map(str, BENCH), "--lease", command]
    process = subprocess.Popen(
        [sys.executable, "-m", "styleexport", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if b"round 1 of 3" in line:
                break
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()
    assert calls.read_text() == "acquire \nrelease A1\n"
