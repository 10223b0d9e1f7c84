"""Training of any encoder, scored by a VGG that is no part of the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.encoders import mobilenetv2
from styleexport.models.encoders._staged import FixedBatchNorm2d, StagedEncoder
from styleexport.models.network import TwoImageModule
from styleexport.models.networks._open import open_network
from styleexport.models.training.adain_objective import AdainObjective
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.run import train_network
from styleexport.models.training.statistics import measure_norms


def plan(place: Path, out: Path, scoring: str = "vgg16", **changes) -> TrainingPlan:
    settings = {"steps": 1, "batch": 2, "crop": 32, "slots": 2, "bfloat16": False}
    settings |= {"sheet_every": 100, "loss_weights": place / f"{scoring}.pth"}
    return TrainingPlan(
        content=(place / "content",),
        style=(place / "style",),
        out=out,
        scoring=scoring,
        **(settings | changes),
    )


def encoder_state(path: Path, network: str) -> dict[str, torch.Tensor]:
    module = open_network(network, [path]).module
    return {k: v for k, v in module.state_dict().items() if k.startswith("encoder.")}


def test_encoder_and_decoder_are_trained_together_and_the_encoder_can_be_frozen(place, tmp_path):
    backbone = place / "mobilenet.pth"
    start = torch.load(backbone, weights_only=True)
    changed = {}
    for train_encoder in (None, False):
        result = train_network(
            "adain-mobilenetv2",
            plan(place, tmp_path / f"{train_encoder}", learning_rate=1e-2),
            backbone=backbone,
            train_encoder=train_encoder,
        )
        state = encoder_state(result.weights, "adain-mobilenetv2")
        changed[train_encoder] = [k for k, v in start.items() if not v.equal(state[f"encoder.{k}"])]
    assert changed[False] == []
    assert "features.1.conv.0.0.weight" in changed[None]
    assert not [key for key in changed[None] if "running" in key]


def test_any_encoder_and_tap_are_trained_from_random_weights_and_scored_by_vgg19(place, tmp_path):
    variant = {"encoder": "efficientnet-lite0", "tap": "blocks2"}
    result = train_network("adain", plan(place, tmp_path / "run", "vgg19"), variant=variant)
    module = open_network("adain", [result.weights]).module
    assert variant.items() <= module.settings.items()
    resumed = plan(place, tmp_path / "run", "vgg19", steps=2)
    assert train_network("adain", resumed, variant=variant, resume=True).step == 2


@pytest.mark.parametrize(
    ("network", "options", "changes", "error", "message"),
    [
        ("adain", {}, {"loss_weights": None}, UsageError, r"VGG-19: type --loss-weights PATH"),
        ("adain", {"variant": {"tap": "relu9"}}, {}, UsageError, r"no tap 'relu9': expected one"),
        (
            "adain-mobilenetv2",
            {"variant": {"encoder": "vgg16"}},
            {},
            UsageError,
            r"no choice of encoder: leave out --encoder, or take adain with --encoder and --tap",
        ),
        ("adain-vgg16", {"variant": {"tap": "relu3_1"}}, {}, UsageError, r"leave out --tap"),
        (
            "adain-mobilenetv2",
            {"train_encoder": False},
            {},
            UsageError,
            r"--backbone PATH with torchvision's mobilenet_v2, .* or --train-encoder",
        ),
        (
            "adain-densenet121",
            {"backbone": "mobilenet.pth"},
            {},
            BadCheckpoint,
            r"missing features\.conv0\.weight, found features\.0\.0\.weight; expected torchvision",
        ),
    ],
)
def test_a_training_that_cannot_start_says_why(
    place, tmp_path, network, options, changes, error, message
):
    if "backbone" in options:
        options = options | {"backbone": place / options["backbone"]}
    with pytest.raises(error, match=message):
        train_network(network, plan(place, tmp_path / "run", "vgg19", **changes), **options)


def test_a_scoring_network_of_other_weights_is_refused(place, tmp_path):
    wrong = plan(place, tmp_path / "run", "vgg19", loss_weights=place / "vgg16.pth")
    with pytest.raises(BadCheckpoint, match=r"vgg16\.pth is of another network"):
        train_network("adain-mobilenetv2", wrong)


def test_norms_without_weights_take_the_statistics_of_pictures():
    encoder = mobilenetv2.build(("features.6",))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = encoder

        def encode(self, style):
            return self.encoder(style)[0].mean((2, 3))

        def transfer(self, content, code, strength):
            return content

    network, images = Network(), torch.rand(4, 3, 64, 64)
    before = encoder(images)[0].std()
    measure_norms(network, lambda: images)
    assert not [m for m in encoder.modules() if isinstance(m, FixedBatchNorm2d) and m.training]
    assert float(before) < 0.5 < float(encoder(images)[0].std()) < 2


class Scored(nn.Module):
    """A network whose encoder sees nothing; its decoder paints one colour, or the content."""

    def __init__(self, paints_content: bool) -> None:
        super().__init__()
        self.paints_content = paints_content
        self.gain = nn.Parameter(torch.zeros(1))

    def encode(self, style):
        return self.gain * style.mean((2, 3))

    def transfer(self, content, code, strength):
        seen = content if self.paints_content else content.mean((2, 3), keepdim=True)
        return self.gain * seen + (content if self.paints_content else 0.5) + 0 * content


def test_an_encoder_that_outputs_zero_does_not_win(place, tmp_path):
    """Scored by its own features it would: they are equal, whatever is painted."""
    losses = {}
    for paints_content in (False, True):
        torch.manual_seed(0)
        network = Scored(paints_content)
        assert isinstance(network, TwoImageModule)
        objective = AdainObjective(network, plan(place, tmp_path))
        objective.open(0)
        terms = objective.terms(0)
        loss = sum(objective.scales()[name] * term for name, term in terms.items())
        loss.backward()
        losses[paints_content] = float(loss.detach())
        assert float(network.gain.grad.abs()) > 0
    assert losses[False] > 1.5 * losses[True]

    own = StagedEncoder([("0", nn.Conv2d(3, 4, 3, padding=1))], ("features.0",))
    nn.init.zeros_(own.features[0].weight)
    nn.init.zeros_(own.features[0].bias)
    with torch.no_grad():
        painted, wanted = own(torch.rand(1, 3, 8, 8)), own(torch.rand(1, 3, 8, 8))
    assert torch.equal(painted[0], wanted[0])
