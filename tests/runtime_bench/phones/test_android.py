"""The android runner with the real adb, against a server that plays phones."""

from __future__ import annotations

import json
import shutil

import msgspec
import pytest

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.contract.doubts import DOUBTS, parse_doubts
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.remote import DeviceOptions, MeasureRequest
from styleexport.runtime_bench.phones import adb as adb_program
from styleexport.runtime_bench.phones.android_phone import (
    is_debuggable,
    is_emulator,
    properties_from,
    state_from,
)
from styleexport.runtime_bench.runners.android import RUNNER
from tests.runtime_bench.cells import cell_of
from tests.runtime_bench.phones.adb_server import SHARED

TFLITE = "colour-transfer_transform_8x12_fp32.tflite"
ONNX = "colour-transfer_encode_8x12_fp32.onnx"
PLAN = PlanFact(rounds=3, seconds=0.01, warm_up_seconds=0.1)
CELLS = ((TFLITE, {"delegate": "gpu"}), (ONNX, {}))


def measure(artifact, *, cells=CELLS, said=None, **device):
    asked = [cell_of(artifact, path, "android", **settings) for path, settings in cells]
    request = MeasureRequest(artifact, asked, PLAN, "styleexport bench", DeviceOptions(**device))
    return RUNNER.measure(request, (said if said is not None else []).append)


def test_a_phone_measures_what_was_asked(colour, plug):
    phone, said = plug(), []
    report = measure(colour, said=said)
    assert [(c.subject.path, c.runner_label, c.status) for c in report.cells] == [
        (TFLITE, "android:delegate=gpu", "measured"),
        (ONNX, "android", "measured"),
    ]
    assert (report.harness.name, report.machine.device) == ("android", "Acme Phone 7")
    (job,) = phone.app.jobs
    assert report.nonce == job.nonce
    wake = phone.commands.index("input keyevent KEYCODE_WAKEUP")
    assert phone.commands[wake + 1].startswith("am start -W -n org.styleexport.harness/.Bench")
    assert (job.plan, job.command) == (PLAN, "styleexport bench")
    assert said == ["Phone 7 (A1): sending 7 files, 0.0 MB"]


def test_what_the_app_leaves_out_of_its_state_the_host_fills_in(colour, plug):
    plug()
    report = measure(colour)
    assert (report.harness.debuggable, report.machine.emulator, report.doubts) == (False, False, ())
    assert report.before.thermal is not None
    assert (report.before.thermal.value, report.before.low_power) == (0.0, False)
    assert (report.before.battery_percent, report.before.charging) == (81.0, True)
    assert report.before.temperatures_celsius == {"battery": 31.2}
    assert report.after.thermal is not None
    assert report.after.thermal.value == 0.0


def test_only_what_changed_is_sent_again_and_nothing_stays_but_the_artifact(colour, plug, tmp_path):
    phone = plug()
    artifact = shutil.copytree(colour, tmp_path / "my artifact'")
    measure(artifact)
    folder = "artifacts/my-artifact"
    assert {f"{folder}/{TFLITE}", f"{folder}/{ONNX}", f"{folder}/styles/styles.safetensors"} <= set(
        phone.received
    )
    files = [
        p.relative_to(phone.folder / SHARED).as_posix()
        for p in (phone.folder / SHARED).rglob("*")
        if p.is_file()
    ]
    assert [path for path in files if not path.startswith(folder)] == []
    on_phone = read_manifest(phone.folder / SHARED / folder)
    assert [fact.path for fact in on_phone.files] == [ONNX, TFLITE]
    assert on_phone.programs == ()

    phone.received.clear()
    measure(artifact)
    assert not [path for path in phone.received if path.endswith((".onnx", ".tflite"))]

    phone.received.clear()
    measure(artifact, cells=CELLS[1:])
    assert not [path for path in phone.received if path.endswith((".onnx", ".tflite"))]
    assert not (phone.folder / SHARED / folder / TFLITE).exists()
    pushed = json.loads((phone.folder / SHARED / folder / ".pushed.json").read_bytes())
    assert ONNX in pushed
    assert TFLITE not in pushed


