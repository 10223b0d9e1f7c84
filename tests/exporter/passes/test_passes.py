"""Each pass on a small network: it applies, stays exact, or refuses with a reason."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core import plugins
from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role, Size
from styleexport.exporter.graph import proof as _proof
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.exporter.graph.proof import conv2d_in_strips
from styleexport.exporter.graph.rewrite import (
    PACKAGE,
    Outcome,
    Pass,
    all_passes,
    apply_passes,
)

SIZE = Size(9, 11)


def graph_of(module: nn.Module) -> Graph:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    module.eval()
    inputs = (
        TensorFact(
            name="content", kind="image", shape=(1, 3, 9, 11), dtype="float32", layout="NCHW"
        ),
    )
    examples = example_inputs(inputs, SIZE)
    return Graph(
        trace(module, examples, inputs, False, 1), Role.STYLIZE, SIZE, False, 1, inputs, inputs
    )


def run(module: nn.Module, name: str) -> tuple[Graph, int, tuple[str, ...]]:
    """Apply one pass (and the dead-code pass); check in float32 that nothing changed."""
    graph = graph_of(module)
    wanted = tuple(p for p in all_passes() if p.name in (name, "drop-dead-code"))
    rewritten, facts = apply_passes(graph, wanted)
    fact = next(f for f in facts if f.name == name)
    (x,) = example_inputs(graph.inputs, SIZE)
    with torch.no_grad():
        before, after = graph.program.module()(x), rewritten.program.module()(x)
    assert torch.allclose(before, after, rtol=1e-4, atol=1e-4 * float(before.abs().max()))
    return rewritten, fact.applied, fact.refused


def count(graph: Graph, name: str) -> int:
    return sum(name in str(node.target) for node in graph.program.graph.nodes)


class Scaled(nn.Module):
    def __init__(self, conv: nn.Module):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return self.conv((x * 255.0 - 20.0) / 3.0 + 0.5)


def conv(inputs=3, outputs=4, padding_mode="reflect", **settings):
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=padding_mode, **settings)


def test_every_pass_of_the_directory_runs_in_stage_order():
    passes = all_passes()
    assert {p.name for p in passes} == set(plugins.names(PACKAGE))
    assert [p.stage for p in passes] == sorted(p.stage for p in passes)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_pointwise_maps_fold_through_padding_that_copies(mode):
    network = Scaled(nn.Sequential(nn.Conv2d(3, 3, 1), conv(padding_mode=mode)))
    graph, applied, refused = run(network, "fold-pointwise")
    assert refused == ()
    assert count(graph, "conv2d") == 1
    assert count(graph, "mul") == count(graph, "sub") == count(graph, "div") == 0
    assert applied >= 5


def test_an_offset_in_front_of_zero_padding_is_refused():
    graph, applied, refused = run(Scaled(conv(padding_mode="zeros")), "fold-pointwise")
    assert applied == 0
    assert "pads with zeros, which does not commute with adding an offset" in refused[0]
    assert count(graph, "mul") == 1


def test_a_pure_scaling_folds_through_zero_padding():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = conv(padding_mode="zeros")

        def forward(self, x):
            return self.conv(x * 255.0)

    _, applied, refused = run(Scale(), "fold-pointwise")
    assert (applied, refused) == (1, ())


def test_a_grouped_convolution_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), conv(3, 6, groups=3))
    _, applied, refused = run(network, "fold-pointwise")
    assert applied == 0
    assert "grouped" in refused[0]


def test_folding_that_would_cost_more_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(32, 2, 1), conv(2, 32))
    graph, applied, refused = run(network, "fold-pointwise")
    assert applied == 0
    assert "cost more" in refused[0]
    assert count(graph, "conv2d") == 3


def test_a_shared_convolution_folds_in_both_places():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = conv()

        def forward(self, x):
            return self.conv(x * 2 - 1) + self.conv(x * 3)

    graph, applied, _ = run(Twice(), "fold-pointwise")
    assert applied == 3
    assert count(graph, "mul") == 0


class Buffered(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.register_buffer("mean", torch.linspace(0.1, 0.9, 3).reshape(shape))
        self.conv = conv()

    def forward(self, x):
        return self.conv((x - self.mean) / 0.25)


def test_a_per_channel_mean_folds():
    _, applied, _ = run(Buffered((1, 3, 1, 1)), "fold-pointwise")
    assert applied == 2


def test_batch_norm_folds_into_the_convolution_before_it():
    norm = nn.BatchNorm2d(4)
    network = nn.Sequential(conv(), norm, nn.ReLU(), conv(4, 3))
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    graph, applied, refused = run(network, "fold-batch-norm")
    assert (applied, refused) == (1, ())
    assert count(graph, "batch_norm") == 0


def test_batch_norm_without_a_convolution_of_its_own_is_refused():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.first = conv(), nn.BatchNorm2d(4), nn.BatchNorm2d(3)

        def forward(self, x):
            y = self.conv(self.first(x))
            return self.norm(y) + y

    _, applied, refused = run(Shared(), "fold-batch-norm")
    assert applied == 0
    assert any("does not follow a convolution" in reason for reason in refused)
    assert any("has 2 users" in reason for reason in refused)


def test_identities_are_dropped():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            y = self.drop(x).clone()[:, :, 0:] * 1 + 0
            y = nn.functional.pad(y, (0, 0, 0, 0)).reshape(1, 3, 9, 11)
            return y.to(torch.float32)[:, :, :9] * 2

    graph, applied, _ = run(Idle(), "drop-identity")
    assert applied >= 6
    left = [node for node in graph.program.graph.nodes if node.op == "call_function"]
    assert [str(node.target) for node in left] == ["aten.mul.Tensor"]


def test_a_slice_that_cuts_is_kept():
    class Cut(nn.Module):
        def forward(self, x):
            return x[:, :, :5] * 2

    graph, applied, _ = run(Cut(), "drop-identity")
    assert count(graph, "slice") == 1
    assert applied == 0


def test_dead_code_and_its_weights_go():
    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = conv(), conv()

        def forward(self, x):
            self.unused(x)
            return self.used(x)

    graph = graph_of(Dead())
    rewritten, _ = apply_passes(graph)
    assert count(rewritten, "conv2d") == 1
    assert len(rewritten.program.state_dict) == 2


def test_a_rewrite_that_is_not_exact_is_undone_and_said():
    def wrong(module):
        for node in module.graph.nodes:
            if node.target is torch.ops.aten.mul.Tensor:
                node.args = (node.args[0], 255.001)
                return Outcome(1)
        return Outcome(0)

    graph = graph_of(Scaled(conv()))
    rewritten, (fact,) = apply_passes(graph, (Pass("wrong", 0, wrong),))
    assert fact.applied == 0
    assert "not exact here: changed the output by" in fact.refused[0]
    (x,) = example_inputs(graph.inputs, SIZE)
    assert torch.equal(graph.program.module()(x), rewritten.program.module()(x))


def test_passes_leave_the_network_they_came_from_alone(random_network):
    from styleexport.exporter.graph.capture import capture

    network = random_network("adain-cd16x")
    before = {k: v.clone() for k, v in network.module.state_dict().items()}
    apply_passes(capture(network, Role.ENCODE, Size(32, 32)))
    for key, value in network.module.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        ([1, 1], [0, 0], [1, 1], 1),
        ([2, 1], [2, 1], [1, 1], 1),
        ([2, 2], [3, 0], [2, 3], 2),
        ([3], [1], [1], 4),
    ],
)
def test_a_convolution_in_strips_is_the_convolution(stride, padding, dilation, groups):
    torch.manual_seed(0)
    x = torch.rand(1, 4, 37, 41, dtype=torch.float64)
    weight, bias = torch.rand(8, 4 // groups, 5, 3).double(), torch.rand(8).double()
    asked = (bias, stride, padding, dilation, groups)
    whole = torch.nn.functional.conv2d(x, weight, *asked)
    for unfolded_bytes in (1, 20_000, 10**9):
        strips = conv2d_in_strips(x, weight, *asked, unfolded_bytes=unfolded_bytes)
        torch.testing.assert_close(strips, whole, rtol=1e-13, atol=0)


def test_a_proof_runs_large_convolutions_in_strips(monkeypatch):
    monkeypatch.setattr(_proof, "UNFOLDED_BYTES", 4_000)
    unfolded = []
    conv2d = torch.nn.functional.conv2d
    monkeypatch.setattr(
        _proof.functional,
        "conv2d",
        lambda x, *rest: (unfolded.append(x.shape), conv2d(x, *rest))[1],
    )
    module = graph_of(nn.Conv2d(3, 4, 3, padding=1)).module().double()
    inputs = (torch.rand(1, 3, 9, 11, dtype=torch.float64),)
    torch.testing.assert_close(
        _proof.run_exactly(module, inputs)[0], module(*inputs), rtol=1e-13, atol=0
    )
    assert len(unfolded) > 2


class Vectors(nn.Module):
    """Products with a vector on the right, on the left, and on both sides."""

    def __init__(self):
        super().__init__()
        self.luma = nn.Parameter(torch.ones(3))
        self.mix = nn.Parameter(torch.ones(3, 3))

    def forward(self, x):
        grey = torch.matmul(x.permute(0, 2, 3, 1), self.luma)
        means = x.mean((0, 2, 3))
        left = torch.matmul(means, self.mix) + torch.mv(self.mix, means)
        rows = torch.matmul(self.luma, x.permute(0, 2, 1, 3))
        return x * left.view(1, 3, 1, 1) + grey[:, None] + rows[:, None] + means @ self.luma


def test_products_with_vectors_become_products_of_matrices():
    graph, applied, refused = run(Vectors(), "vector-product")
    assert (applied, refused) == (5, ())
    products = [n for n in graph.program.graph.nodes if "matmul" in str(n.target)]
    assert len(products) == 5
    assert all(a.meta["val"].dim() > 1 for n in products for a in n.args)


@pytest.mark.parametrize(
    "statistics",
    [
        pytest.param(lambda x: torch.var_mean(x, (2, 3), keepdim=True), id="of maps"),
        pytest.param(
            lambda x: torch.var_mean(x, (1, 2, 3), correction=0, keepdim=True), id="biased"
        ),
        pytest.param(
            lambda x: torch.std_mean(x, 1, unbiased=False, keepdim=True), id="of channels"
        ),
        pytest.param(lambda x: torch.std_mean(x, correction=2), id="of everything, corrected"),
        pytest.param(lambda x: torch.var_mean(x, unbiased=True), id="of everything"),
        pytest.param(lambda x: (x, torch.var_mean(x, (2, 3), keepdim=True)[1]), id="mean alone"),
    ],
)
def test_variance_and_mean_of_one_operation_become_two(statistics):
    class Normalised(nn.Module):
        def forward(self, x):
            spread, mean = statistics(x)
            return (x - mean) * (spread + 0.5)

    graph, applied, refused = run(Normalised(), "split-var-mean")
    assert (applied, refused) == (1, ())
    assert count(graph, "_mean") == 0


def test_what_operations_make_of_numbers_is_stored():
    class Placed(nn.Module):
        def forward(self, x):
            steps = torch.linspace(-1, 1, 11) + torch.eye(3)[0].sum()
            return x * steps + torch.zeros(1, 3, 200, 200)[:, :, :9, :11]

    graph, applied, refused = run(Placed(), "store-constants")
    assert (applied, refused) == (5, ())
    assert count(graph, "linspace") == count(graph, "eye") == 0
    assert count(graph, "zeros") == 1


def test_what_operations_make_of_weights_is_stored():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.conv(x) + (x.mean((2, 3)) @ self.conv.weight.sum((2, 3)))[..., None, None]

    graph, applied, refused = run(Shifted(), "store-constants")
    assert (applied, refused) == (1, ())
    assert count(graph, "sum") == 0


class ResidualNorm(nn.Module):
    """A projection and its norm, read by the next layer and by a sum."""

    def __init__(self):
        super().__init__()
        self.project, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.expand = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        y = self.norm(self.project(x))
        return (y + self.expand(y).relu())[:, :3]


def test_a_norm_that_two_layers_read_folds_back_and_not_forward():
    graph = graph_of(ResidualNorm())
    rewritten, facts = apply_passes(graph)
    assert {f.name: f.applied for f in facts}["fold-batch-norm"] == 1
    assert count(rewritten, "batch_norm") == 0
    assert count(rewritten, "conv2d") == 2


def test_a_scale_per_channel_folds_into_the_convolution_before_it():
    class LayerScale(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.layer_scale = conv(3, 3), nn.Parameter(torch.ones(3, 1, 1))

        def forward(self, x):
            return x + self.conv(x) * self.layer_scale

    graph, applied, _ = run(LayerScale(), "fold-scale")
    assert applied == 1
    assert count(graph, "mul") == 0


def test_a_scale_of_a_convolution_that_is_read_elsewhere_stays():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.scale = conv(3, 3), nn.Parameter(torch.ones(3, 1, 1))

        def forward(self, x):
            y = self.conv(x)
            return y + y * self.scale

    assert run(Twice(), "fold-scale")[1] == 0


def test_a_batch_norm_behind_a_concatenation_becomes_an_affine_map_per_channel():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.last = conv(), nn.BatchNorm2d(7), conv(7, 3)

        def forward(self, x):
            return self.last(self.norm(torch.cat([x, self.first(x)], 1)).relu())

    network = Dense()
    network.norm.running_mean.uniform_(-1, 1)
    graph, applied, _ = run(network, "expand-batch-norm")
    assert applied == 1
    assert [count(graph, name) for name in ("batch_norm", "mul", "add")] == [0, 1, 1]


class Pooled(nn.Module):
    """A 1x1 convolution in front of an average pooling, or behind an upsampling."""

    def __init__(self, padding: int = 0, *, up: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.point = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 1)
        self.padding, self.up = padding, up

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(content))
        if self.up:
            return self.point(F.interpolate(x, scale_factor=2, mode="nearest"))
        x = F.avg_pool2d(self.point(x), 2, padding=self.padding)
        return F.interpolate(torch.relu(x), scale_factor=2, mode="nearest")


@pytest.mark.parametrize("up", [True, False])
def test_1x1_convolutions_are_computed_at_the_lower_resolution(up):
    before = run(Pooled(up=up), "drop-identity")[0]
    after, applied, _ = run(Pooled(up=up), "pointwise-first")
    assert applied == 1
    assert after.macs < before.macs


def test_a_pooling_that_averages_fewer_pixels_at_the_edge_stays_behind():
    assert run(Pooled(padding=1), "pointwise-first")[1] == 0
