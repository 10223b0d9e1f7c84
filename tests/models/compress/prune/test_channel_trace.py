"""Channels that go together: through concatenations, sums, depthwise blocks, splits and codes.

Each network is small and seeded; channels are made empty at one place, found, removed, and the
network without them computes the same.
"""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.architecture import keep_channels, layers
from styleexport.models.compress.prune.channel_trace import trace_dependencies
from styleexport.models.compress.prune.channels import paint_in_own_style
from styleexport.models.transforms import sandwich


def conv(inputs: int, outputs: int, kernel: int = 3, **options) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, **options)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, 1.0)  # nothing is empty by chance
    return layer


def norm(channels: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(channels)
    nn.init.constant_(layer.bias, 3.0)
    return layer


def deaden(layer: nn.Module, channels: list[int]) -> None:
    """Let a layer's channels answer below zero only."""
    assert isinstance(layer, nn.Conv2d | nn.BatchNorm2d)
    with torch.no_grad():
        layer.weight[channels] = 0
        layer.bias[channels] = -0.5  # pyright: ignore[reportOptionalSubscript]


class Chain(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b = conv(3, 6), norm(6), conv(6, 3)
        deaden(self.norm, [1, 4])

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.max_pool2d(F.relu(self.norm(self.a(x))), 1))


class Inception(nn.Module):
    """Branches of which the second is joined by a pooled copy of the input."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 5)
        self.left, self.right, self.pooled = conv(5, 4, 1), conv(5, 3), conv(5, 2, 1)
        self.out = conv(9, 3)
        deaden(self.stem, [2])
        deaden(self.right, [0, 2])
        deaden(self.pooled, [1])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        branches = [self.left(x), self.right(x), self.pooled(F.avg_pool2d(x, 3, 1, 1))]
        return self.out(torch.cat([F.relu(branch) for branch in branches], 1))


class Residual(nn.Module):
    """Channel 0 is empty in the stream; channel 1 in the block alone; 2 inside the block."""

    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two, self.out = conv(3, 4), conv(4, 5), conv(5, 4), conv(4, 3)
        deaden(self.stem, [0])
        deaden(self.two, [0, 1])
        deaden(self.one, [2])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = F.relu(x + self.two(F.relu(self.one(x))))
        return self.out(x)


class Inverted(nn.Module):
    """MobileNetV2's block: expand, depthwise, project, and a sum without an activation."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 4)
        self.expand, self.n1 = conv(4, 8, 1, bias=False), norm(8)
        self.depth, self.n2 = conv(8, 8, groups=8, bias=False), norm(8)
        self.project, self.out = conv(8, 4, 1), conv(4, 3)
        deaden(self.n2, [3, 6])
        deaden(self.n1, [3, 5])
        with torch.no_grad():
            self.n2.bias[5] = 0.7  # empty before the depthwise convolution, constant behind it

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = F.relu6(self.n2(self.depth(F.relu6(self.n1(self.expand(x))))))
        return self.out(x + self.project(y))


class Squeeze(nn.Module):
    """Squeeze and excitation over channels two of which are empty, and a split."""

    def __init__(self):
        super().__init__()
        self.stem, self.down, self.up, self.out = (
            conv(3, 6),
            nn.Linear(6, 4),
            nn.Linear(4, 6),
            conv(3, 3),
        )
        nn.init.constant_(self.down.bias, 3.0)
        deaden(self.stem, [0, 3])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        gate = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        left, right = (x * gate[:, :, None, None]).chunk(2, 1)
        return self.out(left + right)


class Upwards(nn.Module):
    """A transposed convolution and an instance norm."""

    def __init__(self):
        super().__init__()
        self.a, self.up = conv(3, 4), nn.ConvTranspose2d(4, 5, 2, 2)
        self.norm, self.out = nn.InstanceNorm2d(5, affine=True), conv(5, 3)
        deaden(self.a, [1])
        with torch.no_grad():
            self.norm.weight[2], self.norm.bias[2] = 0, -1

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.up(F.relu(self.a(x)))))
        return self.out(F.interpolate(x, scale_factor=0.5, mode="nearest"))


class Swapped(nn.Module):
    """Patches of features matched with those of a bank: products over channels, gathers, pads."""

    def __init__(self):
        super().__init__()
        self.a, self.out = conv(3, 6), conv(6, 3)
        deaden(self.a, [1, 4])

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.a(x))
        code = sandwich.style_code(features[:1, :, :8, :8]).expand(len(x), -1)
        return self.out(sandwich.apply(features, code, torch.ones(1), 8))


class Widened(nn.Module):
    """Channels of zeros behind a layer's own, as ENet has them: none of them is the layer's."""

    def __init__(self):
        super().__init__()
        self.a, self.out = conv(3, 4), conv(6, 3)
        deaden(self.a, [3])

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.pad(F.relu(self.a(x)), (1, 1, 0, 0, 0, 2)))[:, :, :, 1:-1]


