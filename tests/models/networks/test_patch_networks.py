"""avatar-net and artnet: variants, codes, what their codes and decoders take, bad input."""

from __future__ import annotations

import pytest
import torch

from styleexport.core.code_layout import Blending
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import check_size
from styleexport.models.encoders import googlenet, mobilenetv2, vgg19
from styleexport.models.networks import artnet, avatar_net
from styleexport.models.networks._open import find
from styleexport.models.transforms import adain
from tests.zoo import load_random

ONE = torch.ones(1)


@pytest.mark.parametrize(
    ("module", "variant", "length"),
    [
        (avatar_net, {"encoder": "vgg19"}, 788_864),
        (avatar_net, {}, 148_832),
        (avatar_net, {"bank": 8}, 128 + 128**2 + 128 * 64 + 64 + 224),
        (artnet, {}, 3_136 + 401_408 + 196),
        (artnet, {"encoder": "mobilenetv2"}, 336 + 168 * 256 + 196),
    ],
)
def test_codes_have_one_length_whatever_the_style(module, variant, length):
    with torch.device("meta"):
        network = module.build(**variant).eval()
        code = network.encode(torch.empty(1, 3, 72, 300))
    layout = network.code_layout
    assert code.shape == (1, layout.length) == (1, length)
    assert layout.blending is Blending.NONE


@pytest.mark.parametrize(("name", "multiple"), [("avatar-net", 8), ("artnet", 16)])
def test_paintings_cover_the_photograph(name, multiple):
    network = load_random(name).module
    code = network.encode(torch.rand(1, 3, 64, 64))
    painted = network.transfer(torch.rand(1, 3, 37, 57), code, ONE)
    assert painted.shape == (1, 3, -(-37 // multiple) * multiple, -(-57 // multiple) * multiple)


def test_the_hourglass_takes_the_statistics_of_the_level_in_front_of_its_convolution():
    decoder = load_random("avatar-net").module.decoder
    assert decoder.level_widths == (64, 32, 16)
    place = decoder.starts[0]
    seen = []
    decoder.layers[place].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    codes = [torch.cat([torch.full((1, w), 0.3), torch.full((1, w), 2.0)], 1) for w in (64, 32, 16)]
    decoder(torch.rand(1, 128, 6, 5), codes)
    mean, deviation, _ = adain.statistics(seen[0], unbiased=False)
    assert torch.allclose(mean, torch.tensor(0.3), atol=1e-5)
    # A channel that is flat has no deviation to scale.
    assert float(deviation.median()) == pytest.approx(2, rel=1e-3)


def test_a_strength_of_0_is_the_photograph_decoded():
    network = load_random("artnet").module
    code, content = network.encode(torch.rand(1, 3, 64, 64)), torch.rand(1, 3, 48, 64)
    expected = network.decoder(network.features(content))
    assert torch.equal(network.transfer(content, code, 0 * ONE), expected)


def test_all_levels_are_averaged_to_the_deepest():
    network = load_random("artnet").module
    image = torch.rand(1, 3, 48, 64)
    joined, levels = network.features(image), network.encoder(image)
    assert joined.shape == (1, 16 + 24 + 32 + 96, 3, 4)
    assert torch.allclose(joined[0, 0, 0, 0], levels[0][0, 0, :8, :8].mean())
    assert torch.equal(joined[:, -96:], levels[-1])


def test_trainings_start_from_files_of_their_encoders(tmp_path):
    torch.manual_seed(0)
    state = mobilenetv2.build(("features.13",)).features.state_dict()
    torch.save({f"features.{k}": v for k, v in state.items()}, tmp_path / "mobilenet.pth")
    network = artnet.start(tmp_path / "mobilenet.pth", "mobilenetv2")
    assert network.encoder.features[0][0].weight.equal(state["0.0.weight"])
    assert artnet.settings(network) == {"encoder": "mobilenetv2", "bank": 16, "padding": "zeros"}
    state = googlenet.build(("inception4e",)).features.state_dict()
    torch.save(state, tmp_path / "googlenet.pth")
    network = artnet.start(tmp_path / "googlenet.pth")
    assert network.encoder.features.conv1.conv.weight.equal(state["conv1.conv.weight"])
    state = vgg19.build(("relu4_1",), "zeros").features.state_dict()
    torch.save({f"features.{k}": v for k, v in state.items()}, tmp_path / "vgg19.pth")
    network = avatar_net.start(tmp_path / "vgg19.pth", "vgg19")
    assert network.encoder.features[0].weight.equal(state["0.weight"])
    assert avatar_net.settings(network)["padding"] == "zeros"


def test_cd16x_starts_avatar_net_with_its_decoder(data):
    folder = data / "weights" / "cd16x"
    network = avatar_net.start(folder)
    read = torch.load(folder / "e4.pth", map_location="cpu", weights_only=True)["model"]
    assert network.encoder.features[0].weight.equal(read["conv11.weight"])
    pair = find("adain-cd16x").read([folder / "e4.pth", folder / "d4.pth"])
    features = torch.rand(1, 128, 6, 5)
    with torch.no_grad():
        expected = pair.decoder(features)
        # The window of 7x7 paints what that of 3x3 did, but for the ReLU behind it.
        painted = network.decoder.layers(features).relu()
    assert torch.allclose(painted, expected, atol=1e-5)
    with pytest.raises(BadCheckpoint, match="is the encoder to relu3_1, expected one to relu4_1"):
        avatar_net.start(folder / "e3.pth")


@torch.no_grad()
def test_a_decoder_without_adain_is_adapted_to_it():
    network = avatar_net.build().eval()
    image = torch.rand(1, 3, 48, 64)
    expected = network.decoder.layers(network.encoder(image)[-1])
    before = float((network.reconstruct(image) - expected).std() / expected.std())
    network.adapt(image)
    # Channels that are empty in the encoder are taken at their mean.
    after = float((network.reconstruct(image) - expected).std() / expected.std())
    assert after < 0.1 < before


@pytest.mark.parametrize("name", ["avatar-net", "artnet"])
def test_weights_of_a_training_are_read(name, tmp_path):
    network = find(name).build()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    again = find(name).read([tmp_path / "weights.pth"])
    assert again.state_dict().keys() == network.state_dict().keys()
    with pytest.raises(BadCheckpoint, match=f"{name} takes one checkpoint file, got 2"):
        find(name).read([tmp_path, tmp_path])
    torch.save({"a.weight": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(BadCheckpoint, match="is of another network"):
        find(name).read([tmp_path / "other.pth"])


@pytest.mark.parametrize(
    ("module", "variant", "message"),
    [
        (artnet, {"encoder": "vgg19"}, "no decoder for encoder vgg19: expected one of googlenet"),
        (artnet, {"bank": 2}, r"a bank of 2x2 features does not fit: its sides are 3 "),
        (avatar_net, {"bank": 4}, r"a bank of 4x4 features does not fit: its sides are 5 "),
        (avatar_net, {"encoder": "googlenet"}, "no decoder for encoder googlenet: expected one"),
    ],
)
def test_a_variant_that_there_is_not(module, variant, message):
    with pytest.raises(UsageError, match=message):
        module.build(**variant)


def test_a_picture_smaller_than_a_patch_is_refused():
    with pytest.raises(UsageError, match="size 32x64 is too small for artnet"):
        check_size(load_random("artnet"), Role.TRANSFORM, Size(32, 64))
