"""The learned linear transform against an independent float64 computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styleexport.models.transforms.linear import LinearTransform

# Channels → parameters of the published module.
PUBLISHED = {256: 2_890_464, 512: 5_156_192}
CHANNELS = 64


@pytest.fixture(scope="module")
def transform() -> LinearTransform:
    torch.manual_seed(0)
    return LinearTransform(CHANNELS).double().requires_grad_(False)


def features(height: int, width: int) -> torch.Tensor:
    return torch.randn(1, CHANNELS, height, width).double() * 3 + 1


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Zero-padded convolution of [C, h, w], a shift at a time."""
    pad = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    total = np.zeros((len(weight), *x.shape[1:])) + bias[:, None, None]
    for row in range(weight.shape[2]):
        for column in range(weight.shape[3]):
            part = padded[:, row : row + x.shape[1], column : column + x.shape[2]]
            total += np.einsum("oc,chw->ohw", weight[:, :, row, column], part)
    return total


def matrix_of(x: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    for index in (0, 2, 4):
        x = convolved(x, state[f"{name}.convs.{index}.weight"], state[f"{name}.convs.{index}.bias"])
        x = np.maximum(x, 0) if index < 4 else x
    rows = x.reshape(32, -1)
    gram = rows @ rows.T / rows.shape[1]
    return (state[f"{name}.fc.weight"] @ gram.ravel() + state[f"{name}.fc.bias"]).reshape(32, 32)


def test_it_computes_what_the_paper_computes(transform):
    state = {key: value.numpy() for key, value in transform.state_dict().items()}
    content, style = features(7, 9), features(6, 5)
    code = transform.style_code(style)
    transformed = transform(content, code, torch.ones(1).double())[0].numpy()
    x, y = content[0].numpy(), style[0].numpy()
    mean = y.mean((1, 2), keepdims=True)
    centred = x - x.mean((1, 2), keepdims=True)
    matrix = matrix_of(y - mean, state, "snet") @ matrix_of(centred, state, "cnet")
    small = convolved(centred, state["compress.weight"], state["compress.bias"])
    moved = (matrix @ small.reshape(32, -1)).reshape(small.shape)
    expected = convolved(moved, state["unzip.weight"], state["unzip.bias"]) + mean
    assert np.abs(transformed - expected).max() < 1e-12 * np.abs(expected).max()
    assert code.shape == (1, 1024 + CHANNELS)


def test_the_result_is_linear_in_the_code_and_in_the_strength(transform):
    content = features(7, 9)
    first, second = (transform.style_code(features(6, 5)) for _ in range(2))
    one = torch.ones(1).double()
    apart = [transform(content, code, one) for code in (first, second)]
    blended = transform(content, 0.3 * first + 0.7 * second, one)
    assert torch.allclose(blended, 0.3 * apart[0] + 0.7 * apart[1], rtol=0, atol=1e-12)
    half = transform(content, first, one / 2)
    assert torch.allclose(half, (content + apart[0]) / 2, rtol=0, atol=1e-12)
    assert torch.equal(transform(content, first, 0 * one), content)


@pytest.mark.parametrize("channels", PUBLISHED)
def test_it_has_the_published_keys_and_parameters(channels):
    with torch.device("meta"):
        module = LinearTransform(channels)
    names = {key.rpartition(".")[0] for key in module.state_dict()}
    inner = ("convs.0", "convs.2", "convs.4", "fc")
    nets = {f"{net}.{layer}" for net in ("snet", "cnet") for layer in inner}
    assert names == nets | {"compress", "unzip"}
    assert sum(p.numel() for p in module.parameters()) == PUBLISHED[channels]