@pytest.mark.parametrize(
    ("facts", "parts"),
    [
        ({"state": "offline"}, ["phone A1 is offline: connect it again"]),
        ({"state": "unauthorized"}, ["phone A1 is unauthorized: unlock it and allow"]),
        ({"api": 23}, ["Phone 7 (A1) has API level 23, the app needs 24 or newer"]),
        ({"thermal": 1}, ["is not measured: it is warm (thermal status 1 on android's scale"]),
        ({"level": 24}, ["battery holds 24 %, less than 25 %: charge it", "suppress low-battery"]),
        (
            {"hardware": "ranchu"},
            [
                "it is an emulator, whose times are those of its host: take a phone",
                "--suppress emulator",
            ],
        ),
        ({"debuggable": True}, ["built for debugging", "[debuggable]", "--suppress debuggable"]),
        ({"fault": "full"}, ["Phone 7 (A1) is full: artifacts/colour-tra", "free some space"]),
        (
            {"fault": "crash"},
            [
                "the app on Phone 7 (A1) ended before it wrote a report",
                "it last said: round 1 of 3",
                "adb logcat -b crash",
            ],
        ),
        ({"fault": "hang"}, ["sent no report within", "--size"]),
        ({"fault": "garbage"}, ["what Phone 7 (A1) sent is not a latency report: Input data was"]),
        ({"fault": "nonce"}, ["bears the nonce another-nonce, expected"]),
        ({"fault": "desktop"}, ["is from desktop, expected android"]),
        ({"fault": "altered"}, [f"names {TFLITE} with another sha256 than the artifact's"]),
        ({"fault": "unproven"}, [f"holds latency of {TFLITE}, which did not pass its probe"]),
        ({"fault": "unasked"}, ["with settings that nobody asked for"]),
        ({"fault": "error"}, ["the app on Phone 7 (A1) cannot do the job: the artifact"]),
        ({"fault": "unplugged"}, ["Phone 7 (A1) was lost while it measured", "'A1' not found"]),
    ],
    ids=lambda value: next(iter(map(str, value.values()))) if isinstance(value, dict) else "",
)
def test_what_goes_wrong_is_said_in_one_line(colour, plug, facts, parts):
    plug(**facts)
    with pytest.raises(DeviceError) as caught:
        measure(colour)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_phone_that_fails_keeps_neither_job_nor_report(colour, plug):
    phone = plug(fault="nonce")
    with pytest.raises(DeviceError):
        measure(colour)
    left = [p for p in (phone.folder / SHARED).rglob("*.json") if "artifacts" not in p.parts]
    assert left == []


def test_a_phone_that_hangs_is_told_to_stop(colour, plug):
    phone = plug(fault="hang")
    with pytest.raises(DeviceError):
        measure(colour)
    assert "am force-stop org.styleexport.harness" in phone.commands


def test_a_doubtful_phone_is_measured_where_each_doubt_is_suppressed_by_name(colour, plug):
    phone = plug(thermal=2, level=10, hardware="goldfish", debuggable=True)
    with pytest.raises(DeviceError) as caught:
        measure(colour, suppress=("thermal", "low-battery"))
    assert "debugging" in str(caught.value)
    assert "warm" not in str(caught.value)
    assert str(caught.value).endswith("--suppress debuggable,emulator,low-battery,thermal")
    assert phone.received == []

    said = []
    report = measure(colour, suppress=DOUBTS, said=said)
    assert report.doubts == DOUBTS
    assert json.loads(report.encoded())["doubts"] == list(DOUBTS)
    assert report.cells[0].status == "measured"
    assert [line.rpartition(" ")[2] for line in said[1:]] == [f"[{name}]" for name in DOUBTS]


