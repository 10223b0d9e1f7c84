"""int8 ONNX files: what is held in eight bits, and what the file leaves out."""

from __future__ import annotations

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper

from styleexport.core.psnr import psnr_db
from styleexport.core.recipe import FloatLayer, Settings
from styleexport.exporter.quantize.blocks import find_blocks, quantized_blocks
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.quantize.simulate import scale_and_zero_point, simulate
from styleexport.exporter.targets.onnx import model_from_graph, tensor_names
from styleexport.exporter.targets.onnx.int8 import quantize_blocks
from styleexport.exporter.targets.onnx.int8_a16 import quantize_blocks_a16
from styleexport.runtime_bench.execution.onnx_profile import integer_mac_share
from styleexport.runtime_bench.formats._onnx_risks import find_risks
from tests.exporter.conftest import Bounded, feeds_of, graph_of, shown
from tests.networks_in_the_wild._weights import pictures, weighted

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


@pytest.fixture(scope="module")
def plan(painter):
    return make_plan(painter, shown(painter), Settings())


def written(plan, *float_layers: str, **settings) -> onnx.ModelProto:
    """The model of a plan, with more float layers or other settings."""
    applied = plan.applied()
    graph, recipe = applied.graph, applied.recipe
    recipe = msgspec.structs.replace(
        recipe,
        settings=msgspec.structs.replace(recipe.settings, **settings),
        float_layers=(
            *recipe.float_layers,
            *(FloatLayer(layer=name, reason="mine") for name in float_layers),
        ),
    )
    module, model = graph.module(), model_from_graph(graph)
    blocks = quantized_blocks(find_blocks(module), recipe.float_layers)
    quantize = quantize_blocks_a16 if recipe.settings.activation_bits == 16 else quantize_blocks
    quantize(model, blocks, recipe, tensor_names(graph, module))
    onnx.checker.check_model(model, full_check=True)
    return model


def made_by(model) -> dict[str, onnx.NodeProto]:
    return {node.output[0]: node for node in model.graph.node}


