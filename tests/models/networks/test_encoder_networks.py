"""AdaIN on any encoder: variants, decoders that fit, checkpoints that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.architecture import TRAIN, record_after, write_weights
from styleexport.models.decoders.dense import DenseMirrorDecoder
from styleexport.models.encoders._encoder import encoder_names, find_encoder
from styleexport.models.network_facts import facts_of
from styleexport.models.networks import adain
from styleexport.models.networks._open import find, open_network

# Parameters of the published decoder, which mirrors DenseNet from transition3.
PUBLISHED = 123_982_848
NAMED = {
    "adain-convnext-base": 512,
    "adain-densenet121": 512,
    "adain-efficientnet-b5": 128,
    "adain-efficientnet-lite0": 80,
    "adain-efficientnetv2-s": 128,
    "adain-mobilenetv2": 64,
}


def written(path: Path, network: str, **variant: str) -> Path:
    """A file as a training writes it, with random weights."""
    described = find(network)
    module = described.build(**variant)
    record = record_after(described, module, (), TRAIN, {})
    write_weights(path / "w.safetensors", module.state_dict(), record)
    return path / "w.safetensors"


@pytest.mark.parametrize("name", NAMED)
def test_a_code_is_the_mean_and_deviation_of_each_channel_of_the_tap(name):
    network = find(name)
    described = find_encoder(name.removeprefix("adain-"))
    facts = facts_of(network)
    assert facts.code_values == 2 * described.tap().channels == NAMED[name]
    with torch.device("meta"):
        decoder = sum(p.numel() for p in network.build().decoder.parameters())
    assert facts.parameters == described.tap().parameters + 12 + decoder


@pytest.mark.parametrize("encoder", encoder_names())
def test_every_encoder_makes_a_network(encoder):
    with torch.device("meta"):
        module = adain.build(encoder)
        code = module.encode(torch.empty(1, 3, 64, 64))
        painted = module.transfer(torch.empty(1, 3, 70, 64), code, torch.ones(1))
    stride = find_encoder(encoder).tap().stride
    assert painted.shape == (1, 3, -(-70 // stride) * stride, 64)


@pytest.mark.parametrize(
    ("network", "variant"),
    [
        ("adain-mobilenetv2", {"tap": "features.13"}),
        ("adain-mobilenetv2", {"padding": "same"}),
        ("adain", {"encoder": "googlenet", "tap": "conv3"}),
        ("adain-densenet121", {"tap": "pool0", "decoder": "single"}),
    ],
)
def test_a_trained_file_says_which_variant_it_is(network, variant, tmp_path):
    path = written(tmp_path, network, **variant)
    module = open_network(network, [path]).module
    assert variant.items() <= find(network).settings(module).items()


def test_a_state_dict_alone_is_read_at_the_tap_that_it_has(tmp_path):
    module = find("adain-efficientnet-lite0").build(tap="blocks2")
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    again = find("adain-efficientnet-lite0").read([tmp_path / "w.safetensors"])
    assert find("adain-efficientnet-lite0").settings(again)["tap"] == "blocks2"


def test_a_backbone_and_its_tap_start_a_network(tmp_path):
    encoder = find_encoder("mobilenetv2").build(("features.17",))
    stored = {f"features.{key}": value for key, value in encoder.features.state_dict().items()}
    torch.save(stored, tmp_path / "backbone.pth")
    module = find("adain-mobilenetv2").start(tmp_path / "backbone.pth", tap="features.13")
    assert find("adain-mobilenetv2").settings(module)["tap"] == "features.13"
    name = "features.13.conv.2.weight"
    assert torch.equal(module.encoder.state_dict()[name], stored[name])


def test_the_published_decoder_of_densenet_has_its_parameters():
    with torch.device("meta"):
        decoder = DenseMirrorDecoder((6, 12, 24), 32, "single")
    assert sum(p.numel() for p in decoder.parameters()) == PUBLISHED


@pytest.mark.parametrize(
    ("network", "variant", "message"),
    [
        ("adain-mobilenetv2", {"tap": "relu4_1"}, r"no tap 'relu4_1': expected one of features\.1"),
        ("adain-mobilenetv2", {"tap": "features.18"}, r"mirrors taps to 1/16 and does not fit"),
        ("adain-densenet121", {"tap": "denseblock3"}, r"does not fit denseblock3 \(1024"),
        ("adain-densenet121", {"decoder": "double"}, r"has paired and single"),
        ("adain", {"encoder": "resnet"}, r"unknown encoder 'resnet': expected one of cd16x"),
        ("adain", {"encoder": "vgg16", "tap": "relu5_3x"}, r"did you mean relu5_3"),
    ],
)
def test_a_variant_that_there_is_not(network, variant, message):
    with pytest.raises(UsageError, match=message):
        find(network).build(**variant)


def test_a_decoder_of_another_tap_is_refused(tmp_path):
    network = find("adain-mobilenetv2")
    state = network.build(tap="features.6").state_dict()
    other = network.build(tap="features.13").state_dict()
    state |= {key: value for key, value in other.items() if key.startswith("decoder.")}
    save_file(state, tmp_path / "w.safetensors")
    expected = (
        r"does not fit the tap of its encoder, features\.6 \(32.*is \[128, 96, 3, 3\], expected"
    )
    with pytest.raises(BadCheckpoint, match=expected):
        network.read([tmp_path / "w.safetensors"])


def test_a_file_of_another_network_says_which(tmp_path):
    path = written(tmp_path, "adain-mobilenetv2")
    with pytest.raises(BadCheckpoint, match=r"is a compressed adain-mobilenetv2, not adain-dense"):
        open_network("adain-densenet121", [path])
