"""Compressed networks as data: saved, built again with their widths, refused where they lie."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from styleexport.core.errors import BadCheckpoint
from styleexport.core.types import Role
from styleexport.models.architecture import (
    KEY,
    Architecture,
    Event,
    KeptChannels,
    LayerWidths,
    architecture_of,
    keep_channels,
    layers,
    read_architecture,
    record_after,
    widths_of,
    write_weights,
)
from styleexport.models.compress.prune.channel_trace import trace_dependencies
from styleexport.models.compress.prune.channels import paint_in_own_style, remove_channels
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import find, open_network
from styleexport.models.training.run import trained_parts

SETTINGS = {
    "adain-cd16x": ({"level": 3}, {"level": 5}),
    "adain-vgg19": ({"padding": "zeros"}, {"padding": "reflect"}),
    "fast-style": ({"line": "examples"}, {"line": "tensorflow"}),
    "adain-vgg16": ({},),
    "adain-lite": ({},),
}
VARIANTS = [(name, settings) for name, found in SETTINGS.items() for settings in found]


def narrowed(name: str, settings: dict) -> LoadedNetwork:
    """A network of a variant without every third set of channels that may go."""
    torch.manual_seed(0)
    network = find(name)
    module = network.build(**settings).eval().requires_grad_(False)
    loaded = LoadedNetwork(network, module, ("random.pth",), "0" * 64)
    dependencies = trace_dependencies(module, torch.rand(1, 3, 32, 32), paint_in_own_style)
    groups = {g for layer in dependencies.mixing for g in dependencies.inputs[layer]}
    removed = sorted(groups - dependencies.pinned)[::3]
    return remove_channels(loaded, dependencies.kept_without(removed))


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_a_narrow_network_is_built_again_from_its_file(tmp_path, name, settings):
    narrow = narrowed(name, settings)
    event = Event(method="test", parent_sha256="0" * 64, schedule={"steps": 1})
    record = architecture_of(narrow.network, narrow.module, [event])
    assert record.settings == settings
    path = tmp_path / "narrow.safetensors"
    write_weights(path, narrow.module.state_dict(), record)
    again = open_network(name, [path])
    full = dict(layers(find(name).build(**settings)))
    assert any(widths_of(layer) != widths_of(full[key]) for key, layer in layers(again.module))
    image, one = torch.rand(1, 3, 32, 48), torch.ones(1)
    inputs = (image, image.flip(3), one) if len(again.roles) > 1 else (image,)
    with torch.no_grad():
        wanted = narrow.role_module(Role.STYLIZE)(*inputs)
        assert torch.equal(again.role_module(Role.STYLIZE)(*inputs), wanted)
    assert read_architecture(path) == record
    with safe_open(path, framework="pt") as file:
        assert set(json.loads(file.metadata()[KEY])) == {
            "format",
            "network",
            "settings",
            "widths",
            "history",
        }


def test_encoders_tell_their_present_widths():
    narrow = narrowed("adain-vgg16", {}).module.encoder
    assert narrow.widths == (narrow.features[17].out_channels,)
    assert narrow.blocks[-1] == [narrow.features[17].out_channels]
    lite = narrowed("adain-lite", {}).module.encoder
    image = torch.rand(1, 3, 32, 32)
    assert lite.widths == tuple(level.shape[1] for level in lite(image))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    narrow = narrowed("adain-lite", {})
    path = tmp_path / "lite.safetensors"
    write_weights(
        path, narrow.module.state_dict(), architecture_of(narrow.network, narrow.module, ())
    )
    return path


def lie(path: Path, change) -> Path:
    """Write the file with another record."""
    record = json.loads(msgspec.json.encode(read_architecture(path)))
    text = change(record) or json.dumps(record)
    save_file(load_file(path), path, {KEY: text})
    return path


def set_width(record, **widths):
    record["widths"]["encoder.stem"] |= widths


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(network="adain-vgg16"), "a compressed adain-vgg16, not adain-lite"),
        (lambda r: r.update(format=2), "format 2, expected 1: update styleexport"),
        (lambda r: r.update(settings={"level": 4}), r"adain-lite has no settings \{'level': 4\}"),
        (lambda r: set_width(r, outputs=17), "encoder.stem has 3 inputs and 17 outputs, expected"),
        (lambda r: set_width(r, outputs=0), "expected 1 to 3 and 1 to 16"),
        (lambda r: set_width(r, outputs=2), "encoder.stem.weight is"),
        (lambda r: r["widths"].pop("encoder.stem") and None, "encoder.stem is in the network al"),
        (lambda r: r.update(extra=1), "cannot be read"),
        (lambda _: "{", "cannot be read"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(file, change, message):
    with pytest.raises(BadCheckpoint, match=message):
        open_network("adain-lite", [lie(file, change)])


def test_files_without_a_record_are_read_as_before(tmp_path):
    path = tmp_path / "plain.safetensors"
    save_file(find("adain-lite").build().state_dict(), path)
    assert read_architecture(path) is None
    assert read_architecture(tmp_path / "missing.safetensors") is None
    assert open_network("adain-lite", [path]).module.encoder.widths == (16, 32, 64, 128)


def test_history_grows_and_plain_files_have_none(file, tmp_path):
    loaded = open_network("adain-lite", [file])
    network, module = loaded.network, loaded.module
    grown = record_after(network, module, [file], "train", {"steps": 3})
    assert grown is not None
    assert [(e.method, e.schedule) for e in grown.history] == [("train", {"steps": 3})]
    assert grown.history[0].parent_sha256 == loaded.source_sha256
    plain = tmp_path / "plain.safetensors"
    save_file(network.build().state_dict(), plain)
    assert record_after(network, network.build(), [plain], "train", {}) is None
    assert record_after(network, network.build(), [], "train", {}) is None


def test_a_variant_is_built_again_after_a_training(tmp_path):
    # A plain file of tensors cannot tell how an encoder pads.
    network, path = find("adain-vgg19"), tmp_path / "trained.safetensors"
    module = network.build(padding="zeros")
    record = record_after(network, module, [], "train", {"steps": 3})
    write_weights(path, module.state_dict(), record)
    again = open_network("adain-vgg19", [path]).module
    assert network.settings(again) == {"padding": "zeros"}


def test_a_narrow_network_trains_on_and_stays_narrow(file, tmp_path, photo, data):
    from styleexport.models.training.plan import TrainingPlan
    from styleexport.models.training.run import train_network

    folder = tmp_path / "pictures"
    folder.mkdir()
    photo.rename(folder / "photo.png")
    plan = TrainingPlan(
        (folder,),
        (folder,),
        data / "weights/vgg16/vgg16_imagenet_to_relu5_3_fp16.npz",
        tmp_path / "run",
        steps=1,
        batch=1,
        crop=32,
        slots=2,
        bfloat16=False,
    )
    trained = train_network("adain-lite", plan, checkpoints=[file])
    again, before = read_architecture(trained.weights), read_architecture(file)
    assert again is not None
    assert before is not None
    assert again.widths == before.widths
    assert [event.method for event in again.history] == ["train"]
    open_network("adain-lite", [trained.weights])


def test_an_encoder_that_was_cut_is_trained_too(tmp_path):
    network = find("adain-cd16x")
    module = network.build(level=2)
    for method, trains in (("zero-channel", ("decoder.",)), ("symmetric-l2", ("",))):
        event = Event(method=method, parent_sha256="0" * 64)
        path = tmp_path / f"{method}.safetensors"
        write_weights(path, module.state_dict(), architecture_of(network, module, [event]))
        assert trained_parts(network, [path]) == trains
    assert trained_parts(network, []) == ("decoder.",)


@pytest.mark.parametrize(
    ("layer", "kept", "shape"),
    [
        (nn.Conv2d(6, 4, 3), KeptChannels((0, 2), (1, 2, 3)), (3, 2, 3, 3)),
        (nn.ConvTranspose2d(6, 4, 3), KeptChannels((0, 2), (1, 2, 3)), (2, 3, 3, 3)),
        (nn.Conv2d(6, 6, 3, groups=6), KeptChannels((0, 2), (0, 2)), (2, 1, 3, 3)),
        (nn.ConvTranspose2d(6, 6, 3, groups=6), KeptChannels((0, 2), (0, 2)), (2, 1, 3, 3)),
        (nn.Linear(6, 4), KeptChannels((0, 5), (1,)), (1, 2)),
        (nn.BatchNorm2d(6), KeptChannels((0, 5), (0, 5)), (2,)),
    ],
)
def test_layers_are_cut(layer, kept, shape):
    keep_channels(layer, kept)
    assert tuple(layer.weight.shape) == shape
    assert widths_of(layer) == LayerWidths(len(kept.inputs), len(kept.outputs))
    inputs = torch.rand(1, len(kept.inputs), *([] if isinstance(layer, nn.Linear) else [5, 5]))
    assert layer.eval()(inputs).shape[1] == len(kept.outputs)


@torch.no_grad()
def test_the_channels_named_are_those_that_stay():
    layer = nn.ConvTranspose2d(3, 4, 1)
    layer.weight.copy_(torch.arange(12.0).reshape(3, 4, 1, 1))
    keep_channels(layer, KeptChannels((2,), (0, 3)))
    assert layer.weight.flatten().tolist() == [8, 11]
    other = nn.Conv2d(3, 4, 1)
    other.weight.copy_(torch.arange(12.0).reshape(4, 3, 1, 1))
    keep_channels(other, KeptChannels((2,), (0, 3)))
    assert other.weight.flatten().tolist() == [2, 11]


def test_a_record_is_plain_data():
    assert (
        msgspec.json.schema(Architecture)["$defs"]["Architecture"]["additionalProperties"] is False
    )


def test_convolutions_in_groups_keep_their_channels(tmp_path):
    network, path = find("microast"), tmp_path / "w.safetensors"
    module = network.build()
    write_weights(path, module.state_dict(), architecture_of(network, module, ()))
    open_network("microast", [path])
    lie(path, lambda r: r["widths"]["decoder.dec3.1.conv_layer"].update(outputs=16))
    with pytest.raises(BadCheckpoint, match=r"64 inputs and 16 .*convolutions in groups are not c"):
        open_network("microast", [path])