def constants(model) -> dict[str, np.ndarray]:
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def convolutions(model) -> list[onnx.NodeProto]:
    return [n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose")]


def is_integer(model, node) -> bool:
    makers = made_by(model)
    ops = [makers[name].op_type if name in makers else "" for name in node.input[:2]]
    return ops == [DEQUANTIZE, DEQUANTIZE]


def test_units_read_and_give_integers_and_islands_do_not(plan):
    model = written(plan)
    found = [is_integer(model, node) for node in convolutions(model)]
    assert found == [True, True, True, False, False]
    readers = {name: n for n in model.graph.node for name in n.input}
    for node in convolutions(model)[:3]:
        assert readers[node.output[0]].op_type == QUANTIZE
    model = written(plan, "conv2d_1")
    assert [is_integer(model, node) for node in convolutions(model)][:3] == [True, False, True]


def test_onnx_runtime_computes_them_in_integers(painter, plan):
    share = integer_mac_share(written(plan), feeds_of(painter)[0])
    blocks = find_blocks(painter.module())
    assert share == pytest.approx(sum(u.macs for u in blocks[:3]) / painter.macs, abs=1e-3)


def test_what_only_moves_values_moves_integers(plan):
    model = written(plan)
    makers = made_by(model)
    for name in ("pad", "max_pool2d", "upsample_nearest2d", "pad_1"):
        assert f"{name}_uint8" in makers
        assert name not in makers
    assert "Resize" not in {node.op_type for node in model.graph.node}
    assert makers["pad_2"].op_type == "Pad"  # of the last convolution, which stays in float


def test_activations_of_16_bits_stand_between_pairs_and_are_computed_in_float(painter, plan):
    narrow, wide = written(plan), written(plan, activation_bits=16)
    assert [item.version for item in wide.opset_import if item.domain == ""] == [21]
    makers, values = made_by(wide), constants(wide)
    readers = {name: node.op_type for node in wide.graph.node for name in node.input}
    quantized = [n for n in wide.graph.node if n.op_type == QUANTIZE]
    assert {values[node.input[2]].dtype for node in quantized} == {np.dtype(np.uint16)}
    moved = [n for n in wide.graph.node if n.op_type in ("Pad", "MaxPool", "Resize")]
    between = [n for n in moved if readers[n.output[0]] == QUANTIZE]
    assert [n.op_type for n in between] == ["Pad", "MaxPool", "Resize", "Pad"]
    assert all(makers[n.input[0]].op_type == DEQUANTIZE for n in between)
    assert [is_integer(wide, node) for node in convolutions(wide)][:3] == [True] * 3
    low = values[next(n for n in quantized if n.output[0].startswith("relu_u")).input[1]]
    assert float(low) == pytest.approx(plan.recipe.ranges["relu"].high / 65535)
    feeds = feeds_of(painter)
    assert integer_mac_share(wide, feeds[0]) == 0
    with torch.inference_mode():
        exact = painter.module()(torch.from_numpy(feeds[0]["content"])).numpy()
    narrow_db, wide_db = (
        psnr_db(ort.InferenceSession(m.SerializeToString()).run(None, feeds[0])[0], exact)
        for m in (narrow, wide)
    )
    assert wide_db > narrow_db + 3
    (risk,) = (x for x in find_risks(wide, 18) if "16 bits" in x.reason)
    assert "no integer kernels" in risk.reason
    assert "--precision int8" in risk.remedy


def test_a_relu_that_a_range_holds_already_is_left_out(painter, plan):
    relus = [n for n in model_from_graph(painter).graph.node if n.op_type == "Relu"]
    assert len(relus) == 3
    assert len([n for n in written(plan).graph.node if "Relu" in n.op_type]) == 2


def test_integers_are_those_of_ranges_and_weights(painter, plan):
    model = written(plan)
    makers, values = made_by(model), constants(model)
    state = dict(painter.module().named_parameters())
    second = convolutions(model)[1]
    data, weight, bias = (makers[name] for name in second.input)
    scale, zero = scale_and_zero_point(plan.recipe.ranges["relu"])
    assert float(values[data.input[1]]) == pytest.approx(scale)
    assert int(values[data.input[2]]) == zero
    block = find_blocks(painter.module())[1]
    exact = state[block.weight].detach().numpy()
    # Laid out for speed: each kernel stands once for every pixel of a block.
    assert values[weight.input[1]].shape == (32,)
    stored, scales = values[weight.input[0]][:8, :, :, :3], values[weight.input[1]][:8]
    assert stored.dtype == np.int8
    np.testing.assert_allclose(scales, np.abs(exact).max((1, 2, 3)) / 127, rtol=1e-6)
    assert np.abs(stored * scales.reshape(-1, 1, 1, 1) - exact).max() <= 0.51 * scales.max()
    assert np.abs(stored).max((1, 2, 3)).tolist() == [127] * 8
    whole, steps = values[bias.input[0]][:8], values[bias.input[1]][:8]
    assert whole.dtype == np.int32
    np.testing.assert_allclose(steps, scales * np.float32(scale), rtol=1e-6)
    np.testing.assert_allclose(whole * steps, state[str(block.bias)].detach(), atol=steps.max())


def test_one_scale_a_weight(plan):
    model = written(plan, weights="per-tensor")
    makers, values = made_by(model), constants(model)
    for node in convolutions(model)[:3]:
        scales = values[makers[node.input[1]].input[1]]
        assert len(np.unique(scales)) == 1


def test_nothing_is_stored_that_nothing_reads(plan):
    model = written(plan)
    read = {name for node in model.graph.node for name in node.input}
    assert {item.name for item in model.graph.initializer} <= read
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert len([n for n in read if n.startswith("scale_")]) <= len(plan.recipe.ranges)


@pytest.mark.parametrize("settings", [{}, {"weights": "per-tensor"}])
@pytest.mark.parametrize("float_layers", [(), ("conv2d_1",), ("conv2d", "conv2d_2")])
def test_the_file_computes_what_the_recipe_says(painter, plan, float_layers, settings):
    model = written(plan, *float_layers, **settings)
    module = painter.module()
    kept = {item.layer for item in plan.recipe.float_layers} | set(float_layers)
    blocks = [block for block in find_blocks(module) if block.layer not in kept]
    simulate(module, blocks, plan.recipe.ranges, per_channel=not settings)
    session = ort.InferenceSession(model.SerializeToString())
    for inputs in feeds_of(painter, 2):
        (file,) = session.run(None, inputs)
        with torch.inference_mode():
            here = module(torch.from_numpy(inputs["content"]))[0].numpy()
        assert psnr_db(file[0], here.reshape(file[0].shape), 1.0) > 55


def test_a_float_layer_between_integers_stays_float_in_onnx_runtime():
    """It would round the weights to one scale for all channels, which here differ 16 times."""
    graph = graph_of(Bounded(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 1.5, 3.0, 1.0])))
    bounded_plan = make_plan(graph, shown(graph), Settings())
    session = ort.InferenceSession(written(bounded_plan, "conv2d_1").SerializeToString())
    module = graph.module()
    blocks = [block for block in find_blocks(module) if block.layer != "conv2d_1"]
    simulate(module, blocks, bounded_plan.recipe.ranges)
    for inputs in feeds_of(graph, 2):
        (file,) = session.run(None, inputs)
        with torch.inference_mode():
            here = module(torch.from_numpy(inputs["content"]))[0].numpy()
        assert psnr_db(file[0], here.reshape(file[0].shape), 1.0) > 55


