"""Exported files against networks as their authors use them: pixel formats, layouts and sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn

from styleexport.core.images import array_from_image
from styleexport.core.manifest import PixelFormatFact, read_manifest
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size, Sizing
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network
from styleexport.models.pixel_choice import settle_pixels
from styleexport.models.pixels import PixelDeclaration
from styleexport.runtime_bench.parity import check_artifact, probe_inputs, read_probe
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer
from tests.zoo import load_own

SIZE = Size(48, 64)


def own(module: nn.Module, **declared: object) -> LoadedNetwork:
    """A factory's network, opened with a declaration."""
    said = PixelDeclaration()
    for name, value in declared.items():
        said = said.saying(name, value)
    return settle_pixels(load_own(module), said)


def seeded(*layers: nn.Module) -> nn.Module:
    """A sequence of layers with seeded weights, the first one's signal kept up."""
    torch.manual_seed(0)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.3)
    return nn.Sequential(*layers)


class Bytes(nn.Module):
    """A network of pixels 0..255 that centres them itself."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image - 127) + 127


class Uint8(nn.Module):
    """A network that returns integers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return (torch.sigmoid(self.conv(image)) * 255).to(torch.uint8)


class LastGrey(nn.Module):
    """A network of grey pictures [N, H, W, 1] in -1..1."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        return torch.tanh(2 * self.conv(image.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)


def run(artifact: Path, image: np.ndarray, index: int = 0) -> np.ndarray:
    """The output of one file of an artifact, on any target's first runner."""
    fact = read_manifest(artifact).files[index]
    path = artifact / fact.path
    with runner_for(path).open(path, RunOptions()) as session:
        return session({fact.inputs[0].name: image})[fact.outputs[0].name]


