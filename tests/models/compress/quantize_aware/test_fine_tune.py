"""Fine-tuning for int8 on a handful of noise pictures: what is rounded where, and what is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.recipe import FloatLayer, Int8Recipe, Settings, write_recipe
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.blocks import find_blocks
from styleexport.models.compress.quantize_aware.fake_int8 import fake_int8, traced_passes
from styleexport.models.compress.quantize_aware.fine_tune import (
    QuantizeAware,
    QuantizeAwareObjective,
    fine_tune_network,
    quantize_aware,
    tuning_plan,
)
from styleexport.models.compress.quantize_aware.trace import (
    is_folded,
    is_picture,
    output_of,
    source_of,
)
from styleexport.models.encoders import vgg16
from styleexport.models.networks._open import find, open_network
from styleexport.models.training.contact_sheet import squares
from styleexport.models.training.data import image_files
from styleexport.models.training.loop import Trainer
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.run import train_network
from tests.conftest import load_own
from tests.models.pictures import write_pictures


def recipe(role: Role = Role.STYLIZE, *float_layers: FloatLayer, **settings) -> Int8Recipe:
    return Int8Recipe(
        role=role,
        size=SizeFact(height=64, width=96),
        settings=Settings(**settings),
        float_layers=float_layers,
        ranges={},
        calibration=CalibrationFact(method="min-max", images=1, styles=0, sha256="0" * 64),
    )


def float_layer(layer: str, weight: str = "") -> FloatLayer:
    return FloatLayer(layer=layer, reason="a test", weight=weight)


class Chain(nn.Module):
    """A scaled picture, a 1x1 convolution that folds, a ReLU, an upsampling, and a residual."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.scale = nn.Conv2d(3, 3, 1)
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(self.scale(x * 2.0 - 1.0)), inplace=True)
        x = F.interpolate(x, scale_factor=2.0)
        return self.last(x + self.second(x))


