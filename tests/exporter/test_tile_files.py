"""Files that paint in tiles, of every target and precision."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.psnr import psnr_db
from styleexport.core.types import PASSES, Precision, Role, Size, Sizing
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.exporter.request import check_request
from styleexport.runtime_bench.parity import check_artifact
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for
from styleexport.runtime_bench.stylize.full_picture import FullPainter
from styleexport.runtime_bench.stylize.stylizer import Stylizer
from tests.zoo import SMALL_BUDGET, TILE_SIZE, load_own, load_random

INT8 = (Precision.FP32, Precision.INT8)


class Normed(nn.Module):
    """Two norms, at half and at full size: passes of each kind, for targets that convert slowly."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1, padding_mode="reflect")
        self.body = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, content: Tensor) -> Tensor:
        x = functional.relu(functional.instance_norm(self.first(content)))
        x = functional.relu(functional.instance_norm(self.body(x)))
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return torch.sigmoid(self.last(x))


def check_tilings(folder, *precisions):
    manifest = read_manifest(folder)
    assert [tiling.precision for tiling in manifest.tilings] == list(precisions)
    files = {fact.path: fact for fact in manifest.files}
    for tiling in manifest.tilings:
        facts = [files[one.path] for one in tiling.passes]
        assert all(fact.worst.passed for fact in facts)
        assert facts[-1].outputs[0].kind == "image"
        assert tiling.window.size() == TILE_SIZE
        given = {item.name for fact in facts for item in fact.outputs}
        read = {
            item.name for fact in facts for item in fact.inputs if item.kind in ("map", "statistic")
        }
        assert read <= given
        assert {fact.name for fact in (*tiling.maps, *tiling.statistics)} == given - {"image"}
    passes = [fact for fact in manifest.files if fact.role in PASSES]
    assert len(passes) == sum(len(tiling.passes) for tiling in manifest.tilings)
    (probe,) = (probe for probe in manifest.probes if probe.role is Role.RENDER)
    assert probe.size.height > TILE_SIZE.height
    return manifest


def test_onnx_files_paint_in_tiles(zoo):
    check_tilings(zoo.in_tiles("adain-lite", "onnx", *INT8), *INT8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "precisions"),
    [
        ("onnx", (Precision.FP16, Precision.INT8_WEIGHTS)),
        ("tflite", (Precision.FP16, Precision.INT8)),
        ("coreml", (Precision.FP16, Precision.INT8)),
    ],
)
def test_files_of_other_targets_paint_in_tiles(tmp_path, target, precisions):
    out, sizes = tmp_path / "a", (TILE_SIZE,)
    request = ExportRequest(
        load_own(Normed()), out, (target,), precisions, sizes=sizes, budget=SMALL_BUDGET, full=True
    )
    export(request)
    manifest = check_tilings(out, *precisions)
    assert [len(tiling.passes) for tiling in manifest.tilings] == [3, 3]


@pytest.mark.slow
def test_a_network_of_sixteen_norms_paints_in_tiles(zoo):
    manifest = check_tilings(zoo.in_tiles("fast-style", "onnx", Precision.FP32), Precision.FP32)
    assert len(manifest.tilings[0].passes) > 15


def test_int8_in_tiles_is_the_int8_file(zoo):
    """One window is the whole picture: the passes have the file's ranges and weights."""
    folder = zoo.in_tiles("adain-lite", "onnx", *INT8)
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).resize((128, 128))
    with Stylizer(folder, precision=Precision.INT8) as stylizer:
        code = stylizer.encode(photo.rotate(90))
        tiled = FullPainter(stylizer).paint(photo, code)
        whole = stylizer.stylize(photo, code)
    images = [np.asarray(image, np.float32) / 255 for image in (tiled, whole)]
    assert psnr_db(*images, 1.0) > 45


@pytest.mark.slow
def test_tiles_of_a_degraded_plan_are_degraded(tmp_path):
    request = ExportRequest(
        load_own(Normed()),
        tmp_path / "out",
        precisions=(Precision.INT8,),
        sizes=(Size(64, 64),),
        budget="psnr>=90",
        allow_degraded=True,
        full=True,
    )
    manifest = export(request).manifest
    assert all("_int8-degraded.onnx" in fact.path for fact in manifest.files)
    assert len(manifest.tilings) == 1


def test_a_tiling_of_files_that_are_not_listed_is_refused(zoo, tmp_path):
    folder = shutil.copytree(zoo.in_tiles("adain-lite", "onnx", *INT8), tmp_path / "artifact")
    manifest = folder / "manifest.json"
    first = read_manifest(folder).tilings[0].passes[0].path
    text = manifest.read_text()
    place = text.rindex(first)  # in the tiling, behind the files
    manifest.write_text(text[:place] + "other.onnx" + text[place + len(first) :])
    with pytest.raises(BadArtifact, match=r"other.onnx, which is none of the files"):
        read_manifest(folder)


def test_an_altered_pass_is_found(zoo, tmp_path):
    folder = shutil.copytree(zoo.in_tiles("adain-lite", "onnx", *INT8), tmp_path / "artifact")
    path = folder / read_manifest(folder).tilings[0].passes[1].path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BadArtifact, match="was altered"):
        read_manifest(folder)


def test_parity_of_passes_is_that_of_their_painting(zoo):
    folder = zoo.in_tiles("adain-lite", "onnx", *INT8)
    manifest = read_manifest(folder)
    checked = check_artifact(folder, manifest)
    assert set(checked) == {fact.path for fact in manifest.files}
    for tiling in manifest.tilings:
        (parity,) = {checked[one.path] for one in tiling.passes}
        assert all(fact.passed for fact in parity)


def test_a_pass_runs_by_itself(zoo):
    """The ten lines of an app without this project: one window, its own statistics."""
    folder = zoo.in_tiles("adain-lite", "onnx", *INT8)
    manifest = read_manifest(folder)
    known = {
        "content": np.full((1, 3, 128, 128), 0.5, np.float32),
        "region": np.array([0, 0, 128, 128], np.float32),
        "style_code": np.zeros((1, 480), np.float32),
        "strength": np.zeros(1, np.float32),
    }
    files = {fact.path: fact for fact in manifest.files}
    for one in manifest.tilings[0].passes:
        path = folder / one.path
        with runner_for(path).open(path, RunOptions()) as session:
            known |= session({item.name: known[item.name] for item in files[one.path].inputs})
    assert known["image"].shape == (1, 3, 128, 128)


def test_windows_off_the_grid_are_rounded_which_is_said(tmp_path):
    lines: list[str] = []
    request = ExportRequest(
        load_own(Normed()),
        tmp_path / "out",
        precisions=(Precision.FP32,),
        sizes=(Size(100, 131),),
        full=True,
    )
    manifest = export(request, lines.append).manifest
    assert manifest.tilings[0].window.size() == Size(100, 130)
    assert any("off the network's grid of 2 pixels: 100x130 is taken" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adain-lite", {"sizing": Sizing.ANY}, "leave out --dynamic"),
        ("adain-lite", {"roles": (Role.ENCODE,)}, "type --role transform too"),
        ("gatys-vgg-eighth", {}, "paints by optimization"),
    ],
)
def test_what_cannot_be_tiled_is_refused_before_anything(name, options, message, tmp_path):
    request = ExportRequest(load_random(name), tmp_path / "out", full=True, **options)
    with pytest.raises(UsageError, match=message):
        check_request(request, ())
