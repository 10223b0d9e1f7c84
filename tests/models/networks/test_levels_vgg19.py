"""wct on VGG-19: encoders and decoders under the keys of the files in use."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.encoders import vgg19
from styleexport.models.networks import wct
from styleexport.models.networks._levels import settings
from styleexport.models.networks._open import open_network

BUILD = wct.NETWORK.build
# Convolutions of a sequential decoder and encoder, with pads, ReLUs, pools and upsamplings between.
SEQUENTIAL = {
    5: (1, 5, 8, 11, 14, 18, 21, 24, 27, 31, 34, 38, 41),
    4: (1, 5, 8, 11, 14, 18, 21, 25, 28),
    3: (1, 5, 8, 12, 15),
    2: (1, 5, 8),
    1: (1,),
}
ENCODER = (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42)
LAYERS = [
    f"conv{block}_{i}"
    for block, count in ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1))
    for i in range(1, count + 1)
]


def convolutions(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def state(names, layers):
    pairs = zip(names, layers, strict=True)
    return {f"{n}.{k}": v for n, layer in pairs for k, v in layer.state_dict().items()}


def files(folder, network, naming):
    """Write a network's files as a port names them, and return their paths, shuffled."""
    encoder = convolutions(network.encoders[0])
    count = len(encoder) - 1
    if naming == "sequential":
        tensors = state(["0", *map(str, ENCODER[:count])], encoder)
    elif naming == "numbered":
        tensors = state([f"conv{place + 1}" for place in range(count + 1)], encoder)
    else:
        tensors = state([f"seq.{name}" for name in LAYERS[:count]], encoder[1:])
        tensors["preprocess_weight"] = encoder[0].weight.detach()
        tensors["preprocess_bias"] = encoder[0].bias.detach()
    paths = [folder / "encoder.pth"]
    torch.save(tensors, paths[0])
    for level, decoder in zip(network.levels, network.decoders, strict=True):
        layers = convolutions(decoder)
        names = {
            "sequential": list(map(str, SEQUENTIAL[level])),
            "numbered": [f"conv{len(layers) + 2 + place}" for place in range(len(layers))],
            "layers": [f"seq.{name}" for name in LAYERS[: len(layers)][::-1]],
        }[naming]
        paths.append(folder / f"decoder{level}.pth")
        torch.save(state(names, layers), paths[-1])
    return paths[::-1]


def equal(one, other):
    return all(
        torch.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items()
    )


@pytest.fixture
def network():
    """Levels 3 to 1; the encoders of all levels hold the same weights."""
    torch.manual_seed(0)
    network = BUILD("321", "vgg19")
    deepest = network.encoders[0].state_dict()
    for encoder in network.encoders:
        encoder.load_state_dict({key: deepest[key] for key in encoder.state_dict()})
    return network


def test_all_five_levels_have_the_published_sizes(tmp_path):
    with torch.device("meta"):
        whole = BUILD("54321", "vgg19")
        assert whole.encode(torch.empty(1, 3, 32, 32)).shape == (1, 611_776)
    sizes = [sum(p.numel() for p in decoder.parameters()) for decoder in whole.decoders]
    assert sizes == [12_944_451, 3_505_219, 555_075, 112_451, 1_731]
    network = BUILD("5", "vgg19")
    paths = files(tmp_path, network, "sequential")
    assert equal(network, open_network("wct", paths).module)


@pytest.mark.parametrize("naming", ["sequential", "numbered", "layers"])
def test_the_files_of_each_port_give_the_network(naming, network, tmp_path):
    paths = files(tmp_path, network, naming)
    for given in (paths, [tmp_path]):
        module = open_network("wct", given).module
        assert equal(network, module)
        assert settings(module) == {"levels": "321", "encoder": "vgg19", "padding": "reflect"}
    assert settings(open_network("wct,levels=31", paths).module)["levels"] == "31"


def test_torchvisions_encoder_pads_with_zeros(network, tmp_path):
    paths = files(tmp_path, network, "sequential")
    encoder = vgg19.build(("relu3_4",), "zeros")
    torch.save({f"{k}": v for k, v in encoder.state_dict().items() if "norm" not in k}, paths[-1])
    module = open_network("wct", paths).module
    assert settings(module)["padding"] == "zeros"


def test_files_that_do_not_fit_are_named(network, tmp_path):
    *decoders, encoder = files(tmp_path, network, "sequential")
    with pytest.raises(BadCheckpoint, match=r"takes one encoder of VGG-19 .* got 0 and 3"):
        open_network("wct", decoders)
    with pytest.raises(BadCheckpoint, match=r"decoders of one level: leave one out"):
        open_network("wct", [*decoders, decoders[0], encoder])
    shallow = vgg19.build(("relu2_1",), "reflect")
    torch.save(state(["0", "2", "5", "9"], convolutions(shallow)), encoder)
    with pytest.raises(BadCheckpoint, match=r"encoder\.pth is of another network: missing"):
        open_network("wct", [*decoders, encoder])
