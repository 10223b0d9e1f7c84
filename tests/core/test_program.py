from __future__ import annotations

import json
import zipfile

import pytest
import torch

from styleexport.core.errors import BadCheckpoint
from styleexport.core.program import load_program, save_program


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        return x * self.factor


def program():
    return torch.export.export(Scale(), (torch.ones(1, 3, 4, 5),))


def rewrite(source, target, change):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def test_a_program_comes_back_and_computes_the_same(tmp_path):
    save_program(program(), tmp_path / "a.pt2")
    loaded = load_program(tmp_path / "a.pt2").module()
    assert torch.equal(loaded(torch.ones(1, 3, 4, 5)), torch.full((1, 3, 4, 5), 2.0))


def test_the_same_program_gives_the_same_bytes_without_paths(tmp_path):
    save_program(program(), tmp_path / "a.pt2")
    save_program(program(), tmp_path / "b.pt2")
    data = (tmp_path / "a.pt2").read_bytes()
    assert data == (tmp_path / "b.pt2").read_bytes()
    assert b"test_program.py" not in data


@pytest.mark.parametrize(
    ("entry", "old", "new", "named"),
    [
        ("model_weights_config.json", '"use_pickle": false', '"use_pickle": true', "pickled entry"),
        ("model.json", '"guards_code": []', '"guards_code": ["open()"]', "guard code"),
        ("model.json", "torch.ops.aten.mul.Tensor", "torch.hub.load", "a call of torch.hub.load"),
    ],
)
def test_an_archive_that_can_run_code_is_refused(tmp_path, entry, old, new, named):
    save_program(program(), tmp_path / "a.pt2")

    def change(name, content):
        return content.replace(old.encode(), new.encode()) if name.endswith(entry) else content

    rewrite(tmp_path / "a.pt2", tmp_path / "b.pt2", change)
    with pytest.raises(BadCheckpoint, match=named):
        load_program(tmp_path / "b.pt2")


def test_sample_inputs_with_code_are_refused_and_not_run(tmp_path):
    save_program(program(), tmp_path / "a.pt2")
    witness = tmp_path / "witness"

    class Evil:
        def __reduce__(self):
            return (open, (str(witness), "w"))

    torch.save(Evil(), tmp_path / "evil.pt")
    evil = (tmp_path / "evil.pt").read_bytes()
    rewrite(
        tmp_path / "a.pt2",
        tmp_path / "b.pt2",
        lambda name, content: evil if "sample_inputs" in name else content,
    )
    with pytest.raises(BadCheckpoint, match="was not read"):
        load_program(tmp_path / "b.pt2")
    assert not witness.exists()


def test_a_file_that_is_no_program_is_named(tmp_path):
    (tmp_path / "x.pt2").write_text(json.dumps({}))
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        load_program(tmp_path / "x.pt2")
    with pytest.raises(BadCheckpoint, match="does not exist"):
        load_program(tmp_path / "y.pt2")
