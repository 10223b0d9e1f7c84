"""linear-wct: the release's files, the pairs that it is trained on, files that do not fit."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.encoders import vgg19
from styleexport.models.networks import linear_wct
from styleexport.models.networks._open import find, open_network
from styleexport.models.transforms.linear import LinearTransform

# Tap → parameters of the release's encoder and decoder.
PUBLISHED = {"relu3_1": (555_340, 555_075), "relu4_1": (3_505_740, 3_505_219)}


def released(tap: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """State dicts of an encoder and its decoder under the release's names, random weights."""
    widths = [3, 3]
    for block in vgg19.BLOCKS[: int(tap[4]) - 1]:
        widths += block
    widths.append(vgg19.BLOCKS[int(tap[4]) - 1][0])
    shapes = [(b, a, 3, 3) for a, b in pairwise(widths[1:])]
    backwards = [(a, b, 3, 3) for b, a, _, _ in reversed(shapes)]
    layers: list[dict[str, torch.Tensor]] = [{}, {}]
    for place, shape in enumerate([(3, 3, 1, 1), *shapes, *backwards], 1):
        part = layers[place > len(shapes) + 1]
        part[f"conv{place}.weight"] = torch.randn(shape) * (2 / (shape[1] * shape[2] ** 2)) ** 0.5
        part[f"conv{place}.bias"] = torch.randn(shape[0]) * 0.1
    return layers[0], layers[1]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Folder of the release's files for relu3_1, and for relu4_1 without its matrix."""
    folder = tmp_path_factory.mktemp("release")
    torch.manual_seed(0)
    for tap, short in (("relu3_1", "r31"), ("relu4_1", "r41")):
        encoder, decoder = released(tap)
        torch.save(encoder, folder / f"vgg_{short}.pth")
        torch.save(decoder, folder / f"dec_{short}.pth")
    torch.save(LinearTransform(256).state_dict(), folder / "r31.pth")
    return folder


def files(folder, *names):
    return [folder / name for name in names]


@pytest.mark.parametrize("tap", PUBLISHED)
def test_the_release_has_the_published_parameters(tap, release):
    short = f"r{tap[4]}1"
    counts = tuple(
        sum(value.numel() for value in torch.load(path, weights_only=True).values())
        for path in files(release, f"vgg_{short}.pth", f"dec_{short}.pth")
    )
    assert counts == PUBLISHED[tap]
    network = linear_wct.start(release, tap=tap)
    parts = (network.encoder, network.decoder)
    assert tuple(sum(p.numel() for p in part.parameters()) for part in parts) == counts


def test_the_three_files_compute_what_the_release_computes(release):
    names = ["dec_r31.pth", "r31.pth", "vgg_r31.pth"]  # in any order
    network = open_network("linear-wct", files(release, *names)).module
    encoder, decoder = (
        torch.load(path, weights_only=True) for path in files(release, "vgg_r31.pth", "dec_r31.pth")
    )

    def conv(state, x, place):
        weight = state[f"conv{place}.weight"]
        padded = F.pad(x, [weight.shape[2] // 2] * 4, mode="reflect")
        return F.conv2d(padded, weight, state[f"conv{place}.bias"])

    def features(x):
        x = conv(encoder, x, 1)
        for place in range(2, 7):
            x = F.relu(conv(encoder, x, place))
            x = F.max_pool2d(x, 2) if place in (3, 5) else x
        return x

    content, style = torch.rand(1, 3, 32, 48), torch.rand(1, 3, 40, 32)
    with torch.no_grad():
        assert torch.allclose(network.encoder(content)[0], features(content), atol=1e-5)
        code = network.encode(style)
        x = network.transform(features(content), code, torch.ones(1))
        for place in range(7, 12):
            x = conv(decoder, x, place)
            x = F.relu(x) if place < 11 else x
            x = F.interpolate(x, scale_factor=2) if place in (7, 9) else x
        assert torch.allclose(network.transfer(content, code, torch.ones(1)), x, atol=1e-4)
    assert code.shape == (1, 1024 + 256)


def test_a_code_at_relu4_1_has_1536_values():
    with torch.device("meta"):
        network = linear_wct.build()
        assert network.encode(torch.empty(1, 3, 32, 32)).shape == (1, 1536)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["vgg_r31.pth", "dec_r31.pth"], "three checkpoint files, vgg_r41.pth, .* got 2: type"),
        (["vgg_r31.pth", "dec_r31.pth", "dec_r41.pth"], r"one matrix, found 0 in .*dec_r41\.pth"),
        (["vgg_r41.pth", "vgg_r31.pth", "r31.pth"], r"one encoder, found 2"),
        (["vgg_r31.pth", "dec_r41.pth", "r31.pth"], r"missing conv7.*relu3_1 takes vgg_r31\.pth"),
        (["vgg_r41.pth", "dec_r31.pth", "r31.pth"], r"vgg_r41\.pth is of another .*conv7"),
        (["r31.pth"], r"missing encoder\.normalise"),
    ],
)
def test_files_that_do_not_fit_say_which(names, message, release):
    with pytest.raises(BadCheckpoint, match=message):
        open_network("linear-wct", files(release, *names))


def test_a_matrix_of_another_width_says_which_there_are(release, tmp_path):
    torch.save(LinearTransform(96).state_dict(), tmp_path / "r96.pth")
    paths = [*files(release, "vgg_r31.pth", "dec_r31.pth"), tmp_path / "r96.pth"]
    message = r"of 96 channels, expected 512 \(vgg19 relu4_1\), 256 .*, 64 \(cd16x relu3_1\)"
    with pytest.raises(BadCheckpoint, match=message):
        open_network("linear-wct", paths)


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"tap": "relu2_1"}, r"no decoder for relu2_1 of encoder vgg19: expected one of --encoder"),
        ({"tap": "relu9_1"}, r"encoder vgg19 has no tap 'relu9_1'"),
        ({"encoder": "mobilenetv2"}, r"no decoder for features\.6 of encoder mobilenetv2"),
        ({"encoder": "vgg91"}, r"unknown encoder 'vgg91'.*did you mean vgg19"),
    ],
)
def test_a_pair_that_there_is_not(variant, message, tmp_path):
    for make in (linear_wct.build, lambda **x: linear_wct.start(tmp_path, **x)):
        with pytest.raises(UsageError, match=message):
            make(**variant)


def test_a_folder_without_the_decoder_says_which_file(release, tmp_path):
    (tmp_path / "e4.pth").write_bytes(b"")
    with pytest.raises(
        BadCheckpoint, match=r"d4\.pth does not exist; .* takes e4\.pth and d4\.pth"
    ):
        linear_wct.start(tmp_path, "cd16x")
    with pytest.raises(BadCheckpoint, match=re.escape("type the folder that holds vgg_r41.pth")):
        linear_wct.start(release / "vgg_r41.pth")


def test_the_published_pair_paints_the_picture_at_strength_zero(data):
    """Its decoder gives back what its encoder saw; the matrix plays no part."""
    network = find("linear-wct").start(data / "weights" / "cd16x", encoder="cd16x", tap="relu3_1")
    assert isinstance(network, nn.Module)
    content = F.interpolate(torch.rand(1, 3, 6, 6), size=48, mode="bilinear")
    with torch.no_grad():
        same = network.transfer(content, network.encode(content), torch.zeros(1))
    assert float(((same - content) ** 2).mean()) < 0.01
