"""What can be asked for, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from styleexport.core.errors import MissingExtra, UsageError
from styleexport.core.types import Precision, Role, Size, Sizing
from styleexport.exporter import request as module
from styleexport.exporter.out_folder import check_out
from styleexport.exporter.request import (
    ExportRequest,
    check_quantized,
    check_request,
    open_targets,
    precisions_of,
)
from styleexport.exporter.targets._target import find_target
from styleexport.exporter.targets.onnx import OnnxTarget
from tests.conftest import load_random


@pytest.fixture(scope="module")
def lite():
    return load_random("adain-lite")


@pytest.fixture
def absent(monkeypatch):
    """A machine without coremltools."""

    def find(name):
        if name == "coreml":
            raise MissingExtra("coreml needs coremltools: pip install 'styleexport[coreml]'")
        return find_target(name)

    monkeypatch.setattr(module, "find_target", find)


def ask(network, **options) -> ExportRequest:
    return ExportRequest(network, Path("a"), **options)


def test_targets_go_by_name_or_with_settings(lite):
    mine = OnnxTarget()
    assert open_targets(ask(lite, targets=(mine,)), print) == (mine,)
    assert open_targets(ask(lite), print)[0].name == "onnx"
    with pytest.raises(UsageError, match=r"unknown target 'onx'.*did you mean onnx"):
        open_targets(ask(lite, targets=("onx",)), print)
    with pytest.raises(UsageError, match="targets onnx, onnx: name each one once"):
        open_targets(ask(lite, targets=("onnx", mine)), print)


def test_a_missing_library_ends_the_export_or_is_skipped(lite, absent):
    said: list[str] = []
    targets = ("coreml", "onnx")
    with pytest.raises(MissingExtra, match="pip install"):
        open_targets(ask(lite, targets=targets), said.append)
    for order in (targets, targets[::-1]):
        found = open_targets(ask(lite, targets=order, skip_missing=True), said.append)
        assert [target.name for target in found] == ["onnx"]
    assert said == ["skipped: coreml needs coremltools: pip install 'styleexport[coreml]'"] * 2
    with pytest.raises(MissingExtra):
        open_targets(ask(lite, targets=("coreml",), skip_missing=True), said.append)


def test_a_target_writes_the_precisions_that_it_has(lite):
    onnx, said = find_target("onnx"), list[str]()
    assert precisions_of(onnx, ask(lite), said.append) == (Precision.FP32,)
    wanted = (Precision.PALETTE4, Precision.FP16, Precision.FP16)
    assert precisions_of(onnx, ask(lite, precisions=wanted), said.append) == (Precision.FP16,)
    assert said == ["onnx has no palette4: left out"]
    with pytest.raises(UsageError, match=r"onnx has no precision palette4: expected fp32, .*int8"):
        precisions_of(onnx, ask(lite, precisions=(Precision.PALETTE4,)), said.append)


def test_auto_is_for_targets_that_write_int8(lite):
    class FloatOnly(OnnxTarget):
        precisions = (Precision.FP32, Precision.FP16)

    wanted = ask(lite, precisions=(Precision.AUTO, Precision.INT8))
    assert precisions_of(find_target("onnx"), wanted, print) == (Precision.AUTO, Precision.INT8)
    with pytest.raises(UsageError, match="onnx has no precision auto, int8: expected fp32, fp16"):
        precisions_of(FloatOnly(), wanted, print)


@pytest.mark.parametrize(("count", "warned"), [(1, True), (15, True), (16, False), (20, False)])
def test_few_calibration_pictures_are_warned_of(lite, tmp_path, count, warned):
    for index in range(count):
        Image.new("RGB", (20, 20), (index, 0, 0)).save(tmp_path / f"{index}.png")
    said: list[str] = []
    check_quantized(ask(lite, calibration=tmp_path), said.append)
    expected = (
        f"warning: {count} calibration pictures: values beyond what they show are clipped, and "
        "other pictures may lose their lights and colours; give 16 or more"
    )
    assert said == ([expected] if warned else [])


def test_the_pictures_that_ship_need_no_warning(lite):
    said: list[str] = []
    check_quantized(ask(lite), said.append)
    assert said == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "beauty>=3"}, r"budget 'beauty>=3': unknown metric 'beauty'"),
        ({"budget": ""}, "budget '' is empty"),
        ({"calibration": Path("absent")}, "--calibration absent is not a folder"),
    ],
)
def test_what_int8_files_cannot_follow_is_refused_first(lite, options, message):
    with pytest.raises(UsageError, match=message):
        check_quantized(ask(lite, **options), print)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roles": (Role.TRANSFORM,), "network": "fast-style"}, "transform"),
        ({"sizing": Sizing.ENUMERATED}, "onnx cannot write files of enumerated sizes, only fixed"),
        (
            {"sizing": Sizing.ANY, "sizes": (Size(32, 32), Size(64, 64))},
            "--dynamic writes one file for all sizes",
        ),
    ],
)
def test_what_does_not_fit_is_refused(lite, options, message):
    name = options.pop("network", "adain-lite")
    network = lite if name == "adain-lite" else load_random(name)
    with pytest.raises(UsageError, match=message):
        check_request(ask(network, **options), (find_target("onnx"),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (Size(64, 64),)}, "--enumerated writes one file for several sizes"),
        ({"sizes": (Size(64, 64),) * 2}, "name two or more"),
        (
            {"sizes": (Size(64, 64), Size(32, 32)), "roles": (Role.STYLIZE,)},
            "role stylize takes two images, and Core ML enumerates the sizes of one",
        ),
    ],
)
def test_several_sizes_need_two_and_one_image(lite, options, message):
    pytest.importorskip("coremltools")
    request = ask(lite, sizing=Sizing.ENUMERATED, **options)
    with pytest.raises(UsageError, match=message):
        check_request(request, (find_target("coreml"),))


def test_an_output_folder_with_other_files_is_refused(tmp_path):
    check_out(tmp_path / "new", overwrite=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file, expected a folder"):
        check_out(tmp_path / "file", overwrite=False)
    for index in range(3):
        (tmp_path / "a" / str(index)).mkdir(parents=True)
        (tmp_path / "a" / str(index) / "x.txt").write_text("x")
    with pytest.raises(UsageError, match=r"holds 0/x.txt and 2 more, which an export would"):
        check_out(tmp_path / "a", overwrite=False)
    with pytest.raises(UsageError, match="choose another folder with -o, or move that away"):
        check_out(tmp_path / "a", overwrite=True)
