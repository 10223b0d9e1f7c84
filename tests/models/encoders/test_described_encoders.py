"""Every encoder of the folder: counts, keys, arithmetic held to torchvision's, bad checkpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import styleexport
from styleexport.core import plugins
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models import encoders
from styleexport.models.encoders import densenet121, efficientnet_lite0, mobilenetv2
from styleexport.models.encoders._encoder import (
    encoder_names,
    find_encoder,
    set_normalisation,
)
from styleexport.models.encoders._staged import FixedBatchNorm2d
from tools.encoder_fixtures import FIXTURE, filled, picture, summary

FACTS = json.loads(FIXTURE.read_text(encoding="utf-8"))
TAPS = [(name, tap.name) for name in encoder_names() for tap in find_encoder(name).taps]
QUICK = 6_000_000
# The published counts, 12 for the normalising convolution of the VGG release left out.
VGG19 = {1: 1_792, 2: 112_576, 3: 555_328, 4: 3_505_728, 5: 12_944_960}


def torchvision_state(name: str, encoder: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of a torchvision network up to a module's last tap."""
    state: dict[str, torch.Tensor] = {}
    for key, value in encoder.features.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        full = key if name == "googlenet" else f"features.{key}"
        state[full] = filled(full, value.shape)
        if name == "convnext-base" and value.shape[1:].numel() == 1 and "layer_scale" not in key:
            state[full] = state[full].flatten()
        elif name == "convnext-base" and value.shape[2:].numel() == 1 and value.dim() == 4:
            state[full] = state[full].flatten(1)  # a linear layer of torchvision's
    return state


