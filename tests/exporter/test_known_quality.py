"""Quality reports that are kept from one export to the next."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from styleexport.core.manifest import SizeFact
from styleexport.core.types import Role, Size
from styleexport.exporter import known_quality as _known_quality
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.known_quality import known_quality
from styleexport.runtime_bench.quality.report import QualityReport
from tests.conftest import load_own

SIZE = Size(32, 48)
REPORT = QualityReport(
    loss_network="none",
    size=SizeFact.of(SIZE),
    psnr_db=40.0,
    stable_psnr_db=None,
    worst_psnr_db=39.0,
    worst_picture="city",
    ssim=None,
    worst_ssim=None,
    style_change=None,
    gram_change=None,
    lpips_change=None,
    flicker=None,
    flicker_change=None,
    pictures=(),
)


def graph_of(seed: int):
    torch.manual_seed(seed)
    return capture(load_own(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid())), Role.STYLIZE, SIZE)


@pytest.fixture
def judged(tmp_path, own_cache):
    """Judge a file of some bytes, and return whether it was run."""
    graphs = {seed: graph_of(seed) for seed in (0, 1)}

    def judge(content=b"file", seed=0, size=SIZE, code=b"") -> bool:
        runs: list[int] = []

        def run() -> QualityReport:
            runs.append(1)
            return REPORT

        file = tmp_path / "file.onnx"
        file.write_bytes(content)
        found = known_quality(file, graphs[seed], size, lambda _: code, run)
        assert found.psnr_db == REPORT.psnr_db
        return bool(runs)

    return judge


def test_the_same_file_is_judged_once(judged):
    assert [judged(), judged()] == [True, False]


@pytest.mark.parametrize(
    "other", [{"content": b"other"}, {"seed": 1}, {"size": Size(48, 48)}, {"code": b"code"}]
)
def test_another_file_graph_size_or_style_is_judged(judged, other):
    judged()
    assert judged(**other)


@pytest.mark.parametrize("changed", ["processor", "features"])
def test_another_processor_judges_anew(judged, monkeypatch, changed):
    judged()
    value = "other" if changed == "processor" else ("other",)
    monkeypatch.setattr(_known_quality.Host, changed, lambda _: value)
    _known_quality._here.cache_clear()
    assert judged()
    _known_quality._here.cache_clear()


def test_code_weights_and_pictures_are_part_of_the_key():
    files = [file.name for file in _known_quality._own_files()]
    assert {"judge.py", "perceptual.py", "adain-lite.safetensors", "content_city.jpg"} < set(files)
