"""Which parity is asked of what, and the picture that the report shows."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from styleexport.core.errors import BadArtifact
from styleexport.core.types import Precision
from styleexport.runtime_bench.bench.messages import Job
from styleexport.runtime_bench.bench.probe_check import (
    allowed_db,
    encoded_picture,
    measure_parity,
    read_probes,
)


def job(tmp_path, **changes) -> Job:
    fields = {
        "file": str(tmp_path / "a.onnx"),
        "runner": "fake",
        "settings": {},
        "threads": 1,
        "batch": 1,
        "affinity": (),
        "precision": Precision.FP32,
        "inputs": ("content", "strength"),
        "output": "image",
        "image": True,
        "rounded": False,
        "probes": (str(tmp_path / "probe.safetensors"),),
        **changes,
    }
    return Job(**fields)


@pytest.fixture
def probe(tmp_path) -> dict[str, np.ndarray]:
    tensors = {
        "content": np.full((1, 3, 4, 6), 0.25, np.float32),
        "strength": np.ones(1, np.float32),
        "image": np.full((1, 3, 4, 6), 0.5, np.float32),
    }
    save_file(tensors, tmp_path / "probe.safetensors")
    return tensors


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
def test_what_is_asked(tmp_path, precision, effective, rounded, expected):
    assert allowed_db(job(tmp_path, precision=precision, rounded=rounded), effective) == expected


def test_a_batch_repeats_pictures_and_not_the_strength(tmp_path, probe):
    (found,) = read_probes(job(tmp_path, batch=3))
    assert found["content"].shape == found["image"].shape == (3, 3, 4, 6)
    assert found["strength"].shape == (1,)


def test_every_picture_of_a_batch_counts(tmp_path, probe):
    wanted = job(tmp_path, batch=2)

    def run(inputs):
        assert list(inputs) == ["content", "strength"]
        output = np.repeat(probe["image"], 2, axis=0)
        output[1] += 0.1
        return output

    parity, _ = measure_parity(run, wanted, read_probes(wanted), {})
    assert parity.measured_db == pytest.approx(23.01, abs=0.01)
    assert not parity.passed
    assert parity.max_abs_error == pytest.approx(0.1)


def test_what_is_not_finite_does_not_pass(tmp_path, probe):
    wanted = job(tmp_path, precision=Precision.INT8)
    nothing = np.full((1, 3, 4, 6), np.nan, np.float32)
    parity, picture = measure_parity(lambda _: nothing, wanted, read_probes(wanted), {})
    assert (parity.measured_db, parity.passed) == (0.0, False)
    assert picture is not None


def test_another_shape_is_named(tmp_path, probe):
    wanted = job(tmp_path)
    turned = np.zeros((1, 3, 6, 4), np.float32)
    with pytest.raises(
        BadArtifact, match=r"a\.onnx returned \[1, 3, 6, 4\], expected \[1, 3, 4, 6\]"
    ):
        measure_parity(lambda _: turned, wanted, read_probes(wanted), {})


def test_a_damaged_probe_is_named(tmp_path, probe):
    (tmp_path / "probe.safetensors").write_bytes(b"no")
    with pytest.raises(BadArtifact, match=r"probe\.safetensors cannot be read"):
        read_probes(job(tmp_path))


def test_a_probe_without_a_tensor_is_named(tmp_path, probe):
    with pytest.raises(BadArtifact, match="holds no style_code"):
        read_probes(job(tmp_path, inputs=("content", "style_code")))


def test_wide_pictures_are_scaled_down():
    rows = np.linspace(0, 1, 300, dtype=np.float32)[:, None]
    wide = np.broadcast_to(rows, (2, 3, 300, 512))
    image = Image.open(io.BytesIO(base64.b64decode(encoded_picture(np.ascontiguousarray(wide)))))
    assert image.size == (256, 150)
    assert image.getpixel((0, 0))[0] < 5
    assert image.getpixel((0, 149))[0] > 250
