"""int8 Core ML packages: what is held in eight bits, where, by which range, and what is not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from styleexport.core.errors import UnsupportedOp, UsageError
from styleexport.core.manifest import CalibrationFact, SizeFact, sha256_of_file
from styleexport.core.psnr import psnr_db
from styleexport.core.quiet import quiet
from styleexport.core.recipe import FloatLayer, Int8Recipe, Range, Settings
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import example_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.calibration_inputs import CalibrationInputs
from styleexport.exporter.quantize.pairs import Pair, pair_of
from styleexport.exporter.quantize.plan import make_plan
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.coreml_reference import RUNNER
from tests.conftest import load_own, load_random

pytest.importorskip("coremltools")

from coremltools.proto import Model_pb2

from styleexport.exporter.targets._target import Recipe, Source
from styleexport.exporter.targets.coreml import CoremlTarget
from styleexport.exporter.targets.coreml.int8_weights import quantized, store_integers

SIZE = Size(32, 48)
CALIBRATION = CalibrationFact(method="min-max", images=2, styles=0, sha256="0" * 64)
OUTPUTS = FloatLayer(layer="conv2d_3", reason="its rounding shows")


class Small(nn.Module):
    """Four convolutions with all that lies between two of them, and a norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 16, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(16, 16, 3, padding=1)
        self.third = nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(16, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, content):
        x = functional.relu(self.first(content))
        x = functional.relu(self.second(functional.max_pool2d(x, 2, 2, ceil_mode=True)))
        x = self.third(functional.interpolate(x, scale_factor=2, mode="nearest"))
        return torch.sigmoid(self.last(functional.instance_norm(x)))


def graph_of(module, role=Role.STYLIZE):
    return apply_passes(capture(load_own(module), role, SIZE))[0]


@cache
def kept_graph(kind):
    """The graph of a class without arguments, captured once for all tests."""
    return graph_of(kind())


def recipe_of(graph, float_layers=(OUTPUTS,), ranges=None, **settings):
    return Int8Recipe(
        role=graph.role,
        size=SizeFact.of(graph.size),
        settings=Settings(**settings),
        float_layers=float_layers,
        ranges=ranges or {},
        calibration=CALIBRATION,
    )


@cache
def model_of(target, graph, weights):
    """A converted graph: no setting of a recipe changes it but the granularity of its weights."""
    recipe = Recipe(Precision.INT8, int8=recipe_of(graph, weights=weights))
    return target.lower(Source(graph, lambda: feeds_of(graph)), recipe)


def write(graph, path, recipe, **target):
    model = model_of(CoremlTarget(**target), graph, recipe.settings.weights)
    return model.store(Recipe(Precision.INT8, int8=recipe), path)


def feeds_of(graph, count=2):
    names = [fact.name for fact in graph.inputs]
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        values = (np.round(x.numpy() * 255) / 255 for x in example_inputs(graph.inputs, graph.size))
        made.append(dict(zip(names, (v.astype(np.float32) for v in values), strict=True)))
    return made


def db(graph, path):
    inputs = feeds_of(graph)[0]
    with torch.inference_mode():
        expected = graph.module()(*map(torch.from_numpy, inputs.values())).numpy()
    with RUNNER.open(path, RunOptions(threads=1)) as session:
        return psnr_db(session(inputs)["image"], expected, 1.0)


