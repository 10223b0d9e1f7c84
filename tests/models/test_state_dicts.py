"""Checkpoints with several state dicts: what is taken, what is said, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.checkpoint import load_into, read_tensors, sha256_of
from styleexport.models.networks._open import source_sha256
from styleexport.models.weights_choice import choosing_weights, reading_files


def state(value: float, outputs: int = 4) -> dict[str, Tensor]:
    return {
        "conv.weight": torch.full((outputs, 3), value),
        "conv.bias": torch.full((outputs,), value),
    }


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Linear(3, 4)


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in tensors.items()}


RAW, AVERAGED, OTHER = state(1), state(2), state(3, 1)
ADAM = {"state": {0: {"exp_avg": torch.ones(4, 3)}}, "param_groups": [{"lr": 1e-4}]}
# Content, key that is taken, and what is said.
CLEAR = {
    "basicsr": ({"params": RAW, "params_ema": AVERAGED}, "params_ema of a.pth (averaged; also there: params)"),  # noqa: E501
    "average-alone": ({"params_ema": AVERAGED}, "params_ema of a.pth (averaged)"),
    "beside-the-model": ({"model": RAW, "ema": AVERAGED, "optimizer": ADAM}, "ema of a.pth (averaged; also there: model)"),  # noqa: E501
    "stylegan": ({"g": RAW, "d": OTHER, "g_ema": AVERAGED, "g_optim": ADAM}, "g_ema of a.pth (averaged; also there: g, d)"),  # noqa: E501
    "ema-nested": ({"model": RAW, "ema": {"decay": 0.9, "shadow": AVERAGED}}, "ema.shadow of a.pth (averaged; also there: model)"),  # noqa: E501
    "nested-average": ({"network": {"G": RAW, "D": OTHER}, "network_ema": {"G": AVERAGED}}, "network_ema.G of a.pth (averaged; also there: network.G, network.D)"),  # noqa: E501
    "discriminator": ({"generator": AVERAGED, "discriminator": OTHER}, "generator of a.pth (also there: discriminator)"),  # noqa: E501
    "cyclegan-one": ({"netG": AVERAGED, "netD": OTHER, "opt_G": ADAM}, "netG of a.pth (also there: netD)"),  # noqa: E501
    "nested": ({"network": {"G": AVERAGED, "D": OTHER}}, "network.G of a.pth (also there: network.D)"),  # noqa: E501
    "with-vgg": ({"state_dict": AVERAGED, "vgg": OTHER}, "state_dict of a.pth (also there: vgg)"),
    "moments": ({"mean": torch.ones(3), "model": AVERAGED}, None),
    "generator-alone": ({"generator": AVERAGED, "discriminator": {}, "epoch": torch.tensor(3)}, None),  # noqa: E501
    "averaged-model": (AveragedModel(Net()).state_dict() | prefixed("module.", AVERAGED), "averaged"),  # noqa: E501
}  # fmt: skip


def read(folder: Path, content: object, *keys: str) -> tuple[dict[str, Tensor], list[str]]:
    path = folder / "a.pth"
    torch.save(content, path)
    said: list[str] = []
    with choosing_weights(keys, said.append, lambda: [path]), reading_files([path]):
        module = Net()
        load_into(module, read_tensors(path), path)
    return dict(module.state_dict()), said


@pytest.mark.parametrize("name", CLEAR)
def test_the_averaged_generator_is_taken_and_said(name, tmp_path):
    content, remark = CLEAR[name]
    tensors, said = read(tmp_path, content)
    assert all(torch.equal(tensors[key], value) for key, value in AVERAGED.items())
    if remark is None:
        assert said == []
    else:
        assert [remark in line for line in said] == [True]


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ({"G_A2B": RAW, "G_B2A": AVERAGED}, "G_A2B, G_B2A"),
        ({"net_a": RAW, "net_b": AVERAGED}, "net_a, net_b"),
        ({"ema1": RAW, "model_ema": AVERAGED, "swa": RAW}, "ema1, model_ema, swa"),
        ({"model": RAW, "ema": OTHER}, "model, ema"),
        ({"encoder": RAW, "decoder": OTHER}, "encoder, decoder"),
        ({"e": RAW, "d": OTHER}, "e, d"),
    ],
)
def test_what_cannot_be_told_apart_is_listed(tmp_path, content, keys):
    with pytest.raises(BadCheckpoint) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert f"state dicts, {keys}, and nothing says which" in message
    assert f"--weights-key {keys.split(',')[0]}" in message


@pytest.mark.parametrize("key", ["params", "a.pth=params", "network.G", "G"])
def test_a_key_chooses(tmp_path, key):
    content = {"network": {"G": RAW}} if "G" in key else {"params": RAW, "params_ema": AVERAGED}
    tensors, said = read(tmp_path, content, key)
    assert all(torch.equal(tensors[name], value) for name, value in RAW.items())
    assert len(said) == 1


LIGHTNING = {
    "lightning": prefixed("generator.", AVERAGED) | prefixed("discriminator.", OTHER),
    "net": prefixed("net.", AVERAGED),
    "compiled": prefixed("module._orig_mod.", AVERAGED),
    "lightning-compiled": prefixed("model._orig_mod.", AVERAGED),
    "with-average": prefixed("model.", RAW) | prefixed("ema_model.", AVERAGED),
}


@pytest.mark.parametrize("name", LIGHTNING)
def test_a_prefix_of_all_names_is_dropped(name, tmp_path):
    tensors, said = read(tmp_path, {"state_dict": LIGHTNING[name], "epoch": 3})
    assert all(torch.equal(tensors[key], value) for key, value in AVERAGED.items())
    assert len(said) == (name != "compiled")


def test_a_prefix_is_chosen_by_the_key(tmp_path):
    twice = {"state_dict": prefixed("a2b.", RAW) | prefixed("b2a.", AVERAGED)}
    with pytest.raises(BadCheckpoint, match=r"2 times, behind a2b\., b2a\.: .* --weights-key a2b"):
        read(tmp_path, twice)
    for key in ("b2a", "state_dict.b2a"):
        tensors, said = read(tmp_path, twice, key)
        assert torch.equal(tensors["conv.bias"], AVERAGED["conv.bias"])
        assert said == [f"weights: {key} of a.pth (also there: a2b)"]


def test_a_module_around_the_network_takes_its_checkpoint(tmp_path):
    module = nn.ModuleDict({"net": Net()})
    load_into(module, AVERAGED, tmp_path / "a.pth")
    assert torch.equal(module.state_dict()["net.conv.bias"], AVERAGED["conv.bias"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"optimizer": ADAM}, "holds tensors in optimizer.state.0 alone, the state of a training"),
        ({"shadow_params": [torch.ones(3)]}, "holds tensors without names in shadow_params"),
        ({"loss": torch.tensor(1.0)}, "holds single numbers alone"),
        ({"epoch": 3}, "holds no tensors"),
    ],
)
def test_no_tensors_is_said_where_there_are_none(tmp_path, content, words):
    with pytest.raises(BadCheckpoint) as caught:
        read(tmp_path, content)
    assert words in str(caught.value)


def test_keys_that_fit_nothing_are_refused(tmp_path):
    both = {"params": RAW, "params_ema": AVERAGED}
    with pytest.raises(
        BadCheckpoint, match="no weights under 'x', expected one of params, params_ema"
    ):
        read(tmp_path, both, "x")
    with pytest.raises(BadCheckpoint, match="it is one state dict; leave out --weights-key"):
        read(tmp_path, {"weight": torch.ones(1)}, "x")
    with pytest.raises(
        UsageError, match=r"b.pth is no checkpoint of this call, expected one of a.pth"
    ):
        read(tmp_path, both, "b.pth=params")
    with pytest.raises(UsageError, match=r"names params and params_ema for .*, expected one"):
        read(tmp_path, both, "params", "params_ema")


def test_a_file_that_is_no_checkpoint_of_the_network_is_not_chosen_from(tmp_path):
    torch.save({"params_ema": AVERAGED}, tmp_path / "loss.pth")
    with choosing_weights(["netG"], None, lambda: [tmp_path / "a.pth"]):
        assert read_tensors(tmp_path / "loss.pth").keys() == AVERAGED.keys()


def test_the_digest_of_a_checkpoint_holds_the_key_that_was_taken(tmp_path):
    path, digests = tmp_path / "both.pth", set[str]()
    torch.save({"netG": state(1), "netD": state(2)}, path)
    for key in ("netG", "netD"):
        with choosing_weights((key,)), reading_files([path]):
            read_tensors(path)
            digests.add(source_sha256([path]))
    torch.save(state(1), path)
    with choosing_weights(()), reading_files([path]):
        read_tensors(path)
        assert source_sha256([path]) == sha256_of([path])
    assert len(digests) == 2
