"""Files that claim more than they hold, or hold what no network has: refused before any work."""

import json
import struct
import zipfile
from pathlib import Path

import msgspec
import pytest
import torch

from styleexport.core import archives
from styleexport.core.cache import VARIABLE, remembered
from styleexport.core.documents import read_document
from styleexport.core.errors import BadArtifact, BadCheckpoint
from styleexport.core.manifest import MANIFEST, SizeFact, TensorFact
from styleexport.core.program import load_program
from styleexport.models.checkpoint import read_tensors


def zip_claiming(path: Path, name: str, size: int) -> Path:
    """Write an archive of one entry whose directory claims another unpacked size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"\0" * 1000)
    raw = path.read_bytes()
    claims = raw.replace(struct.pack("<I", 1000), struct.pack("<I", size))
    assert claims != raw
    path.write_bytes(claims)
    return path


@pytest.mark.parametrize(
    ("name", "entry"),
    [("a.npz", "weight.npy"), ("a.pth", "a/data.pkl"), ("a.bin", "a/data/0")],
)
def test_weights_that_unpack_to_more_than_memory(tmp_path, name, entry, monkeypatch):
    path = zip_claiming(tmp_path / name, entry, 0xFFFF_FFF0)
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 31)
    with pytest.raises(BadCheckpoint, match=r"unpacks to 4\.3 GB in 1 entries, more than the 2\.1"):
        read_tensors(path)


def test_a_program_that_unpacks_to_more_than_memory(tmp_path, monkeypatch):
    path = zip_claiming(tmp_path / "a.pt2", "a/models/model.json", 0xFFFF_FFF0)
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 31)
    with pytest.raises(BadCheckpoint, match=r"program .* unpacks to 4\.3 GB"):
        load_program(path)
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 40)
    with pytest.raises(BadCheckpoint, match=r"4294967280 bytes, more than a graph needs"):
        load_program(path)


def test_an_archive_of_very_many_entries(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for number in range(30):
            archive.writestr(f"{number}.npy", b"")
    monkeypatch.setattr(archives, "MAX_ENTRIES", 20)
    with pytest.raises(BadCheckpoint, match="in 30 entries, more than"):
        read_tensors(tmp_path / "a.npz")


def test_an_array_that_claims_to_be_larger_than_memory(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999,), }"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("weight.npy", npy)
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        read_tensors(tmp_path / "a.npz")


TENSORS = {
    "meta": (torch.empty(3, device="meta"), "on the meta device"),
    "sparse": (torch.eye(3).to_sparse(), "sparse"),
    "expanded": (torch.zeros(1).expand(10**6, 10**6), "larger than its values in the file"),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_without_values_of_their_own(tmp_path, kind):
    tensor, part = TENSORS[kind]
    torch.save({"first": torch.zeros(2), "weight": tensor}, tmp_path / "a.pth")
    with pytest.raises(BadCheckpoint, match=rf"a\.pth: weight is .*{part}"):
        read_tensors(tmp_path / "a.pth")


def test_views_of_a_shared_storage_are_read(tmp_path):
    whole = torch.arange(12.0)
    torch.save({"a": whole[:6].view(2, 3), "b": whole.view(3, 4).t()}, tmp_path / "a.pth")
    found = read_tensors(tmp_path / "a.pth")
    assert found["b"].tolist() == whole.view(3, 4).t().tolist()


@pytest.mark.parametrize("shape", [(1, 3, 10**9, 10**9), (1, -1, 2, 2), (0,)])
def test_a_manifest_that_claims_impossible_shapes(shape):
    fact = {"name": "x", "kind": "image", "shape": shape, "dtype": "float32", "layout": "NCHW"}
    with pytest.raises(msgspec.ValidationError, match="a tensor has 1 to"):
        msgspec.convert(fact, TensorFact)


def test_a_manifest_that_claims_impossible_sizes():
    with pytest.raises(msgspec.ValidationError, match="at most 16384 pixels"):
        msgspec.convert({"height": 10**9, "width": 5}, SizeFact)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b'{"schema_version":4,"network":' + b'{"name":' * 200_000,
        b'{"schema_version":4,"tools":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"schema_version":' + b"9" * 1_000_000 + b"}",
        b'{"schema_version":4,"\xff":1}',
        b"\xff\xfe",
        b"",
    ],
)
def test_deep_or_damaged_json(raw):
    with pytest.raises(BadArtifact) as caught:
        read_document(raw, MANIFEST, "manifest.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"[" * 1_000_000, b"", b"{", b'{"value": "\xff"}']
)
def test_a_damaged_entry_of_the_cache_is_measured_again(tmp_path, monkeypatch, content):
    class Value(msgspec.Struct):
        value: str

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind/key.json").write_bytes(content)
    assert remembered("kind", "key", Value, lambda: Value("new")).value == "new"
    assert json.loads((tmp_path / "kind/key.json").read_text()) == {"value": "new"}
