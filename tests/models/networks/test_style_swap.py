"""style-swap: the files that it reads, its codes, what does not fit."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from styleexport.core.code_layout import Blending
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import check_size
from styleexport.models.encoders import vgg19
from styleexport.models.networks import style_swap
from styleexport.models.networks._open import find, open_network
from tests.models.networks.test_linear_wct import released
from tests.zoo import load_random


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Folder of LinearWCT's encoder and decoder for relu3_1 and relu4_1, and of a VGG-19."""
    folder = tmp_path_factory.mktemp("release")
    torch.manual_seed(0)
    for tap in ("relu3_1", "relu4_1"):
        for name, state in zip(("vgg", "dec"), released(tap), strict=True):
            torch.save(state, folder / f"{name}_r{tap[4]}1.pth")
    torchvision = vgg19.build(("relu4_1",), "zeros").features.state_dict()
    torch.save({f"features.{k}": v for k, v in torchvision.items()}, folder / "vgg19.pth")
    return folder


def test_the_pair_of_the_release_is_read(release):
    network = open_network("style-swap", [release / "vgg_r31.pth", release / "dec_r31.pth"]).module
    encoder = torch.load(release / "vgg_r31.pth", weights_only=True)
    decoder = torch.load(release / "dec_r31.pth", weights_only=True)
    assert style_swap.settings(network)["encoder"] == "vgg19"
    assert torch.equal(network.encoder.features[0].weight, encoder["conv2.weight"])
    assert torch.equal(network.decoder.layers[0].weight, decoder["conv7.weight"])


def test_a_code_has_the_parts_of_a_bank_of_32():
    with torch.device("meta"):
        network = style_swap.build()
        code = network.encode(torch.empty(1, 3, 40, 300))
    layout = network.code_layout
    assert code.shape == (1, layout.length) == (1, 256 * 32 * 32 + 30 * 30)
    assert layout.blending is Blending.NONE


def test_another_bank_has_other_codes():
    network = style_swap.build("cd16x", bank=8)
    assert style_swap.settings(network) == {"encoder": "cd16x", "bank": 8}
    assert network.encode(torch.rand(1, 3, 32, 32)).shape == (1, 64 * 64 + 36)


def test_a_training_starts_from_any_vgg19(release):
    network = style_swap.start(release / "vgg19.pth")
    assert style_swap.settings(network) == {"encoder": "vgg19", "bank": 32, "padding": "zeros"}
    assert network.encoder.tap_names == ("relu3_1",)


@pytest.mark.parametrize("side", [8, 12, 30])
def test_pictures_are_averaged_over_areas(side):
    picture = torch.rand(1, 3, 24, 36).double()
    reduced = style_swap.averaged(picture, side)
    finer = functional.interpolate(picture, scale_factor=side, mode="nearest")
    expected = functional.avg_pool2d(finer, (24, 36))
    assert torch.allclose(reduced, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["vgg_r31.pth"], r"vgg_r31\.pth is of another network: missing .*takes e3\.pth and d3"),
        (["vgg_r31.pth", "dec_r41.pth"], r"dec_r41\.pth is of another .*relu3_1 takes e3\.pth"),
        (["vgg_r41.pth", "dec_r41.pth"], r"vgg_r41\.pth is of another .*relu3_1 takes e3\.pth"),
        (["a", "b", "c"], r"takes two checkpoint files, e3\.pth and d3\.pth.* got 3"),
    ],
)
def test_files_that_do_not_fit_say_which(names, message, release):
    with pytest.raises(BadCheckpoint, match=message):
        find("style-swap").read([release / name for name in names])


def test_files_of_another_level_say_which(data):
    folder = data / "weights" / "cd16x"
    with pytest.raises(BadCheckpoint, match=r"e4\.pth is the encoder to relu4_1, expected e3\.pth"):
        find("style-swap").read([folder / "e4.pth", folder / "d3.pth"])
    with pytest.raises(BadCheckpoint, match=r"d4\.pth is of another network.*level 3 is d3\.pth"):
        find("style-swap").read([folder / "e3.pth", folder / "d4.pth"])


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"bank": 2}, r"a bank of 2x2 features does not fit: its sides are 3 \(one patch\) to 256"),
        ({"bank": 512}, r"a bank of 512x512 features does not fit"),
        ({"encoder": "mobilenetv2"}, r"no decoder for encoder mobilenetv2: expected .*cd16x"),
        ({"encoder": "vgg91"}, r"unknown encoder 'vgg91'.*did you mean vgg19"),
    ],
)
def test_a_variant_that_there_is_not(variant, message):
    with pytest.raises(UsageError, match=message):
        style_swap.build(**variant)


def test_a_picture_smaller_than_a_patch_is_refused():
    loaded = load_random("style-swap")
    with pytest.raises(UsageError, match="size 8x64 is too small for style-swap"):
        check_size(loaded, Role.TRANSFORM, Size(8, 64))


def test_the_published_pair_paints_with_the_style(data):
    network = find("style-swap").read([data / "weights" / "cd16x"])
    content, style = (
        functional.interpolate(torch.rand(1, 3, 6, 6), size=64, mode="bilinear") for _ in range(2)
    )
    with torch.no_grad():
        code = network.encode(style)
        same, painted = (network.transfer(content, code, torch.tensor([a])) for a in (0.0, 1.0))
    assert float(((same - content) ** 2).mean()) < 0.01
    assert float(((painted - content) ** 2).mean()) > 0.01
