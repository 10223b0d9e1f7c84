"""Tiles as the fixture has them, and the small network in tiles and whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from styleexport.core.manifest import read_manifest
from styleexport.core.types import PASSES
from styleexport.runtime_bench.contract.job import job_cells
from styleexport.runtime_bench.phones.bundle import _reduced
from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
from tests.contract import make, tiled_network

CASES = json.loads((make.HERE / "tiles.json").read_text())


@pytest.fixture
def manifest(tmp_path):
    text = (make.HERE / "manifests" / "tiling.json").read_text()
    (tmp_path / "manifest.json").write_text(text)
    return read_manifest(tmp_path, check_files=False)


def test_tiles_paint_what_the_network_paints_of_the_whole_picture():
    probe = load_file(make.HERE / "probes" / tiled_network.PROBE)
    painter = tiled_network.small_painter()
    painted = painter.painting({name: probe[name] for name in probe if name != "image"})
    assert np.abs(painted - probe["image"]).max() < 1e-5
    assert painter.total(tiled_network.PICTURE) == 21
    # The statistics matter: those of one window give another picture.
    height, width = tiled_network.WINDOW.height, tiled_network.WINDOW.width
    content = probe["content"][:, :, :height, :width]
    corner = painter.painting({**probe, "content": np.ascontiguousarray(content)})
    assert np.abs(corner - probe["image"][:, :, :height, :width]).max() > 0.01


@pytest.mark.parametrize(
    "case", [c for c in CASES["spans"] if c["expected"]], ids=lambda c: str(c["length"])
)
def test_each_pixel_lies_in_one_tile_inside_the_margins(case):
    end = 0
    for start, begin, stop in case["expected"]:
        assert begin == end
        assert start == 0 or begin - start >= case["first"]
        last = start + case["window"]
        assert 0 <= start < last <= case["length"]
        assert stop == last == case["length"] or last - stop >= case["last"]
        end = stop
    assert end == case["length"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_of_squares_in_float32_loses_the_moments_of_40_million_places(dtype):
    case = next(c for c in CASES["merged"] if c["name"].startswith("40 million places, moments"))
    values = np.array(case["values"])
    squares, total = dtype(0), dtype(0)
    for count, (mean, spread) in zip(case["counts"], values, strict=True):
        total += dtype(count) * dtype(mean)
        squares += dtype(count) * dtype(spread + mean**2)
    count = case["expected"]["count"]
    assert 39e6 < count < 42e6
    variance = squares / count - (total / count) ** 2
    error = abs(variance / case["expected"]["values"][1] - 1)
    assert error > (0.5 if dtype is np.float32 else 1e-6)


def test_passes_are_not_measured(manifest):
    cells = job_cells(manifest, (".onnx", ".tflite", ".mlpackage"))
    assert len(cells) == 6
    assert not {cell.subject.role for cell in cells} & set(PASSES)


def test_the_page_gets_the_passes_that_browsers_run(manifest):
    job = job_of(manifest, PagePlanFact())
    assert [tiling.target for tiling in job.tilings] == ["onnx", "tflite"]
    assert len(job.passes) == 6
    assert {cell.probe for cell in job.passes} == {f"probes/{tiled_network.PROBE}"}
    assert not {cell.subject.role for cell in job.cells} & set(PASSES)
    assert [other.path.split("_")[1] for other in job.others] == ["encode", "transform"]


def test_a_bundle_holds_tilings_whole_or_not_at_all(manifest):
    of_ios = [file for file in manifest.files if file.path.endswith(".mlpackage")]
    bundle = _reduced(manifest, of_ios)
    assert [tiling.target for tiling in bundle.tilings] == ["coreml"]
    assert [probe.role.value for probe in bundle.probes] == ["encode", "transform", "render"]
    measured = _reduced(manifest, [file for file in of_ios if file.role not in PASSES])
    assert measured.tilings == ()
    assert [probe.role.value for probe in measured.probes] == ["encode", "transform"]
