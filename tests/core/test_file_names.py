"""Names of an artifact's files, written and read back."""

from __future__ import annotations

import itertools

import pytest

from styleexport.core.file_names import FileName
from styleexport.core.types import Precision, Role, Size, Sizing

SIZES = (Size(64, 96), Size(512, 512), Sizing.ANY, Sizing.ENUMERATED)
SUFFIXES = (".onnx", ".tflite", ".mlpackage", "")


@pytest.mark.parametrize("network", ["adain-lite", "my_own_net", "a_encode_8x8", "v1.2"])
def test_a_name_is_read_back_as_it_was_written(network):
    for role, size, suffix, degraded in itertools.product(Role, SIZES, SUFFIXES, (False, True)):
        for precision in Precision:
            name = FileName(network, role, size, precision, suffix, degraded)
            assert FileName.parse(str(name)) == name
        graph = FileName(network, role, size, suffix=suffix)
        assert FileName.parse(str(graph)) == graph


def test_names_are_those_that_artifacts_have():
    name = FileName("adain-lite", Role.ENCODE, Size(64, 96), Precision.INT8_WEIGHTS, ".tflite")
    assert str(name) == "adain-lite_encode_64x96_int8-weights.tflite"
    degraded = FileName.parse("adain-lite_transform_any_int8-degraded.onnx")
    assert (degraded.degraded, degraded.size, degraded.precision) == (
        True,
        Sizing.ANY,
        Precision.INT8,
    )


@pytest.mark.parametrize(
    "text", ["", "adain-lite.onnx", "adain-lite_encode_big_int8.onnx", "a_paint_64x96_int8.onnx"]
)
def test_other_names_are_refused(text):
    with pytest.raises(ValueError, match=r"for example adain-lite_encode_256x256_int8\.onnx"):
        FileName.parse(text)
