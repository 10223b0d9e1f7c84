"""Every bad input: one line that says what to type, the right exit code, nothing left behind."""

import hashlib
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from styleexport.core.errors import BadCheckpoint
from styleexport.core.program import load_program
from styleexport.core.types import PASSES, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks import adain_lite
from tests.cli.conftest import (
    PROGRESS,
    Outcome,
    edit_manifest,
    module_file,
    network_file,
    nothing_at,
    nothing_half_written,
    picture,
)
from tests.zoo import load_own

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded random weights of adain-lite."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "lite.safetensors"
    save_file(adain_lite.NETWORK.build().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Path:
    """An artifact of adain-lite at 64x64; never changed."""
    module = adain_lite.read([weights]).eval().requires_grad_(False)
    network = LoadedNetwork(adain_lite.NETWORK, module, (weights.name,), "0" * 64)
    out = tmp_path_factory.mktemp("lite") / "lite"
    export(ExportRequest(network, out, sizes=(Size(64, 64),)))
    return out


@pytest.fixture
def artifact(lite: Path, tmp_path: Path) -> Path:
    """A copy of the artifact, to be damaged."""
    return Path(shutil.copytree(lite, tmp_path / "artifact"))


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact of a network with one style; never changed."""
    torch.manual_seed(0)
    network = load_own(torch.nn.Conv2d(3, 3, 3, padding=1))
    out = tmp_path_factory.mktemp("fixed") / "fixed"
    export(ExportRequest(network, out, sizes=(Size(64, 64),)))
    return out


# --- what is typed ------------------------------------------------------------------------------

USAGE = [
    (["onnx", "adain-lit"], ["unknown network 'adain-lit'", "expected one of", "mean adain-lite?"]),
    (["onnx", "ADAIN_LITE"], ["unknown network", "did you mean adain-lite?"]),
    (["onnx", "zzz"], ["unknown network 'zzz'", "adain-vgg19"]),
    (["onx"], ["unknown command 'onx'", "did you mean onnx?"]),
    (["onnx", "--role", "paint"], ["unknown role 'paint'", "encode", "--role transform"]),
    (["onnx", "--precision", "int4"], ["unknown precision 'int4'", "--precision"]),
    (["onnx", "--size", "abc"], ["size 'abc' is not a size", "HEIGHTxWIDTH", "--size 256"]),
    (["onnx", "--size", ""], ["size '' is not a size", "--size 256"]),
    (["onnx", "--size", "256x"], ["size '256x' is not a size", "--size 256"]),
    (["onnx", "--size", "1.5"], ["size '1.5' is not a size", "--size 256"]),
    (["onnx", "--size", "0"], ["size 0x0 is out of range", "1 to 16384", "--size 256"]),
    (["onnx", "--size", "-5"], ["size -5x-5 is out of range", "1 to 16384"]),
    (["onnx", "--size", "256x0"], ["size 256x0 is out of range", "1 to 16384"]),
    (["onnx", "--size", "20000"], ["size 20000x20000 is out of range", "1 to 16384"]),
    (["onnx", "adain-vgg19"], ["adain-vgg19 has no weights of its own", "--checkpoint PATH"]),
    (
        ["onnx", "fast-style", "--checkpoint", "no.pth"],
        ["no.pth does not exist", "`styleexport networks`"],
    ),
    (["onnx", "none.pt2"], ["none.pt2 does not exist", ".pt2"]),
    (["onnx", "nowhere.mine:build"], ["no module named 'nowhere'", "package.module:function"]),
    (["stylize", "none", "a.png", "b.png"], ["none is not an artifact", "styleexport onnx"]),
    (["inspect", "none"], ["none is not an artifact", "styleexport onnx"]),
    (["verify", "none"], ["none is not an artifact", "styleexport onnx"]),
    (["styles", "list", "none"], ["none is not an artifact", "styleexport onnx"]),
]


@pytest.mark.parametrize(("arguments", "parts"), USAGE, ids=[" ".join(row[0]) for row in USAGE])
def test_what_is_mistyped_is_answered_with_what_to_type(cli, tmp_path, arguments, parts):
    cli(*arguments).refused(2, *parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["onnx", "--nope"], "--nope"),
        (["stylize"], "ARTIFACT"),
        (["stylize", "a", "b", "--alpha", "much"], "'much' is not a valid float"),
        (["stylize", "a", "b", "--threads", "0"], "--threads"),
        (["styles", "pak"], "pak"),
        (["train"], "--content"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_click_refuses_is_one_line_too(cli, arguments, part):
    cli(*arguments).refused(2, part)


def test_sizes_and_roles_that_the_network_does_not_take(cli, tmp_path, weights):
    call = ("onnx", "adain-lite", "--checkpoint", weights, "-o", "out")
    cli(*call, "--size", "8").refused(2, "size 8x8 is too small", "at least 16", "--size 256")
    cli(*call, "--size", "64x15").refused(2, "size 64x15 is too small", "at least 16")
    cli(*call, "--dynamic", "--size", "64", "--size", "96").refused(2, "at most one --size")
    nothing_at(tmp_path / "out")


def test_a_role_that_a_fixed_style_network_lacks(cli, tmp_path):
    spec = network_file("only_one", "return self.conv(image)")
    refused = cli("onnx", spec, "--role", "encode", "-o", "out")
    refused.refused(2, "has no role 'encode'", "--role stylize")
    nothing_at(tmp_path / "out")


# --- checkpoints --------------------------------------------------------------------------------


def truncated(path: Path, weights: Path) -> None:
    path.write_bytes(weights.read_bytes()[:5000])


def truncated_torch(path: Path, weights: Path) -> None:
    torch.save(load_file(weights), path)
    path.write_bytes(path.read_bytes()[:5000])


def truncated_npz(path: Path, weights: Path) -> None:
    np.savez(path, **{key: value.numpy() for key, value in load_file(weights).items()})
    path.write_bytes(path.read_bytes()[:5000])


def of_another_network(path: Path, weights: Path) -> None:
    state = load_file(weights)
    first, second = sorted(state)[:2]
    state["stranger.weight"] = state.pop(first)
    state[second] = torch.zeros(7)
    torch.save(state, path)


def not_finite(path: Path, weights: Path) -> None:
    state = load_file(weights)
    state[sorted(state)[0]].view(-1)[0] = float("nan")
    torch.save(state, path)


CHECKPOINTS = [
    ("cut.safetensors", truncated, ["cannot be read", "download it again"]),
    ("cut.pth", truncated_torch, ["cannot be read", "download it again"]),
    ("cut.npz", truncated_npz, ["cannot be read", "download it again"]),
    ("empty.pth", lambda path, _: path.write_bytes(b""), ["cannot be read"]),
    ("empty.safetensors", lambda path, _: path.write_bytes(b""), ["cannot be read"]),
    ("empty.npz", lambda path, _: path.write_bytes(b""), ["cannot be read"]),
    ("text.pth", lambda path, _: path.write_text("hello\n"), ["cannot be read"]),
    ("folder.pth", lambda path, _: path.mkdir(), ["is a folder", "path of a weights file"]),
    (
        "other.pth",
        of_another_network,
        [
            "of another network",
            "missing ",
            "mis-shaped: ",
            "unexpected stranger.weight",
            "is [7], expected [",
        ],
    ),
    ("nan.pth", not_finite, ["holds NaN or infinite values", "earlier checkpoint"]),
]


@pytest.mark.parametrize(("name", "write", "parts"), CHECKPOINTS, ids=[c[0] for c in CHECKPOINTS])
def test_a_bad_checkpoint_is_named(cli, tmp_path, weights, name, write, parts):
    write(tmp_path / name, weights)
    cli("onnx", "adain-lite", "--checkpoint", name, "-o", "out").refused(2, name, *parts)
    nothing_at(tmp_path / "out")


class Attack:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_with_code_is_not_executed(cli, tmp_path):
    torch.save({"x": Attack(tmp_path / "created")}, "evil.pth")
    refused = cli("onnx", "adain-lite", "--checkpoint", "evil.pth", "-o", "out")
    refused.refused(2, f"holds code ({os.name}.mkdir), which was not executed", "torch.save(")
    np.savez("evil.npz", w=np.array([Attack(tmp_path / "created")], dtype=object))
    refused = cli("onnx", "adain-lite", "--checkpoint", "evil.npz", "-o", "out")
    refused.refused(2, "holds Python objects, which were not read")
    assert not (tmp_path / "created").exists()
    nothing_at(tmp_path / "out")


# --- captured programs --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .pt2 as torch.export.save writes it."""
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    module = torch.nn.Conv2d(3, 3, 3, padding=1).eval().requires_grad_(False)
    torch.export.save(torch.export.export(module, (torch.rand(1, 3, 64, 64),)), path)
    return path


Entries = dict[str, bytes]


def entries_of(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_entries(entries: Entries, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def evil_pickle(created: Path) -> bytes:
    return pickle.dumps(Attack(created))


def evil_torch(created: Path) -> bytes:
    path = created.with_name("evil.bin")
    torch.save((Attack(created),), path)
    return path.read_bytes()


def edit_json(entries: Entries, name: str, change: Callable[[dict], object]) -> None:
    content = json.loads(entries[f"net/{name}"])
    change(content)
    entries[f"net/{name}"] = json.dumps(content).encode()


MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


def pickled_weight(entries: Entries, created: Path) -> None:
    edit_json(entries, WEIGHTS, lambda c: c["config"]["weight"].update(use_pickle=True))
    entries["net/data/weights/weight_0"] = evil_torch(created)


def opaque_constant(entries: Entries, created: Path) -> None:
    meta = json.loads(entries[f"net/{WEIGHTS}"])["config"]["weight"]
    fact = {**meta, "path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
    edit_json(entries, CONSTANTS, lambda c: c["config"].update(x=fact))
    data = evil_pickle(created)
    entries["net/data/constants/opaque_obj_0"] = data + b"\0" * (-len(data) % 4)


def old_weights(entries: Entries, created: Path) -> None:
    entries["net/data/weights/model.pt"] = evil_torch(created)


def old_archive(entries: Entries, created: Path) -> None:
    model = entries[f"net/{MODEL}"]
    entries.clear()
    entries["version"] = b"8.20"
    entries["serialized_exported_program.json"] = model
    for name in ("state_dict", "constants", "example_inputs"):
        entries[f"serialized_{name}.pt"] = evil_torch(created)


def sample_inputs(entries: Entries, created: Path) -> None:
    entries["net/data/sample_inputs/model.pt"] = evil_torch(created)


def guard_code(entries: Entries, created: Path) -> None:
    code = f"__import__('os').mkdir({str(created)!r}) is None"
    edit_json(entries, MODEL, lambda c: c.update(guards_code=[code]))


def unchecked_name(entries: Entries, created: Path) -> None:
    guard_code(entries, created)
    entries["net/models/model.JSON"] = entries.pop(f"net/{MODEL}")


def expression(entries: Entries, created: Path) -> None:
    code = f"__import__('os').mkdir({str(created)!r})"
    letters = "+".join(f"chr({ord(letter)})" for letter in code)
    size = {"as_expr": {"expr_str": f"eval({letters})", "hint": {"as_int": 64}}}
    edit_json(
        entries,
        MODEL,
        lambda c: c["graph_module"]["graph"]["tensor_values"]["input"]["sizes"].__setitem__(
            2, size
        ),
    )


def argument_name(entries: Entries, created: Path) -> None:
    text = entries[f"net/{MODEL}"].decode()
    code = f"input=__import__('os').mkdir({str(created)!r})"
    entries[f"net/{MODEL}"] = text.replace('"name": "input"', f'"name": "{code}"').encode()


def compiled_library(entries: Entries, created: Path) -> None:
    entries["net/data/aotinductor/model/model.so"] = b"\x7fELF"


ATTACKS = [
    (pickled_weight, "a pickled entry"),
    (opaque_constant, "a pickled entry"),
    (old_weights, "an entry that plain programs do not have"),
    (sample_inputs, "a pickle with more than tensors"),
    (guard_code, "guard code"),
    (expression, "an expression"),
    (argument_name, "the name "),
    (compiled_library, "an entry that plain programs do not have"),
]


@pytest.mark.parametrize(("attack", "reason"), ATTACKS, ids=[a[0].__name__ for a in ATTACKS])
def test_a_program_with_code_is_not_executed(cli, tmp_path, program, attack, reason):
    entries = entries_of(program)
    attack(entries, tmp_path / "created")
    write_entries(entries, tmp_path / "net.pt2")
    refused = cli("onnx", "net.pt2", "-o", "out")
    refused.refused(2, "program net.pt2 can run code", reason, "was not read", "--trust")
    assert not (tmp_path / "created").exists()
    nothing_at(tmp_path / "out")


@pytest.mark.parametrize("attack", [old_archive, unchecked_name])
def test_a_program_under_other_names_is_not_executed(cli, tmp_path, program, attack):
    entries = entries_of(program)
    attack(entries, tmp_path / "created")
    write_entries(entries, tmp_path / "net.pt2")
    refused = cli("onnx", "net.pt2", "-o", "out")
    refused.refused(2, "cannot be read: it holds no models/model.json", "torch.export.save(")
    assert not (tmp_path / "created").exists()
    nothing_at(tmp_path / "out")


@pytest.mark.parametrize("attack", [opaque_constant, sample_inputs, guard_code, expression])
def test_the_attacks_are_real(tmp_path, program, attack):
    entries = entries_of(program)
    attack(entries, tmp_path / "created")
    write_entries(entries, tmp_path / "net.pt2")
    try:
        load_program(tmp_path / "net.pt2", trusted=True).module()(torch.rand(1, 3, 64, 64))
    except Exception as error:  # noqa: BLE001 - an attack may break the program that carries it
        assert error is not None
    assert (tmp_path / "created").is_dir()


def test_a_second_entry_of_one_name_is_refused(tmp_path, program):
    shutil.copy(program, tmp_path / "net.pt2")
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(tmp_path / "net.pt2", "a") as archive,
    ):
        archive.writestr(f"net/{MODEL}", archive.read(f"net/{MODEL}"))
    with pytest.raises(BadCheckpoint, match="a second entry of one name"):
        load_program(tmp_path / "net.pt2")


def test_a_truncated_program_is_one_line(cli, tmp_path, program):
    whole = program.read_bytes()
    for share in (0.0, 0.4, 0.99):
        (tmp_path / "net.pt2").write_bytes(whole[: int(share * len(whole))])
        cli("onnx", "net.pt2", "-o", "out").refused(2, "program net.pt2 cannot be read")
    entries = entries_of(program)
    del entries["net/data/weights/weight_0"]
    write_entries(entries, tmp_path / "net.pt2")
    cli("onnx", "net.pt2", "-o", "out").refused(
        2, "cannot be read", "weight_0", "torch.export.save"
    )
    nothing_at(tmp_path / "out")


def test_a_program_is_exported_at_its_own_size_only(cli, tmp_path, program):
    shutil.copy(program, "net.pt2")
    refused = cli("onnx", "net.pt2", "--size", "32", "-o", "out")
    refused.refused(2, "captured at 64x64, not 32x32", "--size 64x64")
    nothing_at(tmp_path / "out")
    clipped = ("net: with output pixels 0..1 (assumed)", "% of the output is clipped")
    cli("onnx", "net.pt2", "-o", "out").refused(2, *clipped, "--output-pixels 0..1:clip if that")
    nothing_at(tmp_path / "out")
    cli("onnx", "net.pt2", "--output-pixels", "0..1:clip", "-o", "out").fine()


def test_help_says_what_trust_is_for(cli):
    assert re.search(r"--trust\s+Load a \.pt2 that could run code", cli("onnx", "--help").out)


# --- networks of the user's ---------------------------------------------------------------------

FORWARDS = [
    (
        "wrong_shape",
        "return self.conv(image)[:, :, ::2]",
        ["returned [1, 3, 32, 64]", "expected [1, 3, 64, 64]"],
    ),
    ("two_channels", "return self.conv(image)[:, :2]", ["returned [1, 2, 64, 64]", "must be RGB"]),
    ("not_a_number", "return self.conv(image) * float('nan')", ["returned NaN or infinite values"]),
    ("no_tensor", "return [self.conv(image)]", ["list", "expected"]),
    ("breaks", "return self.conv(image[:, :2])", ["does not run on images of 64x64"]),
    ("raises", "raise KeyError('lost')", ["does not run on images of 64x64", "lost"]),
    (
        "branch",
        "return self.conv(image) if image.mean() > 0.5 else image",
        ["cannot capture the network", "data-dependent"],
    ),
]


@pytest.mark.parametrize(("name", "forward", "parts"), FORWARDS, ids=[f[0] for f in FORWARDS])
def test_a_forward_that_cannot_be_exported(cli, tmp_path, name, forward, parts):
    refused = cli("onnx", network_file(name, forward), "--size", "64", "-o", "out")
    refused.refused(2, *parts)
    nothing_at(tmp_path / "out")


def test_a_network_that_is_never_the_same_fails_parity(cli, tmp_path):
    spec = network_file("noisy", "return torch.sigmoid(self.conv(image)) + torch.rand_like(image)")
    refused = cli("onnx", spec, "--size", "64", "-o", "out")
    refused.refused(
        3, "differs from the network", "dB measured", "at least 90", "out.rejected.json"
    )
    nothing_at(tmp_path / "out")
    assert json.loads((tmp_path / "out.rejected.json").read_text())["files"][0]["parity"]


FACTORIES = [
    ("f_missing", "def other(): pass", "has no function 'build'"),
    ("f_number", "build = 3", "has no function 'build'"),
    ("f_text", "def build(): return 'network'", "returned a str, expected a torch.nn.Module"),
    ("f_class", "build = nn.ReLU().__class__.__name__", "has no function 'build'"),
    (
        "f_two",
        "class Net(nn.Module):\n    def forward(self, a, b): return a\n\n\nbuild = Net",
        "its forward takes 2 inputs",
    ),
    ("f_needs", "def build(width): return nn.ReLU()", "width"),
    ("f_raises", "def build(): raise RuntimeError('no GPU here')", "no GPU here"),
    ("f_syntax", "def build(:", "f_syntax"),
    ("f_import", "import not_installed_here", "no module named 'not_installed_here'"),
    ("f_broken", "raise ValueError('broken module')", "broken module"),
]


@pytest.mark.parametrize(("name", "body", "part"), FACTORIES, ids=[f[0] for f in FACTORIES])
def test_a_factory_that_builds_no_network(cli, tmp_path, name, body, part):
    cli("onnx", module_file(name, body), "--size", "64", "-o", "out").refused(2, name, part)
    nothing_at(tmp_path / "out")


@pytest.mark.parametrize(
    "spec", [":build", "f_none:", ":", ".x:build", "a..b:build", "C:/net:build"]
)
def test_a_factory_that_is_no_name(cli, tmp_path, spec):
    cli("onnx", spec, "-o", "out").refused(2, repr(spec))
    nothing_at(tmp_path / "out")


# --- pictures -----------------------------------------------------------------------------------


def text_file(path: Path) -> None:
    path.write_text("no picture\n")


def half_jpeg(path: Path) -> None:
    picture(path.with_suffix(".jpg"), (90, 70))
    data = path.with_suffix(".jpg").read_bytes()
    path.write_bytes(data[: len(data) // 2])


def claims_to_be_huge(path: Path) -> None:
    picture(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(data))


BAD_PICTURES = [
    (text_file, "is not an image that can be read"),
    (half_jpeg, "is damaged"),
    (claims_to_be_huge, "3600 million pixels, more than the 512 million allowed"),
    (lambda path: None, "does not exist"),
]


@pytest.mark.parametrize(("write", "part"), BAD_PICTURES)
@pytest.mark.parametrize("bad", ["content", "style"])
def test_a_bad_picture_is_named(cli, tmp_path, lite, write, part, bad):
    files = {name: tmp_path / f"{name}.png" for name in ("content", "style")}
    for name, path in files.items():
        write(path) if name == bad else picture(path)
    refused = cli("stylize", lite, files["content"], files["style"], "-o", "out.png")
    refused.refused(2, f"{bad}.png", part)
    nothing_at(tmp_path / "out.png")


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (20000, 8)], ids=str)
def test_pictures_of_extreme_shapes_are_painted_at_their_size(cli, tmp_path, lite, size):
    picture(tmp_path / "content.png", size)
    picture(tmp_path / "style.png", size[::-1])
    cli("stylize", lite, "content.png", "style.png", "-o", "out.png").fine()
    assert Image.open("out.png").size == size


@pytest.mark.slow
def test_a_picture_of_180_million_pixels_is_painted_at_its_size(cli, tmp_path, lite, monkeypatch):
    """More than Pillow opens by itself: twice the 89 million that it warns of."""
    sides = (13400, 13400)
    assert sides[0] * sides[1] > 2 * Image.MAX_IMAGE_PIXELS
    Image.new("RGB", sides, (40, 90, 160)).save("content.png", compress_level=1)
    picture(tmp_path / "style.png")
    cli("stylize", lite, "content.png", "style.png", "-o", "out.png").fine()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert Image.open("out.png").size == sides


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_pictures_of_every_mode_are_painted(cli, tmp_path, lite, mode):
    path = tmp_path / ("content.jpg" if mode == "CMYK" else "content.png")
    picture(path, mode=mode)
    picture(tmp_path / "style.png")
    cli("stylize", lite, path, "style.png", "-o", "out.png").fine()
    assert Image.open("out.png").size == (40, 30)


def test_one_broken_picture_does_not_keep_a_folder_from_being_painted(cli, tmp_path, lite):
    for name in ("a.png", "c.png"):
        picture(tmp_path / "photos" / name)
    (tmp_path / "photos/b.png").write_text("broken")
    picture(tmp_path / "style.png")
    refused = cli("stylize", lite, "photos", "style.png", "-o", "painted")
    refused.refused(2, "1 of 3 pictures were left out", "b.png is not an image")
    assert sorted(p.name for p in (tmp_path / "painted").iterdir()) == ["a.png", "c.png"]


def test_where_a_painting_may_not_go(cli, tmp_path, lite):
    for name in ("content.png", "style.png", "photos/a.png"):
        picture(tmp_path / name)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.png")}
    (tmp_path / "empty").mkdir()
    call = ("stylize", lite)
    cli(*call, "empty", "style.png").refused(2, "empty holds no pictures", ".jpg")
    for out in ("content.png", "style.png", "./photos/../content.png"):
        cli(*call, "content.png", "style.png", "-o", out).refused(2, "is one of the inputs", "-o")
    cli(*call, "photos", "style.png", "-o", "photos").refused(2, "is one of the inputs", "-o")
    cli(*call, "photos", "style.png", "-o", "style.png").refused(2, "is a file", "-o")
    for out in ("out", "out.txt", "out.psd"):
        cli(*call, "content.png", "style.png", "-o", out).refused(2, out, "no picture suffix", "-o")
        nothing_at(tmp_path / out)
    below = cli(*call, "content.png", "style.png", "-o", "content.png/below/out.png")
    below.refused(4, "cannot write content.png/below/out.png", "choose another place with -o")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.png")} == before


def test_the_present_folder_is_painted_beside_itself(cli, tmp_path, lite, monkeypatch):
    picture(tmp_path / "photos/a.png")
    picture(tmp_path / "style.png")
    monkeypatch.chdir(tmp_path / "photos")
    cli("stylize", lite, ".", "../style.png").fine()
    assert (tmp_path / "photos-stylized/a.png").is_file()


STYLES = [
    (["s.png", "--alpha", "1.5"], ["alpha 1.5 is out of range", "--alpha 0 to --alpha 1"]),
    (["s.png", "--alpha", "-0.1"], ["alpha -0.1 is out of range", "--alpha 0 to --alpha 1"]),
    (["s.png", "--alpha", "nan"], ["--alpha", "nan is no number"]),
    (["s.png", "s.png", "--style-weight", "1"], ["2 styles but 1 weights", "a style"]),
    (["s.png", "--style-weight", "-1"], ["style weights [-1.0]", "--style-weight 0.7"]),
    (["s.png", "--style-weight", "0"], ["style weights [0.0]", "--style-weight 0.7"]),
    (["s.png", "--style-weight", "nan"], ["--style-weight", "nan is no number"]),
    (["s.png", "--style-weight", "inf"], ["--style-weight", "inf is no number"]),
    (["--style-code", "mist"], ["no style code 'mist'", "holds none", "styles pack"]),
    ([], ["a style is needed", "--style-code NAME"]),
]


@pytest.mark.parametrize(("arguments", "parts"), STYLES, ids=[" ".join(row[0]) for row in STYLES])
def test_a_style_that_does_not_fit(cli, tmp_path, lite, arguments, parts):
    picture(tmp_path / "c.png")
    picture(tmp_path / "s.png")
    cli("stylize", lite, "c.png", *arguments, "-o", "out.png").refused(2, *parts)
    nothing_at(tmp_path / "out.png")


@pytest.mark.parametrize(
    "extra", [["s.png"], ["--style-code", "x"], ["--style-weight", "1"]], ids=lambda e: e[0]
)
def test_a_network_with_a_style_of_its_own_takes_no_other(cli, tmp_path, fixed, extra):
    picture(tmp_path / "c.png")
    picture(tmp_path / "s.png")
    refused = cli("stylize", fixed, "c.png", *extra, "-o", "out.png")
    refused.refused(2, "has one style of its own", "leave out STYLE")
    nothing_at(tmp_path / "out.png")


def test_packing_what_cannot_be_packed(cli, tmp_path, artifact, fixed):
    picture(tmp_path / "a.png")
    picture(tmp_path / "b/a.png")
    (tmp_path / "bad.png").write_text("broken")
    call = ("styles", "pack", artifact)
    cli(*call, "a.png", "b/a.png").refused(2, "two pictures are called 'a'", "rename")
    cli(*call, "bad.png").refused(2, "bad.png is not an image")
    cli(*call, "a.png", "--name", "../x").refused(2, "pack name '../x'", "--name mine")
    cli("styles", "pack", fixed, "a.png").refused(2, "has one style of its own, and no style codes")
    assert not (artifact / "styles").exists()
    assert "styles" in json.loads((artifact / "manifest.json").read_text())


# --- artifacts ----------------------------------------------------------------------------------


def one_byte(artifact: Path) -> None:
    path = next(artifact.glob("*_transform_*.onnx"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def cut_manifest(artifact: Path) -> None:
    path = artifact / "manifest.json"
    path.write_bytes(path.read_bytes()[:300])


def with_sha256(artifact: Path, kind: str, name: str) -> None:
    """Make the manifest agree with a damaged file."""
    digest = hashlib.sha256((artifact / name).read_bytes()).hexdigest()

    def change(manifest: dict) -> None:
        for fact in manifest[kind]:
            if fact["path"] == name:
                fact["sha256"] = digest

    edit_manifest(artifact, change)


def damaged_probe(artifact: Path) -> None:
    name = f"probes/{next((artifact / 'probes').glob('*_encode_*')).name}"
    (artifact / name).write_bytes(b"not a probe")
    with_sha256(artifact, "probes", name)


def empty_probe(artifact: Path) -> None:
    name = f"probes/{next((artifact / 'probes').glob('*_encode_*')).name}"
    save_file({"other": torch.ones(1)}, artifact / name)
    with_sha256(artifact, "probes", name)


def damaged_graph(artifact: Path) -> None:
    name = next(artifact.glob("*_encode_*.onnx")).name
    (artifact / name).write_bytes(b"not a graph")
    with_sha256(artifact, "files", name)


def other_graph(artifact: Path) -> None:
    name = next(artifact.glob("*_encode_*.onnx")).name
    shutil.copy(next(artifact.glob("*_transform_*.onnx")), artifact / name)
    with_sha256(artifact, "files", name)


def edited(change: Callable[[dict], object]) -> Callable[[Path], None]:
    return lambda artifact: edit_manifest(artifact, change)


ARTIFACTS = {
    "no manifest": (lambda a: (a / "manifest.json").unlink(), ["is not an artifact"]),
    "manifest cut": (cut_manifest, ["manifest.json is not a manifest", "export the network again"]),
    "manifest empty": (lambda a: (a / "manifest.json").write_text(""), ["is not a manifest"]),
    "manifest binary": (lambda a: (a / "manifest.json").write_bytes(b"\xff"), ["not a manifest"]),
    "manifest a list": (lambda a: (a / "manifest.json").write_text("[]"), ["is not a manifest"]),
    "other schema": (
        edited(lambda m: m.update(schema_version=99)),
        ["has schema version 99, expected 4", "export the network again"],
    ),
    "unknown field": (edited(lambda m: m.update(colour="red")), ["unknown field `colour`"]),
    "missing field": (edited(lambda m: m.pop("network")), ["missing required field `network`"]),
    "wrong type": (edited(lambda m: m["files"][0].update(macs="many")), ["Expected `int`"]),
    "one byte": (one_byte, ["_transform_64x64_fp32.onnx was altered", "sha256"]),
    "file missing": (lambda a: next(a.glob("*.onnx")).unlink(), [".onnx is missing", "lists it"]),
    "probe missing": (lambda a: next(a.glob("probes/*")).unlink(), ["probes/", "is missing"]),
    "parent folder": (edited(lambda m: m["files"][0].update(path="../x")), ["../x"]),
    "absolute path": (edited(lambda m: m["files"][0].update(path="/etc/x")), ["files[0].path"]),
}


@pytest.mark.parametrize("case", ARTIFACTS)
def test_a_damaged_artifact_is_refused_by_every_command(cli, tmp_path, artifact, case):
    damage, parts = ARTIFACTS[case]
    (tmp_path / "x").write_text("outside")
    damage(artifact)
    picture(tmp_path / "c.png")
    for command in (
        ["verify", artifact],
        ["inspect", artifact],
        ["styles", "list", artifact],
        ["styles", "pack", artifact, "c.png"],
        ["stylize", artifact, "c.png", "c.png", "-o", "out.png"],
    ):
        cli(*command).refused(2, *parts)
    nothing_at(tmp_path / "out.png")


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        (damaged_probe, ["probe ", "cannot be read", "export the network again"]),
        (empty_probe, ["probe ", "export the network again"]),
        (damaged_graph, ["cannot load", "export the network again"]),
        (other_graph, ["export the network again"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_damage_that_the_manifest_agrees_with_is_found_by_verify(cli, artifact, damage, parts):
    damage(artifact)
    cli("verify", artifact).refused(2, *parts)


def test_an_output_that_drifted_fails_verification(cli, artifact):
    name = f"probes/{next((artifact / 'probes').glob('*_transform_*')).name}"
    tensors = load_file(artifact / name)
    tensors["image"] = 1 - tensors["image"]
    save_file(tensors, artifact / name)
    with_sha256(artifact, "probes", name)
    found = cli("verify", artifact)
    found.refused(3, "differs from its network here", "at least 90", "styleexport doctor")
    assert "FAIL" in found.out


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_what_is_no_artifact_is_refused(cli, tmp_path, command):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    cli(command, "empty").refused(2, "empty is not an artifact", "styleexport onnx")
    cli(command, "file").refused(2, "file is n")
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    cli(command, "bad.onnx").refused(2, "bad.onnx is not")


# --- where an export goes -----------------------------------------------------------------------


def small_export(spec: str, out: object, *extra: object) -> list[object]:
    return ["onnx", spec, "--size", "64", "-o", out, *extra]


@pytest.fixture
def tiny(cli) -> str:
    return network_file("tiny", "return torch.sigmoid(self.conv(image))")


def test_a_place_that_cannot_be_written(cli, tmp_path, tiny):
    (tmp_path / "file").write_text("x")
    cli(*small_export(tiny, "file/below/out")).refused(
        4, "cannot write ", "choose another place with -o"
    )
    cli(*small_export(tiny, "file")).refused(2, "file is a file, expected a folder", "-o")
    assert (tmp_path / "file").read_text() == "x"
    nothing_half_written(tmp_path)


def test_a_full_disk(cli, tmp_path, tiny, monkeypatch):
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.suffix == ".onnx":
            write_bytes(self, bytes(data[:100]))
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    cli(*small_export(tiny, "out")).refused(4, "out: No space left on device", "free some space")
    nothing_at(tmp_path / "out")


def test_a_file_size_limit_of_the_system(cli, tmp_path, tiny):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, before[1]))
    try:
        refused = cli(*small_export(tiny, "out"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    refused.refused(4, "out: File too large", "choose another place")
    nothing_at(tmp_path / "out")


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_files_of_others_are_kept(cli, tmp_path, tiny, options):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    cli(*small_export(tiny, "out", *options)).refused(2, "out holds thesis.txt", "move that away")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    (tmp_path / "out/thesis.txt").rename(tmp_path / "thesis.txt")
    cli(*small_export(tiny, "out", *options)).fine()
    assert (tmp_path / "out/manifest.json").is_file()
    nothing_half_written(tmp_path)


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_folder_with_a_damaged_manifest_is_like_any_other(cli, tmp_path, tiny, options):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").write_text("{")
    cli(*small_export(tiny, "out", *options)).refused(2, "manifest.json", "move that away")
    assert (tmp_path / "out/manifest.json").read_text() == "{"


# --- in a process of its own --------------------------------------------------------------------


def in_a_process(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [os.environ.get("PYTHONPATH"), *import_path()])
    )
    return subprocess.Popen(
        [sys.executable, "-m", "styleexport", *map(str, arguments)],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def import_path() -> list[str]:
    """Return the checkout where styleexport is imported from it, nothing where it is installed."""
    code = "import sys; sys.path = [p for p in sys.path if p]; import styleexport"
    installed = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True)
    return [] if installed.returncode == 0 else [str(ROOT)]


def test_the_users_own_models_package_is_the_one_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for room in ("models", "exporter"):
        Path(room).mkdir()
        Path(room, "__init__.py").write_text("")
    network_file("mynet", "return torch.sigmoid(self.conv(image))")
    Path("mynet.py").rename("models/mynet.py")
    process = in_a_process(tmp_path, "onnx", "models.mynet:build", "--size", "64", "-o", "out")
    out, err = process.communicate(timeout=120)
    Outcome(process.returncode, out, err).fine()
    assert (tmp_path / "out/build_stylize_64x64_fp32.onnx").is_file()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name
)
def test_an_interrupted_export_leaves_nothing(tmp_path, weights, number):
    process = in_a_process(
        tmp_path, "onnx", "adain-lite", "--checkpoint", weights, "--size", "128", "-o", "out"
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert PROGRESS.fullmatch(first.strip()), first
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    outcome = Outcome(process.returncode, out, err)
    assert (outcome.code, outcome.talk) == (
        130,
        ["interrupted: nothing half-written was left behind"],
    )
    nothing_at(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_roles_are_the_words_of_the_help(cli):
    text = cli("onnx", "--help").out
    assert all(role.value in text for role in Role if role not in PASSES)
