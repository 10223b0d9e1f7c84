"""Pixel formats of users' networks, against the network as its author uses it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.errors import UsageError
from styleexport.core.types import Role
from styleexport.models.network import LoadedNetwork
from styleexport.models.pixel_choice import settle_pixels
from styleexport.models.pixel_modules import LUMA
from styleexport.models.pixels import IMAGENET_MEAN, IMAGENET_STD, PixelDeclaration
from tests.zoo import load_own

MEAN = torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1)
STD = torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1)
BGR_MEAN = torch.tensor([103.939, 116.779, 123.68]).reshape(1, 3, 1, 1)


class Net(nn.Module):
    """A convolution near the identity between two functions."""

    def __init__(
        self,
        before: Callable[[Tensor], Tensor],
        after: Callable[[Tensor], Tensor],
        channels: tuple[int, int] = (3, 3),
        gain: float = 1.0,
        **declared: object,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(*channels, 3, padding=1)
        with torch.no_grad():
            self.conv.weight *= 0.1
            self.conv.bias *= 0.1
            for index in range(channels[1]):
                self.conv.weight[index, index % channels[0], 1, 1] += gain
        self.before, self.after = before, after
        for name, value in declared.items():
            setattr(self, name, value)

    def forward(self, image: Tensor) -> Tensor:
        return self.after(self.conv(self.before(image)))


def same(x: Tensor) -> Tensor:
    return x


def signed(x: Tensor) -> Tensor:
    return 2 * x - 1


def unsigned(y: Tensor) -> Tensor:
    return (y + 1) / 2


def bytes_of(x: Tensor) -> Tensor:
    return x * 255


def of_bytes(y: Tensor) -> Tensor:
    return y.float() / 255


def swapped(x: Tensor) -> Tensor:
    return x.flip(1)


def last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def grey(x: Tensor) -> Tensor:
    return (x * torch.tensor(LUMA).reshape(1, 3, 1, 1)).sum(1, keepdim=True)


def opaque(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones_like(x[:, :1])], 1)


def over_white(y: Tensor) -> Tensor:
    alpha = y[:, 3:].clamp(0, 1)
    return y[:, :3].clamp(0, 1) * alpha + 1 - alpha


def caffe(x: Tensor) -> Tensor:
    return bytes_of(swapped(x)) - BGR_MEAN


# Name → network, what its author does before and after it, and how the formats are known.
KINDS: dict[str, tuple[Net, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], str]] = {
    "tanh": (Net(same, torch.tanh), signed, unsigned, "pixels -1..1 (found: ends in Tanh)"),
    "sigmoid": (Net(same, torch.sigmoid), same, same, "pixels 0..1 (found: ends in Sigmoid)"),
    "clip": (
        Net(same, lambda y: y.clamp(-1, 1)),
        signed,
        unsigned,
        "pixels -1..1 (found: ends in a Clip to -1..1)",
    ),
    "hardtanh": (Net(same, F.hardtanh), signed, unsigned, "pixels -1..1 (found: ends in a Clip"),
    "tanh of a picture in 0..1": (
        Net(signed, torch.tanh),
        same,
        unsigned,
        "pixels in 0..1 (found: begins by mapping 0..1 to -1..1), out -1..1 (found: ends in Tanh)",
    ),
    "tanh scaled to 0..1": (
        Net(signed, lambda y: torch.tanh(y) * 0.5 + 0.5),
        same,
        same,
        "pixels in 0..1 (found: begins by mapping 0..1 to -1..1), out 0..1 (found: ends in Tanh "
        "scaled to 0..1)",
    ),
    "wide tanh, as Johnson's": (
        Net(lambda x: x, lambda y: torch.tanh((y - 127.5) / 150) * 150 + 127.5),
        bytes_of,
        of_bytes,
        "pixels 0..255 (found: ends in Tanh scaled to -22.5..277.5)",
    ),
    "bytes in, signed out": (
        Net(lambda x: x / 127.5 - 1, torch.tanh),
        bytes_of,
        unsigned,
        "pixels in 0..255 (found: begins by mapping 0..255 to -1..1), out -1..1 (found: ends in",
    ),
    "bytes in, 0..1 out": (
        Net(lambda x: x.div(255), torch.sigmoid),
        bytes_of,
        same,
        "pixels in 0..255 (found: begins by mapping 0..255 to 0..1), out 0..1 (found: ends in S",
    ),
    "bytes, unbounded": (
        Net(lambda x: x - 127, lambda y: y + 127),
        bytes_of,
        of_bytes,
        "pixels in 0..255 (found: begins by mapping 0..255 to -127..128), out 0..255 (found: its "
        "values reach",
    ),
    "bytes out, by the values": (
        Net(lambda x: x / 127.5 - 1, lambda y: 100 * y + 127.5),
        bytes_of,
        of_bytes,
        "pixels in 0..255 (found: begins by mapping 0..255 to -1..1), out 0..255 (found: its",
    ),
    "uint8 out": (
        Net(same, lambda y: (torch.sigmoid(8 * y - 4) * 255).to(torch.uint8)),
        same,
        of_bytes,
        "pixels in 0..1 (found: the output saturates with 0..255), out 0..255 uint8 (found: gives "
        "uint8)",
    ),
    "uint8 in and out, declared": (
        Net(
            lambda x: x.float() / 255,
            lambda y: (y.clamp(0, 1) * 255).round().to(torch.uint8),
            pixels="0..255:uint8",
        ),
        lambda x: bytes_of(x).round().to(torch.uint8),
        of_bytes,
        "pixels 0..255 uint8 (declared)",
    ),
    "unbounded, 0..1": (Net(same, same), same, same, "pixels 0..1 (assumed)"),
    "normalizes by itself": (
        Net(lambda x: (x - MEAN) / STD, torch.sigmoid),
        same,
        same,
        "pixels in 0..1 (found: begins by mapping 0..1 to -2.12..2.64), out 0..1 (found: ends in",
    ),
    "normalized outside, declared": (
        Net(same, torch.sigmoid, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        lambda x: (x - MEAN) / STD,
        same,
        "pixels in 0..1 normalized as for ImageNet (declared), out 0..1 (found: ends in Sigmoid)",
    ),
    "normalized in and out, declared": (
        Net(same, same, pixels="imagenet"),
        lambda x: (x - MEAN) / STD,
        lambda y: y * STD + MEAN,
        "pixels 0..1 normalized as for ImageNet (declared)",
    ),
    "blue first, mean subtracted inside": (
        Net(lambda x: x - BGR_MEAN, lambda y: y + BGR_MEAN),
        lambda x: bytes_of(swapped(x)),
        lambda y: of_bytes(swapped(y)),
        "pixels in 0..255 BGR (found: begins by mapping 0..255 to -124..151), out 0..255 BGR",
    ),
    "blue first, mean declared": (
        Net(
            same,
            lambda y: y + 110,
            input_pixels="0..255:bgr",
            mean=[103.939, 116.779, 123.68],
            output_pixels="0..255",
        ),
        caffe,
        of_bytes,
        "pixels in 0..255 BGR mean 103.939/116.779/123.68 (declared), out 0..255 (declared)",
    ),
    "blue first, declared": (
        Net(same, torch.tanh, bgr=True, pixels="-1..1"),
        lambda x: signed(swapped(x)),
        lambda y: unsigned(swapped(y)),
        "pixels -1..1 BGR (declared)",
    ),
    "other range, declared": (
        Net(same, lambda y: y.clamp(-0.5, 0.5), pixels="-0.5..0.5"),
        lambda x: x - 0.5,
        lambda y: y + 0.5,
        "pixels -0.5..0.5 (declared)",
    ),
    "channels last": (
        Net(first, lambda y: last(torch.tanh(y))),
        lambda x: last(signed(x)),
        lambda y: unsigned(first(y)),
        "pixels -1..1 NHWC (found: ends in Tanh)",
    ),
    "channels last, bytes": (
        Net(lambda x: first(x / 255), lambda y: last(y.clamp(0, 1) * 255)),
        lambda x: last(bytes_of(x)),
        lambda y: of_bytes(first(y)),
        "pixels in 0..255 NHWC (found: begins by mapping 0..255 to 0..1), out 0..255 NHWC (found",
    ),
    "grey out": (
        Net(same, torch.sigmoid, (3, 1)),
        same,
        lambda y: y.expand(-1, 3, -1, -1),
        "pixels in 0..1 (found: ends in Sigmoid), out 0..1 grey (found: ends in Sigmoid)",
    ),
    "grey in and out": (
        Net(same, torch.tanh, (1, 1)),
        lambda x: signed(grey(x)),
        lambda y: unsigned(y.expand(-1, 3, -1, -1)),
        "pixels -1..1 grey (found: ends in Tanh)",
    ),
    "alpha out": (
        Net(same, torch.sigmoid, (3, 4), output_pixels="0..1:rgba"),
        same,
        over_white,
        "pixels in 0..1 (assumed: as the output), out 0..1 RGBA (declared)",
    ),
    "alpha in and out": (
        Net(same, torch.sigmoid, (4, 4), pixels="0..1:rgba"),
        opaque,
        over_white,
        "pixels 0..1 RGBA (declared)",
    ),
}


def settled(module: nn.Module) -> LoadedNetwork:
    """A factory's network, its attributes read and its pixels looked at."""
    return settle_pixels(load_own(module), PixelDeclaration.of_module(module, "mine"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_applied_as_its_author_does(kind):
    module, before, after, line = KINDS[kind]
    network = settled(module)
    assert network.objection == ""
    assert network.pixel_lines()[0].startswith(line)
    image = torch.randint(0, 256, (1, 3, 40, 56), generator=torch.Generator().manual_seed(1)) / 255
    with torch.no_grad():
        painted = network.role_module(Role.STYLIZE)(image)
        expected = after(module(before(image))).clamp(0, 1)
    torch.testing.assert_close(painted, expected, atol=2e-5, rtol=1e-5)


class Larger(nn.Module):
    """A network whose output is so many times its input's size."""

    def __init__(self, factor: float, extra: int = 0, **declared: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.factor, self.extra = factor, extra
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        for name, value in declared.items():
            setattr(self, name, value)

    def forward(self, image: Tensor) -> Tensor:
        image = F.interpolate(self.conv(image).sigmoid(), scale_factor=self.factor)
        return F.pad(image, (0, self.extra, 0, self.extra))


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("declares", [False, True])
def test_an_enlarging_network_keeps_its_whole_output(factor, declares):
    module = Larger(factor, **({"scale": factor} if declares else {}))
    network = settled(module)
    assert network.objection == ""
    assert network.network.scale == factor
    known = (
        "declared"
        if declares
        else (
            f"found: 64x128 gives {64 * factor}x{128 * factor} and 128x192 gives "
            f"{128 * factor}x{192 * factor}"
        )
    )
    assert network.pixel_lines()[1] == f"scale {factor} ({known})"
    image = torch.rand(1, 3, 34, 50)
    painted = network.role_module(Role.STYLIZE)(image)
    torch.testing.assert_close(painted, module(image))


def test_what_exceeds_by_less_than_a_stride_is_cut():
    network = settled(Larger(1, extra=7))
    assert (network.network.scale, network.objection) == (1, "")
    assert network.role_module(Role.STYLIZE)(torch.rand(1, 3, 40, 48)).shape == (1, 3, 40, 48)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Larger(1.5), "no whole multiple of the input .64x128 gives 96x192 and 128x192 gives"),
        (Larger(1, extra=80), "no whole multiple"),
        (Larger(2, scale=4), "scale 4 is declared, and the output is 2 times .* type --scale 2"),
        (
            Net(same, torch.tanh, pixels="0..1"),
            "half of what it can give is clipped .the network "
            r"ends in Tanh.; on photographs its values are .*: type --pixels -1..1 "
            ".--output-pixels for the output alone., or --output-pixels 0..1:clip if that is meant",
        ),
        (
            Net(same, torch.sigmoid, pixels="0..255"),
            "out of reach .the network ends in Sigmoid.*--pixels 0..1",
        ),
        (Net(same, torch.sigmoid, pixels="-1..1"), "half of the range is out of reach .*Sigmoid"),
        (
            Net(lambda x: x / 127.5 - 1, torch.tanh, input_pixels="0..1"),
            "input pixels 0..1 are declared, and the network begins by mapping 0..255 to -1..1: "
            "type --input-pixels 0..255",
        ),
        (
            Net(lambda x: (x - MEAN) / STD, torch.sigmoid, mean=IMAGENET_MEAN, std=IMAGENET_STD),
            "a mean and std are declared, and .* itself: leave out --mean",
        ),
        (Net(same, lambda y: 2.5 * y - 1.4), "of the output is clipped; .* type --pixels "),
        (Net(lambda x: x / 255, same, pixels="0..255"), "the output uses .* range.*--pixels 0..1"),
        (
            Net(same, torch.sigmoid, (3, 4)),
            "four channels: if they are colours and alpha, type --output-pixels 0..1:rgba",
        ),
        (Net(same, torch.sigmoid, output_pixels="0..1:rgba"), "RGBA are declared, and it gives 3"),
        (Net(same, lambda y: torch.sigmoid(y) * 100), "type --pixels 0..100"),
    ],
)
def test_what_contradicts_the_evidence_is_refused_with_what_to_type(module, message):
    network = settled(module)
    assert re.search(message, network.objection), network.objection


