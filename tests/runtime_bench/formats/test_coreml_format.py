"""What `styleexport inspect` says of Core ML packages, and its lint."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from styleexport.core.errors import BadArtifact
from styleexport.core.quiet import quiet
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.targets._target import Recipe
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph
from styleexport.runtime_bench.formats._coreml_risks import find_risks
from styleexport.runtime_bench.formats._format import Description, describe
from tests.conftest import load_random

ct = pytest.importorskip("coremltools")
mb = pytest.importorskip("coremltools.converters.mil").Builder
cto = pytest.importorskip("coremltools.optimize.coreml")
types = pytest.importorskip("coremltools.converters.mil.mil.types")

MAP = (1, 2, 64, 80)


def weight(*shape: int, dtype: Any = np.float16) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def convert(function: Any, *shapes: tuple[int, ...], opset: str, dtype: Any) -> Any:
    """A MIL program without any pass, so that its operations stay."""
    target = getattr(ct.target, opset)
    specs = [mb.TensorSpec(shape, dtype=dtype) for shape in shapes]
    with quiet():
        return ct.convert(
            mb.program(input_specs=specs, opset_version=target)(function),
            source="milinternal",
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.EMPTY,
            minimum_deployment_target=target,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
        )


def build(
    path: Path, function: Any, *shapes: tuple[int, ...], opset: str = "iOS16", dtype: Any = None
) -> Path:
    model = convert(function, *shapes, opset=opset, dtype=dtype or types.fp16)
    with quiet():
        model.save(str(path / "x.mlpackage"))
    return path / "x.mlpackage"


@pytest.fixture(scope="module")
def network():
    return load_random("adain-lite")


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """The transform role at 64x96, by precision, and the graph it was written from."""
    from styleexport.exporter.targets.coreml import CoremlTarget

    folder = tmp_path_factory.mktemp("coreml")
    graph, _ = apply_passes(capture(network, Role.TRANSFORM, Size(64, 96)))
    content, style = np.random.default_rng(5).random((2, 1, 3, 64, 96), np.float32)
    code = network.role_module(Role.ENCODE)(torch.from_numpy(style)).numpy()
    inputs = {"content": content, "style_code": code, "strength": np.ones(1, np.float32)}

    def feeds():
        return [inputs]

    files: dict[Precision, Path] = {}
    for precision in (Precision.FP16, Precision.INT8_WEIGHTS, Precision.PALETTE4):
        files[precision] = folder / f"{precision}.mlpackage"
        CoremlTarget().write(graph, Recipe(precision), files[precision], feeds)
    return graph, files


@pytest.fixture(scope="module")
def described(exported):
    return {precision: describe(path) for precision, path in exported[1].items()}


def test_a_package_of_ours_is_described(exported, described):
    graph, files = exported
    facts = described[Precision.FP16]
    assert (facts.format, facts.version) == (
        "Core ML",
        "ML program, iOS 16 or later (specification 7)",
    )
    assert facts.inputs == (
        "content: image RGB 8-bit, 64x96",
        "style_code: multi-array float32, [1, 480]",
        "strength: multi-array float32, [1]",
    )
    assert facts.outputs == ("image: image RGB 8-bit, 64x96",)
    assert facts.macs == graph.macs
    assert facts.int8_mac_share == 0
    assert facts.ops["conv"] == 12
    assert "const" not in facts.ops
    held = files[Precision.FP16].rglob("*")
    assert facts.size_bytes == sum(path.stat().st_size for path in held if path.is_file())
    assert 0.95 < sum(facts.bytes_by_dtype.values()) / graph.parameters / 2 < 1.05
    # 64x96 maps of 16 channels in float16: two at once at least, four at most.
    assert 2 <= facts.peak_activation_bytes / (64 * 96 * 16 * 2) <= 4.2
    total = sum(CoremlGraph.of(read_package(files[Precision.FP16])).precisions.values())
    assert facts.about["activations"] == f"fp16, 2 of {total} tensors fp32"


def test_no_risk_is_seen_in_packages_of_ours(described):
    assert [facts.risks for facts in described.values()] == [(), (), ()]


def test_bytes_are_counted_by_how_weights_are_stored(network, described):
    convs = [m.weight for m in network.module.modules() if isinstance(m, torch.nn.Conv2d)]
    large = [w for w in convs if w.numel() >= 512]
    assert 0 < len(large) < len(convs)
    int8 = described[Precision.INT8_WEIGHTS].bytes_by_dtype
    # A scale in float16 and a zero point in int8 for each output channel.
    assert int8["int8 (per channel)"] == sum(w.numel() + 3 * len(w) for w in large)
    palette = described[Precision.PALETTE4].bytes_by_dtype
    assert palette["palette 4-bit"] == sum(w.numel() // 2 + 16 * 2 for w in large)
    assert (
        palette["float16"] == int8["float16"] < described[Precision.FP16].bytes_by_dtype["float16"]
    )


def test_peak_memory_is_that_of_a_chain_computed_by_hand(tmp_path):
    def program(x):  # 128 bytes
        a = mb.relu(x=x)  # 128, read again at the end
        b = mb.conv(x=a, weight=weight(8, 2, 1, 1, dtype=np.float32))  # 512
        c = mb.reduce_sum(x=b, axes=[1], keep_dims=True)  # 64
        return mb.add(x=c, y=a)  # 128

    facts = describe(build(tmp_path, program, (1, 2, 4, 4), dtype=types.fp32))
    assert facts.peak_activation_bytes == 128 + 512 + 64
    assert facts.macs == 2 * 8 * 4 * 4


def test_macs_are_those_computed_by_hand(tmp_path):
    def program(x):
        y = mb.conv(x=x, weight=weight(8, 2, 3, 3), groups=2, strides=[2, 2], pad_type="same")
        y = mb.conv_transpose(x=y, weight=weight(8, 6, 4, 4), strides=[2, 2], pad_type="same")
        y = mb.reshape(x=y, shape=[6, 64])
        y = mb.linear(x=y, weight=weight(10, 64), bias=weight(10))
        return mb.matmul(x=y, y=weight(6, 5), transpose_x=True)

    facts = describe(build(tmp_path, program, (1, 4, 8, 8)))
    conv, transposed = 8 * 4 * 4 * 2 * 9, 8 * 4 * 4 * 6 * 16
    assert facts.macs == conv + transposed + 6 * 10 * 64 + 10 * 5 * 6


def test_convolutions_of_integers_are_told_from_those_of_compressed_weights(tmp_path):
    def program(x):
        scale = np.float16(0.1)
        integers = np.random.default_rng(5).integers(-9, 9, (4, 2, 3, 3)).astype(np.int8)
        stored = mb.constexpr_affine_dequantize(
            quantized_data=integers, zero_point=np.int8(0), scale=scale, axis=0
        )
        y = mb.conv(x=x, weight=stored, pad_type="same")
        y = mb.quantize(input=y, scale=scale, output_dtype="int8")
        y = mb.dequantize(input=y, scale=scale)
        other = mb.constexpr_affine_dequantize(
            quantized_data=integers.repeat(2, 1), zero_point=np.int8(0), scale=scale, axis=0
        )
        return mb.conv(x=y, weight=other, pad_type="same")

    facts = describe(build(tmp_path, program, (1, 2, 8, 8), opset="iOS17"))
    assert facts.int8_mac_share == pytest.approx(2 / 3, abs=1e-4)
    assert facts.bytes_by_dtype["int8 (per tensor)"] == 72 + 144 + 2 * (2 + 1)
    assert facts.version == "ML program, iOS 17 or later (specification 8)"


def two_convolutions(x):
    hidden = mb.relu(x=mb.conv(x=x, weight=weight(32, 32, 3, 3), pad_type="same"))
    return mb.conv(x=hidden, weight=weight(16, 32, 3, 3), pad_type="same")


@pytest.mark.parametrize(
    ("compress", "stored"),
    [
        (
            lambda model: cto.linear_quantize_weights(
                model,
                cto.OptimizationConfig(
                    cto.OpLinearQuantizerConfig(
                        dtype="int4", granularity="per_block", block_size=16, weight_threshold=0
                    )
                ),
            ),
            {"int4 (blocks of 16)": 13824 // 2 + 48 * 2 * 2},
        ),
        (
            lambda model: cto.palettize_weights(
                model,
                cto.OptimizationConfig(
                    cto.OpPalettizerConfig(
                        nbits=2,
                        mode="uniform",
                        granularity="per_grouped_channel",
                        group_size=8,
                        weight_threshold=0,
                    )
                ),
            ),
            {"palette 2-bit (grouped)": 13824 // 4 + 6 * 4 * 2},
        ),
        (
            lambda model: cto.prune_weights(
                model,
                cto.OptimizationConfig(
                    cto.OpMagnitudePrunerConfig(target_sparsity=0.75, weight_threshold=0)
                ),
            ),
            {"sparse float16": 13824 // 8 + 13824 // 4 * 2},
        ),
    ],
    ids=["blocks", "palette", "sparse"],
)
def test_every_compression_has_its_line(tmp_path, compress, stored):
    model = convert(two_convolutions, (1, 32, 8, 8), opset="iOS18", dtype=types.fp16)
    with quiet():
        compress(model).save(str(tmp_path / "x.mlpackage"))
    found = describe(tmp_path / "x.mlpackage").bytes_by_dtype
    # Weights of one magnitude are pruned together.
    assert {key: found.get(key) for key in stored} == pytest.approx(stored, abs=8)
    assert set(found) <= {*stored, "settings"}


def conv(x: Any, *shape: int) -> Any:
    return mb.conv(x=x, weight=weight(*shape))


def halves(x: Any) -> Any:
    for _ in range(4):
        x = mb.relu(x=x)
    return x


def outside_pad(x, mode, pad=(0, 0, 1, 1, 0, 0, 0, 0)):
    return mb.pad(x=x, pad=np.int32(pad), mode=mode, constant_val=np.float16(0))


# Name → program, shapes of its inputs, where the risk is, what it says.
RISKS: dict[str, tuple[Any, list[tuple[int, ...]], str, str]] = {
    "pad": (
        lambda x: outside_pad(x, "replicate"),
        [(1, 4, 8, 8)], "pad ", "outside the last two axes",
    ),
    "weights": (
        lambda x, w: mb.conv(x=x, weight=w),
        [(1, 2, 8, 8), (4, 2, 3, 3)], "conv ", "coremltools#2536",
    ),
    "kernel": (lambda x: conv(x, 2, 2, 15, 3), [MAP], "conv ", "a kernel of 15"),
    "pool": (
        lambda x: mb.avg_pool(x=x, kernel_sizes=[16, 16], pad_type="valid"),
        [MAP], "avg_pool ", "a kernel of 16",
    ),
    "side": (lambda x: mb.relu(x=x), [(1, 1, 1, 16385)], "relu ", "a side of 16385"),
    "topk": (
        lambda x: mb.topk(x=x, k=2, axis=-1)[0],
        [(1, 2, 4, 8)], "topk ", "roboflow/rf-detr#1495",
    ),
    "mean over a map": (
        lambda x: mb.reduce_mean(x=x, axes=[2, 3], keep_dims=True),
        [MAP], "reduce_mean ", "adds 5120 values a channel in float16",
    ),
    "sum over a row of pixels": (
        lambda x: mb.reduce_sum(x=mb.reshape(x=x, shape=[1, 2, 5120]), axes=[2]),
        [MAP], "reduce_sum ", "adds 5120 values",
    ),
    "sum over a long row": (
        lambda x: mb.reduce_sum(x=x, axes=[3], keep_dims=True),
        [(1, 2, 8, 8192)], "reduce_sum ", "adds 8192 values",
    ),
    "norm": (lambda x: mb.instance_norm(x=x), [MAP], "instance_norm ", "adds 5120 values"),
    "float32 inside": (
        lambda x: halves(mb.cast(x=mb.softmax(x=mb.cast(x=halves(x), dtype="fp32")), dtype="fp16")),
        [MAP], "softmax ", "computes in float32 in a program of float16",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RISKS)
def test_a_risk_is_seen_where_it_is(tmp_path, name):
    function, shapes, where, reason = RISKS[name]
    (risk,) = describe(build(tmp_path, function, *shapes)).risks
    assert risk.where.startswith(where)
    assert reason in risk.reason
    assert risk.remedy


CLEAN = {
    "zero padding of channels": (lambda x: outside_pad(x, "constant"), (1, 4, 8, 8)),
    "reflection": (lambda x: outside_pad(x, "reflect", (0, 0, 0, 0, 1, 1, 1, 1)), MAP),
    "rows, then columns": (
        lambda x: mb.reduce_mean(x=mb.reduce_mean(x=x, axes=[3], keep_dims=True), axes=[2]),
        (1, 2, 8, 8192),
    ),
    "mean of a small map": (lambda x: mb.reduce_mean(x=x, axes=[2, 3]), (1, 2, 60, 60)),
    "mean of what is below 1": (lambda x: mb.reduce_mean(x=mb.sigmoid(x=x), axes=[2, 3]), MAP),
    "a kernel of 13": (lambda x: conv(x, 2, 2, 13, 13), MAP),
    "the largest side": (lambda x: mb.relu(x=x), (1, 1, 1, 16384)),
}


@pytest.mark.parametrize("name", CLEAN)
def test_no_risk_is_seen_where_there_is_none(tmp_path, name):
    function, shape = CLEAN[name]
    assert describe(build(tmp_path, function, shape)).risks == ()


def test_scaling_before_and_after_the_casts_is_not_float32_inside(tmp_path):
    def program(x):
        inside = mb.cast(x=mb.mul(x=mb.mul(x=x, y=np.float32(0.5)), y=np.float32(2)), dtype="fp16")
        back = mb.cast(x=halves(halves(inside)), dtype="fp32")
        return mb.clip(x=mb.mul(x=back, y=np.float32(255)), alpha=0.0, beta=255.0)

    facts = describe(build(tmp_path, program, MAP, dtype=types.fp32))
    assert facts.risks == ()
    assert facts.about["activations"] == "fp16, 5 of 14 tensors fp32"


def test_a_program_of_float32_is_one_risk(tmp_path):
    facts = describe(build(tmp_path, lambda x: mb.instance_norm(x=x), MAP, dtype=types.fp32))
    (risk,) = facts.risks
    assert (risk.where, risk.remedy) == ("the program", "export with --precision fp16")
    assert facts.about["activations"] == "fp32"


def test_memory_is_a_risk_from_one_gibibyte(tmp_path):
    graph = CoremlGraph.of(read_package(build(tmp_path, lambda x: mb.relu(x=x), MAP)))
    assert list(find_risks(graph, 2**30)) == []
    (risk,) = find_risks(graph, 2**30 + 2**29)
    assert (risk.where, risk.remedy) == ("activations", "export a smaller --size")
    assert "1.5 GiB" in risk.reason


class Padded(torch.nn.Module):
    """Reflection, two convolutions, a row mean, and a shape that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = torch.nn.ReflectionPad2d(1)
        self.first = torch.nn.Conv2d(3, 8, 3)
        self.last = torch.nn.Conv2d(8, 3, 3)

    def forward(self, x):
        y = torch.relu(self.first(self.pad(x)))
        small = torch.nn.functional.max_pool2d(y, 2)
        y = torch.nn.functional.interpolate(small, scale_factor=2.0, mode="bilinear")
        y = (y - y.mean(3, keepdim=True)).reshape(y.shape[0], 8, -1).reshape(y.shape)
        return self.last(self.pad(y))


