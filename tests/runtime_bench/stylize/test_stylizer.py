from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from styleexport.core.errors import UsageError
from styleexport.core.images import read_image
from styleexport.core.manifest import SizeFact, read_manifest, write_manifest
from styleexport.core.shipped_styles import style_files
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.runtime_bench.stylize.framing import best_size
from styleexport.runtime_bench.stylize.style_pack import add_shipped_styles, pack_styles
from styleexport.runtime_bench.stylize.stylizer import (
    StylizeOptions,
    Stylizer,
    _chosen,
    blend_codes,
)


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(noise)


@pytest.fixture(scope="module")
def stylizer(artifact):
    with Stylizer(artifact) as opened:
        yield opened


@pytest.mark.parametrize("size", [(96, 64), (50, 70), (1, 1), (3, 500), (700, 2), (640, 480)])
def test_the_painting_has_the_size_of_the_picture(stylizer, size):
    code = stylizer.encode(picture(80, 60))
    assert stylizer.stylize(picture(*size), code).size == size


@pytest.mark.parametrize(
    ("shape", "chosen"),
    [((64, 96), "64x96"), ((128, 192), "64x96"), ((100, 100), "64x64"), ((20, 20), "64x64")],
)
def test_the_size_that_keeps_the_most_pixels_is_chosen(artifact, shape, chosen):
    files = [f for f in read_manifest(artifact).files if f.role is Role.TRANSFORM]
    fact, size = best_size(files, picture(shape[1], shape[0]))
    assert chosen in fact.path
    assert str(size) == chosen


def test_a_picture_of_the_files_size_goes_through_untouched(artifact, stylizer):
    """Same picture, same file: stylize adds nothing to what the file computes."""
    from styleexport.core.images import array_from_image, image_from_array
    from styleexport.runtime_bench.runners._runner import RunOptions, runner_for

    content, code = picture(96, 64), stylizer.encode(picture(80, 60))
    path = artifact / "adain-lite_transform_64x96_fp32.onnx"
    with runner_for(path).open(path, RunOptions()) as session:
        inputs = {"content": array_from_image(content), "style_code": code}
        output = session(inputs | {"strength": np.ones(1, np.float32)})["image"]
    assert list(image_from_array(output).getdata()) == list(
        stylizer.stylize(content, code).getdata()
    )


def test_alpha_and_weights_change_the_picture(stylizer):
    content = picture(96, 64)
    first, second = (
        stylizer.encode(picture(80, 60)),
        stylizer.encode(Image.new("RGB", (64, 64), "red")),
    )
    full = np.asarray(stylizer.stylize(content, first)).astype(float)
    weak = np.asarray(stylizer.stylize(content, first, StylizeOptions(alpha=0.2))).astype(float)
    mixed = np.asarray(stylizer.stylize(content, blend_codes([first, second], [1, 1])))
    assert np.abs(full - weak).mean() > 0.1
    assert np.abs(full - mixed.astype(float)).mean() > 0.1


def test_keep_colour_takes_only_the_brightness(stylizer):
    content = Image.new("RGB", (96, 64), (200, 40, 40))
    painted = stylizer.stylize(
        content, stylizer.encode(picture(80, 60)), StylizeOptions(keep_colour=True)
    )
    before, after = (np.asarray(p.convert("YCbCr"), float)[..., 1:] for p in (content, painted))
    # RGB cannot hold every brightness of a strong colour, so the match is close, not exact.
    assert np.median(np.abs(before - after)) < 12


def test_packed_styles_need_no_encoder(artifact, tmp_path, photo):
    copy = shutil.copytree(artifact, tmp_path / "copy")
    fact = pack_styles(copy, [photo], "mine")
    assert fact.names == ("photo",)
    assert (copy / fact.path).stat().st_size < 3000
    with Stylizer(copy) as opened:
        packed = opened.packed("photo")
        np.testing.assert_array_equal(packed, opened.encode(read_image(photo)))
    with pytest.raises(UsageError, match="two pictures are called 'photo'"):
        pack_styles(copy, [photo, photo], "mine")
    assert [pack.path for pack in read_manifest(copy).styles] == ["styles/mine.safetensors"]


def test_a_fixed_style_network_paints_without_a_style(random_network, tmp_path):
    export(ExportRequest(random_network("fast-style"), tmp_path / "a", sizes=(Size(32, 48),)))
    with Stylizer(tmp_path / "a") as opened:
        assert opened.is_fixed_style
        assert opened.stylize(picture(50, 40)).size == (50, 40)
        half = opened.stylize(picture(50, 40), options=StylizeOptions(alpha=0.0))
        assert half.tobytes() == picture(50, 40).tobytes()


