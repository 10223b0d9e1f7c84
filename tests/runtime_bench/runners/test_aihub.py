"""The aihub runner against a fake of the service's client."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from styleexport.core.errors import DeviceError, UsageError
from styleexport.runtime_bench.contract.latency import read_report
from styleexport.runtime_bench.contract.remote import DeviceOptions, MeasureRequest
from styleexport.runtime_bench.runners._choice import parse_runner
from styleexport.runtime_bench.runners.aihub import RUNNER
from styleexport.runtime_bench.runners.aihub._profile import profile_of
from tests.cli.conftest import Cli, cli
from tests.runtime_bench.cells import cell_of
from tests.runtime_bench.phones.test_android import PLAN
from tests.runtime_bench.runners.fake_aihub import LAYERS, SUMMARY, Hub

__all__ = ["cli"]

ARTIFACT = Path(__file__).parents[2] / "contract" / "artifacts" / "colour-transfer"
FILES = (
    "colour-transfer_transform_8x12_fp32.tflite",
    "colour-transfer_transform_8x12_fp32.onnx",
    "colour-transfer_encode_8x12_fp32.tflite",
)
PHONE = "Samsung Galaxy S24"


@pytest.fixture
def hub(monkeypatch):
    """Put a fake client in place of the library."""

    def install(fault: str = "") -> Hub:
        made = Hub(fault)
        monkeypatch.setitem(sys.modules, "qai_hub", made)
        return made

    return install


def measure(*paths, device=PHONE, upload=True, **settings):
    paths = paths or FILES
    cells = [cell_of(ARTIFACT, path, "aihub", device=device, **settings) for path in paths]
    request = MeasureRequest(ARTIFACT, cells, PLAN, "bench", DeviceOptions(upload=upload))
    return RUNNER.measure(request, [].append)


def test_files_are_proven_and_then_profiled_in_one_report(hub):
    made = hub()
    report = measure()
    assert [(cell.subject.path, cell.status) for cell in report.cells] == [
        (path, "measured") for path in FILES
    ]
    first = report.cells[0]
    assert first.parity is not None
    assert first.parity.measured_db > 90
    assert first.rounds_ns == ((410_000, 405_000, 402_000, 400_000),)
    assert first.loads_ns == (1_374_293_000, 277_823_000)
    assert first.placement == {"cpu": 0.25, "npu": 0.75}
    assert [(o.layer, o.op, o.time_ns, o.delegate) for o in first.operations] == [
        ("conv1", "CONV_2D", 300_000, "npu"),
        ("pad", "PAD", 100_000, "cpu"),
    ]
    assert first.peak_rss_bytes == 90_000_000
    assert first.effective == {
        "device": PHONE,
        "system": "14",
        "job": "j0",
        "profile job": "j3",
    }
    assert (report.harness.name, report.machine.device) == ("aihub", PHONE)
    assert (report.machine.os, report.machine.processor) == ("system 14", "snapdragon-8gen3")
    assert [job.profiles for job in made.jobs] == [False] * 3 + [True] * 3


def test_a_file_is_uploaded_once_and_units_are_an_option_of_the_job(hub):
    made = hub()
    cells = [
        cell_of(ARTIFACT, FILES[1], "aihub", device=PHONE, units=units) for units in ("npu", "cpu")
    ]
    request = MeasureRequest(ARTIFACT, cells, PLAN, "", DeviceOptions(upload=True))
    report = RUNNER.measure(request, [].append)
    assert len(made.uploads) == 1
    assert [job.options for job in made.jobs[:2]] == ["--compute_unit npu", "--compute_unit cpu"]
    assert [cell.runner_label for cell in report.cells] == [
        f"aihub:device={PHONE},units=npu",
        f"aihub:device={PHONE},units=cpu",
    ]


def test_outputs_under_other_names_are_taken_in_their_order(hub):
    hub("renamed")
    assert {cell.status for cell in measure().cells} == {"measured"}


@pytest.mark.parametrize(
    ("fault", "status", "part"),
    [
        ("wrong", "wrong", "dB on the probe, at least"),
        ("inference", "failed", "job j0 of colour-transfer_transform_8x12_fp32.onnx failed: the d"),
        ("profile", "failed", "job j1 of colour-transfer_transform_8x12_fp32.onnx failed: the d"),
        ("old", "failed", "holds no samples, only an estimate"),
    ],
)
def test_a_cell_that_is_not_proven_or_not_profiled_has_no_latency(hub, fault, status, part):
    made = hub(fault)
    (cell,) = measure(FILES[1]).cells
    assert (cell.status, cell.rounds_ns) == (status, ())
    assert part in cell.message
    if status == "wrong":
        assert not any(job.profiles for job in made.jobs)


def test_nothing_is_uploaded_without_leave_or_without_the_device(hub):
    made = hub()
    with pytest.raises(UsageError, match="was not allowed: type --yes"):
        measure(upload=False)
    with pytest.raises(DeviceError, match=r"no device 'Galaxy S9', but for example Samsung Galaxy"):
        measure(device="Galaxy S9")
    assert made.uploads == []
    hub("unconfigured")
    with pytest.raises(
        DeviceError, match=r"Failed to load configuration file\.; type `qai-hub conf"
    ):
        measure()


def test_what_is_missing_is_said(hub, monkeypatch):
    hub()
    assert RUNNER.unavailable({"device": PHONE}) is None
    assert "aihub needs a device: type --runner 'aihub:device=" in (RUNNER.unavailable() or "")
    monkeypatch.setitem(sys.modules, "qai_hub", None)
    assert "pip install 'styleexport[aihub]'" in (RUNNER.unavailable() or "")


def test_a_device_is_any_text_with_or_without_quotes():
    for typed in (PHONE, f'"{PHONE}"'):
        choice = parse_runner(f"aihub:device={typed},units=NPU")
        assert choice.settings == {"device": PHONE, "units": "npu"}
    with pytest.raises(UsageError, match=r"expected units=all\|npu\|gpu\|cpu; device=TEXT"):
        parse_runner("aihub:phone=S24")
    with pytest.raises(UsageError, match="has no setting 'device'"):
        parse_runner("aihub:device=")


def test_layers_without_times_are_counted():
    layers = [{"name": "a", "compute_unit": "NPU"}, *LAYERS]
    profile = profile_of({"execution_summary": SUMMARY, "execution_detail": layers})
    assert profile.placement == pytest.approx({"cpu": 1 / 3, "npu": 2 / 3})
    assert profile.operations == ()
    assert profile_of({"execution_summary": SUMMARY}).placement == {}


def test_from_the_command_line_it_says_what_it_uploads_and_asks(cli: Cli, hub, tmp_path):
    made = hub()
    arguments = ("bench", ARTIFACT, "--runner", f"aihub:device={PHONE}", "--role", "transform")
    cli(*arguments, "-o", "r.json").refused(
        2, "are uploaded to Qualcomm AI Hub: nothing was; type --yes to allow it"
    )
    assert made.uploads == []
    done = cli(*arguments, "-o", "r.json", "--yes", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["harness"]["name"] == "aihub"
    assert any("their probes are uploaded to Qualcomm AI Hub" in line for line in done.talk)
    report = read_report(tmp_path / "r.json")
    assert {cell.status for cell in report.cells} == {"measured"}
    assert cli("report", "r.json", "-o", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert PHONE in page
