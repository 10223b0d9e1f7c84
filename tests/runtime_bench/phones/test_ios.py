"""The ios runner against a program that plays ``xcrun``."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.remote import DeviceOptions, MeasureRequest
from styleexport.runtime_bench.phones import measuring
from styleexport.runtime_bench.runners.ios import RUNNER
from tests.runtime_bench.cells import cell_of
from tests.runtime_bench.phones.conftest import QUICK, ROOT

PACKAGE = "colour-transfer_transform_8x12_fp32.mlpackage"
PLAN = PlanFact(rounds=3, seconds=0.01, warm_up_seconds=0.1)
ANE = {"units": "cpu-ane"}


@pytest.fixture
def iphone(monkeypatch, tmp_path):
    """An xcrun on the path, for a phone of some facts."""
    folder = tmp_path / "iphone"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "xcrun"
    script = Path(__file__).with_name("xcrun.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FAKE_IPHONE", str(folder))
    monkeypatch.setattr(measuring, "Timeouts", partial(measuring.Timeouts, **QUICK))

    def facts(**given) -> Path:
        (folder / "facts.json").write_text(json.dumps(given))
        return folder

    return facts


def measure(artifact, **device):
    cells = [cell_of(artifact, PACKAGE, "ios", **settings) for settings in (ANE, {})]
    request = MeasureRequest(artifact, cells, PLAN, "styleexport bench", DeviceOptions(**device))
    return RUNNER.measure(request, [].append)


def test_an_iphone_measures_what_was_asked(colour, iphone):
    folder = iphone()
    report = measure(colour)
    assert [cell.runner_label for cell in report.cells] == ["ios:units=cpu-ane", "ios"]
    assert {cell.status for cell in report.cells} == {"measured"}
    assert (report.harness.name, report.machine.device) == ("ios", "iPhone17,1")
    on_phone = folder / "data" / "Documents" / "artifacts" / "colour-transfer"
    assert [fact.path for fact in read_manifest(on_phone).files] == [PACKAGE]

    (folder / "calls").unlink()
    assert measure(colour).cells
    calls = (folder / "calls").read_text()
    assert "mlpackage" not in calls
    assert calls.count("copy to") == 3  # the manifest, the list of what is there, the job


@pytest.mark.parametrize(
    ("facts", "parts"),
    [
        ({"devices": []}, ["no iPhone is connected: connect it by cable, trust this Mac"]),
        ({"devices": ["I1", "I2"]}, ["several iPhones", "iPhone 16 Pro (I2)", "--serial I1"]),
        ({"pairing": "unpaired"}, ["iPhone 16 Pro (I1) is not paired with this Mac"]),
        ({"tunnel": "unavailable"}, ["iPhone 16 Pro (I1) is not connected"]),
        ({"developer": "disabled"}, ["has Developer Mode off"]),
        ({"no_app": True}, ["has no org.styleexport.harness: build ios_harness in Xcode"]),
        ({"no_json": True}, ["wrote no JSON that can be read", "xcrun devicectl list devices"]),
        ({"fault": "full"}, ["is full: artifacts/colour-transfer/", "free some space"]),
        ({"fault": "crash"}, ["ended before it wrote a report; it last said: round 1 of 3"]),
        ({"fault": "nonce"}, ["bears the nonce another-nonce"]),
        ({"fault": "garbage"}, ["is not a latency report"]),
        ({"debuggable": True}, ["built for debugging", "--suppress debuggable"]),
        ({"fault": "error"}, ["cannot do the job: the artifact was altered"]),
        ({"fault": "unplugged"}, ["was lost while it measured", "The device is not connected."]),
    ],
    ids=str,
)
def test_what_goes_wrong_is_said_in_one_line(colour, iphone, facts, parts):
    iphone(**facts)
    with pytest.raises(DeviceError) as caught:
        measure(colour)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_phone_that_hangs_is_told_to_stop(colour, iphone):
    folder = iphone(fault="hang")
    with pytest.raises(DeviceError, match="sent no report within"):
        measure(colour)
    assert "process terminate --device I1 --pid 1234" in (folder / "calls").read_text()


@pytest.mark.parametrize("name", ["I2", "udid-I2", "Phone I2"])
def test_of_several_one_is_named(colour, iphone, name):
    folder = iphone(devices=["I1", "I2"])
    assert measure(colour, serial=name).cells
    assert "--device I1" not in (folder / "calls").read_text()


def test_one_that_is_not_there_is_refused(colour, iphone):
    iphone()
    with pytest.raises(DeviceError, match=r"no iPhone Z is connected, here iPhone 16 Pro \(I1\)"):
        measure(colour, serial="Z")


def test_a_program_of_androids_is_refused(colour, iphone):
    iphone()
    with pytest.raises(UsageError, match="--benchmark-binary is for Android"):
        measure(colour, binary=Path("benchmark_model"))


def test_without_xcode(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "from a Mac with Xcode" in (RUNNER.unavailable() or "")