def test_a_stylize_file_takes_the_style_as_a_picture(random_network, tmp_path):
    request = ExportRequest(
        random_network("adain-lite"), tmp_path / "a", roles=(Role.STYLIZE,), sizes=(Size(32, 48),)
    )
    export(request)
    with Stylizer(tmp_path / "a") as opened:
        assert opened.takes_picture_only
        assert opened.stylize(picture(50, 40), picture(20, 90)).size == (50, 40)


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1.0], "2 styles but 1 weights"), ([1.0, -1.0], "must not be negative"), ([0, 0], "above 0")],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(UsageError, match=message):
        blend_codes([np.ones((1, 4), np.float32)] * 2, weights)


def test_a_code_of_another_network_is_refused(stylizer):
    code = np.ones((1, 4), np.float32)
    with pytest.raises(UsageError, match=r"shape \[1, 4\] is of another network: adain-lite of"):
        stylizer.stylize(picture(96, 64), code)
    with pytest.raises(UsageError, match=r"\[1, 4\], \[1, 5\] are of different networks"):
        stylizer.blend([code, np.ones((1, 5), np.float32)])


def test_a_file_of_several_sizes_takes_thebest_size_of_them(artifact):
    fact = next(f for f in read_manifest(artifact).files if f.role is Role.TRANSFORM)
    sizes = tuple(SizeFact(height=h, width=w) for h, w in ((64, 64), (64, 96), (96, 64)))
    several = msgspec.structs.replace(fact, size=None, sizes=sizes)
    for shape, chosen in (((128, 192), "64x96"), ((192, 128), "96x64"), ((20, 20), "64x64")):
        assert str(best_size([several], picture(shape[1], shape[0]))[1]) == chosen
    open_file = msgspec.structs.replace(fact, size=None)
    assert best_size([open_file], picture(70, 30))[1] is None


def test_the_files_of_one_target_and_precision_are_run(artifact):
    files = read_manifest(artifact).files
    half = tuple(msgspec.structs.replace(f, precision=Precision.FP16) for f in files)
    other = tuple(msgspec.structs.replace(f, target="tflite") for f in half)
    held = (*files, *half, *other)
    assert _chosen(artifact, held, None, None) == files
    assert _chosen(artifact, held, None, Precision.FP16) == half
    assert _chosen(artifact, held, "tflite", None) == other
    with pytest.raises(
        UsageError, match=r"no tflite fp32 file: it holds onnx fp32, onnx fp16, tfl"
    ):
        _chosen(artifact, held, "tflite", Precision.FP32)
    with pytest.raises(UsageError, match="holds no coreml file: it holds onnx fp32"):
        Stylizer(artifact, target="coreml")


def with_weights(artifact: Path, place: Path, sha256: str) -> Path:
    """Return a copy of an artifact whose manifest names other weights."""
    shutil.copytree(artifact, place)
    manifest = read_manifest(place)
    network = msgspec.structs.replace(manifest.network, source_sha256=sha256)
    write_manifest(msgspec.structs.replace(manifest, network=network), place)
    return place


@pytest.fixture
def shipped(artifact, tmp_path):
    """An artifact that says it is of the shipped weights, and their codes."""
    (file,) = (f for f in style_files() if f.facts.network == "adain-lite")
    return with_weights(artifact, tmp_path / "shipped", file.facts.weights_sha256), file


def test_a_shipped_style_paints_without_its_painting(shipped):
    place, file = shipped
    with Stylizer(place) as opened:
        code = opened.packed("starry-night")
        assert np.array_equal(code, file.codes()["starry-night"])
        assert opened.stylize(picture(96, 64), code).size == (96, 64)


def test_a_shipped_style_of_other_weights_is_refused(artifact, tmp_path):
    place = with_weights(artifact, tmp_path / "other", "0" * 64)
    with Stylizer(place) as other, pytest.raises(UsageError, match="belongs to the weights of"):
        other.packed("starry-night")
    with pytest.raises(UsageError, match="no styles ship for the weights of"):
        add_shipped_styles(place)


def test_shipped_styles_are_copied_into_the_artifact_for_apps(shipped):
    place, file = shipped
    fact = add_shipped_styles(place, ["udnie", "adele"])
    assert fact.names == ("udnie", "adele")
    assert read_manifest(place).styles == (fact,)
    with Stylizer(place) as opened:
        assert np.array_equal(opened.packed_codes()["udnie"], file.codes()["udnie"])
    with pytest.raises(UsageError, match="allowed: starry-night"):
        add_shipped_styles(place, ["nighthawks"])
