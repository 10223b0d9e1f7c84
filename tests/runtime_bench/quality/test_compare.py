from __future__ import annotations

import numpy as np
import onnx
import pytest

from styleexport.core.errors import BadArtifact
from styleexport.core.types import Role, Size
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.compare import JudgeSettings, compare
from styleexport.runtime_bench.quality.pairs import FileFilter, FilePair, model_files_of, pairs_of
from styleexport.runtime_bench.quality.picture_session import StyleEncoders, open_picture_session
from styleexport.runtime_bench.quality.probes import quality_probes
from styleexport.runtime_bench.runners._runner import RunOptions

SIZE = Size(64, 96)


def compared(settings, *names, **choice):
    return compare(pairs_of([str(name) for name in names], FileFilter(**choice)), settings)


def test_int8_loses_something_and_float_nothing(artifact, int8_artifact, settings):
    (whole,) = compared(settings, artifact, role=Role.TRANSFORM, size=SIZE)
    (less,) = compared(settings, int8_artifact, role=Role.TRANSFORM)
    assert whole.comparison.quality.psnr_db > 90
    assert 25 < less.comparison.quality.psnr_db < 45
    assert 0.8 < less.comparison.quality.ssim < 0.999
    assert abs(less.comparison.quality.style_change) < 0.2
    assert less.comparison.runners == ("torch", "onnxruntime")
    assert (less.comparison.judged_through, less.comparison.budget) == (None, None)
    assert len(less.probes) == len(less.reference) == len(less.candidate) == 16


def test_an_encoder_is_judged_by_what_is_painted_with_its_codes(int8_artifact, settings):
    lines: list[str] = []
    pairs = pairs_of([str(int8_artifact)], FileFilter(role=Role.ENCODE))
    (found,) = compare(pairs, settings, progress=lines.append)
    assert found.comparison.judged_through == "programs/adain-lite_transform_64x96.pt2"
    assert found.reference[0].shape == (1, 3, 64, 96)
    assert 30 < found.comparison.quality.psnr_db < 90
    assert lines == [
        "programs/adain-lite_encode_64x96.pt2: reference",
        "adain-lite_encode_64x96_int8.onnx: compare",
    ]


def test_a_budget_is_held_to(int8_artifact, settings):
    budget = Budget.parse("psnr>=90, style<=+50%")
    (found,) = compared(
        JudgeSettings(settings.loss_network, None, budget), int8_artifact, role=Role.TRANSFORM
    )
    assert found.comparison.budget == "psnr>=90, style<=+50%"
    assert len(found.comparison.failures) == 1
    assert found.comparison.failures[0].startswith("psnr ")


def test_a_network_with_a_style_of_its_own(fixed_artifact, settings):
    (found,) = compared(settings, fixed_artifact)
    assert found.comparison.quality.psnr_db > 80
    assert found.comparison.quality.style_change < 1e-3
    assert found.probes[0].style is None


def test_without_an_encoder_the_golden_code_is_used(without_encoder, settings):
    (found,) = compared(settings, without_encoder)
    assert found.probes[0].style is None
    assert len(found.probes) == 8
    assert 25 < found.comparison.quality.psnr_db < 60


def test_two_networks_each_get_codes_of_their_own_encoder(artifact, int8_artifact, settings):
    (found,) = compared(
        settings,
        int8_artifact / "programs/adain-lite_transform_64x96.pt2",
        artifact / "programs/adain-lite_transform_64x96.pt2",
    )
    (same,) = compared(
        settings,
        artifact / "programs/adain-lite_transform_64x96.pt2",
        artifact / "adain-lite_transform_64x96_fp32.onnx",
    )
    assert found.comparison.quality.psnr_db < 30 < 90 < same.comparison.quality.psnr_db


def test_one_reference_is_run_once_for_all_its_candidates(int8_artifact, settings):
    program, _, *files = [s for s in model_files_of(int8_artifact) if s.role is Role.TRANSFORM] * 2
    lines: list[str] = []
    pairs = [FilePair(program, side, SIZE) for side in files]
    assert len(compare(pairs, settings, progress=lines.append)) == 2
    assert sum(line.endswith("reference") for line in lines) == 1


def test_each_style_is_encoded_once_for_all_files_of_an_artifact(int8_artifact):
    sides = [s for s in model_files_of(int8_artifact) if s.role is Role.TRANSFORM]
    probes = quality_probes(SIZE, ("content", "style", "strength"))
    encoders, outputs = StyleEncoders(RunOptions()), []
    for side in sides:
        with open_picture_session(side, SIZE, encoders) as session:
            outputs += [session(probe.inputs)["image"] for probe in probes[:3]]
    (codes,) = encoders.opened.values()
    assert len(codes.codes) == 2
    assert not np.array_equal(outputs[0], outputs[1])


def test_a_file_that_does_not_run_is_named(int8_artifact, settings, monkeypatch):
    def broken(self, names, inputs):
        raise RuntimeError("out of luck\nsecond line")

    monkeypatch.setattr("onnxruntime.InferenceSession.run", broken)
    with pytest.raises(BadArtifact, match=r"int8\.onnx does not run: RuntimeError: out of luck; "):
        compared(settings, int8_artifact, role=Role.TRANSFORM)


def test_worse_weights_are_seen(int8_artifact, settings, tmp_path):
    import shutil

    import msgspec

    from styleexport.core.manifest import read_manifest, sha256_of_file, write_manifest

    copy = shutil.copytree(int8_artifact, tmp_path / "lite")
    name = "adain-lite_transform_64x96_int8.onnx"
    model = onnx.load(copy / name)
    bias = max(
        (i for i in model.graph.initializer if i.data_type == onnx.TensorProto.INT8),
        key=lambda item: np.prod(item.dims),
    )
    array = onnx.numpy_helper.to_array(bias).copy()
    array[:8] = 0
    bias.CopyFrom(onnx.numpy_helper.from_array(array, bias.name))
    onnx.save(model, copy / name)
    manifest = read_manifest(copy, check_files=False)
    files = tuple(
        msgspec.structs.replace(f, sha256=sha256_of_file(copy / f.path)) for f in manifest.files
    )
    write_manifest(msgspec.structs.replace(manifest, files=files), copy)
    (worse,) = compared(settings, copy, role=Role.TRANSFORM)
    (better,) = compared(settings, int8_artifact, role=Role.TRANSFORM)
    assert worse.comparison.quality.psnr_db < better.comparison.quality.psnr_db - 0.5
