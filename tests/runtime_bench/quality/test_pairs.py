from __future__ import annotations

import pytest

from styleexport.core.errors import BadArtifact, UsageError
from styleexport.core.types import Role, Size
from styleexport.runtime_bench.quality.pairs import FileFilter, pairs_of

FP32 = "adain-lite_transform_64x96_fp32.onnx"
INT8 = "adain-lite_transform_64x96_int8.onnx"
PROGRAM = "programs/adain-lite_transform_64x96.pt2"


def shown(names, choice: FileFilter | None = None) -> list[tuple[str, str, str]]:
    found = pairs_of([str(name) for name in names], choice or FileFilter())
    return [(pair.reference.path, pair.candidate.path, str(pair.size)) for pair in found]


def test_an_artifact_alone_is_held_against_its_float_programs(artifact):
    assert shown([artifact]) == [
        (
            f"programs/adain-lite_{role}_{size}.pt2",
            f"adain-lite_{role}_{size}_fp32.onnx",
            size,
        )
        for role in ("encode", "transform")
        for size in ("64x96", "64x64")
    ]


@pytest.mark.parametrize(
    ("choice", "count"),
    [
        (FileFilter(role=Role.ENCODE), 2),
        (FileFilter(size=Size(64, 64)), 2),
        (FileFilter(role=Role.TRANSFORM, size=Size(64, 96), target="onnx"), 1),
    ],
)
def test_a_choice_narrows(artifact, choice, count):
    assert len(pairs_of([str(artifact)], choice)) == count


def test_files_are_named_by_precision_or_path(artifact):
    expected = [(PROGRAM, FP32, "64x96")]
    assert shown([artifact, FP32]) == shown([artifact, artifact / FP32]) == expected
    assert shown([artifact, "float", FP32]) == shown([artifact, PROGRAM, FP32]) == expected
    assert shown([artifact, "fp32"], FileFilter(role=Role.TRANSFORM, size=Size(64, 96))) == expected
    assert shown([artifact / PROGRAM, artifact / FP32]) == expected


def test_files_of_two_artifacts_can_be_compared(artifact, int8_artifact):
    assert shown([artifact / FP32, int8_artifact / INT8]) == [(FP32, INT8, "64x96")]


@pytest.mark.parametrize(
    ("names", "choice", "message"),
    [
        (("int8",), FileFilter(), "holds no 'int8': expected float, fp32 or the path of a file"),
        (("fp32",), FileFilter(target="tflite"), "holds no 'fp32' for tflite"),
        ((), FileFilter(target="tflite"), "nothing to compare at tflite"),
        (
            (),
            FileFilter(size=Size(8, 8)),
            "nothing to compare at 8x8: the reference computes encode",
        ),
        ((FP32, "adain-lite_encode_64x96_fp32.onnx"), FileFilter(), "name two files of one role"),
        (
            ("a", "b", "c"),
            FileFilter(),
            "is not an artifact folder: type `styleexport compare ARTI",
        ),
    ],
)
def test_what_fits_nothing_is_said(artifact, names, choice, message):
    with pytest.raises(UsageError, match=message):
        pairs_of([str(artifact), *names], choice)


def test_a_file_in_no_artifact_is_refused(tmp_path, artifact):
    (tmp_path / "x.onnx").touch()
    with pytest.raises(BadArtifact, match=r"x\.onnx is in no artifact"):
        pairs_of([str(tmp_path / "x.onnx"), str(artifact / FP32)], FileFilter())
    with pytest.raises(UsageError, match=r"lists no file nothing\.onnx"):
        pairs_of([str(artifact / FP32), str(artifact / "nothing.onnx")], FileFilter())
