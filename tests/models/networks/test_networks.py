"""Every network of the directory keeps the contract of models/network.py."""

from __future__ import annotations

import pytest
import torch

from styleexport.core import plugins
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.types import Role
from styleexport.models.network_spec import NETWORKS
from styleexport.models.networks._open import find, open_network

NAMES = plugins.names(NETWORKS)


@pytest.mark.parametrize("name", NAMES)
def test_description_is_complete(name):
    network = find(name)
    assert network.name == name
    assert network.summary
    assert network.paper
    assert network.licence
    assert network.checkpoints


PAINTERS = [name for name in NAMES if not name.startswith("gatys")]


@pytest.mark.parametrize("name", PAINTERS)
@pytest.mark.parametrize("size", [(48, 64), (45, 51)])
def test_output_has_the_size_and_range_of_the_content(name, size, random_network):
    loaded = random_network(name)
    role = loaded.default_roles[-1]
    module = loaded.role_module(role)
    inputs = [torch.rand(1, 3, *size)]
    if role is Role.TRANSFORM:
        code = loaded.role_module(Role.ENCODE)(torch.rand(1, 3, 40, 56))
        inputs += [code, torch.ones(1)]
    with torch.no_grad():
        output = module(*inputs)
    assert output.shape == (1, 3, *size)
    assert 0 <= float(output.min()) <= float(output.max()) <= 1


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("adain")])
def test_stylize_is_encode_then_transform(name, random_network):
    loaded = random_network(name)
    content, style, strength = (
        torch.rand(1, 3, 48, 40),
        torch.rand(1, 3, 40, 48),
        torch.tensor([0.6]),
    )
    code = loaded.role_module(Role.ENCODE)(style)
    split = loaded.role_module(Role.TRANSFORM)(content, code, strength)
    whole = loaded.role_module(Role.STYLIZE)(content, style, strength)
    assert torch.equal(split, whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_state_is_read_back(name, random_network, tmp_path):
    from safetensors.torch import save_file

    loaded = random_network(name)
    state = {k: v.contiguous() for k, v in loaded.module.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    again = find(name).read([tmp_path / "w.safetensors"])
    for key, value in again.state_dict().items():
        assert torch.equal(value, state[key])


def test_adain_lite_is_small():
    network = open_network("adain-lite")
    assert sum(p.numel() for p in network.module.parameters()) <= 600_000
    assert network.network.weights is not None
    assert network.network.weights.stat().st_size <= 3_000_000


def test_a_network_without_shipped_weights_says_what_to_type():
    with pytest.raises(BadCheckpoint, match=r"--checkpoint PATH with eN\.pth and dN\.pth"):
        open_network("adain-cd16x")


def test_a_fixed_style_network_has_no_encode(random_network):
    with pytest.raises(UsageError, match="no role 'encode': it has stylize"):
        random_network("fast-style").role_module(Role.ENCODE)