class Uneven(nn.Module):
    """Convolutions whose output channels differ so much in size that one scale loses the small."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 3, 3, padding=1)
        gains = torch.logspace(0, 1.5, 8).reshape(-1, 1, 1, 1)
        with torch.no_grad():
            self.first.weight *= gains
            self.first.bias *= gains.flatten()
            self.last.weight /= gains.transpose(0, 1)
            self.last.bias.fill_(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(F.relu(self.first(x)))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tuning")
    write_pictures(folder, 3)
    torch.manual_seed(0)
    torch.save(vgg16.build(("relu4_1",)).state_dict(), folder / "vgg16.pth")
    torch.save(find("fast-style").build().state_dict(), folder / "fast.pth")
    return folder


def plan(place: Path, out: Path, **changes) -> TrainingPlan:
    settings = {
        "style": (place / "style",),
        "loss_weights": None,
        "steps": 4,
        "batch": 1,
        "crop": 32,
        "learning_rate": 1e-4,
        "slots": 4,
        "checkpoint_every": 2,
        "sheet_every": 100,
        "bfloat16": False,
    }
    return TrainingPlan(content=(place / "content",), out=out, **(settings | changes))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("styleexport.models.training.run.SHEET_SIDE", 48)
    monkeypatch.setattr("styleexport.models.training.run.SHEET_EACH", 1)
    monkeypatch.setattr("styleexport.models.compress.quantize_aware.fine_tune.WARM_UP_BATCHES", 3)


def observed(module: nn.Module, *recipes: Int8Recipe):
    network = fake_int8(module, recipes)
    network.observe()
    network.train()
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        network(pictures)
    network.round_values()
    return network.eval(), pictures


@pytest.mark.parametrize("name", ["adain-lite", "adain-cd16x", "fast-style"])
def test_the_exporter_finds_the_same_units_and_numbers_them_alike(random_network, name):
    network = random_network(name)
    role = network.default_roles[-1]
    *_, traced = traced_passes(network.module, network.network.input_pixels).values()
    module = apply_passes(capture(network, role, Size(32, 48)))[0].module()
    blocks = [block for block in find_blocks(module) if not block.transposed]
    steps = [step for step in traced.convolutions if not is_folded(step)]
    nodes = {node.name: node for node in module.graph.nodes}
    for block, step in zip(blocks, steps, strict=True):
        assert block.weight.endswith(step.weight) or "folded_" in block.weight
        output, activation = output_of(step)
        if output is not traced.result:
            assert (block.output != block.layer) == (activation is not None), block
        pictured = nodes[block.source].op == "placeholder"
        assert is_picture(source_of(step), traced.picture) == pictured, block


def test_rounding_stands_where_the_files_round():
    network, pictures = observed(Chain(), recipe())
    first, second, last = network.units
    assert first.source is None  # a picture
    assert float(first.result(torch.tensor([-1.0]))) == 0  # the ReLU is in it
    assert second.source is None  # what first gave, moved
    assert last.source is not None  # a sum
    assert len(torch.unique(first.kernel(network.network.first.weight)[0])) <= 255
    painted = network(pictures)
    assert painted.min() >= 0
    assert painted.max() <= 1
    assert len(torch.unique(painted)) <= 256
    assert not torch.equal(painted, network.network(pictures).clamp(0, 1))


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (float_layer("conv2d", ""), 2),  # the folded convolution does not count
        (float_layer("conv2d_1", "second.weight"), 2),
        (float_layer("conv2d_9", "network.network.last.weight"), 2),
        (float_layer("conv_transpose2d", "gone.weight"), 3),
    ],
)
def test_islands_stay_in_float(kept, left):
    network, _ = observed(Chain(), recipe(Role.STYLIZE, kept))
    assert len(network.units) == left


def test_an_island_in_front_leaves_its_reader_to_round():
    network, _ = observed(Chain(), recipe(Role.STYLIZE, float_layer("conv2d", "first.weight")))
    assert network.units[0].source is not None


def test_granularity_and_ranges_are_the_recipes():
    fine, pictures = observed(Chain(), recipe())
    coarse, _ = observed(Chain(), recipe(weights="per-tensor"))
    assert fine.units[0].kernel.scale.shape == (4,)
    assert coarse.units[0].kernel.scale.shape == (1,)
    mild, _ = observed(Chain(), recipe(ranges="percentile"))
    for network in (fine, mild):
        network.train()
        network(pictures * 4)
    assert float(mild.units[1].result.scale) < float(fine.units[1].result.scale)


def test_ranges_stand_still_when_frozen_and_weights_do_not():
    network, pictures = observed(Chain(), recipe())
    network.freeze()
    network.train()
    before = [block.result.scale.clone() for block in network.units]
    with torch.no_grad():
        network.network.first.weight *= 4
    network(pictures * 4)
    assert [block.result.scale for block in network.units] == before
    scales = network.network.first.weight.abs().amax((1, 2, 3)) / 127
    assert torch.allclose(network.units[0].kernel.scale, scales, rtol=1e-3)


def test_gradients_pass_through_to_the_networks_own_weights():
    network, pictures = observed(Chain(), recipe())
    network(pictures).square().mean().backward()
    for name in ("first", "second", "last"):
        gradient = network.network.get_submodule(name).weight.grad
        assert gradient is not None
        assert float(gradient.abs().sum()) > 0
    assert set(network.network.state_dict()) == set(Chain().state_dict())


@pytest.mark.parametrize("role", [Role.ENCODE, Role.TRANSFORM])
def test_a_role_without_a_recipe_stays_in_float(random_network, role):
    module = random_network("adain-lite").module
    network = fake_int8(module, [recipe(role)])
    network.observe()
    picture, one = torch.rand(1, 3, 32, 32), torch.ones(1)
    code = module.encode(picture)
    network.transfer(picture, network.encode(picture), one)
    network.round_values()
    same_code = torch.equal(network.encode(picture), code)
    same_picture = torch.equal(
        network.transfer(picture, code, one), module.transfer(picture, code, one)
    )
    assert (same_code, same_picture) == (role is Role.TRANSFORM, role is Role.ENCODE)


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        (
            [recipe(Role.TRANSFORM, float_layer("conv2d_30", "decoder.gone.weight"))],
            r"keeps conv2d_30 \(decoder.gone.weight\) in float, and transform of this network has "
            "no such convolution",
        ),
        ([recipe(Role.ENCODE), recipe(Role.STYLIZE)], "type one --quantize-aware per role"),
        (
            [
                recipe(
                    Role.ENCODE, *(float_layer(f"conv2d_{i}" if i else "conv2d") for i in range(5))
                )
            ],
            "leaves no convolution in int8",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(random_network, recipes, message):
    with pytest.raises(UsageError, match=message):
        fake_int8(random_network("adain-lite").module, recipes)


def test_a_fixed_style_network_takes_no_recipe_of_a_role_it_lacks():
    with pytest.raises(UsageError, match="a fixed-style network has stylize alone"):
        fake_int8(Chain(), [recipe(Role.TRANSFORM)])


def test_tuning_brings_int8_nearer_to_the_float_network(place, tmp_path):
    network = load_own(Uneven())
    how = QuantizeAware((recipe(weights="per-tensor"),))
    settings = plan(place, tmp_path, style=(), steps=150, batch=4, checkpoint_every=1000)
    objective = QuantizeAwareObjective(network.module, network.network, settings, how)
    trainer = Trainer(network.module, settings, objective)
    objective.open(0)
    pictures = squares(image_files([place / "content"]), 64)
    before = objective.first_db(pictures, None)
    trainer.run(lambda _: None)
    with trainer.averaged():
        after = objective.psnr_db(pictures, None)
    assert after > before + 1
    assert objective.first_db(pictures, None) == before


def test_what_is_trained_is_what_is_saved(place, tmp_path):
    lines: list[str] = []
    result = fine_tune_network(
        "adain-lite",
        plan(place, tmp_path / "run", steps=2),
        progress=lines.append,
        quantize=QuantizeAware((recipe(),)),
    )
    assert f"float network of the start: {result.first_db:.2f} dB, now" in lines[-1]
    assert ("lower --learning-rate" in lines[-1]) == (result.final_db < result.first_db)
    shipped = open_network("adain-lite").module.state_dict()
    tuned = open_network("adain-lite", [result.weights]).module.state_dict()
    assert tuned.keys() == shipped.keys()
    assert any(not torch.equal(tuned[key], shipped[key]) for key in tuned)


def test_with_a_loss_network_the_adain_objective_is_kept(place, tmp_path):
    settings = plan(place, tmp_path / "run", steps=1, loss_weights=place / "vgg16.pth")
    result = fine_tune_network("adain-lite", settings, QuantizeAware((recipe(),)))
    assert {"style", "content", "identity", "teacher"} <= result.losses.keys()
    assert (tmp_path / "run" / "sheet_000001.png").exists()


def test_a_fixed_style_network_needs_photographs_alone(place, tmp_path):
    settings = plan(place, tmp_path / "run", steps=1, style=())
    how = QuantizeAware((recipe(),))
    weights = [place / "fast.pth"]
    result = fine_tune_network("fast-style", settings, how, checkpoints=weights)
    assert result.losses.keys() == {"teacher"}
    open_network("fast-style", [result.weights])


def test_a_resumed_tuning_keeps_its_ranges_its_teacher_and_where_it_started(place, tmp_path):
    how = QuantizeAware((recipe(),))
    whole = fine_tune_network("adain-lite", plan(place, tmp_path / "a", steps=2), how)
    saved = torch.load(tmp_path / "a" / "last.pt", weights_only=True)["objective"]
    lines: list[str] = []
    gone_on = fine_tune_network(
        "adain-lite",
        plan(place, tmp_path / "a"),
        checkpoints=[whole.weights],
        quantize=how,
        resume=True,
        progress=lines.append,
    )
    later = torch.load(tmp_path / "a" / "last.pt", weights_only=True)["objective"]
    assert lines[0] == "resumed at step 2"
    assert gone_on.first_db == whole.first_db
    assert saved["units"].keys() == later["units"].keys()
    assert saved["frozen"] is True
    for key, value in saved["units"].items():
        if "result" in key and key.endswith("scale"):
            assert torch.equal(value, later["units"][key]), key
    shipped = open_network("adain-lite").module.state_dict()
    assert all(torch.equal(shipped[key], value) for key, value in later["teacher"].items())


def test_the_checkpoint_of_another_kind_of_training_is_refused(place, tmp_path):
    ordinary = plan(place, tmp_path / "run", steps=1, loss_weights=place / "vgg16.pth")
    train_network("adain-lite", ordinary)
    with pytest.raises(BadCheckpoint, match="not a checkpoint of this training"):
        fine_tune_network(
            "adain-lite",
            replace(ordinary, loss_weights=None),
            resume=True,
            quantize=QuantizeAware((recipe(),)),
        )


@pytest.mark.parametrize(
    ("network", "changes", "settings", "message"),
    [
        ("adain-lite", {"style": ()}, {}, "type --style FOLDER"),
        ("adain-lite", {"bfloat16": True}, {}, "type --arithmetic fp32"),
        ("adain-lite", {}, {"backbone": Path("x")}, "leave out --backbone"),
        ("adain-vgg16", {}, {}, r"type --from PATH with one file from `styleexport train"),
        ("fast-style", {}, {"checkpoints": ["fast.pth"]}, "leave out --style and --loss-weights"),
    ],
)
def test_a_tuning_that_cannot_start_says_why(place, tmp_path, network, changes, settings, message):
    settings = settings | {"checkpoints": [place / x for x in settings.get("checkpoints", ())]}
    with pytest.raises(UsageError, match=message):
        fine_tune_network(
            network,
            plan(place, tmp_path / "run", **changes),
            quantize=QuantizeAware((recipe(),)),
            **settings,
        )


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_the_teachers_weight_is_a_number_above_zero(tmp_path, weight):
    write_recipe(recipe(), tmp_path / "recipe.json")
    with pytest.raises(UsageError, match=r"--teacher-weight is .*: type a number above 0"):
        quantize_aware([tmp_path / "recipe.json"], weight)


def test_every_weight_is_tuned_of_a_network_that_trains_its_decoder_alone(place, tmp_path):
    module = find("adain-vgg16").build()
    assert tuning_plan(plan(place, tmp_path), module).trains == ("",)


def test_the_command_line_takes_a_recipe(place, tmp_path, monkeypatch, capfd):
    from styleexport.__main__ import main

    write_recipe(recipe(), tmp_path / "recipe.json")
    arguments = [
        "train",
        "adain-lite",
        "--content",
        place / "content",
        "--style",
        place / "style",
        "--quantize-aware",
        tmp_path / "recipe.json",
        "--steps",
        1,
        "--batch",
        1,
        "--crop",
        32,
        "--device",
        "cpu",
        "-o",
        tmp_path / "run",
        "--json",
    ]
    monkeypatch.setattr("sys.argv", ["styleexport", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    printed = json.loads(capfd.readouterr().out)
    assert printed["first_db"] > 10
    assert Path(printed["weights"]).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--teacher-weight", "3"), "add --quantize-aware RECIPE"),
        ((), "type --style FOLDER"),
        (("--style", "."), "type --loss-weights PATH"),
        (("--quantize-aware", "none.json"), "recipe none.json does not exist"),
    ],
)
def test_the_command_line_says_what_is_missing(
    place, tmp_path, monkeypatch, capfd, arguments, message
):
    from styleexport.__main__ import main

    given = ["styleexport", "train", "--content", place / "content", "-o", tmp_path, *arguments]
    monkeypatch.setattr("sys.argv", list(map(str, given)))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert message in capfd.readouterr().err


def test_a_recipe_survives_its_file(tmp_path):
    write_recipe(recipe(Role.TRANSFORM, float_layer("conv2d_1", "a.weight")), tmp_path / "r.json")
    (read,) = quantize_aware([tmp_path / "r.json"]).recipes
    assert msgspec.to_builtins(read)["islands"][0]["weight"] == "a.weight"
