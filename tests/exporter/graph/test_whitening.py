"""The first whitening of a graph, and what stays float because of it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.graph.whitening import WHITENED, before_first_whitening
from styleexport.exporter.quantize.blocks import default_float_layers, find_blocks
from styleexport.exporter.targets._target import Recipe
from styleexport.exporter.targets.coreml import TARGET as COREML
from styleexport.exporter.targets.onnx import TARGET as ONNX
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks import linear_wct, optimal_wct, style_swap, wct
from styleexport.runtime_bench.coreml_program.package import read_package

SIZE = Size(32, 64)


def graph_of(network, role=Role.TRANSFORM, **variant):
    torch.manual_seed(0)
    module = network.build(**variant).eval().requires_grad_(False)
    return apply_passes(capture(LoadedNetwork(network, module, (), "0" * 64), role, SIZE))[0]


def convolutions(graph):
    return [n.name for n in graph.reading.graph.nodes if "conv2d" in str(n.target)]


@pytest.mark.parametrize("network", [wct.NETWORK, optimal_wct.NETWORK])
def test_it_is_that_of_the_deepest_level(network):
    graph = graph_of(network, levels="21")
    names = before_first_whitening(graph.reading.graph)
    # The normalising convolutions are folded.
    encoder, decoder, level_1 = 3, 3, 2
    expected = [True] * encoder + [False] * (decoder + level_1)
    assert [name in names for name in convolutions(graph)] == expected


@pytest.mark.parametrize(
    ("network", "role", "variant"),
    [
        (linear_wct.NETWORK, Role.TRANSFORM, {"encoder": "cd16x"}),
        (style_swap.NETWORK, Role.TRANSFORM, {"encoder": "cd16x", "bank": 4}),
        (wct.NETWORK, Role.ENCODE, {"levels": "2"}),
    ],
)
def test_matrices_that_are_no_roots_are_none(network, role, variant):
    assert not before_first_whitening(graph_of(network, role, **variant).reading.graph)


def test_its_convolutions_stay_float_in_int8_and_in_fp16(tmp_path):
    graph = graph_of(wct.NETWORK, levels="21")
    kept = default_float_layers(graph.reading, find_blocks(graph.reading))
    whitened = [item.layer for item in kept if item.reason == WHITENED]
    names = before_first_whitening(graph.reading.graph)
    assert whitened == [name for name in convolutions(graph) if name in names]
    written = ONNX.write(graph, Recipe(Precision.FP16), tmp_path / "x.onnx", lambda: ())
    (fact,) = written.passes
    assert any(WHITENED in reason for reason in fact.refused)
    model = onnx.load(tmp_path / "x.onnx")
    weights = {item.name: item.data_type for item in model.graph.initializer}
    types = [weights[n.input[1]] for n in model.graph.node if n.op_type == "Conv"]
    single = types.count(onnx.TensorProto.FLOAT)
    assert single == len(whitened) and types[:single] == [onnx.TensorProto.FLOAT] * single


def test_matrices_of_few_pixels_stay_float32(tmp_path):
    graph = graph_of(wct.NETWORK, levels="41")  # 4x8 pixels of 128 channels, 32x64 of 24
    ONNX.write(graph, Recipe(Precision.FP16), tmp_path / "x.onnx", lambda: ())
    model = onnx.load(tmp_path / "x.onnx")
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    found = {value.name: value.type.tensor_type for value in inferred}
    types = [found[n.output[0]] for n in model.graph.node if n.op_type == "MatMul"]
    shapes = [tuple(axis.dim_value for axis in each.shape.dim) for each in types]
    for side in (32, 24):
        square = [shape[1:] == (side, side) for shape in shapes]
        kinds = [each.elem_type for each, kept in zip(types, square, strict=True) if kept]
        assert len(kinds) > 16 and set(kinds) == {onnx.TensorProto.FLOAT}


def test_covariances_and_their_norms_stay_float32_in_core_ml(tmp_path):
    graph = graph_of(wct.NETWORK, Role.ENCODE, levels="4")
    path = tmp_path / "x.mlpackage"
    style = np.random.default_rng(0).random((1, 3, SIZE.height, SIZE.width), dtype=np.float32)
    COREML.write(graph, Recipe(Precision.FP16), path, lambda: ({"style": style},))
    results = [(op.kind, item.type) for op in read_package(path).operations for item in op.outputs]
    sides = {"matmul": (1, 32, 32), "reduce_sum": (1, 1, 1), "sqrt": (1, 1, 1)}
    for kind, shape in sides.items():
        types = {t.dtype for name, t in results if name == kind and t.shape == shape}
        assert types == {"fp32"}, kind