def convert_padded(path: Path, shape: Any, *, twice: bool = False) -> Description:
    torch.manual_seed(0)
    module: Any = Padded().eval().requires_grad_(False)
    names = ["x", "y"] if twice else ["x"]
    if twice:
        inner = module
        forward = {"forward": lambda _, x, y: inner(x) + inner(y)}
        module = type("Sum", (torch.nn.Module,), forward)()
    with quiet():
        traced = torch.jit.trace(module, (torch.rand(1, 3, 64, 64),) * len(names))
        model = ct.convert(
            traced,
            inputs=[ct.TensorType(name=name, shape=shape, dtype=np.float32) for name in names],
            # From iOS 18 on, more than one input may have several sizes.
            minimum_deployment_target=ct.target.iOS18 if twice else ct.target.iOS16,
            skip_model_load=True,
        )
        model.save(str(path))
    return describe(path)


def test_memory_and_macs_of_listed_sizes_are_those_of_the_largest(tmp_path):
    sizes = [(1, 3, 64, 64), (1, 3, 64, 96), (1, 3, 32, 32)]
    several = convert_padded(tmp_path / "several.mlpackage", ct.EnumeratedShapes(sizes))
    largest = convert_padded(tmp_path / "one.mlpackage", sizes[1])
    assert several.macs == largest.macs == 64 * 96 * 9 * 3 * 8 * 2
    assert several.peak_activation_bytes == largest.peak_activation_bytes
    assert several.inputs == (
        "x: multi-array float32, one of [1, 3, 64, 64], [1, 3, 64, 96], [1, 3, 32, 32]",
    )
    assert [text.partition(", ")[2] for text in several.outputs] == [
        "of a size that the input decides"
    ]
    assert several.about["computed for"] == "the largest sizes, x 64x96"
    assert largest.risks == ()
    memory, mirrored = several.risks
    assert (memory.where, "coremltools#1249" in memory.reason) == ("input x", True)
    assert mirrored.where.startswith("pad ")
    assert mirrored.where.endswith(" and 1 more")
    assert "coremltools#1438" in mirrored.reason
    assert "without --enumerated" in mirrored.remedy


