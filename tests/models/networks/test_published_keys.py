"""Checkpoints under the key names that their authors published."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import BadCheckpoint
from styleexport.core.types import Role
from styleexport.models.encoders import vgg19
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks import adain_vgg19, fast_style
from styleexport.models.networks._open import find


def release_encoder() -> nn.Sequential:
    """vgg_normalised of the public PyTorch AdaIN release, to relu5_1, with random weights."""
    widths = [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", 512]
    layers: list[nn.Module] = [nn.Conv2d(3, 3, 1)]
    channels = 3
    for width in widths:
        if width == "M":
            layers.append(nn.MaxPool2d(2, 2, 0, ceil_mode=True))
        else:
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, width, 3), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def release_decoder() -> nn.Sequential:
    def conv(a, b, relu=True):
        return [nn.ReflectionPad2d(1), nn.Conv2d(a, b, 3), *([nn.ReLU()] if relu else [])]

    up = [nn.Upsample(scale_factor=2, mode="nearest")]
    return nn.Sequential(
        *conv(512, 256),
        *up,
        *conv(256, 256),
        *conv(256, 256),
        *conv(256, 256),
        *conv(256, 128),
        *up,
        *conv(128, 128),
        *conv(128, 64),
        *up,
        *conv(64, 64),
        *conv(64, 3, relu=False),
    )


def release_adain(content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    def statistics(x):
        flat = x.flatten(2)
        return flat.mean(2)[..., None, None], (flat.var(2) + 1e-5).sqrt()[..., None, None]

    (cm, cs), (sm, ss) = statistics(content), statistics(style)
    return (content - cm) / cs * ss + sm


def test_adain_vgg19_computes_what_the_release_computes(tmp_path):
    torch.manual_seed(0)
    encoder, decoder = release_encoder(), release_decoder()
    torch.save(encoder.state_dict(), tmp_path / "vgg_normalised.pth")
    torch.save(decoder.state_dict(), tmp_path / "decoder.pth")
    module = adain_vgg19.read([tmp_path / "vgg_normalised.pth", tmp_path / "decoder.pth"]).eval()
    loaded = LoadedNetwork(find("adain-vgg19"), module, (), "0" * 64)
    content, style = torch.rand(1, 3, 45, 64), torch.rand(1, 3, 64, 48)
    with torch.no_grad():
        head = encoder[:31]
        mixed = release_adain(head(content), head(style))
        for alpha in (1.0, 0.4):
            features = alpha * mixed + (1 - alpha) * head(content)
            expected = decoder(features)[:, :, :45, :64].clamp(0, 1)
            stylize = loaded.role_module(Role.STYLIZE)
            found = stylize(content, style, torch.tensor([alpha]))
            assert torch.allclose(found, expected, atol=1e-5)


def test_torchvision_state_dict_keeps_its_zero_padding(tmp_path):
    torch.manual_seed(0)
    features, channels = nn.Sequential(), 3
    for block in vgg19.BLOCKS:
        for width in block:
            features.append(nn.Conv2d(channels, width, 3, padding=1))
            features.append(nn.ReLU())
            channels = width
        features.append(nn.MaxPool2d(2))
    state = {f"features.{k}": v for k, v in features.state_dict().items()}
    state |= {"classifier.0.weight": torch.zeros(4, 4), "classifier.0.bias": torch.zeros(4)}
    torch.save(state, tmp_path / "vgg19.pth")
    encoder = adain_vgg19.start(tmp_path / "vgg19.pth").encoder
    image = torch.rand(1, 3, 32, 48)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    with torch.no_grad():
        expected = features[:21]((image - mean) / std)[:, :]
        expected = F.relu(expected)
        assert torch.allclose(encoder(image)[0], expected, atol=1e-5)


def test_old_fast_style_checkpoints_with_running_statistics_are_read(tmp_path):
    torch.manual_seed(0)
    network = fast_style.TransformerNet()
    state = network.state_dict()
    for key in [k for k in state if k.endswith(("in1.weight", "in2.weight"))]:
        prefix = key.removesuffix("weight")
        state[f"{prefix}running_mean"] = torch.ones_like(state[key])
        state[f"{prefix}running_var"] = torch.ones_like(state[key])
    torch.save(state, tmp_path / "candy.pth")
    image = torch.rand(1, 3, 40, 44) * 255
    with torch.no_grad():
        assert torch.equal(fast_style.read([tmp_path / "candy.pth"])(image), network(image))


@pytest.mark.parametrize("size", [(32, 40), (33, 35), (34, 37)])
def test_same_padding_is_tensorflows(size):
    """SAME: ceil(n / stride) outputs, the odd row of padding at the end, kernels not flipped."""
    torch.manual_seed(0)
    layer = fast_style.SameConv(2, 3, 3, 2)
    x = torch.rand(1, 2, *size)
    found = layer.conv(_tensorflow_pad(x, 3, 2))
    norm = (found - found.mean((2, 3), keepdim=True)) / (
        found.var((2, 3), keepdim=True, correction=0) + 1e-3
    ).sqrt()
    expected = F.relu(norm)
    with torch.no_grad():
        output = layer(x)
    assert output.shape[2:] == (-(-size[0] // 2), -(-size[1] // 2))
    assert torch.allclose(output, expected, atol=1e-5)


def _tensorflow_pad(x, kernel, stride):
    pads = []
    for n in (x.shape[3], x.shape[2]):
        total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def test_transposed_convolution_is_the_gradient_of_the_strided_one():
    torch.manual_seed(0)
    layer = fast_style.SameConv(4, 2, 3, 2, up=True)
    small, large = torch.rand(1, 4, 5, 6), torch.rand(1, 2, 10, 12)
    up = layer.conv(small)[:, :, :10, :12]
    down = F.conv2d(_tensorflow_pad(large, 3, 2), layer.conv.weight, stride=2)
    assert torch.allclose((up * large).sum(), (down * small).sum(), rtol=1e-4)


def test_npz_of_the_tensorflow_line_is_read_in_its_order(tmp_path):
    torch.manual_seed(0)
    network = fast_style.SameNet()
    arrays, index = {}, 0
    for layer in network.layers():
        weight = layer.conv.weight.detach().permute(2, 3, 1, 0).numpy()
        for value in (weight, layer.norm.bias.detach().numpy(), layer.norm.weight.detach().numpy()):
            arrays["Variable" if index == 0 else f"Variable_{index}"] = value
            index += 1
    np.savez(tmp_path / "style.npz", **arrays)
    image = torch.rand(1, 3, 32, 36) * 255
    with torch.no_grad():
        again = fast_style.read([tmp_path / "style.npz"])
        assert torch.equal(again(image), network(image))


def test_another_networks_checkpoint_is_named(tmp_path):
    torch.save(release_decoder().state_dict(), tmp_path / "decoder.pth")
    with pytest.raises(BadCheckpoint, match=r"missing conv1.conv2d.weight.*unexpected 1.weight"):
        fast_style.read([tmp_path / "decoder.pth"])