def test_clipping_that_is_meant_is_said():
    module = Net(same, lambda y: 2.5 * y - 1.4, output_pixels="0..1:clip")
    assert settled(module).objection == ""


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"pixels": "1..0"},
            "mine: attribute pixels: '1..0' is not a pixel range: expected LOW..HIGH",
        ),
        ({"mean": [0.5, 0.5]}, "--mean has 2 values, expected 1 or 3"),
        (
            {"mean": [123.0, 116.0, 104.0]},
            "lies outside the pixels 0..1 that it is subtracted from",
        ),
        ({"std": [0.5, 0.0, 0.5]}, "--std must be above 0"),
        ({"input_pixels": "0..1:green"}, "unknown word 'green'"),
        ({"scale": 99}, "scale 99 is not a whole number of 1 to 16"),
    ],
)
def test_an_attribute_that_says_nothing_is_refused(attributes, message):
    with pytest.raises(UsageError, match=message):
        settled(Net(same, torch.tanh, **attributes))


def test_attributes_that_a_network_has_for_itself_are_left_alone():
    module = Net(same, torch.tanh)
    module.register_buffer("mean", MEAN)
    module.std, module.scale, module.pixels = STD, 0.1, nn.Identity()
    assert PixelDeclaration.of_module(module, "mine").is_silent


def test_the_users_random_numbers_are_left_alone():
    module = Net(same, lambda y: torch.tanh(y + 0.01 * torch.randn_like(y)))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    settled(module)
    assert torch.rand(1) == expected
