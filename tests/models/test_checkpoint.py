"""Weights are read without executing anything, or refused in one line that says why."""

import io
import os
import pickle
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors

STATE = {"conv.weight": torch.ones(4, 3), "conv.bias": torch.zeros(4)}


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def torch_file(path: Path) -> Path:
    torch.save(STATE, path)
    return path


def legacy_file(path: Path) -> Path:
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    return path


def safetensors_file(path: Path) -> Path:
    save_file(STATE, path)
    return path


def npz_file(path: Path) -> Path:
    np.savez_compressed(path, **{key: value.numpy() for key, value in STATE.items()})
    return path


FORMATS = [
    pytest.param(torch_file, "a.pth", id="pth"),
    pytest.param(legacy_file, "legacy.pth", id="legacy-pth"),
    pytest.param(safetensors_file, "a.safetensors", id="safetensors"),
    pytest.param(npz_file, "a.npz", id="npz"),
]


def refusal(path: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        read_tensors(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "weights_only" not in message
    return message


@pytest.mark.parametrize(("write", "name"), FORMATS)
def test_every_format_gives_the_same_tensors(tmp_path, write, name):
    tensors = read_tensors(write(tmp_path / name))
    assert tensors.keys() == STATE.keys()
    assert all(torch.equal(tensors[key], STATE[key]) for key in STATE)


@pytest.mark.parametrize(("write", "name"), FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_a_truncated_file_is_refused(tmp_path, write, name, share):
    path = write(tmp_path / name)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    message = refusal(path)
    assert "cannot be read" in message
    assert "truncated, damaged or not a weights file; download it again" in message


@pytest.mark.parametrize(("write", "name"), FORMATS)
def test_damaged_bytes_never_raise_anything_else(tmp_path, write, name):
    path = write(tmp_path / name)
    whole = path.read_bytes()
    generator = np.random.default_rng(3)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(int(generator.integers(1, 4))):
            damaged[int(generator.integers(len(damaged)))] = int(generator.integers(256))
        path.write_bytes(bytes(damaged))
        try:
            read_tensors(path)
        except BadCheckpoint as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors", "a.npz", "a.txt"])
@pytest.mark.parametrize("content", [b"", b"just some text\n", b"\x80\x04N."])
def test_other_files_are_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert re.search("cannot be read|holds a NoneType", refusal(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "does not exist; type the path of a weights file" in refusal(tmp_path / "none.pth")
    assert "is a folder, expected a regular file; type the path of a w" in refusal(tmp_path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_named_and_not_executed(tmp_path, zipped):
    created = tmp_path / "created"
    path = tmp_path / "evil.pth"
    torch.save(
        {"w": torch.ones(2), "x": Attack(created)}, path, _use_new_zipfile_serialization=zipped
    )
    message = refusal(path)
    assert f"holds code ({os.name}.mkdir), which was not executed" in message
    assert "save it again with torch.save(model.state_dict(), path)" in message
    assert not created.exists()


def test_a_bare_pickle_with_code_is_not_executed(tmp_path):
    created = tmp_path / "created"
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Attack(created)))
    refusal(tmp_path / "evil.pkl")
    assert not created.exists()


def test_a_whole_pickled_module_is_refused_by_its_class(tmp_path):
    torch.save(nn.Conv2d(3, 4, 1), tmp_path / "model.pth")
    assert "holds code (torch.nn.modules.conv.Conv2d)" in refusal(tmp_path / "model.pth")


def test_torchscript_is_told_apart(tmp_path):
    torch.jit.save(torch.jit.trace(nn.ReLU(), torch.ones(1)), tmp_path / "script.pt")
    message = refusal(tmp_path / "script.pt")
    assert "is a TorchScript program, expected a state dict" in message
    assert "torch.jit.load(path).state_dict()" in message


def test_an_npz_with_objects_is_not_executed(tmp_path):
    created = tmp_path / "created"
    np.savez(tmp_path / "evil.npz", w=np.array([Attack(created)], dtype=object))
    assert "holds Python objects, which were not read" in refusal(tmp_path / "evil.npz")
    assert not created.exists()


def test_an_npz_that_is_a_pickle_is_not_executed(tmp_path):
    created = tmp_path / "created"
    (tmp_path / "evil.npz").write_bytes(pickle.dumps(Attack(created)))
    assert "cannot be read" in refusal(tmp_path / "evil.npz")
    assert not created.exists()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_refused_by_key(tmp_path, bad):
    torch.save({**STATE, "conv.bias": torch.tensor([0.0, bad])}, tmp_path / "a.pth")
    message = refusal(tmp_path / "a.pth")
    assert "conv.bias holds NaN or infinite values" in message
    assert "go back to an earlier checkpoint" in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ([torch.ones(1)], "holds a list, expected a state dict"),
        (torch.ones(2), "holds a Tensor, expected a state dict"),
        ({}, "holds no tensors, expected a state dict"),
        ({"epoch": 3, "note": "hello"}, "holds no tensors, expected a state dict"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, part):
    torch.save(content, tmp_path / "a.pth")
    assert part in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", "params"])
def test_a_training_checkpoint_is_unwrapped(tmp_path, wrapper):
    torch.save({wrapper: OrderedDict(STATE), "epoch": 7}, tmp_path / "a.pth")
    assert read_tensors(tmp_path / "a.pth").keys() == STATE.keys()


def test_the_prefix_of_data_parallel_is_dropped(tmp_path):
    torch.save({f"module.{key}": value for key, value in STATE.items()}, tmp_path / "a.pth")
    assert read_tensors(tmp_path / "a.pth").keys() == STATE.keys()


def test_half_precision_becomes_float32(tmp_path):
    torch.save({key: value.half() for key, value in STATE.items()}, tmp_path / "a.pth")
    assert {value.dtype for value in read_tensors(tmp_path / "a.pth").values()} == {torch.float32}


def test_load_into_copies_every_tensor():
    module = nn.Linear(3, 4)
    load_into(module, {"weight": torch.ones(4, 3), "bias": torch.ones(4)}, Path("a.pth"))
    assert all(bool((value == 1).all()) for value in module.state_dict().values())


def test_load_into_names_the_first_key_of_each_kind_and_changes_nothing():
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    tensors = {
        "0.weight": torch.ones(9, 3),
        "0.bias": torch.ones(4),
        "other.a": torch.ones(1),
        "other.b": torch.ones(1),
    }
    with pytest.raises(BadCheckpoint) as caught:
        load_into(module, tensors, Path("a.pth"))
    message = str(caught.value)
    assert "checkpoint a.pth is of another network" in message
    assert "missing 1.weight and 1 more" in message
    assert "unexpected other.a and 1 more" in message
    assert "mis-shaped: 0.weight is [9, 3], expected [4, 3]" in message
    assert "`styleexport networks`" in message
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_load_into_ignores_what_may_be_left_over():
    module = nn.Linear(1, 1, bias=False)
    tensors = {"weight": torch.ones(1, 1), "classifier.0.weight": torch.ones(1)}
    load_into(module, tensors, Path("a.pth"), ignore=("classifier.",))
    assert module.weight.item() == 1


def test_an_in_memory_copy_of_the_attack_does_work(tmp_path):
    """The attack of these tests is a real one: with protection off it creates the folder."""
    buffer = io.BytesIO()
    torch.save(Attack(tmp_path / "created"), buffer)
    buffer.seek(0)
    torch.load(buffer, weights_only=False)
    assert (tmp_path / "created").is_dir()