def empty_sets(net: nn.Module, pictures: Tensor):
    """The sets that are empty on pictures, by hooks rather than by the code that is tested."""
    dependencies = trace_dependencies(net, pictures[:1], paint_in_own_style)
    alive, read = set(), set()
    for name in dependencies.mixing:
        seen: list[Tensor] = []
        module = dict(layers(net))[name]
        hook = module.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        net(pictures)
        hook.remove()
        peak = torch.cat([s.abs().transpose(0, 1).flatten(1) for s in seen], 1).amax(1)
        labels = dependencies.inputs[name]
        read.update(labels)
        alive.update(label for label, value in zip(labels, peak.tolist(), strict=True) if value)
    return dependencies, read - alive - dependencies.pinned


EXPECTED = {
    Chain: {"a": (3, 4), "norm": (4, 4), "b": (4, 3)},
    Inception: {"stem": (3, 4), "left": (4, 4), "right": (4, 1), "pooled": (4, 1), "out": (6, 3)},
    Residual: {"stem": (3, 3), "one": (3, 4), "two": (4, 3), "out": (3, 3)},
    Inverted: {"expand": (4, 6), "n1": (6, 6), "depth": (6, 6), "n2": (6, 6), "project": (6, 4)},
    Squeeze: {"stem": (3, 4), "down": (4, 4), "up": (4, 4), "out": (2, 3)},
    Upwards: {"a": (3, 3), "up": (3, 4), "norm": (4, 4), "out": (4, 3)},
    Swapped: {"a": (3, 4), "out": (4, 3)},
    Widened: {"a": (3, 3), "out": (5, 3)},
}


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
@torch.no_grad()
def test_empty_channels_go_with_all_that_is_joined_to_them(kind):
    torch.manual_seed(1)
    net = kind().eval().requires_grad_(False)
    pictures = torch.rand(3, 3, 16, 16)
    dependencies, gone = empty_sets(net, pictures)
    kept = dependencies.kept_without(gone)
    widths = {name: (len(k.inputs), len(k.outputs)) for name, k in kept.items()}
    assert widths == EXPECTED[kind]
    slim = copy.deepcopy(net)
    for name, channels in kept.items():
        keep_channels(dict(layers(slim))[name], channels)
    torch.testing.assert_close(slim(pictures), net(pictures), atol=1e-6, rtol=0)


class Softly(nn.Module):
    """A softmax over channels: nothing that it reads may go."""

    def __init__(self):
        super().__init__()
        self.a, self.b = conv(3, 4), conv(4, 3)
        deaden(self.a, [1])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        return self.b(x) + F.softmax(x, 1)[:, :3]


class Masked(Softly):
    """A constant of the module's own, which has as many channels as the layer."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)) * torch.arange(4.0).reshape(1, 4, 1, 1))


class Written(Softly):
    """Values written into a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        held = torch.zeros_like(x)
        held[:, :4] = x
        return self.b(held)


class Scaled(Softly):
    """A weight that is computed before it is used."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.relu(self.a(x)), self.b.weight * 2, self.b.bias, padding=1)


class Grouped(Softly):
    """Groups of two channels."""

    def __init__(self):
        super().__init__()
        self.b = conv(4, 4, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))[:, :3]


class Averaged(Softly):
    """A mean over channels, which counts the empty ones."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        return self.b(x) + x.mean(1, keepdim=True)


@pytest.mark.parametrize(
    "kind", [Softly, Masked, Written, Scaled, Grouped, Averaged], ids=lambda kind: kind.__name__
)
@torch.no_grad()
def test_what_is_not_understood_stays(kind):
    torch.manual_seed(0)
    net = kind().eval().requires_grad_(False)
    dependencies = trace_dependencies(net, torch.rand(1, 3, 16, 16), paint_in_own_style)
    removable = {label for name in dependencies.mixing for label in dependencies.inputs[name]}
    assert not (removable - dependencies.pinned) & set(dependencies.outputs["a"])


@torch.no_grad()
def test_pixel_shuffle_joins_the_channels_it_mixes():
    net = nn.Sequential(conv(3, 8), nn.PixelShuffle(2), conv(2, 3)).eval().requires_grad_(False)
    dependencies = trace_dependencies(net, torch.rand(1, 3, 8, 8), paint_in_own_style)
    assert len(set(dependencies.outputs["0"][:4])) == 1
    assert (
        dependencies.outputs["0"][0] == dependencies.inputs["2"][0] != dependencies.inputs["2"][1]
    )


@torch.no_grad()
def test_a_channel_that_scales_all_others_stays():
    class Gated(Softly):
        """Channel 0 is found by its number, and must keep it."""

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.a(x))
            return self.b(x * x[:, :1])

    net = Gated().eval().requires_grad_(False)
    dependencies = trace_dependencies(net, torch.rand(1, 3, 8, 8), paint_in_own_style)
    assert [label in dependencies.pinned for label in dependencies.outputs["a"]] == [
        True,
        *[False] * 3,
    ]