def test_a_picture_of_several_sizes_is_described_in_height_by_width(tmp_path):
    sizes = ct.EnumeratedShapes([(1, 3, 64, 96), (1, 3, 32, 48)])
    content = ct.ImageType(name="x", shape=sizes, color_layout=ct.colorlayout.BGR)
    with quiet():
        traced = torch.jit.trace(Padded().eval().requires_grad_(False), torch.rand(1, 3, 64, 96))
        model = ct.convert(
            traced,
            inputs=[content],
            outputs=[ct.ImageType(name="image", color_layout=ct.colorlayout.RGB)],
            minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        )
        model.save(str(tmp_path / "x.mlpackage"))
    facts = describe(tmp_path / "x.mlpackage")
    assert facts.inputs == ("x: image BGR 8-bit, one of 64x96, 32x48",)
    assert facts.outputs == ("image: image RGB 8-bit, of a size that the input decides",)
    assert facts.about["computed for"] == "the largest sizes, x 64x96"


def test_a_range_of_sizes_has_no_memory_and_is_a_risk(tmp_path):
    side = ct.RangeDim(32, 128, 64)
    facts = convert_padded(tmp_path / "x.mlpackage", ct.Shape((1, 3, side, side)))
    assert (facts.macs, facts.peak_activation_bytes) == (0, None)
    assert facts.inputs == ("x: multi-array float32, any of 1 x 3 x (32 to 128) x (32 to 128)",)
    assert [risk.where.split()[0] for risk in facts.risks] == ["input", "pad"]
    assert "takes any size of a range" in facts.risks[0].reason