def saved(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(state, tmp_path / "backbone.pth")
    return tmp_path / "backbone.pth"


@pytest.mark.parametrize(("name", "tap"), TAPS)
def test_parameters_channels_and_stride_are_those_of_the_description(name, tap):
    encoder = find_encoder(name)
    facts = encoder.tap(tap)
    with torch.device("meta"):
        module = encoder.build((tap,))
        (features,) = module(torch.empty(1, 3, 65, 97))
    assert sum(p.numel() for p in module.features.parameters()) == facts.parameters
    sides = [-(-side // facts.stride) for side in (65, 97)]
    assert features.shape == (1, facts.channels, *sides)


def test_counts_of_vgg19_are_the_published_ones():
    taps = {tap.name: tap.parameters for tap in find_encoder("vgg19").taps}
    assert {level: taps[f"relu{level}_1"] for level in VGG19} == VGG19


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *((name, QUICK) for name in FACTS),
        *(
            pytest.param(name, float("inf"), marks=pytest.mark.slow)
            for name in FACTS
            if any(find_encoder(name).tap(tap).parameters > QUICK for tap in FACTS[name])
        ),
    ],
)
def test_features_are_torchvisions(name, most, tmp_path):
    encoder = find_encoder(name)
    taps = tuple(tap for tap in FACTS[name] if encoder.tap(tap).parameters <= most)
    with torch.device("meta"):
        described = encoder.build(taps)
    path = saved(tmp_path, torchvision_state(name, described))
    module = encoder.read(path, taps).double()
    set_normalisation(module.normalise, encoder.mean, encoder.std)  # not rounded to float32
    with torch.no_grad():
        found = dict(zip(taps, module(picture()), strict=True))
    for tap, features in found.items():
        expected, got = FACTS[name][tap], summary(features)
        assert got["shape"] == expected["shape"]
        for key in ("mean", "std", "values"):
            error = np.abs(np.array(got[key]) - expected[key]).max()
            assert error <= 1e-5 * expected["std"], (tap, key)


def test_batch_norms_keep_their_statistics_in_training():
    module = find_encoder("mobilenetv2").build(("features.3",)).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    module(torch.rand(2, 3, 32, 32))
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert not [m for m in module.modules() if isinstance(m, FixedBatchNorm2d) and m.training]


def test_old_key_names_of_densenet_are_read(tmp_path):
    encoder = find_encoder("densenet121")
    state = torchvision_state("densenet121", encoder.build(("transition1",)))
    old = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.").replace("norm2.", "norm.2.")
        if ".denselayer" in key
        else key: value
        for key, value in state.items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    module = encoder.read(saved(tmp_path, old), ("transition1",))
    for key, value in module.features.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(value, state[f"features.{key}"].float())


def test_the_number_of_classes_of_a_checkpoint_does_not_matter(tmp_path):
    encoder = find_encoder("mobilenetv2")
    state = torchvision_state("mobilenetv2", encoder.build(("features.3",)))
    state |= {"classifier.1.weight": torch.zeros(7, 1280), "classifier.1.bias": torch.zeros(7)}
    encoder.read(saved(tmp_path, state), ("features.3",))


def test_a_checkpoint_of_another_width_is_refused(tmp_path):
    state = torchvision_state("mobilenetv2", mobilenetv2.build(("features.3",)))
    state["features.2.conv.0.0.weight"] = torch.zeros(144, 24, 1, 1)
    with pytest.raises(
        BadCheckpoint, match=r"mis-shaped: features\.2\.conv\.0\.0\.weight is \[144"
    ):
        mobilenetv2.read(saved(tmp_path, state), ("features.3",))


@pytest.mark.parametrize(
    ("extra", "shape"),
    [("denseblock3.denselayer25.conv2.weight", (32, 128, 3, 3)), ("norm5.weight", (1664,))],
)
def test_a_checkpoint_of_another_depth_is_refused_though_its_first_stages_fit(
    extra, shape, tmp_path
):
    state = torchvision_state("densenet121", densenet121.build(("pool0",)))
    state[f"features.{extra}"] = torch.zeros(shape)
    with pytest.raises(BadCheckpoint, match=rf"unexpected features\.{extra}.*torchvision's dense"):
        densenet121.read(saved(tmp_path, state), ("pool0",))


def test_a_checkpoint_of_another_network_is_named(tmp_path):
    path = saved(tmp_path, {"layer1.0.weight": torch.zeros(3)})
    with pytest.raises(BadCheckpoint, match=r"missing features\.0\.0\.weight, found layer1\.0"):
        mobilenetv2.read(path, ("features.3",))


def test_an_unknown_tap_shows_the_list():
    expected = r"no tap 'features\.7': expected one of features\.1 \(16 channels at 1/2\), .*320"
    with pytest.raises(UsageError, match=expected):
        find_encoder("mobilenetv2").tap("features.7")


def test_an_unknown_encoder_shows_the_nearest():
    with pytest.raises(UsageError, match="did you mean densenet121"):
        find_encoder("densenet-121")


@pytest.fixture
def new_encoder(tmp_path, monkeypatch):
    """The package with one more file in models/encoders/, tiny.py."""
    folder = tmp_path / "models" / "encoders"
    folder.mkdir(parents=True)
    (folder / "tiny.py").write_text(
        "from styleexport.models.encoders._encoder import Encoder, Tap\n"
        "from styleexport.models.encoders._staged import StagedEncoder, conv\n"
        "def build(taps):\n"
        "    return StagedEncoder([('0', conv(3, 8, 3, 2))], taps)\n"
        "ENCODER = Encoder('tiny', 'one layer', 'none', (Tap('features.0', 8, 2, 216),),\n"
        "    'features.0', build, lambda path, taps: build(taps), 'none')\n",
        encoding="utf-8",
    )
    places = styleexport.__spec__.submodule_search_locations
    monkeypatch.setattr(
        styleexport.__spec__, "submodule_search_locations", [*places, str(tmp_path)]
    )
    monkeypatch.setattr(encoders, "__path__", [*encoders.__path__, str(folder)])
    plugins.names.cache_clear()
    yield "tiny"
    plugins.names.cache_clear()
    sys.modules.pop(f"{encoders.__name__}.tiny", None)


def test_a_new_encoder_is_one_new_file(new_encoder):
    encoder = find_encoder(new_encoder)
    assert encoder.build(("features.0",))(torch.rand(1, 3, 9, 8))[0].shape == (1, 8, 5, 4)


def test_weights_with_folded_norms_compute_what_tensorflow_does(data):
    """MobileNetV2's first layers written out: SAME padding, pictures in -1..1."""
    path = data / "weights" / "mobilenet_v2" / "mobilenet_v2_imagenet_folded_fp16.npz"
    tensors = {key: torch.from_numpy(value).float() for key, value in np.load(path).items()}
    image = picture().float()

    def layer(x, index, stride=1, groups=1, relu=True):
        weight, bias = (tensors[f"conv{index:02}.{kind}"] for kind in ("weight", "bias"))
        if weight.shape[2] == 3:
            x = F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        x = F.conv2d(x, weight, bias, stride, groups=groups)
        return x.clamp(0, 6) if relu else x

    x = layer(layer(image * 2 - 1, 0, 2), 1, groups=32)
    x = layer(x, 2, relu=False)
    x = layer(layer(layer(x, 3), 4, 2, groups=96), 5, relu=False)
    expected = x + layer(layer(layer(x, 6), 7, groups=144), 8, relu=False)
    encoder = mobilenetv2.read(path, ("features.3",))
    assert mobilenetv2.settings(encoder) == {"padding": "same"}
    with torch.no_grad():
        assert torch.allclose(encoder(image)[0], expected, atol=1e-4)


def test_lite0_reads_its_release_and_computes_it(data):
    path = data / "weights" / "efficientnet_lite0" / "efficientnet_lite0_imagenet_fp16.npz"
    tensors = {key: torch.from_numpy(value).float() for key, value in np.load(path).items()}
    image = picture().float()

    def layer(x, conv, norm, stride=1, groups=1, relu=True):
        weight = tensors[f"{conv}.weight"]
        before, after = {1: (0, 0), 3: (1, 1), 5: (2, 2)}[weight.shape[2]]
        before -= stride - 1
        x = F.conv2d(F.pad(x, (before, after) * 2), weight, None, stride, groups=groups)
        names = ("running_mean", "running_var", "weight", "bias")
        x = F.batch_norm(x, *(tensors[f"{norm}.{name}"] for name in names), False, 0.0, 1e-3)
        return x.clamp(0, 6) if relu else x

    x = layer((image * 255 - 127) / 128, "_conv_stem", "_bn0", 2)
    for number, stride in ((0, 1), (1, 2), (2, 1), (3, 2)):
        block, y = f"_blocks.{number}", x
        if number > 0:
            y = layer(y, f"{block}._expand_conv", f"{block}._bn0")
        y = layer(y, f"{block}._depthwise_conv", f"{block}._bn1", stride, groups=y.shape[1])
        y = layer(y, f"{block}._project_conv", f"{block}._bn2", relu=False)
        x = x + y if number == 2 else y
    module = efficientnet_lite0.read(path, ("blocks4",))
    with torch.no_grad():
        found = module.features[:5](module.normalise(image))
    assert torch.allclose(found, x, atol=1e-4)
    efficientnet_lite0.read(path, ("head",))