def test_gains_are_undone_while_dequantizing(lite_plan):
    """Where a float operation needs the gain undone, no multiplication of a map is added."""
    model = written(lite_plan)
    values = constants(model)
    makers = made_by(model)
    for node in model.graph.node:
        if node.op_type == "Mul":
            maker = makers.get(node.input[0])
            assert maker is None or maker.op_type != DEQUANTIZE or node.input[1] not in values


def test_zeros_that_are_padded_are_the_zero_point():
    """Values below 0 make a zero point of its own, and a constant padding must hold it."""

    class Padded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first = torch.nn.Conv2d(3, 4, 3, padding=1)
            self.last = torch.nn.Conv2d(4, 3, 3)

        def forward(self, content):
            x = torch.nn.functional.pad(self.first(content) - 0.0, (1, 1, 1, 1))
            return self.last(x).clamp(0, 1)

    graph = graph_of(Padded())
    feeds = feeds_of(graph)
    made = make_plan(graph, shown(graph), Settings())
    model = written(made)
    exact = graph.module()
    session = ort.InferenceSession(model.SerializeToString())
    (file,) = session.run(None, feeds[0])
    with torch.inference_mode():
        whole = exact(torch.from_numpy(feeds[0]["content"]))
    whole = (whole[0] if isinstance(whole, tuple) else whole).numpy()
    edge = np.abs(file - whole)[:, :, 0].max()
    inner = np.abs(file - whole)[:, :, 2:-2].max()
    assert edge < 2 * inner + 0.01


class Ringed(torch.nn.Module):
    """Values that are not only moved between two convolutions."""

    def __init__(self, between) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Conv2d(4, 3, 3)
        self.between = between

    def forward(self, content):
        x = self.between(torch.relu(self.first(content)))
        return self.second(x).clamp(0, 1)[..., :32, :48]


@pytest.mark.parametrize(
    "between",
    [
        lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1), value=3.0),
        lambda x: torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear"),
    ],
    ids=["pad with 3", "bilinear"],
)
def test_what_changes_values_has_a_range_of_its_own(between):
    graph = graph_of(Ringed(between))
    feeds = feeds_of(graph)
    plan = make_plan(graph, shown(graph), Settings())
    (found,) = ort.InferenceSession(written(plan).SerializeToString()).run(None, feeds[0])
    with torch.inference_mode():
        expected = graph.module()(torch.from_numpy(feeds[0]["content"]))
    expected = (expected[0] if isinstance(expected, tuple) else expected).numpy()
    assert psnr_db(found, expected, 1.0) > 40


class Pooled(torch.nn.Module):
    """A convolution of a pooled map of 2x2: the exporter names the pooling's nodes anew."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.second = torch.nn.Conv2d(8, 8, 1)
        self.last = torch.nn.Conv2d(8, 3, 1)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(content))
        small = torch.relu(self.second(torch.nn.functional.adaptive_avg_pool2d(x, 2)))
        grown = torch.nn.functional.interpolate(small, size=tuple(x.shape[2:]), mode="nearest")
        return torch.clamp(self.last(x + grown) * 0.2 + 0.5, 0, 1)


def test_a_convolution_behind_a_pooling_of_another_name_is_computed_in_integers():
    graph = graph_of(Pooled())
    plan = make_plan(graph, shown(graph), Settings())
    model = written(plan)
    (second,) = (node for node in convolutions(model) if "second" in node.input[1])
    assert is_integer(model, second)
    (inputs,) = feeds_of(graph, 1)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, inputs)
    expected = graph.module()(*(torch.from_numpy(value) for value in inputs.values()))
    assert psnr_db(np.asarray(found), expected.detach().numpy(), 1.0) > 35


class LongSkip(torch.nn.Module):
    """A super-resolution body: both sides of a quantized sum are convolutions with gains."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(12)
        self.head, self.a, self.b, self.body, self.up, self.image = (
            torch.nn.Conv2d(inputs, outputs, 3, padding=1)
            for inputs, outputs in ((3, 8), (8, 8), (8, 8), (8, 8), (8, 8), (8, 3))
        )

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = self.head(content)
        y = x + self.b(torch.relu(self.a(x))) * 0.1
        return self.image(self.up(x + self.body(y)))


def test_a_sum_of_equalized_channels_runs_in_onnx_runtime():
    """It takes scales a channel in front of a sum for an integer sum's, and refuses the file."""
    network = LongSkip()
    run = lambda: network(pictures())  # noqa: E731
    graph = graph_of(weighted(network, network.image, run, spread=0.15, middle=0.5))
    model = written(make_plan(graph, shown(graph)))
    (inputs,) = feeds_of(graph, 1)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, inputs)
    with torch.inference_mode():
        expected = graph.module()(*(torch.from_numpy(value) for value in inputs.values()))
    assert psnr_db(np.asarray(found), expected.numpy(), 1.0) > 30
