"""Channels that are always empty: found, held against other pictures, removed, proven."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.errors import ParityFailure, UsageError
from styleexport.core.types import Role, Size
from styleexport.models.architecture import layers, widths_of
from styleexport.models.compress.activation_hooks import macs_of
from styleexport.models.compress.pictures import PictureSet, read_pictures, variants
from styleexport.models.compress.prune import zero_channel
from styleexport.models.compress.prune.channels import remove_channels
from styleexport.models.compress.prune.parity import prove_parity
from styleexport.models.compress.prune.zero_channel import find_empty, without_emptied_layers
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import find
from tests.conftest import load_own, load_random

SIZES = (Size(64, 64), Size(48, 64))


def noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8)
    return Image.fromarray(pixels)


def silence(_: str) -> None:
    pass


@pytest.fixture
def pictures() -> PictureSet:
    return PictureSet((noise(0), noise(1)), (noise(2), noise(3)), "0" * 64)


def small(layer: str = "", channels: tuple[int, ...] = ()) -> LoadedNetwork:
    """adain-cd16x to level 2: some channels of one layer never answer, the encoder's others do.

    The encoder's filters take weighted means, so that nothing is empty by chance.
    """
    torch.manual_seed(0)
    network = find("adain-cd16x")
    module = network.build(level=2).eval().requires_grad_(False)
    for name, each in layers(module):
        if name.startswith("encoder.features"):
            each.weight.abs_().div_(each.weight.sum((1, 2, 3), keepdim=True))
            nn.init.constant_(each.bias, 0.1)
        if name == layer:
            each.bias[list(channels)] = -100.0
    return LoadedNetwork(network, module, ("random.pth",), "0" * 64)


def test_empty_channels_of_the_bottleneck_leave_the_style_code_too(pictures):
    loaded = small("encoder.features.5", (3, 17, 31))
    empty = find_empty(loaded, pictures, SIZES[:1], silence)
    assert len(empty.removed) == 3
    slim = remove_channels(loaded, empty.kept)
    parity = prove_parity(loaded, slim, pictures.held_out, SIZES)
    assert parity.worst_db > 110
    assert parity.paintings == 8
    image = torch.rand(1, 3, 64, 64)
    code = loaded.role_module(Role.ENCODE)(image)
    entries = [i for i in range(64) if i % 32 not in (3, 17, 31)]
    assert [i for i, s in enumerate(empty.dependencies.code) if s not in empty.removed] == entries
    shorter = slim.role_module(Role.ENCODE)(image)
    torch.testing.assert_close(shorter, code[:, entries], atol=1e-6, rtol=1e-5)
    widths = dict(layers(slim.module))
    assert widths_of(widths["encoder.features.5"]).outputs == 29
    assert widths_of(widths["decoder.layers.0"]).inputs == 29
    assert widths_of(dict(layers(loaded.module))["decoder.layers.0"]).inputs == 32


def test_channels_of_the_decoder_stay(pictures):
    loaded = small("decoder.layers.3", (1, 2))
    empty = find_empty(loaded, pictures, SIZES[:1], silence)
    names = set(empty.dependencies.outputs["decoder.layers.3"])
    assert not empty.removed & names
    assert sum(empty.maxima[label] == 0 for label in names) >= 2


@torch.no_grad()
def test_a_channel_that_is_empty_only_in_a_style_stays(pictures):
    loaded = load_random("adain-lite")
    deep = dict(layers(loaded.module))["encoder.deep"]
    deep.bias[[0, 5]] = -100.0  # below zero in every picture, and in the code as it is
    empty = find_empty(loaded, pictures, SIZES[:1], silence)
    names = [empty.dependencies.outputs["encoder.deep"][channel] for channel in (0, 5)]
    assert not empty.removed & set(empty.dependencies.outputs["encoder.deep"])
    assert all(empty.maxima[name] > 0 for name in names)


def test_a_channel_that_wakes_on_held_out_pictures_stays(pictures):
    class Threshold(nn.Module):
        """Channel 0 answers to pictures that are bright on average."""

        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 3, 1)
            with torch.no_grad():
                self.a.weight.fill_(1.0)
                self.a.bias.copy_(torch.tensor([-2.0, 0.0]))

        def forward(self, x: Tensor) -> Tensor:
            level = x.mean((1, 2, 3), keepdim=True) + x * 0
            return self.b(F.relu(self.a(level)))

    loaded = load_own(Threshold())
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    bright = Image.new("RGB", (64, 64), (250, 250, 250))
    dark = PictureSet((grey,), (grey,), "")
    # The extremes hold white too; here the set alone decides.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zero_channel, "extremes", lambda _: [])
        patch.setattr(zero_channel, "variants", lambda picture: [picture])
        assert (len(find_empty(loaded, dark, SIZES, silence).removed), 0) == (1, 0)
        woken = find_empty(loaded, replace(dark, held_out=(bright,)), SIZES, silence)
    assert (len(woken.removed), woken.reactivated) == (0, 1)
    assert not find_empty(loaded, dark, SIZES, silence).removed


def test_a_layer_keeps_a_channel(pictures):
    loaded = small("encoder.features.0", tuple(range(16)))
    empty = find_empty(loaded, pictures, SIZES[:1], silence)
    assert len(empty.kept["encoder.features.0"].outputs) == 1
    assert empty.kept_empty >= 1
    assert (
        prove_parity(loaded, remove_channels(loaded, empty.kept), pictures.held_out, SIZES).worst_db
        > 90
    )
    assert without_emptied_layers(empty.dependencies, set()) == frozenset()


def test_what_is_not_empty_is_refused_by_the_proof(pictures):
    loaded = small()
    empty = find_empty(loaded, pictures, SIZES[:1], silence)
    label = next(s for s in empty.dependencies.outputs["encoder.features.5"] if empty.maxima[s] > 0)
    worse = remove_channels(loaded, empty.dependencies.kept_without([label]))
    with pytest.raises(ParityFailure, match=r"dB to the original on the worst of 8 .* allowed 90"):
        prove_parity(loaded, worse, pictures.held_out, SIZES)


def test_a_width_written_into_code_is_told(pictures):
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1)
            nn.init.constant_(self.a.bias, 1.0)
            with torch.no_grad():
                self.a.bias[0] = -9

        def forward(self, x: Tensor) -> Tensor:
            y = F.relu(self.a(x)).reshape(x.shape[0], 4, x.shape[2], x.shape[3])
            return self.b(y)

    loaded = load_own(Fixed())
    empty = find_empty(loaded, pictures, SIZES, silence)
    slim = remove_channels(loaded, empty.kept)
    with pytest.raises(UsageError, match=r"does not run with fewer channels .* a width is written"):
        prove_parity(loaded, slim, pictures.held_out, SIZES)


def test_a_network_without_layers_is_refused(pictures):
    with pytest.raises(UsageError, match="mine has no layers that can be pruned"):
        find_empty(load_own(nn.Sigmoid()), pictures, SIZES, silence)


def test_every_fourth_picture_is_held_out(tmp_path: Path):
    for index in range(16):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / f"{index:02}.png")
    pictures = read_pictures([tmp_path])
    assert [p.getpixel((0, 0))[0] for p in pictures.held_out] == [3, 7, 11, 15]
    assert (len(pictures.calibration), len(pictures.sha256)) == (12, 64)
    (tmp_path / "00.png").unlink()
    with pytest.raises(UsageError, match=r"15 pictures under .* too few .* 16 or more"):
        read_pictures([tmp_path])
    assert len(read_pictures([]).held_out) == 4


def test_variants_are_pictures():
    for variant in variants(torch.rand(1, 3, 4, 4)):
        assert variant.shape == (1, 3, 4, 4)
        assert 0 <= variant.min() <= variant.max() <= 1


def test_multiply_accumulates_are_those_published():
    loaded = load_random("adain-vgg19")
    both = sum(macs_of(loaded, Role.STYLIZE, Size(512, 512)).values())
    cached = sum(macs_of(loaded, Role.TRANSFORM, Size(512, 512)).values())
    assert (round(both / 1e9, 1), round(cached / 1e9, 1)) == (189.8, 126.5)


def test_transposed_and_depthwise_layers_are_counted():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Conv2d(3, 4, 2, 2)
            self.each = nn.Conv2d(4, 4, 3, padding=1, groups=4)
            self.up = nn.ConvTranspose2d(4, 3, 2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.up(self.each(self.down(x)))

    macs = macs_of(load_own(Net()), Role.STYLIZE, Size(8, 8))
    assert macs == {"down": 16 * 4 * 12, "each": 16 * 4 * 9, "up": 16 * 4 * 3 * 4}


def test_empty_channels_leave_inception_modules(pictures):
    """Each branch loses its own, behind a batch norm; what reads the concatenation, all of them."""
    torch.manual_seed(0)
    described = find("adain")
    module = described.build(encoder="googlenet", tap="inception3b").eval().requires_grad_(False)
    gone = {"branch1": (0, 63), "branch2.0": (5,), "branch2.1": (7, 8), "branch4.1": (31,)}
    for name, channels in gone.items():
        norm = module.get_submodule(f"encoder.features.inception3a.{name}.bn")
        norm.weight[list(channels)] = 0.0
        norm.bias[list(channels)] = -0.1
    loaded = LoadedNetwork(described, module, ("random.pth",), "0" * 64)
    empty = find_empty(loaded, pictures, SIZES[:1], silence)
    slim = remove_channels(loaded, empty.kept)
    widths = {name: widths_of(layer) for name, layer in layers(slim.module)}
    block = "encoder.features.inception3a"
    assert widths[f"{block}.branch1.conv"].outputs <= 62
    assert widths[f"{block}.branch2.1.conv"].inputs <= 95
    branches = ("branch1", "branch2.1", "branch3.1", "branch4.1")
    joined = sum(widths[f"{block}.{branch}.conv"].outputs for branch in branches)
    assert joined <= 256 - 5
    assert widths["encoder.features.inception3b.branch3.0.conv"].inputs == joined
    assert prove_parity(loaded, slim, pictures.held_out[:1], SIZES[:1]).worst_db > 110