def test_several_inputs_of_several_sizes_are_a_risk(tmp_path):
    sizes = ct.EnumeratedShapes([(1, 3, 64, 64), (1, 3, 32, 32)])
    facts = convert_padded(tmp_path / "x.mlpackage", sizes, twice=True)
    assert facts.peak_activation_bytes is not None
    (risk,) = [risk for risk in facts.risks if "coremltools#2271" in risk.reason]
    assert risk.where == "input x, y"


def test_other_functions_of_a_package_are_named(tmp_path):
    for name, side in (("small", 8), ("large", 16)):
        model = convert(lambda x: mb.relu(x=x), (1, 2, side, side), opset="iOS18", dtype=types.fp16)
        with quiet():
            model.save(str(tmp_path / f"{name}.mlpackage"))
    both = ct.utils.MultiFunctionDescriptor()
    for name in ("small", "large"):
        both.add_function(str(tmp_path / f"{name}.mlpackage"), "main", name)
    both.default_function_name = "small"
    with quiet():
        ct.utils.save_multifunction(both, str(tmp_path / "both.mlpackage"))
    facts = describe(tmp_path / "both.mlpackage")
    assert facts.version == "ML program, iOS 18 or later (specification 9), 2 functions"
    assert facts.about["functions"] == "small (the one described), large"
    assert facts.peak_activation_bytes == 2 * math.prod((2, 8, 8)) * 2


