"""The page in headless Chromium: files are proven, timed, painted with, and reported."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from styleexport.core.errors import BadArtifact, DeviceError, MissingExtra
from styleexport.core.images import image_from_array
from styleexport.core.manifest import read_manifest, write_manifest
from styleexport.core.types import Size
from styleexport.runtime_bench.runners._runner import any_runner, find_runner, runners_for
from styleexport.runtime_bench.runners.browser import RUNNER, _chromium, _drive, _packages
from styleexport.runtime_bench.runners.browser._drive import bench_in_browser
from styleexport.runtime_bench.runners.browser._job import PagePlanFact

SIZE = Size(64, 96)
PLAN = PagePlanFact(
    rounds=2, seconds=0.02, min_samples=2, warm_up_seconds=0, warm_up_least_seconds=0
)
SECONDS = 240.0


def paths(artifact: Path, *parts: str) -> list[tuple[str, Size]]:
    files = read_manifest(artifact).files
    return [
        (fact.path, SIZE) for fact in files if all(part in fact.path for part in ("64x96", *parts))
    ]


def test_chromium_measures_what_the_desktop_proved(browser, artifact):
    told: list[str] = []
    report = bench_in_browser(artifact, paths(artifact), PLAN, told.append, SECONDS)
    assert told == ["browser: 2 files"]
    assert report.harness.name == "browser"
    assert "onnxruntime-web" in report.machine.versions
    assert "cross-origin-isolated" in report.machine.features
    assert (report.protocol.clock, report.protocol.own_process) == ("performance.now", False)
    assert report.protocol.clock_resolution_ns > 0
    assert [cell.subject.path for cell in report.cells] == [path for path, _ in paths(artifact)]
    for cell in report.cells:
        assert (cell.status, cell.message, cell.runner) == ("measured", "", "browser")
        assert cell.parity is not None
        assert cell.parity.passed
        assert [len(samples) >= 2 for samples in cell.rounds_ns] == [True, True]
        assert len(cell.warm_up_ns) >= 2
        assert len(cell.loads_ns) == 2
        assert cell.first_ns
        assert len(cell.pre_ns) == len(cell.post_ns) == len(cell.samples_ns)
        assert cell.effective["backend"] == "wasm"
        assert cell.effective["cross_origin_isolated"] == "true"


def test_the_picture_is_what_the_network_paints(browser, artifact):
    (cell,) = bench_in_browser(
        artifact, paths(artifact, "transform"), PLAN, timeout_seconds=SECONDS
    ).cells
    assert cell.picture is not None
    painted = Image.open(io.BytesIO(base64.b64decode(cell.picture)))
    probe = load_file(artifact / "probes" / "adain-lite_transform_64x96.safetensors")
    expected = np.asarray(image_from_array(probe["image"]), np.int16)
    # A JPEG halves the colours of a colour bar's edges: brightness is what must be there.
    difference = np.asarray(painted.convert("RGB"), np.int16) - expected
    assert np.abs(difference.mean(2)).mean() < 16


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor")
def test_threads_that_are_asked_for_are_had(browser, artifact):
    plan = msgspec.structs.replace(PLAN, threads=2)
    (cell,) = bench_in_browser(
        artifact, paths(artifact, "encode"), plan, timeout_seconds=SECONDS
    ).cells
    assert cell.status == "measured"
    assert (cell.requested["threads"], cell.effective["threads"]) == ("2", "2")


def test_a_file_that_fails_its_probe_gets_no_latency(browser, artifact, tmp_path):
    copy = with_other_probe(artifact, tmp_path / "copy")
    wrong, right = bench_in_browser(copy, paths(copy), PLAN, timeout_seconds=SECONDS).cells
    if "encode" in wrong.subject.path:
        wrong, right = right, wrong
    assert wrong.status == "wrong"
    assert wrong.message.endswith("dB on the probe, at least 90 dB allowed")
    assert (wrong.samples_ns, wrong.first_ns, wrong.warm_up_ns) == ((), None, ())
    assert wrong.parity is not None
    assert not wrong.parity.passed
    assert right.status == "measured"


def with_other_probe(artifact: Path, copy: Path) -> Path:
    """A copy whose transform probe expects another picture."""
    shutil.copytree(artifact, copy)
    path = copy / "probes" / "adain-lite_transform_64x96.safetensors"
    tensors = load_file(path)
    save_file({**tensors, "image": np.ascontiguousarray(tensors["image"][..., ::-1])}, path)
    manifest = read_manifest(copy, check_files=False)
    probes = tuple(
        msgspec.structs.replace(probe, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        if probe.path.endswith(path.name)
        else probe
        for probe in manifest.probes
    )
    write_manifest(msgspec.structs.replace(manifest, probes=probes), copy)
    return copy


@pytest.mark.slow
def test_webgpu_computes_the_same(browser, artifact):
    plan = msgspec.structs.replace(PLAN, backend="webgpu", rounds=1, min_samples=1, window=1)
    (cell,) = bench_in_browser(
        artifact, paths(artifact, "encode"), plan, timeout_seconds=SECONDS
    ).cells
    assert (cell.status, cell.message) == ("measured", "")
    assert cell.requested == {"backend": "webgpu"}
    assert cell.effective["backend"] == "webgpu"
    assert cell.effective["adapter"]


@pytest.mark.slow
def test_litert_runs_tflite_files(browser, zoo):
    pytest.importorskip("litert_torch")
    out, size = zoo.exported("adain-lite", "tflite"), zoo.size("adain-lite")
    path = f"adain-lite_transform_{size}_fp32.tflite"
    (cell,) = bench_in_browser(out, [(path, size)], PLAN, timeout_seconds=SECONDS).cells
    assert (cell.status, cell.message) == ("measured", "")
    assert cell.effective["runtime"] == "@litertjs/core 2.5.3"
    assert cell.picture is not None


def test_no_browser_is_left_running(browser, artifact):
    before = time.monotonic()
    with pytest.raises(DeviceError, match=r"sent no report within 0 s: measure fewer files"):
        bench_in_browser(artifact, paths(artifact), PLAN, timeout_seconds=0.5)
    assert time.monotonic() - before < 60


def fake_chromium(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "chromium"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv(_chromium.VARIABLE, str(program))
    monkeypatch.setattr(_packages, "missing", lambda: None)


def test_a_browser_that_dies_is_named(artifact, tmp_path, monkeypatch):
    fake_chromium(tmp_path, "sys.exit(7)", monkeypatch)
    with pytest.raises(DeviceError, match="ended with code 7 before it sent a report"):
        bench_in_browser(artifact, paths(artifact), PLAN)


def test_a_page_that_cannot_begin_is_named(artifact, tmp_path, monkeypatch):
    body = """
