"""Networks that optimize the picture: loss and gradient against automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from styleexport.core.code_layout import Blending
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.models.networks import gatys_enet, gatys_vgg16, gatys_vgg_eighth
from styleexport.models.networks._gatys import GatysNetwork
from styleexport.models.networks._open import open_network

REAL = {
    "gatys-vgg16": "vgg16/vgg16_imagenet_to_relu5_3_fp16.npz",
    "gatys-enet": "enet_camvid/best_model.pth",
}


def by_autograd(
    network: GatysNetwork, image: Tensor, target: Tensor, code: Tensor, strength: float
) -> tuple[Tensor, Tensor]:
    """Loss and gradient from the formula and the forward pass alone."""
    source = image.clone().requires_grad_(True)
    x, loss, start, weights = source, torch.zeros(1, dtype=image.dtype), 0, network.weights
    for name, stage in network.stages.items():
        x = stage(x)
        scaled = x * network.get_buffer(f"{name}_scale") if network.normalized else x
        if name == network.content:
            squares = (scaled - target.reshape(x.shape)).square().mean((2, 3)).sum()
            loss = loss + weights.content / 2 * squares
        if name in network.style_layers:
            width, weight = network.style_layers[name]
            rows = scaled.flatten(2)
            gram = rows @ rows.transpose(1, 2) / rows.shape[2]
            wanted = code[:, start : start + width**2].reshape(1, width, width)
            start += width**2
            loss = loss + strength * weight / (4 * width**2) * (gram - wanted).square().sum()
    if weights.smoothness:
        across, down = source.diff(dim=3), source.diff(dim=2)
        squares = across.square().sum() + down.square().sum()
        loss = loss + weights.smoothness / 2 / (image.shape[2] * image.shape[3]) * squares
    loss.sum().backward()
    assert source.grad is not None
    return loss.detach(), source.grad


def check(network: GatysNetwork, content: Tensor, style: Tensor, tolerance: float) -> None:
    """Compare a step on a picture with a white and a black area, where pooling meets ties."""
    code, target = network.encode(style), network.content_target(content)
    image = (0.5 * content + 0.5 * style).mul(255).round().div(255)
    image[:, :, :16], image[:, :, 20:30, :20] = 1, 0
    strength = torch.tensor([0.7], dtype=content.dtype)
    loss, gradient = network.step(image, target, code, strength)
    expected_loss, expected = by_autograd(network, image, target, code, 0.7)
    assert float((loss - expected_loss).abs() / expected_loss) < tolerance
    assert float((gradient - expected).norm() / expected.norm()) < tolerance
    assert float((gradient - expected).abs().max() / expected.abs().max()) < tolerance


@pytest.mark.parametrize("size", [(48, 64), (45, 51)])
@pytest.mark.parametrize(
    "network",
    [gatys_vgg16.build(8), gatys_vgg_eighth.build(), gatys_enet.build(2)],
    ids=["vgg16", "vgg-eighth", "enet"],
)
def test_the_gradient_is_exact_in_float64(network, size):
    network = network.double().eval().requires_grad_(False)
    check(network, *(torch.rand(1, 3, *size).double() for _ in range(2)), tolerance=1e-11)


@pytest.mark.parametrize("name", ["gatys-vgg-eighth", *REAL])
def test_the_gradient_is_exact_on_photographs(name, data):
    files = [data / "weights" / REAL[name]] if name in REAL else []
    network = open_network(name, files).module
    assert isinstance(network, GatysNetwork)
    pictures = (
        torch.from_numpy(array_from_image(centre_crop(read_image(path), Size(96, 128))))
        for path in (
            data / "images/eval/content/kodim19.jpg",
            data / "images/eval/style/pd_vangogh_starry_night.jpg",
        )
    )
    check(network, *pictures, tolerance=1e-6)


def test_codes_are_gram_matrices_and_blend_exactly():
    network = gatys_enet.build(2).eval()
    layout = network.code_layout
    assert layout.blending is Blending.EXACT
    first = layout.parts[0]
    assert (first.name, first.shape) == ("initial.gram", (8, 8))
    style = torch.rand(1, 3, 40, 48)
    features = network.stages["initial"](style).flatten(2)
    gram = features @ features.transpose(1, 2) / features.shape[2]
    torch.testing.assert_close(network.encode(style)[:, :64].reshape(1, 8, 8), gram)


def test_a_copy_of_the_photograph_has_no_loss_without_a_style():
    network = gatys_vgg_eighth.build().eval()
    photo = torch.rand(1, 3, 32, 48)
    target, code = network.content_target(photo), network.encode(torch.rand(1, 3, 32, 32))
    loss, gradient = network.step(photo, target, code, torch.zeros(1))
    assert float(loss) == 0
    assert float(gradient.abs().max()) == 0


@pytest.mark.parametrize("role", [Role.CONTENT, Role.STEP])
def test_content_and_step_are_of_one_size(role, random_network):
    with pytest.raises(UsageError, match=r"made for one size.*leave out --dynamic"):
        capture(random_network("gatys-vgg-eighth"), role, Size(40, 56), dynamic=True)


@pytest.mark.parametrize("module", [gatys_vgg16, gatys_vgg_eighth, gatys_enet])
def test_weights_of_another_network_are_refused(module, tmp_path):
    torch.save({"other.weight": torch.zeros(2)}, tmp_path / "w.pth")
    with pytest.raises(BadCheckpoint, match="of another network"):
        module.read([tmp_path / "w.pth"])