def test_a_package_says_who_made_it(tmp_path):
    model = convert(lambda x: mb.relu(x=x), (1, 2, 8, 8), opset="iOS16", dtype=types.fp16)
    model.author, model.license, model.version = "A. Painter", "Apache-2.0", "3"
    model.short_description = "Paints."
    for key in list(model.user_defined_metadata):
        del model.user_defined_metadata[key]
    model.user_defined_metadata.update(dict.fromkeys("zbqma", "1"))
    with quiet():
        model.save(str(tmp_path / "x.mlpackage"))
    about = [i for i in describe(tmp_path / "x.mlpackage").about.items() if "coreml" not in i[0]]
    assert about == [
        ("description", "Paints."),
        ("author", "A. Painter"),
        ("licence", "Apache-2.0"),
        ("version", "3"),
        ("a", "1"),
        ("b", "1"),
        ("m", "1"),
        ("q", "1"),
        ("z", "1"),
        ("activations", "fp16"),
    ]


def test_damaged_packages_are_refused(tmp_path):
    folder = tmp_path / "empty.mlpackage"
    folder.mkdir()
    file = tmp_path / "file.mlpackage"
    file.write_bytes(b"not a folder")
    for path in (folder, file):
        with pytest.raises(BadArtifact, match=r"no Manifest\.json, expected an \.mlpackage folder"):
            describe(path)
    cut = build(tmp_path, lambda x: conv(x, 4, 2, 3, 3), (1, 2, 8, 8))
    weights = next(cut.rglob("weight.bin"))
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(BadArtifact, match="cut or edited"):
        describe(cut)
    model = next(cut.rglob("*.mlmodel"))
    model.write_bytes(model.read_bytes()[:-20])
    with pytest.raises(BadArtifact):
        describe(cut)
    manifest = json.loads((cut / "Manifest.json").read_bytes())
    manifest["rootModelIdentifier"] = "none"
    (cut / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BadArtifact, match="names no model"):
        describe(cut)


def test_an_edited_operation_is_refused(tmp_path):
    from coremltools.proto import Model_pb2

    package = build(tmp_path, lambda x: mb.reduce_sum(x=x, axes=[2]), MAP)
    file = next(package.rglob("*.mlmodel"))
    model: Any = Model_pb2.Model()
    model.ParseFromString(file.read_bytes())
    (block,) = model.mlProgram.functions["main"].block_specializations.values()
    for operation in block.operations:
        for item in (operation.attributes[key] for key in operation.attributes):
            if list(item.immediateValue.tensor.ints.values) == [2]:
                item.immediateValue.tensor.ints.values[0] = 9
    file.write_bytes(model.SerializeToString())
    with pytest.raises(BadArtifact, match="does not fit what it reads: IndexError"):
        describe(package)