import time, urllib.request
url = sys.argv[-1].partition("?")[0] + "trouble"
head = {"Content-Type": "application/json"}
message = b'{"message": "no WebAssembly"}'
urllib.request.urlopen(urllib.request.Request(url, message, head)).read()
time.sleep(60)
"""
    fake_chromium(tmp_path, body, monkeypatch)
    with pytest.raises(DeviceError, match="the page failed in Chromium: no WebAssembly"):
        bench_in_browser(artifact, paths(artifact), PLAN, timeout_seconds=30)


def test_the_address_and_the_flags_that_chromium_gets(artifact, tmp_path, monkeypatch):
    said = tmp_path / "said"
    fake_chromium(tmp_path, f"open({str(said)!r}, 'w').write(' '.join(sys.argv[1:]))", monkeypatch)
    with pytest.raises(DeviceError, match="ended with code 0"):
        bench_in_browser(artifact, paths(artifact), PLAN)
    flags = said.read_text().split()
    assert "--headless=new" in flags
    assert ("--no-sandbox" in flags) == (os.geteuid() == 0)
    assert flags[-1].startswith("http://127.0.0.1:")
    assert flags[-1].endswith("/?auto=1")
    (profile,) = (flag.split("=")[1] for flag in flags if flag.startswith("--user-data-dir"))
    assert not Path(profile).exists()


def test_what_is_missing_is_said(artifact, own_cache, monkeypatch):
    assert "styleexport serve --install" in (_packages.missing() or "")
    with pytest.raises(MissingExtra, match="type `styleexport serve --install`"):
        bench_in_browser(artifact, None, PLAN)
    monkeypatch.setenv(_chromium.VARIABLE, "/nowhere/chromium")
    assert "install the package chromium" in (RUNNER.unavailable() or "")
    monkeypatch.setattr(_packages, "missing", lambda: None)
    with pytest.raises(DeviceError, match="a browser cannot be opened: no Chromium found"):
        bench_in_browser(artifact, None, PLAN)
    monkeypatch.setattr(_packages, "missing", lambda: None)
    with pytest.raises(BadArtifact, match="is not an artifact"):
        bench_in_browser(own_cache, None, PLAN)


def test_the_runner_proves_nothing_and_opens_nothing():
    assert any_runner("browser") is RUNNER
    assert RUNNER.name not in [runner.name for runner in runners_for(Path("a.onnx"))]
    with pytest.raises(DeviceError, match=r"it measures by itself; type `styleexport bench"):
        find_runner("browser")


def test_packages_are_kept_by_their_lock_file(own_cache):
    folder = _packages.packages_folder()
    assert folder.parent == own_cache / "browser"
    assert _drive.SECONDS_PER_CELL > 0


def test_npm_that_is_missing_or_fails_is_named(own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match=r"npm is not installed: install Node\.js 20"):
        _packages.install(lambda _: None)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(DeviceError, match=r"npm cannot install .*: npm error network; check the"):
        _packages.install(lambda _: None)
    npm.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(DeviceError, match=r"npm installed no ort\.wasm\.min\.mjs"):
        _packages.install(lambda _: None)
    assert not _packages.packages_folder().exists()
    assert not list(own_cache.rglob("*.part"))
