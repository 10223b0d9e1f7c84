"""Forms that XNNPACK takes: the same numbers as what they stand for, and nothing of it left."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.rewrites.choices import for_integers
from styleexport.exporter.targets._target import Recipe
from styleexport.exporter.targets.executorch import TARGET
from styleexport.exporter.targets.executorch.forms import FORMS, transposed_weight
from tests.exporter.conftest import graph_of

REPLACED = {
    "pixel_shuffle", "upsample_nearest2d", "split", "split_with_sizes", "instance_norm",
    "reciprocal", "matmul",
}  # fmt: skip


class Everything(nn.Module):
    """Each operation that is written otherwise."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(8, 8, 3, padding=1, padding_mode="replicate")
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = functional.instance_norm(functional.relu(self.first(content)))
        x = functional.max_pool2d(x, 2)
        x = functional.interpolate(self.second(x), scale_factor=2.0, mode="nearest")
        one, other = x.split([4, 4], 1)
        flat = one.flatten(2)
        share = torch.matmul(flat, flat.transpose(1, 2)).mean((1, 2), keepdim=True) * 1e-3
        x = one * torch.reciprocal(other.abs() + 2) + share[..., None]
        return torch.sigmoid(
            self.last(functional.pad(x, (2, 1, 0, 2), mode="reflect"))[:, :, 2:, 3:]
        )


class Doubled(nn.Module):
    """Upsampling in front of a convolution, and a depth to space behind nothing of the kind."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.inner = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.conv = nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.inner(content))
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        shuffled = functional.pixel_shuffle(
            functional.avg_pool2d(x.repeat(1, 4, 1, 1)[:, :12], 2), 2
        )
        return torch.sigmoid(functional.relu(self.conv(x)) + shuffled)


def test_every_form_is_exact_and_leaves_nothing():
    graph = graph_of(Everything())
    rewritten, facts = apply_passes(graph, FORMS)
    applied = {fact.name: fact.applied for fact in facts}
    assert not any(fact.refused for fact in facts)
    for name in ("spread-upsamplings", "slice-splits", "multiply-batches", "expand-norms"):
        assert applied[name] >= 1, name
    assert applied["slice-pads"] == 3
    found = {operation_of(node) for node in rewritten.program.graph.nodes}
    assert REPLACED.isdisjoint(found), found
    pads = [n for n in rewritten.program.graph.nodes if operation_of(n) == "pad"]
    assert pads == []


class Reduced(nn.Module):
    """Sums, means and products of matrices over axes that XNNPACK has no kernel for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(3, 12, 3, padding=1)
        self.last = nn.Conv2d(12, 3, 1)

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = self.conv(content)
        x = x - x.mean(1, keepdim=True)
        x = x / ((x * x).mean(1, keepdim=True) + 1).sqrt() + x.sum(1)[:, None] * 1e-3
        flat = x.flatten(2).squeeze(0)
        gram = torch.matmul(flat, flat.t()).unsqueeze(0)
        trace = (gram * torch.eye(12)).sum((1, 2), keepdim=True) / 12
        rows = torch.cat([gram.sum(2)]).mean(-1)
        return torch.sigmoid(self.last(x / (trace + 1)[..., None] + rows[:, None, None, None]))


def test_reductions_are_exact_and_leave_nothing_for_other_kernels(tmp_path):
    graph = graph_of(Reduced())
    rewritten, facts = apply_passes(graph, FORMS)
    applied = {fact.name: fact.applied for fact in facts}
    assert (applied["spread-sums"], applied["multiply-batches"]) == (6, 1)
    assert applied["drop-single-cats"] == 1
    found = {operation_of(node) for node in rewritten.program.graph.nodes}
    assert found.isdisjoint({"sum", "matmul", "mm"}), found
    written = TARGET.write(graph, Recipe(), tmp_path / "x.pte", list)
    assert [(p.applied, p.refused) for p in written.passes][-1] == (1, ())


def test_phases_become_one_transposed_convolution():
    graph, _ = for_integers(graph_of(Doubled()), target="executorch")
    rewritten, facts = apply_passes(graph, FORMS)
    applied = {fact.name: fact.applied for fact in facts}
    assert (applied["merge-shuffles"], applied["spread-shuffles"]) == (1, 1)
    operations = [operation_of(node) for node in rewritten.program.graph.nodes]
    assert operations.count("conv_transpose2d") == 1
    assert "pixel_shuffle" not in operations


@pytest.mark.parametrize("scale", [2, 3])
def test_a_depth_to_space_is_a_transposed_convolution(scale):
    generator = torch.Generator().manual_seed(scale)
    weight = torch.randn(5 * scale**2, 4, 2, 3, generator=generator, dtype=torch.float64)
    x = torch.randn(1, 4, 7, 9, generator=generator, dtype=torch.float64)
    expected = functional.pixel_shuffle(functional.conv2d(x, weight), scale)
    found = functional.conv_transpose2d(
        x, transposed_weight(weight, scale), stride=scale, padding=(scale, 2 * scale)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_phases_of_several_biases_stay_apart():
    module = nn.Sequential(nn.Conv2d(3, 12, 1), nn.PixelShuffle(2), nn.AvgPool2d(2), nn.Sigmoid())
    graph = graph_of(module)
    _, facts = apply_passes(graph, FORMS)
    applied = {fact.name: fact.applied for fact in facts}
    assert (applied["merge-shuffles"], applied["spread-shuffles"]) == (0, 1)
