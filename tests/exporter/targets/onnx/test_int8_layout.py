"""The faster layout of int8 files gives the same numbers, and no more copies of maps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.recipe import Int8Recipe, Range, Settings
from styleexport.core.types import Role
from styleexport.exporter.quantize.blocks import QuantizedBlock
from styleexport.exporter.targets.onnx.int8 import quantize_blocks
from styleexport.exporter.targets.onnx.int8_layout import faster_layout
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.execution.onnx_profile import integer_mac_share
from styleexport.runtime_bench.formats._onnx_macs import BLOCK, macs_by_node

SCALE = 0.02
FLOAT = onnx.TensorProto.FLOAT
NEAREST = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


class Builder:
    """Builds an int8 model layer by layer, as the writer of int8 files lays it out."""

    def __init__(self, height: int | str, width: int | str, channels: int = 3) -> None:
        self.rng = np.random.default_rng(0)
        self.shape = [1, channels, height, width]
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.channels = channels
        self.tensor = self.add("QuantizeLinear", "x", *self.scale(1 / 255, 0))

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"node_{name}", **attributes))
        return name

    def store(self, value: np.ndarray | np.generic) -> str:
        name = f"stored_{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def scale(self, scale: float, zero: int) -> tuple[str, str]:
        return self.store(np.float32(scale)), self.store(np.uint8(zero))

    def pad(self, mode: str = "reflect") -> Builder:
        pads = self.store(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
        self.tensor = self.add("Pad", self.tensor, pads, mode=mode)
        return self

    def resize(self, rows: float = 2, columns: float = 2, **attributes: str) -> Builder:
        scales = self.store(np.array([1, 1, rows, columns], np.float32))
        self.tensor = self.add("Resize", self.tensor, "", scales, **{**NEAREST, **attributes})
        return self

    def conv(self, channels: int, size: int = 3, *, bias: bool = True, **attributes) -> Builder:
        # 6 bits: pairs of products fit 16 bits, on processors that add them there too.
        shape = (channels, self.channels // attributes.get("group", 1), size, size)
        weight = self.rng.integers(-63, 64, shape).astype(np.int8)
        scales = self.rng.uniform(1e-3, 2e-3, channels).astype(np.float32)
        inputs = [
            self.add("DequantizeLinear", self.tensor, *self.scale(SCALE, 128)),
            self.dequantized(weight, scales),
        ]
        if bias:
            whole = self.rng.integers(-9000, 9000, channels).astype(np.int32)
            inputs.append(self.dequantized(whole, scales * np.float32(SCALE)))
        made = self.add("Conv", *inputs, **attributes)
        self.tensor = self.add("QuantizeLinear", made, *self.scale(SCALE, 128))
        self.channels = channels
        return self

    def dequantized(self, value: np.ndarray, scales: np.ndarray) -> str:
        parts = (value, scales, np.zeros(len(scales), value.dtype))
        return self.add("DequantizeLinear", *map(self.store, parts), axis=0)

    def model(self) -> onnx.ModelProto:
        self.nodes.append(
            helper.make_node("DequantizeLinear", [self.tensor, *self.scale(SCALE, 128)], ["y"])
        )
        x = helper.make_tensor_value_info("x", FLOAT, self.shape)
        y = helper.make_tensor_value_info("y", FLOAT, [1, self.channels, None, None])
        graph = helper.make_graph(self.nodes, "g", [x], [y], self.stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 10
        return model


def network(height: int | str, width: int | str) -> onnx.ModelProto:
    """A network of pictures: a narrow convolution at each end, upsampling between them."""
    body = Builder(height, width).pad().conv(8).resize().pad().conv(16, bias=False)
    return body.resize(2, 3).pad().conv(3).model()


def rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    faster_layout(copy)
    onnx.checker.check_model(copy, full_check=True)
    return copy


def run(model: onnx.ModelProto) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = [size if isinstance(size, int) else 8 for size in session.get_inputs()[0].shape]
    picture = np.random.default_rng(1).random(shape).astype(np.float32)
    return session.run(None, {"x": picture})[0]


def blocks(model: onnx.ModelProto) -> list[str]:
    """How many rows and columns each convolution gives at once."""
    found = [
        {item.key: item.value for item in node.metadata_props}
        for node in model.graph.node
        if node.op_type == "Conv"
    ]
    return [item.get(BLOCK, "1x1") for item in found]


def ops(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (8, 12, ["1x4", "1x2", "2x4"]),
        (7, 10, ["1x2", "1x2", "2x4"]),
        (5, 7, ["1x1", "1x2", "2x2"]),
        (6, 9, ["1x1", "1x2", "2x2"]),
    ],
)
def test_the_numbers_are_the_same_to_the_last_bit(height, width, expected):
    before = network(height, width)
    after = rewritten(before)
    assert blocks(after) == expected
    assert ops(after)["Resize"] == 0 and ops(after)["Gather"] == 4
    assert np.array_equal(run(after), run(before))
    assert len(np.unique(run(before))) > 50


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1], [1, 2, 0, 1]])
@pytest.mark.parametrize("size", [3, 5])
def test_a_convolution_may_pad_with_zeros_of_its_own(pads, size):
    width = 12 + size - 1 - pads[1] - pads[3]
    before = Builder(9, width, channels=6).conv(4, size, pads=pads).model()
    after = rewritten(before)
    assert blocks(after) == ["1x4" if (9 + pads[0] + pads[2] - size) % 2 == 0 else "2x4"]
    assert np.array_equal(run(after), run(before))


@pytest.mark.parametrize(
    ("channels_in", "channels_out", "size", "expected"),
    [
        (8, 3, 9, "2x4"),
        (8, 15, 9, "1x4"),
        (8, 15, 3, "1x2"),
        (8, 6, 3, "1x4"),
        (8, 17, 3, "1x1"),
        (3, 32, 9, "1x4"),
        (3, 32, 3, "1x2"),
    ],
)
def test_blocks_follow_channels_and_kernel(channels_in, channels_out, size, expected):
    before = Builder(8 + size - 1, 8 + size - 1, channels_in).conv(channels_out, size).model()
    after = rewritten(before)
    assert blocks(after) == [expected]
    assert np.array_equal(run(after), run(before))


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("then_conv", [False, True])
def test_depth_to_space_is_the_same_in_another_order_of_channels(scale, then_conv):
    builder = Builder(6, 10, channels=20).conv(17 * scale**2)
    builder.tensor = builder.add("DepthToSpace", builder.tensor, blocksize=scale, mode="CRD")
    builder.channels = 17
    before = (builder.conv(18) if then_conv else builder).model()
    after = rewritten(before)
    assert ops(after)["DepthToSpace"] == 0
    assert np.array_equal(run(after), run(before))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_other_depth_to_space_stays_as_it_is(mode):
    builder = Builder(6, 10, channels=20)
    if mode == "DCR":
        builder.conv(20)
    builder.tensor = builder.add("DepthToSpace", builder.tensor, blocksize=2, mode=mode)
    builder.channels = 5
    before = builder.model()
    assert rewritten(before) == before


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [2, 1]},
        {"strides": [1, 2]},
        {"dilations": [1, 2]},
        {"group": 3},
        {"auto_pad": "SAME_UPPER"},
    ],
)
def test_other_convolutions_stay_as_they_are(attributes):
    before = Builder(9, 22).conv(3, **attributes).model()
    assert rewritten(before) == before


def test_convolutions_with_many_channels_or_one_column_stay_as_they_are():
    for before in (Builder(8, 10, channels=5).conv(17).model(), Builder(8, 8).conv(3, 1).model()):
        assert rewritten(before) == before


def test_a_convolution_in_float_stays_as_it_is():
    builder = Builder(8, 10)
    data = builder.add("DequantizeLinear", builder.tensor, *builder.scale(SCALE, 128))
    weight = builder.store(np.ones((3, 3, 3, 3), np.float32))
    made = builder.add("Conv", data, weight)
    builder.tensor = builder.add("QuantizeLinear", made, *builder.scale(SCALE, 128))
    before = builder.model()
    assert rewritten(before) == before


def test_a_convolution_whose_floats_are_read_stays_as_it_is():
    before = Builder(8, 10).conv(3).model()
    conv = next(node.output[0] for node in before.graph.node if node.op_type == "Conv")
    shape = [1, 3, 6, 8]
    before.graph.output.append(helper.make_tensor_value_info(conv, FLOAT, shape))
    assert rewritten(before) == before


def test_a_convolution_that_is_quantized_twice_stays_as_it_is():
    builder = Builder(8, 10).conv(3)
    conv = next(node.output[0] for node in builder.nodes if node.op_type == "Conv")
    builder.add("QuantizeLinear", conv, *builder.scale(SCALE, 100))
    before = builder.model()
    assert rewritten(before) == before


def test_weights_of_one_scale_stay_as_they_are():
    builder = Builder(8, 10)
    data = builder.add("DequantizeLinear", builder.tensor, *builder.scale(SCALE, 128))
    parts = (np.ones((3, 3, 3, 3), np.int8), np.float32(1e-3), np.int8(0))
    weight = builder.add("DequantizeLinear", *map(builder.store, parts), axis=0)
    made = builder.add("Conv", data, weight)
    builder.tensor = builder.add("QuantizeLinear", made, *builder.scale(SCALE, 128))
    before = builder.model()
    assert rewritten(before) == before


def test_upsampling_in_float_stays_as_it_is():
    builder = Builder(4, 8, channels=8)
    builder.tensor = builder.add("DequantizeLinear", builder.tensor, *builder.scale(SCALE, 128))
    weight = builder.store(np.ones((8, 8, 3, 3), np.float32))
    made = builder.add("Conv", builder.resize().tensor, weight)
    builder.tensor = builder.add("QuantizeLinear", made, *builder.scale(SCALE, 128))
    before = builder.model()
    assert rewritten(before) == before


def test_an_open_size_stays_as_it_is():
    before = network("height", "width")
    assert rewritten(before) == before


@pytest.mark.parametrize(
    ("rows", "attributes"),
    [
        (1.5, {}),
        (2.1, {}),
        (2, {"nearest_mode": "round_prefer_floor"}),
        (2, {"coordinate_transformation_mode": "half_pixel"}),
        (2, {"mode": "linear"}),
    ],
)
def test_other_resizing_stays_as_it_is(rows, attributes):
    before = Builder(4, 8, channels=8).resize(rows, **attributes).conv(17).model()
    assert rewritten(before) == before


def test_upsampling_that_a_float_operation_reads_stays_as_it_is():
    before = Builder(4, 8, channels=8).resize().model()
    assert rewritten(before) == before


def test_sizes_say_the_same_as_scales():
    model = Builder(4, 8, channels=8).resize().conv(8).model()
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    resize.input[2] = ""
    resize.input.append("sizes")
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 8, 8, 16]), "sizes"))
    after = rewritten(model)
    assert ops(after)["Gather"] == 2
    assert np.array_equal(run(after), run(model))


def test_weights_that_two_convolutions_share_are_kept_for_the_other():
    builder = Builder(8, 12, channels=3).conv(3, bias=False)
    weight = next(x.input[1] for x in builder.nodes if x.op_type == "Conv")
    data = builder.add("DequantizeLinear", builder.tensor, *builder.scale(SCALE, 128))
    made = builder.add("Conv", data, weight, strides=[1, 2])
    builder.tensor = builder.add("QuantizeLinear", made, *builder.scale(SCALE, 128))
    before = builder.model()
    after = rewritten(before)
    assert blocks(after) == ["2x2", "1x1"]
    assert np.array_equal(run(after), run(before))


def test_macs_and_names_of_convolutions_stay():
    before = network(8, 12)
    after = rewritten(before)
    assert macs_by_node(after) == macs_by_node(before)
    assert len(macs_by_node(after)) == 3
    picture = np.zeros((1, 3, 8, 12), np.float32)
    assert integer_mac_share(after, {"x": picture}) == 1


def test_nothing_is_left_that_nothing_reads():
    after = rewritten(network(8, 12))
    read = {name for node in after.graph.node for name in node.input} | {"y"}
    made = [name for node in after.graph.node for name in node.output]
    stored = [item.name for item in after.graph.initializer]
    assert set(made) <= read and set(stored) <= read
    assert len(set(made)) == len(made) and len(set(stored)) == len(stored)


def test_the_runtime_copies_one_more_map_than_before(tmp_path: Path):
    before = network(8, 12)
    found = []
    for number, model in enumerate((before, rewritten(before))):
        path = tmp_path / f"{number}.onnx"
        onnx.save(model, path)
        found.append(describe_execution(path))
    old, new = found
    assert old is not None and new is not None
    # One more, of blocks of rows.
    assert new.transposes <= old.transposes + 1
    assert new.nodes["Transpose"] <= old.nodes["Transpose"] + 1
    assert new.nodes["QLinearConv"] == old.nodes["QLinearConv"] == 3
    assert new.convolutions == old.convolutions
    assert (new.float_round_trips, new.quantizes, new.dequantizes) == (
        old.float_round_trips,
        old.quantizes,
        old.dequantizes,
    )


def test_dequantized_layers_keep_their_names():
    before = network(8, 12)
    names = {x.output[0] for x in before.graph.node if x.op_type == "QuantizeLinear"}
    assert names <= {name for x in rewritten(before).graph.node for name in x.output}


def test_the_writer_of_int8_files_lays_them_out():
    weight = numpy_helper.from_array(np.ones((3, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["conv2d"], name="node_conv2d")],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 10])],
        [helper.make_tensor_value_info("conv2d", FLOAT, [1, 3, 6, 8])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    block = QuantizedBlock("conv2d", "conv2d", "x", "w", None, 0, transposed=False)
    recipe = Int8Recipe(
        role=Role.STYLIZE,
        size=SizeFact(height=8, width=10),
        settings=Settings(),
        float_layers=(),
        ranges={"x": Range(0, 1), "conv2d": Range(0, 27)},
        calibration=CalibrationFact(method="min-max", images=1, styles=0, sha256="0" * 64),
    )
    quantize_blocks(model, [block], recipe, {})
    onnx.checker.check_model(model, full_check=True)
    assert blocks(model) == ["2x4"]
