"""Published weights and real photographs: what users bring."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from styleexport.core import plugins
from styleexport.core.errors import ParityFailure
from styleexport.core.images import read_image
from styleexport.core.manifest import read_manifest
from styleexport.core.thresholds import ALLOWED_DB
from styleexport.core.types import Precision, Role
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.exporter.targets._target import PACKAGE as TARGETS
from styleexport.models.networks._open import open_network
from styleexport.models.training.contact_sheet import squares
from styleexport.models.training.data import image_files
from styleexport.models.training.evaluation import evaluate
from styleexport.runtime_bench.stylize.stylizer import Stylizer
from tests.zoo import INT8_ALONE, TOO_COARSE, case


def cases():
    for name in ("adain-lite", "adain-cd16x", "fast-style"):
        for target in plugins.names(TARGETS):
            yield case(name, target, slow=(name, target) != ("adain-lite", "onnx"))
    # Their graph is that of fast-style: what other weights change are the ranges of int8.
    for name in INT8_ALONE:
        yield case(name, "onnx")


@pytest.mark.parametrize(("name", "target"), list(cases()))
def test_every_precision_passes_its_gate_on_real_weights(name, target, data, zoo):
    manifest = read_manifest(zoo.exported(name, target))
    precisions = zoo.precisions(name, target)
    assert {fact.precision for fact in manifest.files} == set(precisions)
    for fact in manifest.files:
        assert fact.worst.passed
        assert fact.worst.allowed_db == ALLOWED_DB[fact.precision]
        safe = [p for p in fact.passes if p.name == "scale-statistics"]
        assert all(item.applied and not item.refused for item in safe)
    if target == "coreml":
        half = [fact for fact in manifest.files if fact.float_dtype == "float16"]
        assert len(half) == len([f for f in manifest.files if f.precision is not Precision.FP32])
        # What the program means, apart from its rounding, is no worse than its rounding.
        assert all(f.worst.float32_db > f.worst.measured_db - 1 for f in half)
    if name == "adain-cd16x":
        folds = [p for f in manifest.files for p in f.passes if p.name == "fold-pointwise"]
        assert all(fold.applied == 1 and fold.refused == () for fold in folds)


@pytest.mark.parametrize("name", [case(name) for name in TOO_COARSE])
def test_a_precision_that_is_too_coarse_is_not_written(name, data, zoo, tmp_path):
    request = ExportRequest(
        zoo.network(name),
        tmp_path / "a",
        ("coreml",),
        TOO_COARSE[name],
        (Role.TRANSFORM,),
        sizes=(zoo.size(name),),
    )
    with pytest.raises(ParityFailure, match=r"transform_128x160_palette4.* at least 25.0 allowed"):
        export(request)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("level", [1, 2, 3, 5])
def test_the_other_levels_of_cd16x_open(level, data):
    folder = data / "weights" / "cd16x"
    loaded = open_network("adain-cd16x", [folder / f"e{level}.pth", folder / f"d{level}.pth"])
    image = squares(image_files([data / "images" / "eval" / "content"]), 64, 1)
    code = loaded.role_module(Role.ENCODE)(image)
    same = loaded.role_module(Role.TRANSFORM)(image, code, torch.ones(1))
    # A decoder trained to reconstruct gives its own encoder's picture back.
    assert float(((same - image) ** 2).mean()) < 0.02


@pytest.mark.parametrize(
    ("name", "target", "precision", "least_db"),
    [
        case("fast-style", "onnx", Precision.INT8, 25),
        case("fast-style", "coreml", Precision.FP16, 40),
        case("fast-style", "tflite", Precision.INT8, 25),
    ],
)
def test_a_photograph_becomes_a_painting(name, target, precision, least_db, data, zoo):
    """The file of the Hokusai network paints as the float network in PyTorch does."""
    out, size = zoo.exported(name, target), zoo.size(name)
    photo = read_image(data / "images" / "eval" / "content" / "skimage_chelsea.jpg")
    picture = photo.resize((size.width, size.height), Image.Resampling.LANCZOS)
    with Stylizer(out, precision=precision) as stylizer:
        painted = np.asarray(stylizer.stylize(picture), np.float32) / 255
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = zoo.network(name).role_module(Role.STYLIZE)(pixels)[0].permute(1, 2, 0).numpy()
    assert 10 * np.log10(1 / np.mean((painted - expected) ** 2)) > least_db
    assert np.abs(painted - np.asarray(picture) / 255).mean() > 0.1
    (share,) = (f.int8_mac_share for f in read_manifest(out).files if f.precision is precision)
    assert share > 0.8 if precision is Precision.INT8 else share == 0


@pytest.mark.slow
def test_adain_lite_paints_better_than_cd16x(data, zoo):
    """The figures of its card, on four of the evaluation pairs."""
    images, weights = data / "images" / "eval", data / "weights" / "vgg16"
    contents = squares(image_files([images / "content"]), 256, 2)
    styles = squares(image_files([images / "style"]), 256, 2)
    found = {}
    for name in ("adain-lite", "adain-cd16x"):
        loaded = zoo.network(name)
        encode, transform = loaded.role_module(Role.ENCODE), loaded.role_module(Role.TRANSFORM)
        found[name], _ = evaluate(
            lambda c, s, e=encode, t=transform: t(c, e(s), torch.ones(1)),
            contents,
            styles,
            weights / "vgg16_imagenet_to_relu5_3_fp16.npz",
            weights / "lpips_vgg16_lin.npz",
        )
    lite, cd16x = found["adain-lite"], found["adain-cd16x"]
    assert lite.style_distance < 0.8 * cd16x.style_distance
    assert lite.lpips < cd16x.lpips + 0.05