CASES: dict[
    str, tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], float]
] = {
    "tanh": (
        seeded(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh()),
        lambda x: x * 2 - 1,
        lambda y: (y + 1) / 2,
        110,
    ),
    "bytes": (Bytes(), lambda x: x * 255, lambda y: y / 255, 110),
    # Truncation to integers turns rounding errors into steps of 1/255 in a few places.
    "uint8": (Uint8(), lambda x: x, lambda y: y.float() / 255, 70),
    "enlarges": (
        seeded(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid()),
        lambda x: x,
        lambda y: y,
        110,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_computes_what_the_networks_author_computes(name, tmp_path):
    module, before, after, least = CASES[name]
    network = own(module.eval())
    lines: list[str] = []
    manifest = export(ExportRequest(network, tmp_path / "a", sizes=(SIZE,)), lines.append).manifest
    assert lines[: len(network.pixel_lines())] == network.pixel_lines()
    image = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = after(module(before(image))).clamp(0, 1).numpy()
    assert psnr_db(run(tmp_path / "a", image.numpy()), expected, 1.0) > least
    pixels = manifest.network.pixels
    assert pixels.summary == "; ".join(network.pixel_lines())
    assert {pixels.input.basis, pixels.output.basis} == {"found"}
    assert pixels.scale == expected.shape[2] // 48
    assert manifest.files[0].outputs[0].shape == expected.shape


@pytest.mark.parametrize("target", ["onnx", "coreml", "tflite"])
def test_every_target_expresses_every_conversion(target, tmp_path):
    """Two networks with all conversions between them, in float32."""
    if target != "onnx":
        pytest.importorskip({"coreml": "coremltools", "tflite": "ai_edge_litert"}[target])
    module = seeded(nn.Conv2d(3, 16, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid())
    declared = {"mean": "104/117/124", "std": "57/58/59", "scale": 2}
    pixels = {"input_pixels": "0..255:bgr", "output_pixels": "0..1:bgr:rgba"}
    coloured = own(module, **declared, **pixels)
    for name, network in (("coloured", coloured), ("grey", own(LastGrey()))):
        assert network.objection == ""
        out, floats = tmp_path / name, (Precision.FP32,)
        export(ExportRequest(network, out, targets=(target,), precisions=floats, sizes=(SIZE,)))
        ((parity, *_),) = check_artifact(out, read_manifest(out)).values()
        assert parity.measured_db > 90


def write_onnx(path: Path) -> Path:
    """A near-identity file with channels last that ends in Tanh, as converters write it."""
    weight = np.zeros((3, 3, 3, 3), np.float32)
    weight[range(3), range(3), 1, 1] = 1.6
    nodes = [
        helper.make_node("Transpose", ["x"], ["n"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["n", "w"], ["c"], pads=[1] * 4),
        helper.make_node("Tanh", ["c"], ["t"]),
        helper.make_node("Transpose", ["t"], ["y"], perm=[0, 2, 3, 1]),
    ]
    shape = ["n", None, None, 3]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_an_onnx_file_with_channels_last_and_tanh_is_used_as_it_wants(tmp_path):
    path = write_onnx(tmp_path / "last.onnx")
    network = open_network(str(path))
    assert network.pixel_lines() == ["pixels -1..1 (found: ends in Tanh)"]
    export(ExportRequest(network, tmp_path / "a", sizes=(SIZE,)))
    image = np.random.default_rng(0).random((1, 3, 48, 64), np.float32)
    theirs = ort.InferenceSession(str(path)).run(None, {"x": image.transpose(0, 2, 3, 1) * 2 - 1})[
        0
    ]
    expected = (theirs.transpose(0, 3, 1, 2) + 1) / 2
    assert psnr_db(run(tmp_path / "a", image), expected, 1.0) > 110


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_a_program_with_channels_last_is_used_as_it_wants(dtype, tmp_path):
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, image: Tensor) -> Tensor:
            image = self.conv(image.float().permute(0, 3, 1, 2) / 127.5 - 1)
            return (torch.tanh(2 * image) * 127.5 + 127.5).permute(0, 2, 3, 1)

    module = Last().eval()
    example = (torch.zeros(1, 64, 96, 3, dtype=dtype),)
    torch.export.save(torch.export.export(module, example), tmp_path / "last.pt2")
    network = open_network(str(tmp_path / "last.pt2"))
    kind = " uint8" if dtype is torch.uint8 else ""
    assert str(network.network.input_pixels) == f"0..255 NHWC{kind}"
    assert str(network.network.output_pixels) == "0..255 NHWC"
    assert network.basis.output.reason == "ends in Tanh scaled to 0..255"
    image = torch.randint(0, 256, (1, 64, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        painted = network.role_module(Role.STYLIZE)(image.permute(0, 3, 1, 2) / 255)
        expected = module(image.to(dtype)).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(painted, expected, atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory) -> Path:
    """An artifact of a network that doubles sizes, of one size and with sizes open."""
    out = tmp_path_factory.mktemp("upscaler") / "a"
    module = seeded(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), nn.Sigmoid())
    export(ExportRequest(own(module, scale=2), out, sizes=(SIZE,)))
    return out


def test_a_painting_of_an_upscaler_is_larger_by_its_scale(upscaler):
    picture = Image.effect_noise((64, 30), 60).convert("RGB")
    with Stylizer(upscaler) as stylizer:
        painted = stylizer.stylize(picture)
        softer = stylizer.stylize(picture, options=StylizeOptions(alpha=0.5, keep_colour=True))
    assert painted.size == softer.size == (128, 60)
    framed = np.pad(array_from_image(picture), ((0, 0), (0, 0), (9, 9), (0, 0)), mode="symmetric")
    expected = run(upscaler, framed)[:, :, 18:78]
    assert psnr_db(array_from_image(painted), expected, 1.0) > 50


def test_a_file_of_any_size_enlarges_at_any_size(tmp_path):
    module = seeded(nn.Conv2d(3, 27, 3, padding=1), nn.PixelShuffle(3), nn.Sigmoid())
    request = ExportRequest(own(module), tmp_path / "a", sizes=(SIZE,), sizing=Sizing.ANY)
    (fact,) = export(request).manifest.files
    assert fact.outputs[0].shape == (1, 3, "3*height", "3*width")
    image = np.random.default_rng(0).random((1, 3, 40, 33), np.float32)
    output = run(tmp_path / "a", image)
    np.testing.assert_allclose(output, module(torch.from_numpy(image)).detach(), atol=1e-5)


def test_an_artifact_without_facts_of_pixels_is_read(upscaler, tmp_path):
    import json
    import shutil

    shutil.copytree(upscaler, tmp_path / "old")
    path = tmp_path / "old/manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["network"]["pixels"]
    path.write_text(json.dumps(manifest))
    old = read_manifest(tmp_path / "old")
    assert old.network.pixels is None
    assert read_manifest(upscaler).network.pixels.input == PixelFormatFact(
        low=0.0, high=1.0, basis="found", reason="ends in Sigmoid"
    )
    probe = read_probe(tmp_path / "old", old.probes[0])
    assert probe_inputs(probe, old.files[0], "x")["content"].shape == (1, 3, 48, 64)
