"""A graph as its int8 file computes it."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from styleexport.core.psnr import psnr_db
from styleexport.core.recipe import Range
from styleexport.core.types import Precision
from styleexport.exporter.quantize.blocks import find_blocks, quantized_blocks, ranged_layers
from styleexport.exporter.quantize.ranges import observe, ranges_of, watch
from styleexport.exporter.quantize.simulate import (
    rounded_weight,
    scale_and_zero_point,
    simulate,
    weight_scales,
)
from styleexport.exporter.targets._target import Recipe, find_target
from tests.exporter.conftest import feeds_of


@pytest.mark.parametrize(
    ("limits", "scale", "zero"),
    [
        (Range(0, 2.55), 0.01, 0),
        (Range(-2.55, 0), 0.01, 255),
        (Range(-1, 1.55), 0.01, 100),
        (Range(0, 0), 1e-12, 0),
    ],
)
def test_scale_and_zero_point_cover_the_range(limits, scale, zero):
    found = scale_and_zero_point(limits)
    assert found == (pytest.approx(scale), zero)


@pytest.mark.parametrize("transposed", [False, True])
def test_weights_have_255_values_an_output_channel(transposed):
    torch.manual_seed(0)
    weight = torch.randn(4, 6, 3, 3)
    axis = 1 if transposed else 0
    weight.select(axis, 2).zero_()
    scales = weight_scales(weight, transposed=transposed, per_channel=True)
    assert scales.numel() == weight.shape[axis]
    steps = rounded_weight(weight, transposed=transposed, per_channel=True) / scales
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)
    most = steps.abs().amax([i for i in range(4) if i != axis])
    assert most.round().tolist() == [127 if i != 2 else 0 for i in range(weight.shape[axis])]
    one = weight_scales(weight, transposed=transposed, per_channel=False)
    assert one.numel() == 1
    assert float(one) == pytest.approx(float(weight.abs().max()) / 127)


def simulated(graph, blocks, ranges, feeds, **options) -> torch.Tensor:
    module = graph.module()
    simulate(module, blocks, ranges, **options)
    with torch.inference_mode():
        found = module(*(torch.from_numpy(x) for x in feeds.values()))
    return found[0] if isinstance(found, tuple) else found


def output_of(module, layer: str, inputs) -> torch.Tensor:
    """What a layer computes."""
    found: list[torch.Tensor] = []
    watch(module, [inputs], (layer,), lambda _, value: found.append(value))
    return found[0]


def test_only_what_is_asked_for_is_rounded(painter):
    feeds = feeds_of(painter)
    module = painter.module()
    blocks = find_blocks(module)[:3]
    ranges = ranges_of(module, observe(module, feeds, ranged_layers(blocks)), "min-max")
    plain = simulated(painter, (), ranges, feeds[0])
    nothing = simulated(painter, blocks, ranges, feeds[0], weights=False, activations=False)
    assert torch.equal(plain, nothing)
    weights = simulated(painter, blocks, ranges, feeds[0], activations=False)
    maps = simulated(painter, blocks, ranges, feeds[0], weights=False)
    both = simulated(painter, blocks, ranges, feeds[0])
    coarse = simulated(painter, blocks, ranges, feeds[0], per_channel=False)
    found = [weights, maps, both, coarse]
    for one in found:
        assert 20 < psnr_db(one.numpy(), plain.numpy(), 1.0) < 80
        assert not any(torch.equal(one, other) for other in found if other is not one)


def test_a_source_is_rounded_for_its_convolution_and_for_no_one_else(painter):
    """The sum that the third convolution reads is rounded; the norm reads the third's output."""
    module = painter.module()
    blocks = [block for block in find_blocks(module) if block.layer == "conv2d_2"]
    simulate(module, blocks, {"add": Range(-1, 1), "conv2d_2": Range(-2, 2)})
    rounded = [n for n in module.graph.nodes if "fake_quantize" in str(n.target)]
    read = {str(node.args[0]): {user.name for user in node.users} for node in rounded}
    assert read == {"add": {"upsample_nearest2d"}, "conv2d_2": {"instance_norm"}}


def test_values_beyond_a_range_are_clipped(painter):
    feeds = feeds_of(painter, 1)
    module = painter.module()
    blocks = find_blocks(module)[:1]
    narrow = {"inputs_0": Range(0, 0.25), "relu": Range(0, 10)}
    simulate(module, blocks, narrow, weights=False)
    cut = {"content": np.minimum(feeds[0]["content"], 0.25)}
    with torch.inference_mode():
        first = module(torch.from_numpy(feeds[0]["content"]))
        second = module(torch.from_numpy(cut["content"]))
    torch.testing.assert_close(first, second)


def test_the_shipped_network_loses_here_what_it_loses_in_onnx_runtime(lite, lite_plan, tmp_path):
    """Values that lie between two steps go either way, and norms spread that; no more differs."""
    (graph, calibration), plan = lite, lite_plan.applied()
    source, recipe, feeds = plan.graph, plan.recipe, calibration.inputs
    path = tmp_path / "a.onnx"
    find_target("onnx").write(source, Recipe(Precision.INT8, int8=recipe), path, lambda: feeds)
    model = onnx.load(path)
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("conv2d_uint8", onnx.TensorProto.UINT8, None)
    )
    session = ort.InferenceSession(model.SerializeToString())
    module = source.module()
    blocks = quantized_blocks(find_blocks(module), recipe.float_layers)
    simulate(module, blocks, recipe.ranges)
    scale, zero = scale_and_zero_point(recipe.ranges["conv2d"])
    for inputs in feeds[:2]:
        file, steps = session.run(None, inputs)
        first = output_of(module, "conv2d", inputs)
        here = simulated(source, blocks, recipe.ranges, inputs).numpy()
        exact = simulated(graph, (), {}, inputs).numpy()
        own = (first / scale).round().clamp(-zero, 255 - zero).numpy() + zero
        apart = np.abs(own - steps.astype(np.float32))
        assert apart.max() <= 1
        assert apart.mean() < 0.002
        assert psnr_db(file, here, 1.0) > psnr_db(file, exact, 1.0) > 30
        assert psnr_db(file, exact, 1.0) == pytest.approx(psnr_db(here, exact, 1.0), abs=1)
