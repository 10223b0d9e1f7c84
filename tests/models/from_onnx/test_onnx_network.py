"""ONNX files from elsewhere: what is read, what is recognised, what is refused."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from styleexport.core.errors import BadCheckpoint, StyleExportError, UnsupportedOp, UsageError
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.models.from_onnx import read_onnx_network
from styleexport.models.from_onnx.file import read_model
from styleexport.models.from_onnx.graph import OnnxGraph
from styleexport.models.network_spec import NetworkSpec
from styleexport.models.networks._open import open_network
from tests.models.from_onnx.onnx_nets import adain, candy, weight, write


def node(op: str, *inputs: str, out: str = "y", **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [out], name=f"{op}_{out}", **attributes)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


W = {"w": weight(5, 3, 3, 3), "b": weight(5)}
T = {"w": weight(3, 2, 4, 4), "b": weight(2)}
N = {"s": weight(3), "b": weight(3), "m": weight(3), "v": np.abs(weight(3)) + 0.1}
SAME = {"auto_pad": "SAME_UPPER", "strides": [2, 2]}
SMALLER = {"kernel_shape": [3, 3], "strides": [2, 2]}
UP = {"r": np.zeros(0, np.float32), "k": floats(1, 1, 2, 2)}
THIRDS = {"r": np.zeros(0, np.float32), "k": floats(1, 1, 3, 3)}
TO = {"t": ints(1, 3, 36, 40)}
CASES = {
    "conv": (13, [node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], strides=[2, 2])], W),
    "conv-uneven": (13, [node("Conv", "x", "w", pads=[0, 1, 1, 2], dilations=[1, 2])], W),
    "conv-same": (13, [node("Conv", "x", "w", **SAME)], W),
    "conv-same-lower": (13, [node("Conv", "x", "w", **{**SAME, "auto_pad": "SAME_LOWER"})], W),
    "conv-groups": (13, [node("Conv", "x", "w", group=3)], {"w": weight(6, 1, 3, 3)}),
    "transposed": (13, [node("ConvTranspose", "x", "w", "b", strides=[2, 2], pads=[1, 1, 1, 1])], T),  # noqa: E501
    "transposed-uneven": (
        13,
        [node("ConvTranspose", "x", "w", strides=[2, 2], pads=[1, 0, 0, 1], output_padding=[1, 1])],
        T,
    ),
    "instance": (9, [node("InstanceNormalization", "x", "s", "b", epsilon=1e-3)], N),
    "batch": (9, [node("BatchNormalization", "x", "s", "b", "m", "v", epsilon=1e-2)], N),
    "pad-attribute": (9, [node("Pad", "x", mode="reflect", pads=[0, 0, 1, 2, 0, 0, 3, 4])], {}),
    "pad-value": (13, [node("Pad", "x", "p", "c")], {"p": ints(0, 1, 1, 2, 0, 0, 3, 4), "c": floats(0.5).reshape(())}),  # noqa: E501
    "pad-edge": (13, [node("Pad", "x", "p", mode="edge")], {"p": ints(0, 0, 1, 2, 0, 0, 3, 4)}),
    "pad-axes": (18, [node("Pad", "x", "p", "", "a", mode="reflect")], {"p": ints(1, 2, 3, 4), "a": ints(2, 3)}),  # noqa: E501
    "pad-crops": (13, [node("Pad", "x", "p")], {"p": ints(0, 0, -1, -2, 0, 0, 0, -3)}),
    "pad-conv": (13, [node("Pad", "x", "p", out="a"), node("Conv", "a", "w", pads=[1, 0, 1, 0])], {**W, "p": ints(0, 0, 1, 2, 0, 0, 1, 2)}),  # noqa: E501
    "upsample-attribute": (7, [node("Upsample", "x", scales=[1.0, 1.0, 2.0, 2.0])], {}),
    "upsample": (9, [node("Upsample", "x", "k", mode="nearest")], UP),
    "resize-10": (10, [node("Resize", "x", "k", mode="nearest")], UP),
    "resize-default": (13, [node("Resize", "x", "r", "k")], UP),
    "resize-thirds": (13, [node("Resize", "x", "r", "k")], THIRDS),
    "resize-floor": (13, [node("Resize", "x", "r", "", "t", coordinate_transformation_mode="asymmetric", nearest_mode="floor")], {"r": UP["r"], **TO}),  # noqa: E501
    "resize-halves": (13, [node("Resize", "x", "r", "", "t")], {"r": UP["r"], "t": ints(1, 3, 12, 16)}),  # noqa: E501
    "resize-linear": (13, [node("Resize", "x", "r", "", "t", mode="linear")], {"r": UP["r"], **TO}),
    "resize-corners": (13, [node("Resize", "x", "r", "", "t", mode="linear", coordinate_transformation_mode="align_corners")], {"r": UP["r"], **TO}),  # noqa: E501
    "resize-cubic": (13, [node("Resize", "x", "r", "", "t", mode="cubic")], {"r": UP["r"], **TO}),
    "resize-axes": (18, [node("Resize", "x", "", "k", axes=[2, 3])], {"k": floats(2, 2)}),
    "max-pool": (13, [node("MaxPool", "x", **SMALLER, pads=[1, 1, 1, 1])], {}),
    "max-pool-uneven": (13, [node("MaxPool", "x", **SMALLER, pads=[0, 0, 1, 1])], {}),
    "max-pool-ceil": (13, [node("MaxPool", "x", **SMALLER, ceil_mode=1)], {}),
    "average-pool": (13, [node("AveragePool", "x", **SMALLER, pads=[1, 1, 1, 1])], {}),
    "average-counts": (13, [node("AveragePool", "x", **SMALLER, pads=[0, 0, 1, 1], count_include_pad=1)], {}),  # noqa: E501
    "global-average": (13, [node("GlobalAveragePool", "x")], {}),
    "global-max": (13, [node("GlobalMaxPool", "x")], {}),
    "depth-to-space": (13, [node("Conv", "x", "w", out="a"), node("DepthToSpace", "a", blocksize=2)], {"w": weight(12, 3, 3, 3)}),  # noqa: E501
    "depth-to-space-crd": (13, [node("Conv", "x", "w", out="a"), node("DepthToSpace", "a", blocksize=2, mode="CRD")], {"w": weight(12, 3, 3, 3)}),  # noqa: E501
    "space-to-depth": (13, [node("SpaceToDepth", "x", blocksize=2)], {}),
    "prelu": (13, [node("Sub", "x", "h", out="a"), node("PRelu", "a", "s")], {"h": floats(0.5), "s": weight(3, 1, 1)}),  # noqa: E501
    "leaky": (13, [node("Sub", "x", "h", out="a"), node("LeakyRelu", "a", alpha=0.2)], {"h": floats(0.5)}),  # noqa: E501
    "clip-attributes": (9, [node("Clip", "x", min=0.25, max=0.5)], {}),
    "clip-inputs": (13, [node("Clip", "x", "", "t")], {"t": floats(0.5).reshape(())}),
    "hard-sigmoid": (13, [node("HardSigmoid", "x", alpha=0.5, beta=0.1)], {}),
    "softmax-old": (11, [node("Softmax", "x", axis=1)], {}),
    "softmax": (13, [node("Softmax", "x", axis=1)], {}),
    "pow": (13, [node("Pow", "x", "t")], {"t": floats(2).reshape(())}),
    "left": (13, [node("Sub", "h", "x")], {"h": floats(1.5).reshape(1, 1, 1, 1)}),
    "widens": (13, [node("Add", "x", "h")], {"h": floats(1.5).reshape(1, 1, 1, 1, 1)}),
    "max": (13, [node("Max", "x", "h", "k")], {"h": floats(0.3), "k": weight(3, 1, 1)}),
    "reduce-attribute": (11, [node("ReduceMean", "x", axes=[2, 3], keepdims=0)], {}),
    "reduce-input": (18, [node("ReduceMean", "x", "a")], {"a": ints(-1, -2)}),
    "reduce-nothing": (18, [node("ReduceMean", "x", noop_with_empty_axes=1)], {}),
    "reduce-all": (13, [node("ReduceSum", "x", keepdims=0)], {}),
    "slice-attributes": (9, [node("Slice", "x", axes=[2, 3], starts=[1, -9], ends=[9, 1000])], {}),
    "slice-steps": (13, [node("Slice", "x", "s", "e", "a", "k")], {"s": ints(1, 0), "e": ints(20, 2**62), "a": ints(-1, 2), "k": ints(3, 2)}),  # noqa: E501
    "reshape": (13, [node("Reshape", "x", "s")], {"s": ints(0, -1, 8, 0)}),
    "flatten-gemm": (13, [node("ReduceMean", "x", out="a", axes=[2, 3]), node("Flatten", "a", out="f"), node("Gemm", "f", "w", "b", transB=1)], {"w": weight(4, 3), "b": weight(4)}),  # noqa: E501
    "gemm": (13, [node("ReduceMean", "x", out="a", axes=[2, 3], keepdims=0), node("Gemm", "a", "w", alpha=0.5)], {"w": weight(3, 4)}),  # noqa: E501
    "squeeze": (13, [node("ReduceMean", "x", out="a", axes=[2, 3]), node("Squeeze", "a", "s", out="q"), node("Unsqueeze", "q", "s")], {"s": ints(2, 3)}),  # noqa: E501
    "transpose": (13, [node("Transpose", "x", perm=[0, 2, 3, 1])], {}),
    "gather": (13, [node("Gather", "x", "i", axis=1)], {"i": np.array(2, np.int64)}),
    "gather-rows": (13, [node("Gather", "x", "i", axis=2)], {"i": ints(3, 4, 5)}),
    "expand": (13, [node("ReduceMean", "x", out="a", axes=[2, 3]), node("Expand", "a", "s")], {"s": ints(1, 3, 4, 5)}),  # noqa: E501
    "tile": (13, [node("Tile", "x", "s")], {"s": ints(1, 1, 2, 3)}),
    "counted": (11, [node("Shape", "x", out="s"), node("Gather", "s", "two", out="h"), node("Unsqueeze", "h", out="u", axes=[0]), node("Cast", "u", out="f", to=1), node("Div", "x", "f")], {"two": np.array(2, np.int64)}),  # noqa: E501
    "weight-made": (13, [node("Transpose", "t", out="w", perm=[3, 0, 1, 2]), node("Conv", "x", "w")], {"t": weight(3, 3, 3, 5)}),  # noqa: E501
}  # fmt: skip


HALF = {"h": floats(0.5)}
CENTRED = node("Sub", "x", "h", out="a")
ROWS = np.linspace(-1.1, 1.1, 10 * 12, dtype=np.float32).reshape(10, 12)
GRID = {"g": np.stack([ROWS, ROWS[::-1]], -1)[None]}
GROUPS = {"s": weight(4), "b": weight(4), "w": weight(4, 3, 3, 3)}
ROW = {"w": weight(3, 3, 5), "s": ints(0, 0, -1)}


def through(op: str, *more: str, **attributes: object) -> list[onnx.NodeProto]:
    """An operation on values around zero."""
    return [CENTRED, node(op, "a", *more, **attributes)]


def as_float(op: str, *more: str) -> list[onnx.NodeProto]:
    """An operation that gives truth values, as numbers."""
    return [CENTRED, node(op, "a", *more, out="t"), node("Cast", "t", to=1)]


# Of opset, nodes and constants: what exporters emit for style and restoration networks.
CASES |= {
    **{op: (18, through(op), HALF) for op in ("Mish", "Selu", "Softsign", "Sign", "Floor", "Ceil", "Sin", "Cos", "Atan", "HardSwish", "Erf", "Softplus", "Tan", "Sinh", "Cosh", "Asinh")},  # noqa: E501
    **{op: (18, through(op, alpha=0.7), HALF) for op in ("Celu", "Elu", "ThresholdedRelu")},
    **{op: (18, [node(op, "x")], {}) for op in ("Asin", "Acos", "Atanh")},
    "round": (18, [node("Mul", "x", "k", out="a"), node("Round", "a")], {"k": floats(9)}),
    "selu-own": (18, through("Selu", alpha=1.5, gamma=1.2), HALF),
    "gelu": (20, through("Gelu"), HALF),
    "gelu-tanh": (20, through("Gelu", approximate="tanh"), HALF),
    "shrink": (18, through("Shrink", lambd=0.2, bias=0.1), HALF),
    "prelu-wide": (18, through("PRelu", "p"), {**HALF, "p": weight(3, 24, 32)}),
    **{op: (18, as_float(op, "c"), {**HALF, "c": weight(3, 1, 1)}) for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")},  # noqa: E501
    "not": (18, [CENTRED, node("Greater", "a", "c", out="g"), node("Not", "g", out="n"), node("Where", "n", "x", "c")], {**HALF, "c": floats(0.1)}),  # noqa: E501
    **{op: (18, [CENTRED, node("Greater", "a", "c", out="g"), node("Less", "x", "c", out="l"), node(op, "g", "l", out="t"), node("Cast", "t", to=1)], {**HALF, "c": floats(0.1)}) for op in ("And", "Or", "Xor")},  # noqa: E501
    "where-scalar": (18, [CENTRED, node("Greater", "a", "z", out="m"), node("Where", "m", "a", "z")], {**HALF, "z": np.float32(0)}),  # noqa: E501
    "layer-norm": (17, [node("LayerNormalization", "x", "s", "b", axis=-1, epsilon=1e-3)], {"s": weight(32), "b": weight(32)}),  # noqa: E501
    "layer-norm-all": (17, [node("LayerNormalization", "x", "s", axis=1)], {"s": weight(3, 24, 32)}),  # noqa: E501
    "group-norm-21": (21, [node("Conv", "x", "w", out="a"), node("GroupNormalization", "a", "s", "b", num_groups=2, epsilon=1e-2)], GROUPS),  # noqa: E501
    "instance-rows": (17, [node("Reshape", "x", "r", out="a"), node("InstanceNormalization", "a", "s", "b", out="n"), node("Shape", "x", out="q"), node("Reshape", "n", "q")], {**N, "r": ints(0, 3, -1)}),  # noqa: E501
    **{f"lrn-{size}": (13, [node("Conv", "x", "w", out="a"), node("LRN", "a", size=size, alpha=0.1, bias=1.5)], GROUPS) for size in (3, 5)},  # noqa: E501
    "variance-norm": (13, [node("MeanVarianceNormalization", "x")], {}),
    "lp-norm": (13, [node("LpNormalization", "x", axis=1)], {}),
    "lp-norm-1": (13, through("LpNormalization", p=1), HALF),
    **{op: (18, [node(op, "x", "a")], {"a": ints(2, 3)}) for op in ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd", "ReduceSumSquare", "ReduceMin")},  # noqa: E501
    "log-softmax": (13, [node("LogSoftmax", "x", axis=1)], {}),
    "mean": (13, [node("Mean", "x", "h")], HALF),
    "mod": (13, through("Mod", "m", fmod=1), {**HALF, "m": floats(0.3)}),
    "einsum": (13, [node("Einsum", "x", "w", equation="nchw, dc -> ndhw")], {"w": weight(4, 3)}),
    "gather-elements": (13, [node("GatherElements", "x", "i", axis=3)], {"i": np.array([5, -1, 5, 0] * 72, np.int64).reshape(1, 3, 24, 4)}),  # noqa: E501
    "gather-nd": (13, [node("GatherND", "x", "i")], {"i": ints(0, 1, 0, 2).reshape(2, 2)}),
    "gather-any": (13, [node("Gather", "x", "i", axis=2)], {"i": ints(3, -1, 3, 0).reshape(2, 2)}),
    "gather-last": (13, [node("Gather", "x", "i", axis=1)], {"i": np.array(-1, np.int64)}),
    "scatter-nd": (13, [node("ScatterND", "x", "i", "u")], {"i": ints(0, 1).reshape(1, 2), "u": weight(1, 24, 32)}),  # noqa: E501
    "scatter-elements": (13, [node("ScatterElements", "x", "i", "u", axis=1)], {"i": np.full((1, 1, 24, 32), 2, np.int64), "u": weight(1, 1, 24, 32)}),  # noqa: E501
    "grid-sample": (16, [node("GridSample", "x", "g")], GRID),
    "grid-nearest": (16, [node("GridSample", "x", "g", mode="nearest", padding_mode="border", align_corners=1)], GRID),  # noqa: E501
    "grid-reflection": (20, [node("GridSample", "x", "g", mode="linear", padding_mode="reflection")], GRID),  # noqa: E501
    "grid-cubic": (20, [node("GridSample", "x", "g", mode="cubic")], GRID),
    "affine-grid": (20, [node("AffineGrid", "t", "z", out="a"), node("GridSample", "x", "a")], {"t": floats(0.9, 0.1, 0, -0.1, 0.9, 0).reshape(1, 2, 3), "z": ints(1, 3, 10, 12)}),  # noqa: E501
    "columns": (18, [node("Reshape", "x", "r", out="a"), node("Col2Im", "a", "i", "k", strides=[2, 2])], {"r": ints(1, 12, 192), "i": ints(24, 32), "k": ints(2, 2)}),  # noqa: E501
    "cumsum": (14, [node("CumSum", "x", "k")], {"k": np.array(3, np.int64)}),
    "cumsum-back": (14, [node("CumSum", "x", "k", exclusive=1, reverse=1)], {"k": np.array(2, np.int64)}),  # noqa: E501
    "trilu": (14, [node("Trilu", "x", "k", upper=0)], {"k": np.array(1, np.int64)}),
    "top-k": (13, [helper.make_node("TopK", ["x", "k"], ["y", "indices"], axis=1)], {"k": ints(2)}),
    "arg-max": (13, [node("ArgMax", "x", axis=1, out="i"), node("Cast", "i", to=1)], {}),
    "range": (13, [node("Shape", "x", out="s"), node("Gather", "s", "w", out="n"), node("Range", "z", "n", "o", out="r"), node("Cast", "r", out="f", to=1), node("Add", "x", "f")], {"w": np.array(3, np.int64), "z": np.array(0, np.int64), "o": np.array(1, np.int64)}),  # noqa: E501
    "filled": (13, [node("Shape", "x", out="s"), node("ConstantOfShape", "s", out="c"), node("Max", "x", "c")], {}),  # noqa: E501
    "slice-back": (13, [node("Slice", "x", "s", "e", "a", "k")], {"s": ints(-1), "e": ints(-(2**62)), "a": ints(3), "k": ints(-1)}),  # noqa: E501
    "slice-back-2": (13, [node("Slice", "x", "s", "e", "a", "k")], {"s": ints(20), "e": ints(3), "a": ints(2), "k": ints(-3)}),  # noqa: E501
    "conv-rows": (13, [node("Reshape", "x", "s", out="a"), node("Conv", "a", "w", pads=[2, 2])], ROW),  # noqa: E501
    "conv-rows-uneven": (13, [node("Reshape", "x", "s", out="a"), node("Conv", "a", "w", pads=[1, 2], dilations=[2])], ROW),  # noqa: E501
    "transposed-same": (13, [node("ConvTranspose", "x", "w", auto_pad="SAME_UPPER", strides=[2, 2])], {"w": T["w"]}),  # noqa: E501
    "transposed-size": (13, [node("ConvTranspose", "x", "w", output_shape=[47, 63], strides=[2, 2])], {"w": T["w"]}),  # noqa: E501
    "cast-like": (19, [node("Greater", "x", "h", out="g"), node("CastLike", "g", "x")], HALF),
    "matrix-vector": (13, [node("MatMul", "x", "v")], {"v": weight(32)}),
    "vector-matrix": (13, [node("MatMul", "v", "x")], {"v": weight(24)}),
}  # fmt: skip
CASES = {
    name: (opset, nodes, {key: np.asarray(value) for key, value in weights.items()})
    for name, (opset, nodes, weights) in CASES.items()
}


def both(path: Path, shape: tuple[int, ...] = (1, 3, 24, 32)) -> tuple[np.ndarray, np.ndarray]:
    """What this reader and ONNX Runtime make of a file."""
    model = read_model(path).model
    image = np.random.default_rng(1).random(shape, np.float32)
    ours = OnnxGraph(model, ["x"], ["y"])(torch.from_numpy(image))[0].numpy()
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return ours, session.run(["y"], {"x": image})[0]


@pytest.mark.parametrize("name", CASES)
def test_an_operation_computes_what_onnx_runtime_computes(name, tmp_path):
    opset, nodes, weights = CASES[name]
    used = {given for item in nodes for given in item.input}
    kept = {key: value for key, value in weights.items() if key in used}
    ours, theirs = both(write(tmp_path / "a.onnx", nodes, kept, opset=opset))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-6, rtol=1e-5)


def test_a_split_has_several_outputs(tmp_path):
    split = helper.make_node("Split", ["x"], ["a", "b"], axis=3, split=[10, 22])
    nodes = [
        split,
        node("Slice", "b", axes=[3], starts=[2], ends=[12], out="c"),
        node("Sub", "a", "c"),
    ]
    ours, theirs = both(write(tmp_path / "a.onnx", nodes, opset=9))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("opset", [9, 11, 17])
@pytest.mark.parametrize("dynamic", [False, True])
def test_the_zoo_topology_is_read_and_captured(opset, dynamic, tmp_path):
    network = open_network(str(candy(tmp_path / "Candy_9.onnx", opset, dynamic)))
    assert network.network.name == "candy-9"
    assert network.roles == (Role.STYLIZE,)
    assert network.network.output_pixels.range == (0.0, 255.0)
    assert network.default_sizes == ((Size(512, 512),) if dynamic else (Size(48, 64),))
    size = Size(64, 96) if dynamic else Size(48, 64)
    graph = capture(network, Role.STYLIZE, size)
    ops = Counter(str(node.target) for node in graph.program.graph.nodes)
    kinds = ("conv2d.default", "instance_norm.default", "pad.default", "upsample_nearest2d.vec")
    assert [ops[f"aten.{kind}"] for kind in kinds] == [5, 3, 5, 1]
    image = torch.rand(1, 3, size.height, size.width)
    painted = graph.program.module()(image).numpy()
    session = ort.InferenceSession(str(tmp_path / "Candy_9.onnx"))
    theirs = session.run(None, {"input1": image.numpy() * 255})[0] / 255
    np.testing.assert_allclose(painted, theirs.clip(0, 1), atol=2e-5)


@pytest.mark.parametrize(("peak", "shift", "told"), [(1.0, 0.0, "0..1"), (2.0, -1.0, "-1..1")])
def test_a_pixel_range_is_told_by_the_output_unless_it_is_named(peak, shift, told, tmp_path):
    path = candy(tmp_path / "a.onnx", 17, peak=peak)
    if shift:
        model = onnx.load(path)
        model.graph.node[-1].output[0] = "before"
        model.graph.node.append(node("Add", "before", "shift"))
        model.graph.initializer.append(numpy_helper.from_array(floats(shift), "shift"))
        onnx.save(model, path)
    assert str(open_network(str(path)).network.output_pixels) == told
    named = open_network(f"{path},pixel-range=0..255")
    assert str(named.basis.output) == "declared"
    assert named.network.output_pixels.range == (0.0, 255.0)
    assert named.pixel_lines() == ["pixels 0..255 (declared)"]


@pytest.mark.parametrize("dropped", [True, False])
def test_a_picture_with_its_channels_last_is_fed_as_it_wants(dropped, tmp_path):
    nodes = [
        *([] if dropped else [node("Tanh", "x", out="i")]),
        node("Transpose", "x" if dropped else "i", out="a", perm=[0, 3, 1, 2]),
        node("Conv", "a", "w", out="b", pads=[1, 1, 1, 1]),
        node("Transpose", "b", perm=[0, 2, 3, 1]),
    ]
    weights = {"w": weight(3, 3, 3, 3)}
    path = write(tmp_path / "a.onnx", nodes, weights, {"x": ["n", "h", "w", 3]})
    network = open_network(f"{path},pixel-range=0..1:clip")
    image = torch.rand(1, 3, 40, 56)
    painted = network.role_module(Role.STYLIZE)(image).numpy()
    theirs = ort.InferenceSession(str(path)).run(
        None, {"x": image.numpy().transpose(0, 2, 3, 1).copy()}
    )[0]
    np.testing.assert_allclose(painted, theirs.transpose(0, 3, 1, 2).clip(0, 1), atol=1e-5)
    captured = capture(network, Role.STYLIZE, Size(40, 56)).program.graph.nodes
    assert dropped is not any("permute" in str(n.target) for n in captured)


@pytest.mark.parametrize("names", [("style", "photo"), ("a", "b"), ("first", "style_like")])
@pytest.mark.parametrize("dynamic", [False, True])
def test_of_two_pictures_the_one_that_ends_in_a_code_is_the_style(names, dynamic, tmp_path):
    path = adain(tmp_path / "two.onnx", names, dynamic)
    network = open_network(str(path))
    assert network.roles == (Role.ENCODE, Role.TRANSFORM, Role.STYLIZE)
    style, content = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    code = network.role_module(Role.ENCODE)(style)
    assert code.shape == (1, 8)
    module = network.role_module(Role.TRANSFORM)
    feeds = {names[0]: style.numpy(), names[1]: content.numpy()}
    theirs = ort.InferenceSession(str(path)).run(None, feeds)[0]
    whole, half, none = (module(content, code, torch.tensor([s])).numpy() for s in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(whole, theirs, atol=1e-5)
    np.testing.assert_allclose(half, (theirs + content.numpy()) / 2, atol=1e-5)
    np.testing.assert_allclose(none, content.numpy(), atol=1e-6)


def test_named_inputs_are_believed(tmp_path):
    path = adain(tmp_path / "two.onnx", ("a", "b"))
    assert open_network(f"{path},style=a").roles == open_network(f"{path},content=b").roles
    with pytest.raises(UsageError, match=r"of 'b' alone is 12288 values .* it is not the style"):
        open_network(f"{path},content=a")
    with pytest.raises(UsageError, match="no input 'c': expected one of a, b; type --content a"):
        open_network(f"{path},content=c")


def test_our_own_files_are_read_back(artifact, tmp_path):
    encode, transform = (
        artifact / f"adain-lite_{r}_64x96_fp32.onnx" for r in ("encode", "transform")
    )
    network = open_network(str(transform), [encode])
    assert network.default_sizes == (Size(64, 96),)
    assert network.source == (transform.name, encode.name)
    content, style = torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96)
    code = network.role_module(Role.ENCODE)(style)
    theirs = ort.InferenceSession(str(encode)).run(None, {"style": style.numpy()})[0]
    np.testing.assert_allclose(code.numpy(), theirs, atol=1e-5)
    painted = network.role_module(Role.TRANSFORM)(content, code, torch.tensor([0.6])).numpy()
    feeds = {"content": content.numpy(), "style_code": theirs, "strength": floats(0.6)}
    expected = ort.InferenceSession(str(transform)).run(None, feeds)[0]
    np.testing.assert_allclose(painted, expected, atol=2e-5)
    with pytest.raises(UsageError, match=r"takes a style code \('style_code', \[1, 480\]\)"):
        open_network(str(transform))
    with pytest.raises(UsageError, match=r"got 2 of those: type --checkpoint ENCODE.onnx"):
        open_network(str(transform), [encode, encode])
    with pytest.raises(UsageError, match=r"takes no style code, so .* has no use"):
        open_network(str(candy(tmp_path / "c.onnx", 17)), [encode])


def test_what_is_quantized_or_half_already_is_refused(tmp_path):
    scale = {"s": floats(0.1).reshape(()), "z": np.array(0, np.uint8)}
    nodes = [
        node("QuantizeLinear", "x", "s", "z", out="q"),
        node("DequantizeLinear", "q", "s", "z"),
    ]
    path = write(tmp_path / "q.onnx", nodes, scale)
    with pytest.raises(UsageError, match=r"already \(node 'QuantizeLinear_q' .*: give the float32"):
        open_network(str(path))
    half = write(tmp_path / "h.onnx", [node("Cast", "x", out="a", to=10), node("Cast", "a", to=1)])
    model = onnx.load(half)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float16), "w"))
    onnx.save(model, half)
    with pytest.raises(UsageError, match="in half precision: give the float32 file"):
        open_network(str(half))


def functions(path: Path, *bodies: tuple[str, list[onnx.NodeProto]]) -> Path:
    """A file that calls the last of its own functions; each takes "x" and gives "y"."""
    write(path, [helper.make_node(bodies[-1][0], ["x"], ["y"], domain="own")])
    model = onnx.load(path)
    sets = [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)]
    model.opset_import.append(sets[1])
    model.functions.extend(
        helper.make_function("own", name, ["x"], ["y"], nodes, sets) for name, nodes in bodies
    )
    onnx.save(model, path)
    return path


def call(name: str, *ends: str) -> onnx.NodeProto:
    return helper.make_node(name, [ends[0]], [ends[1]], domain="own")


def test_functions_of_a_file_are_read(tmp_path):
    inner = ("Twice", [node("Add", "x", "x")])
    outer = ("Four", [call("Twice", "x", "a"), call("Twice", "a", "b"), node("Tanh", "b")])
    ours, theirs = both(functions(tmp_path / "a.onnx", inner, outer))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_functions_that_stand_for_too_much_are_refused(tmp_path):
    bodies = [("f0", [node("Add", "x", "x")])]
    for number in range(40):
        below = f"f{number}"
        bodies.append((f"f{number + 1}", [call(below, "x", "a"), call(below, "a", "y")]))
    with pytest.raises(UnsupportedOp, match="stand for more than 100000 nodes"):
        open_network(str(functions(tmp_path / "a.onnx", *bodies)))
    hidden = helper.make_graph(
        [call("f40", "x", "y")], "branch", [], [onnx.ValueInfoProto(name="y")]
    )
    choice = helper.make_node("If", ["x"], ["y"], then_branch=hidden, else_branch=hidden)
    for path in (
        functions(tmp_path / "b.onnx", *bodies, ("g", [choice])),
        functions(tmp_path / "c.onnx", ("f", [call("f", "x", "y")])),
    ):
        with pytest.raises(UnsupportedOp, match="stand for more than 100000 nodes"):
            open_network(str(path))


def test_a_function_reads_no_weights_outside_the_folder(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4))
    (tmp_path / "in").mkdir()
    tensor = onnx.TensorProto(data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret")
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    path = functions(tmp_path / "in/a.onnx", ("f", [constant, node("Add", "x", "c")]))
    with pytest.raises(BadCheckpoint, match="outside its folder"):
        open_network(str(path))


WRONG = {
    "Loop-like": ([node("Det", "x")], {}, 13, UnsupportedOp, "'Det_y' (Det) is not read here; docs/reference/onnx-operators.md lists"),  # noqa: E501
    "custom": ([helper.make_node("Warp", ["x"], ["y"], domain="my")], {}, 13, UnsupportedOp, "(Warp) is not read here"),  # noqa: E501
    "opset": ([node("Relu", "x")], {}, 6, UnsupportedOp, "opset 6, expected 7 or later"),
    "huge": ([node("ConstantOfShape", "s", out="c"), node("Add", "x", "c")], {"s": ints(2**20, 2**20)}, 13, UnsupportedOp, "too large to be meant"),  # noqa: E501
    "half-floor": ([node("Resize", "x", "", "k", nearest_mode="floor")], {"k": floats(1, 1, 2, 2)}, 13, UnsupportedOp, "picks pixels by half_pixel, floor"),  # noqa: E501
    "huge-resize": ([node("Resize", "x", "", "k")], {"k": floats(1, 1, 9e4, 9e4)}, 13, UnsupportedOp, "too large to be meant"),  # noqa: E501
    "picked": ([node("Cast", "x", out="i", to=7), node("Gather", "w", "i")], {"w": weight(9)}, 13, UnsupportedOp, "takes input 1 from the picture's values"),  # noqa: E501
    "cycle": ([node("Relu", "z"), node("Relu", "y", out="z")], {}, 13, BadCheckpoint, "topologically"),  # noqa: E501
    "shapes": ([node("Conv", "x", "w")], {"w": weight(4, 9, 3, 3)}, 13, BadCheckpoint, "does not run"),  # noqa: E501
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_named(name, tmp_path):
    nodes, weights, opset, kind, words = WRONG[name]
    path = write(tmp_path / "a.onnx", nodes, weights, opset=opset)
    with pytest.raises(kind, match=re.escape(words)) as caught:
        open_network(str(path))
    assert "\n" not in str(caught.value)


SHAPES = {
    "flat": ({"x": [1, 3, 24, 32], "v": [5, 7, 9]}, "'v' as [5, 7, 9]; expected a picture"),
    "batch": ({"x": [4, 3, 24, 32]}, "export it for one picture"),
    "three": ({name: [1, 3, 24, 32] for name in "xvw"}, "expected one picture, two pictures, or"),
    "none": ({"v": [1, 64]}, "expected one picture, two pictures, or"),
    "uneven": ({"x": [1, 3, 24, 32], "v": [1, 3, 48, 48]}, "takes pictures of two sizes"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_inputs_that_are_not_a_style_networks_are_listed(name, tmp_path):
    inputs, words = SHAPES[name]
    first = next(iter(inputs))
    path = write(tmp_path / "a.onnx", [node("Relu", first)], inputs=inputs)
    with pytest.raises(UsageError, match=re.escape(words)):
        open_network(str(path))


def test_bytes_are_not_taken_for_floats(tmp_path):
    path = write(tmp_path / "a.onnx", [node("Relu", "x")])
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(model, path)
    with pytest.raises(BadCheckpoint, match="does not run in ONNX Runtime: InvalidGraph"):
        open_network(str(path))


@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"not onnx", b"\xff" * 200])
def test_a_damaged_file_is_refused_in_one_line(data, tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(data)
    with pytest.raises(BadCheckpoint, match="cannot be read as ONNX") as caught:
        open_network(str(path))
    assert "\n" not in str(caught.value)


def test_no_damage_leaves_anything_but_an_error_of_ours(tmp_path):
    whole = candy(tmp_path / "a.onnx", 9, dynamic=False).read_bytes()
    generator = np.random.default_rng(0)
    path = tmp_path / "b.onnx"
    for turn in range(40):
        data = bytearray(whole[: generator.integers(len(whole))] if turn % 4 == 0 else whole)
        for place in generator.integers(0, len(data), 3):
            data[place] = generator.integers(256)
        path.write_bytes(data)
        try:
            open_network(str(path))
        except StyleExportError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "link"])
def test_weights_are_read_from_beside_the_file_only(name, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4096))
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    path = write(folder / "a.onnx", [node("Conv", "x", "w")], {"w": weight(3, 3, 3, 3)})
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=name)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadCheckpoint, match="outside its folder, which was not read"):
        open_network(str(path))


def test_weights_beside_the_file_are_read_and_hashed(tmp_path):
    path = candy(tmp_path / "a.onnx", 17)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="a.bin", size_threshold=0)
    first = open_network(str(path))
    assert first.source == ("a.onnx", "a.bin")
    data = bytearray((tmp_path / "a.bin").read_bytes())
    data[5] ^= 1
    (tmp_path / "a.bin").write_bytes(data)
    assert open_network(str(path)).source_sha256 != first.source_sha256
    (tmp_path / "a.bin").unlink()
    with pytest.raises(BadCheckpoint, match=r"weights in 'a.bin': .*put that file beside it"):
        open_network(str(path))


def test_a_file_that_is_misread_is_not_handed_on(tmp_path, monkeypatch):
    from styleexport.models.from_onnx import graph

    wrong = {**graph.operations(), "Relu": lambda call: call.tensor(0)}
    monkeypatch.setattr(graph, "operations", lambda: wrong)
    path = candy(tmp_path / "a.onnx", 17)
    with pytest.raises(
        BadCheckpoint, match=r"other values here than in ONNX Runtime: .* of the peak"
    ):
        open_network(str(path))


def test_a_spec_says_what_it_does_not_know():
    assert str(NetworkSpec.parse("a/b.onnx,content=x")) == "a/b.onnx,content=x"
    with pytest.raises(UsageError, match="unknown setting 'contnt'"):
        NetworkSpec.parse("a.onnx,contnt=x")
    with pytest.raises(UsageError, match=r"a.onnx: setting pixel-range: '2..0' is not a pixel r"):
        NetworkSpec.parse("a.onnx,pixel-range=2..0")
    with pytest.raises(BadCheckpoint, match=r"does not exist; type the path of a .onnx file"):
        read_onnx_network(NetworkSpec.parse("nowhere.onnx"))
