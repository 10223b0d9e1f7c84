"""Which parity is asked of what, and the picture that the report shows."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from PIL import Image

from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.bench.cells import cells_of
from styleexport.runtime_bench.bench.probe_check import allowed_db, encoded_picture, repeated
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice


@pytest.fixture
def cell(artifact) -> Cell:
    request = BenchRequest(
        (artifact,), (RunnerChoice("onnxruntime"),), (Size(64, 96),), (Role.TRANSFORM,)
    )
    return cells_of(request, lambda _: None)[0]


@pytest.mark.parametrize(
    ("precision", "effective", "rounded", "expected"),
    [
        (Precision.FP32, {}, False, 90.0),
        (Precision.FP32, {"dtype": "fp32"}, False, 90.0),
        (Precision.FP32, {"precision": "f32"}, False, 90.0),
        (Precision.FP32, {"dtype": "fp16"}, False, 50.0),
        (Precision.FP32, {"dtype": "tf32"}, False, 50.0),
        (Precision.FP32, {"dtype": "bf16"}, False, 32.0),
        (Precision.FP32, {"precision": "bf16"}, False, 32.0),
        (Precision.FP32, {"precision": "f16"}, False, 50.0),
        (Precision.INT8, {"precision": "bf16"}, False, 25.0),
        (Precision.INT8, {}, True, 25.0),
        (Precision.FP16, {}, True, 48.0),
    ],
)
def test_what_is_asked(cell, precision, effective, rounded, expected):
    pixels = tuple(msgspec.structs.replace(t, dtype="uint8") for t in cell.file.outputs)
    plain = msgspec.structs.replace(cell.file, precision=precision)
    of = replace(cell, file=msgspec.structs.replace(plain, outputs=pixels))
    assert allowed_db(of, effective, rounds_pictures=rounded) == expected
    assert allowed_db(replace(of, file=plain), effective, rounds_pictures=rounded) >= expected


def test_a_batch_repeats_pictures_and_not_the_strength():
    tensors = {"content": np.zeros((1, 3, 4, 6), np.float32), "strength": np.ones(1, np.float32)}
    batch = repeated({**tensors, "image": tensors["content"]}, 3)
    assert batch["content"].shape == batch["image"].shape == (3, 3, 4, 6)
    assert batch["strength"].shape == (1,)


def test_wide_pictures_are_scaled_down():
    rows = np.linspace(0, 1, 300, dtype=np.float32)[:, None]
    wide = np.broadcast_to(rows, (2, 3, 300, 512))
    image = Image.open(io.BytesIO(base64.b64decode(encoded_picture(np.ascontiguousarray(wide)))))
    assert image.size == (256, 150)
    assert image.getpixel((0, 0))[0] < 5
    assert image.getpixel((0, 149))[0] > 250