def test_a_phone_that_grows_warm_keeps_its_report_with_the_doubt(colour, plug):
    plug(fault="warms")
    said = []
    assert measure(colour, said=said).doubts == ("thermal",)
    assert said[-1] == (
        "note: Phone 7 (A1): after measuring, it is warm (thermal status 1 on android's scale, "
        "where 0 is none) [thermal]"
    )


def test_what_the_app_alone_knows_is_refused_too(colour, plug):
    phone = plug()
    (phone.folder / "dumpsys_package").write_text("no such package\n")
    phone.app.debuggable = True
    with pytest.raises(DeviceError, match="built for debugging"):
        measure(colour)
    assert measure(colour, suppress=("debuggable",)).doubts == ("debuggable",)


@pytest.mark.parametrize(
    ("gone", "parts"),
    [
        ("installed", ["has no org.styleexport.harness: build the release"]),
        ("", ["has no org.styleexport.harness that measures"]),
    ],
)
def test_a_phone_without_the_app_says_how_to_get_it(colour, plug, gone, parts):
    phone = plug()
    (phone.folder / gone).unlink() if gone else (phone.folder / "no-activity").touch()
    with pytest.raises(DeviceError) as caught:
        measure(colour)
    assert all(part in str(caught.value) for part in parts)


def test_of_several_phones_one_is_named(colour, plug, monkeypatch):
    plug("A1"), plug("B2")
    with pytest.raises(DeviceError, match=r"several phones .* A1 \(device\), B2 .*--serial A1"):
        measure(colour)
    assert measure(colour, serial="B2").cells
    monkeypatch.setenv("ANDROID_SERIAL", "A1")
    assert measure(colour).cells
    with pytest.raises(DeviceError, match=r"no phone C3 is connected, here A1 \(device\)"):
        measure(colour, serial="C3")


def test_without_a_phone(colour, adb):
    with pytest.raises(DeviceError, match="no Android phone is connected: allow USB debugging"):
        measure(colour)


def test_without_adb(monkeypatch):
    monkeypatch.setattr(adb_program, "executable", lambda: None)
    assert "no adb found: install the package adb" in (RUNNER.unavailable() or "")


def test_a_file_that_the_app_does_not_run(colour, plug):
    plug()
    path = "colour-transfer_encode_8x12_fp32.mlpackage"
    with pytest.raises(UsageError, match=r"the app runs \.tflite and \.onnx: type `styleexport"):
        measure(colour, cells=((path, {}),))


def test_cells_that_a_phone_leaves_out_are_not_in_its_report(colour, plug):
    plug(fault="half")
    assert [cell.subject.path for cell in measure(colour).cells] == [ONNX]


def test_texts_of_phones_are_read():
    assert properties_from("[a.b]: [c]\r\n[d]: []\nnoise\n") == {"a.b": "c", "d": ""}
    assert state_from("") == msgspec.convert({}, type(state_from("")))
    cold = state_from("Thermal Status: 0\n  AC powered: false\n  level: 7\n  temperature: -15\n")
    assert (cold.charging, cold.battery_percent) == (False, 7.0)
    assert cold.temperatures_celsius == {"battery": -1.5}
    assert is_debuggable("") is None
    assert is_debuggable("    flags=[ HAS_CODE ]\n    pkgFlags=[ DEBUGGABLE HAS_CODE ]\n") is True
    assert is_debuggable("    privateFlags=[ DEBUGGABLE ]\n    flags=[ HAS_CODE ]\n") is False
    assert is_emulator({"ro.boot.qemu": "1"})
    assert not is_emulator({"ro.hardware": "qcom", "ro.kernel.qemu": "0"})


def test_names_of_doubts_are_those_of_the_option():
    assert parse_doubts("thermal, LOW-BATTERY,thermal") == ("low-battery", "thermal")
    for text in ("hot", "", "thermal,unlocked"):
        with pytest.raises(UsageError, match=r"expected some of debuggable, emulator, low-battery"):
            parse_doubts(text)