class One(nn.Sequential):
    """One convolution."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid())


class Program:
    """A package, read: who makes and who reads its tensors."""

    def __init__(self, path) -> None:
        self.graph = CoremlGraph.of(read_package(path))
        self.convolutions = [x for x in self.graph.steps if x.kind == "conv"]

    def maker(self, operation, parameter="x"):
        return self.graph.producers[operation.inputs[parameter][0]]

    def pair(self, operation):
        """The quantize and dequantize that an operation reads."""
        up = self.maker(operation)
        down = self.maker(up, "input")
        assert (up.kind, down.kind) == ("dequantize", "quantize")
        scale, zero = (self.graph.constant(up, name) for name in ("scale", "zero_point"))
        assert scale == self.graph.constant(down, "scale")
        assert zero == self.graph.constant(down, "zero_point")
        return down, float(scale), str(self.graph.constant(down, "output_dtype")), zero

    def readers(self, name):
        return sorted(x.kind for x in self.graph.steps if name in x.reads())


@pytest.fixture(scope="module")
def graph():
    return kept_graph(Small)


@pytest.fixture(scope="module")
def written(graph, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "x.mlpackage"
    return path, write(graph, path, recipe_of(graph, ranges={"relu": Range(0.0, 2.04)}))


def test_the_file_means_what_the_network_means(graph, written):
    assert 30 < db(graph, written[0]) < 60


def test_convolutions_read_integers_but_for_the_islands(written):
    path, facts = written
    program = Program(path)
    inside, float_layer = program.convolutions[:-1], program.convolutions[-1]
    for operation in inside:
        weight = program.maker(operation, "weight")
        assert weight.kind == "constexpr_affine_dequantize"
        assert program.graph.type_of(weight, "quantized_data").dtype == "int8"
        assert program.pair(operation)[2] in ("int8", "uint8")
    assert program.maker(float_layer).kind == "pad"
    assert program.graph.type_of(float_layer, "weight").dtype == "fp16"
    macs = [16 * 3 * 9 * 4, 16 * 16 * 9, 16 * 16 * 9 * 4, 3 * 16 * 9 * 4]
    assert facts.int8_mac_share == pytest.approx(sum(macs[:3]) / sum(macs), abs=1e-4)
    assert describe(path).int8_mac_share == facts.int8_mac_share


def test_the_facts_say_how_it_was_quantized(written):
    facts = written[1]
    fact = facts.quantization
    assert (fact.scheme, fact.weight_dtype, fact.activation_dtype) == ("static", "int8", "int8")
    assert (fact.per_channel, fact.calibration, facts.float_dtype) == (True, CALIBRATION, "float16")
    reasons = {item.ops: item.reason for item in fact.float_islands}
    assert reasons.pop((OUTPUTS.layer,)) == OUTPUTS.reason
    ((statistics, why),) = reasons.items()
    assert {"reduce_mean", "sqrt"} <= set(statistics)
    assert "5 to 13 dB" in why
    assert facts.layers["relu"] == "relu_cast_fp16"


def test_ranges_are_the_recipes(written):
    program = Program(written[0])
    _, scale, dtype, zero = program.pair(program.convolutions[1])
    assert (scale, dtype, zero) == (float(np.float16(2.04 / 255)), "uint8", None)


def test_ranges_that_the_recipe_lacks_are_measured_and_said(graph, written):
    path, facts = written
    (applied,) = [fact for fact in facts.passes if fact.name == "int8-recipe"]
    assert applied.applied == 3
    assert applied.refused == (
        "content, relu_1: not in the recipe, ranges taken from calibration (min-max)",
    )
    largest = 0.0
    module = graph.module()
    for feed in feeds_of(graph):

        class Watch(torch.fx.Interpreter):
            def run_node(self, n):
                nonlocal largest
                value = super().run_node(n)
                largest = max(largest, float(value.max())) if n.name == "relu_1" else largest
                return value

        with torch.inference_mode():
            Watch(module).run(*map(torch.from_numpy, feed.values()))
    program = Program(path)
    assert program.pair(program.convolutions[2])[1] == pytest.approx(largest / 255, rel=1e-3)


def test_pixels_are_held_without_loss(graph, written):
    path = written[0]
    program = Program(path)
    down, scale, dtype, _ = program.pair(program.convolutions[0])
    assert (dtype, scale) == ("uint8", pytest.approx(1 / 255, rel=1e-3))
    feed = feeds_of(graph)[0]
    name = down.outputs[0].name
    held = RUNNER.layers(path, feed, [name])[name][..., 1:-1, 1:-1]
    assert np.array_equal(held, np.rint(feed["content"] * 255))


def test_what_moves_values_stands_between_pairs_of_one_scale(written):
    program = Program(written[0])
    for operation in program.convolutions[:3]:
        down, scale, dtype, _ = program.pair(operation)
        moved = program.maker(down, "input")
        while moved.kind in ("pad", "max_pool", "upsample_nearest_neighbor"):
            down, *before = program.pair(moved)
            assert before[:2] == [scale, dtype]
            moved = program.maker(down, "input")
        assert moved.kind in ("relu", "cast")
    # Two pads, a pool and an upsampling, three convolutions.
    assert describe(written[0]).ops["quantize"] == 7


def test_values_are_rounded_once_however_many_pairs_they_pass(graph, written):
    program = Program(written[0])
    names = [x.outputs[0].name for x in program.graph.steps if x.kind == "dequantize"]
    upsampled = [name for name in names if "relu_1" in name or "upsample" in name]
    small, large = RUNNER.layers(written[0], feeds_of(graph)[0], upsampled).values()
    assert np.array_equal(small.repeat(2, 2).repeat(2, 3), large)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (Range(0.0, 2.55), Pair("uint8", 0.01)),
        (Range(0.3, 2.55), Pair("uint8", 0.01)),
        (Range(-0.001, 2.55), Pair("uint8", 0.01)),
        (Range(-1.27, 1.27), Pair("int8", 0.01)),
        (Range(-1.27, 0.9), Pair("int8", 0.01)),
        (Range(-0.55, 2.0), Pair("uint8", 0.01, 55)),
        (Range(-2.0, 0.55), Pair("uint8", 0.01, 200)),
        (Range(-2.55, 0.0), Pair("uint8", 0.01, 255)),
        (Range(0.0, 0.0), Pair("uint8", 1.0)),
    ],
)
def test_steps_of_a_range(held, expected):
    found = pair_of(held, half=False)
    assert (found.dtype, found.zero_point) == (expected.dtype, expected.zero_point)
    assert found.scale == pytest.approx(expected.scale)


def test_a_scale_is_never_below_the_smallest_normal_float16():
    assert pair_of(Range(0.0, 1e-6), half=True).scale == 2.0**-14
    assert pair_of(Range(0.0, 1.0), half=True).scale == float(np.float16(1 / 255))


class Signed(Small):
    """The last convolution reads a sum that has both signs, which a mean reads too."""

    def forward(self, content):
        x = functional.relu(self.first(content))
        x = self.third(x) - 0.3 * x
        pooled = functional.max_pool2d(x, 2, 2)
        picture = torch.sigmoid(self.last(functional.interpolate(pooled, scale_factor=2)))
        return picture * torch.sigmoid(pooled.mean((2, 3)).mean(1)).view(1, 1, 1, 1)


@pytest.mark.parametrize(
    ("low", "dtype", "zero"), [(-0.9, "int8", None), (-0.25, "uint8", 51), (0.0, "uint8", None)]
)
def test_signed_ranges(tmp_path, low, dtype, zero):
    graph = kept_graph(Signed)
    path = tmp_path / "x.mlpackage"
    ranges = dict.fromkeys(("content", "relu"), Range(0.0, 1.0))
    facts = write(graph, path, recipe_of(graph, (), ranges | {"sub": Range(low, 1.0)}))
    program = Program(path)
    _, scale, held, found = program.pair(program.convolutions[-1])
    assert (held, found) == (dtype, zero)
    span = max(-low, 1) / 127 if dtype == "int8" else (1 - low) / 255
    assert scale == float(np.float16(span))
    assert ("sub: widened" in str(facts.passes)) == (dtype == "int8")
    # What computes in float keeps reading what was not rounded.
    pool = next(x for x in program.graph.steps if x.kind == "max_pool")
    assert program.maker(pool).kind in ("sub", "add")
    assert set(program.readers(pool.outputs[0].name)) > {"quantize"}


def test_an_island_is_found_where_the_converter_merged_a_scale_into_it(tmp_path):
    network = load_random("adain-lite")
    graph = apply_passes(capture(network, Role.TRANSFORM, Size(64, 96)))[0]
    float_layer = FloatLayer(layer="conv2d_6", reason="sensitive")
    ranges = {f"relu_{i}": Range(0.0, 4.0) for i in range(1, 11)}
    ranges |= {"relu": Range(0.0, 4.0), "content": Range(0.0, 1.0)}
    path = tmp_path / "x.mlpackage"
    facts = write(graph, path, recipe_of(graph, (float_layer,), ranges))
    program = Program(path)
    floats = [x for x in program.convolutions if program.maker(x).kind != "dequantize"]
    assert [x.name for x in floats] == ["mul_22_cast_fp16"]
    assert "conv2d_6" not in facts.layers
    assert facts.passes[-1].refused == ("relu_5: what computes in float reads it unrounded",)


def test_what_the_program_cannot_follow_is_said(graph, tmp_path):
    float_layers = (OUTPUTS, FloatLayer(layer="relu", reason="a mistake"))
    ranges = dict.fromkeys(("content", "relu", "relu_1", "conv2d_2", "conv2d_3"), Range(0.0, 1.0))
    facts = write(graph, tmp_path / "x.mlpackage", recipe_of(graph, float_layers, ranges))
    assert facts.passes[-1].refused == (
        "relu, an island, is no convolution of the graph",
        "conv2d_2: what computes in float reads it unrounded",
    )


class Transposed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(16, 16, 3, stride=2, padding=1, output_padding=1)
        self.last = nn.Conv2d(32, 3, 3, padding=1)

    def forward(self, content):
        x = functional.relu(self.up(functional.relu(self.first(content))))
        return torch.sigmoid(self.last(torch.cat([x, 3 * x.roll(1, 3)], 1)))


@pytest.mark.parametrize("named", [True, False])
def test_transposed_convolutions_stay_float(tmp_path, named):
    graph = kept_graph(Transposed)
    float_layers = (
        (FloatLayer(layer="conv_transpose2d", reason="of other runtimes"),) if named else ()
    )
    facts = write(graph, tmp_path / "x.mlpackage", recipe_of(graph, float_layers))
    program = Program(tmp_path / "x.mlpackage")
    (up,) = [x for x in program.graph.steps if x.kind == "conv_transpose"]
    assert program.maker(up).kind == "relu"
    first = facts.quantization.float_islands[0]
    assert first.ops == ("conv_transpose2d",)
    assert first.reason == "Core ML's own tools write no integer transposed convolution"
    assert any("conv_transpose2d stays in float" in x for x in facts.passes[-1].refused) != named


def test_a_concat_of_two_tensors_has_a_range_of_its_own(tmp_path):
    graph = kept_graph(Transposed)
    path = tmp_path / "x.mlpackage"
    write(graph, path, recipe_of(graph, ()))
    program = Program(path)
    down, scale, _, _ = program.pair(program.convolutions[-1])
    joined = program.maker(down, "input")
    assert joined.kind == "concat"
    assert not any("dequantized" in name for name in joined.reads())
    name = joined.outputs[0].name
    largest = max(RUNNER.layers(path, f, [name])[name].max() for f in feeds_of(graph))
    assert scale == pytest.approx(largest / 255, rel=1e-2)


def test_a_network_of_islands_is_refused(tmp_path):
    graph = kept_graph(One)
    recipe = recipe_of(graph, (FloatLayer(layer="conv2d", reason="all"),))
    with pytest.raises(UnsupportedOp, match=r"every convolution.*: type --precision int8-weights"):
        write(graph, tmp_path / "x.mlpackage", recipe)


@pytest.mark.parametrize(("ios", "specification"), [(None, 8), (17, 8), (18, 9)])
def test_ios_17_is_taken_and_needed(tmp_path, ios, specification):
    graph = kept_graph(One)
    path = tmp_path / "x.mlpackage"
    facts = write(graph, path, recipe_of(graph, ()), ios=ios)
    assert read_package(path).specification_version == specification
    assert facts.int8_mac_share == 1.0
    stored = "blockwise_shift_scale" if ios == 18 else "affine_dequantize"
    assert describe(path).ops[f"constexpr_{stored}"] == 1
    assert db(graph, path) > 45
    with pytest.raises(UsageError, match="int8 Core ML files need iOS 17 or later, not 16: type "):
        write(graph, tmp_path / "y.mlpackage", recipe_of(graph, ()), ios=16)
    CoremlTarget().write(graph, Recipe(Precision.FP32), tmp_path / "z.mlpackage", list)
    assert read_package(tmp_path / "z.mlpackage").specification_version == 7


def test_one_scale_a_convolution(graph, tmp_path):
    path = tmp_path / "x.mlpackage"
    facts = write(graph, path, recipe_of(graph, weights="per-tensor"))
    program = Program(path)
    for operation in program.convolutions[:3]:
        scale = program.graph.constant(program.maker(operation, "weight"), "scale")
        assert np.size(scale) == 1
    assert not facts.quantization.per_channel
    # The scales of statistics are not in the weights, so that each layer is where it was.
    assert "conv2d_2" in facts.layers


def test_weights_that_were_rounded_are_kept(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))
    torch.manual_seed(5)
    integers = []
    for layer in (module[0], module[2]):
        grid = torch.randint(-127, 128, layer.weight.shape).float()
        grid[:, 0, 0, 0] = 127
        scales = torch.rand(len(grid)) * 0.01 + 1e-4
        layer.weight.data = grid * scales.view(-1, 1, 1, 1)
        integers.append(grid.numpy())
    graph = graph_of(module)
    write(graph, tmp_path / "x.mlpackage", recipe_of(graph, ()))
    program = Program(tmp_path / "x.mlpackage")
    for operation, expected in zip(program.convolutions, integers, strict=True):
        maker = program.maker(operation, "weight")
        assert np.array_equal(program.graph.constant(maker, "quantized_data"), expected)


def test_float32_and_multi_arrays(tmp_path):
    graph = kept_graph(One)
    path = tmp_path / "x.mlpackage"
    facts = write(graph, path, recipe_of(graph, ()), arithmetic=Precision.FP32, images=False)
    program = Program(path)
    # The pair is of an input: it comes first.
    down, scale, _, _ = program.pair(program.convolutions[0])
    assert (down.inputs["input"], facts.float_dtype) == (("content",), "float32")
    assert scale == pytest.approx(1 / 255, rel=1e-6)
    assert db(graph, path) > 45


def test_several_sizes(tmp_path):
    network = load_own(Small())
    graph = apply_passes(capture(network, Role.STYLIZE, Size(61, 67), dynamic=True))[0]
    graph = graph.with_sizes((SIZE, Size(48, 32)))
    path = tmp_path / "x.mlpackage"
    ranges = dict.fromkeys(("content", "relu", "relu_1"), Range(0.0, 2.0))
    facts = write(graph, path, recipe_of(graph, ranges=ranges))
    program = Program(path)
    assert facts.passes[-1].refused == ()
    for operation in program.convolutions[:3]:
        assert program.pair(operation)[2] == "uint8"
    # Slices go into a concat as they are.
    kinds = {program.maker(x, "input").kind for x in program.graph.steps if x.kind == "quantize"}
    assert kinds == {"cast", "concat", "relu", "max_pool", "upsample_nearest_neighbor"}


def test_the_same_bytes_every_time(graph, written, tmp_path):
    again = tmp_path / "x.mlpackage"
    recipe = Recipe(Precision.INT8, int8=recipe_of(graph, ranges={"relu": Range(0.0, 2.04)}))
    CoremlTarget().write(graph, recipe, again, lambda: feeds_of(graph))
    assert sha256_of_file(again) == sha256_of_file(written[0])


def test_devices_that_run_it_slower_are_named(written):
    (risk,) = describe(written[0]).risks
    assert risk.where == "conv conv2d_cast_fp16 and 2 more"
    assert "slower on the CPU" in risk.reason
    assert "--precision int8-weights" in risk.remedy


def loaded(path):
    """The program as coremltools reads it, every type inferred anew."""
    from coremltools.converters.mil.frontend.milproto.load import load

    folder = path / "Data" / "com.apple.CoreML"
    spec = Model_pb2.Model.FromString((folder / "model.mlmodel").read_bytes())
    with quiet():
        return load(spec, spec.specificationVersion, str(folder / "weights"))


@pytest.mark.parametrize("ios", [17, 18])
def test_coremltools_reads_the_file_and_its_own_quantizer_agrees(graph, tmp_path, ios):
    recipe = recipe_of(graph, ranges=dict.fromkeys(("content", "relu", "relu_1"), Range(0.0, 2.0)))
    write(graph, tmp_path / "x.mlpackage", recipe, ios=ios)
    made = Recipe(Precision.INT8_WEIGHTS)
    CoremlTarget(ios=ios).write(graph, made, tmp_path / "y.mlpackage", lambda: feeds_of(graph))
    own, theirs = (
        {op.name: op.weight.op for op in loaded(path).functions["main"].find_ops(op_type="conv")}
        for path in (tmp_path / "x.mlpackage", tmp_path / "y.mlpackage")
    )
    # coremltools leaves small weights as they are.
    compared = [name for name in list(own)[:3] if theirs[name].op_type != "const"]
    assert len(compared) == 2
    for name in compared:
        assert own[name].op_type == theirs[name].op_type
        one, other = (held[name].materialized_val_inference() for held in (own, theirs))
        assert np.abs(one - other).max() < 1.1 * np.abs(one).max() / 127
        assert one.dtype == np.float16


def test_a_weights_file_without_changes_is_that_of_coremltools(graph, tmp_path):
    path = tmp_path / "x.mlpackage"
    CoremlTarget().write(graph, Recipe(Precision.FP16), path, lambda: feeds_of(graph))
    folder = path / "Data" / "com.apple.CoreML"
    spec = Model_pb2.Model.FromString((folder / "model.mlmodel").read_bytes())
    before = spec.SerializeToString(deterministic=True)
    store_integers(spec, {}, folder / "weights", tmp_path, per_channel=True)
    assert spec.SerializeToString(deterministic=True) == before
    assert (tmp_path / "weight.bin").read_bytes() == (folder / "weights/weight.bin").read_bytes()


def test_integers_and_scales_of_a_weight():
    weight = np.array([[1.27, -0.635], [0.0, 0.0], [-2.54, 0.02]], np.float32)
    integers, scale = quantized(weight.reshape(3, 2, 1, 1), per_channel=True)
    assert integers.reshape(3, 2).tolist() == [[127, -64], [0, 0], [-127, 1]]
    assert scale.reshape(3).tolist() == pytest.approx([0.01, 1.0, 0.02])
    integers, scale = quantized(weight.reshape(3, 2, 1, 1), per_channel=False)
    assert integers.reshape(3, 2).tolist() == [[64, -32], [0, 0], [-127, 1]]
    assert (scale.dtype, scale.size, float(scale.item())) == (np.float32, 1, pytest.approx(0.02))


@pytest.fixture(scope="module")
def palettes(graph, tmp_path_factory):
    """A plan of 4-bit weights, its file, and what the target said of it."""
    settings = Settings(rounding="reconstructed", bias_correction=True, weight_bits=4)
    few = CalibrationInputs(tuple(feeds_of(graph)), CALIBRATION)
    plan = make_plan(graph, few, settings, (OUTPUTS,))
    applied = plan.applied(expand_norms=True)
    path = tmp_path_factory.mktemp("palettes") / "x.mlpackage"
    recipe = Recipe(Precision.PALETTE4_INT8, int8=applied.recipe)
    written = CoremlTarget().write(applied.graph, recipe, path, lambda: feeds_of(graph))
    return plan, path, written


def test_weights_of_16_values_are_indices_of_int8(palettes):
    _, path, written = palettes
    assert written.int8_mac_share > 0.8
    fact = written.quantization
    assert (fact.scheme, fact.weight_dtype, fact.activation_dtype) == ("static", "uint4", "int8")
    program = Program(path)
    assert program.graph.package.specification_version == 9
    kinds = {}
    for item in program.convolutions[:3]:
        scaled = program.maker(item, "weight")
        assert scaled.kind == "constexpr_blockwise_shift_scale"
        table = program.maker(scaled, "data")
        assert table.kind == "constexpr_lut_to_dense"
        kinds |= {key: values[0].type for key, values in table.inputs.items()}
        assert table.outputs[0].type.dtype == "int8"
        assert program.pair(item)
    assert (kinds["indices"].dtype, kinds["lut"].dtype) == ("uint4", "int8")
    assert kinds["lut"].shape == (1, 1, 1, 1, 16, 1)


def test_coremltools_unpacks_the_weights_of_the_plan(palettes):
    plan, path, _ = palettes
    held = [op.weight.op for op in loaded(path).functions["main"].find_ops(op_type="conv")]
    for op, rounded in zip(held, list(plan.weights.values())[:3], strict=False):
        value, exact = op.materialized_val_inference(), rounded.weight.numpy()
        # The converter multiplies scales of channels into weights.
        steps, expected = (x / np.abs(x).max((1, 2, 3), keepdims=True) for x in (value, exact))
        np.testing.assert_allclose(steps, expected, atol=1e-3)
        assert len(np.unique(np.round(127 * steps))) <= 16


def test_4_bits_are_coarser_than_8_and_smaller(graph, palettes, written):
    _, path, _ = palettes
    assert 18 < db(graph, path) < db(graph, written[0])
    weights = path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
    assert weights.stat().st_size < 7000  # of 5184 weights, with records of 64 bytes


def test_4_bits_need_ios_18():
    with pytest.raises(UsageError, match=r"palette4-int8 Core ML files need iOS 18 .* --ios 18"):
        CoremlTarget(ios=17).check_precision(Precision.PALETTE4_INT8)
