"""Distillation on a handful of noise pictures: every level learns, and a stop changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.types import Size
from styleexport.models.architecture import (
    Event,
    architecture_of,
    read_architecture,
    write_weights,
)
from styleexport.models.compress.distill.distill import distill
from styleexport.models.compress.distill.levels import Level, OutputKind
from styleexport.models.compress.distill.objective import DistillObjective
from styleexport.models.compress.distill.request import DistillRequest
from styleexport.models.compress.distill.setup import distillation_setup, open_teacher
from styleexport.models.encoders import vgg16
from styleexport.models.networks._open import describe, find, open_network
from styleexport.models.training.data import CropPool, image_files
from styleexport.models.training.loop import Trainer
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.start import StartingPoint
from styleexport.models.transforms import adain
from tests.conftest import load_own


class Tiny(nn.Module):
    """A two-image network of two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, width, 3, padding=1)
        self.image = nn.Conv2d(width, 3, 3, padding=1)

    def encode(self, style):
        return adain.style_code([self.body(style)], unbiased=False)

    def transfer(self, content, code, strength):
        return self.image(F.relu(adain.apply(self.body(content), code, strength, unbiased=False)))


FACTORIES = """
import torch

from {here} import Tiny


def wide():
    torch.manual_seed(1)
    return Tiny(12)


def other():
    torch.manual_seed(2)
    return Tiny(12)


def thin():
    return Tiny(5)
"""
PAIRS = (("body", "body"),)
WIDE, THIN = "distill_nets:wide", "distill_nets:thin"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("distillation")
    random = np.random.default_rng(0)
    for kind in ("content", "style", "others"):
        (folder / kind).mkdir()
        for index in range(2):
            small = random.integers(0, 255, (6, 6, 3), np.uint8)
            Image.fromarray(small).resize((60, 50)).save(folder / kind / f"{index}.png")
    (folder / "others" / "one-more.png").write_bytes((folder / "others" / "0.png").read_bytes())
    torch.manual_seed(0)
    torch.save(vgg16.build(("relu5_3",)).state_dict(), folder / "vgg16.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        (folder / "distill_nets.py").write_text(FACTORIES.format(here=__name__))
        yield folder


def plan(place: Path, out: Path, **changes) -> TrainingPlan:
    settings = {
        "steps": 4,
        "batch": 2,
        "crop": 32,
        "slots": 4,
        "reuse": 2,
        "checkpoint_every": 2,
        "bfloat16": False,
        "style": (place / "style",),
        "loss_weights": None,
    }
    return TrainingPlan(content=(place / "content",), out=out, **(settings | changes))


def request(place: Path, out: Path, plan_changes=None, **changes) -> DistillRequest:
    settings = {
        "teacher": WIDE,
        "teacher_checkpoints": (),
        "student": THIN,
        "student_checkpoints": (),
        "student_backbone": None,
        "levels": {},
        "pairs": PAIRS,
        "evaluation": (place / "content",),
        "evaluation_style": (place / "style",),
        "size": Size(32, 32),
    }
    return DistillRequest(plan=plan(place, out, **(plan_changes or {})), **(settings | changes))


class Stop(Exception):
    pass


def stop_at(step: int, monkeypatch) -> None:
    """Let a training end right after it saved a step, as a power cut would."""
    save = Trainer.save

    def saving(self, path):
        save(self, path)
        if self.step == step:
            raise Stop

    monkeypatch.setattr(Trainer, "save", saving)


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    """A distillation that was not stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return distill(request(place, out)), out


def test_a_stop_and_a_resume_change_nothing(place, tmp_path, monkeypatch, whole):
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_at(2, patch)
        distill(request(place, tmp_path / "run"))
    lines: list[str] = []
    resumed = distill(request(place, tmp_path / "run", resume=True), lines.append)
    assert "resumed at step 2" in lines
    a, b = load_file(whole[0].weights), load_file(resumed.weights)
    assert a.keys() == {"body.weight", "body.bias", "image.weight", "image.bias"}
    assert all(torch.equal(value, b[key]) for key, value in a.items())
    beside = [
        torch.load(out / "last.pt", weights_only=True)["beside"]
        for out in (whole[1], tmp_path / "run")
    ]
    assert beside[0].keys() == {"maps.0.weight", "maps.0.bias"}
    assert all(torch.equal(value, beside[1][key]) for key, value in beside[0].items())


def test_a_training_stopped_before_its_first_checkpoint_begins_again(
    place, tmp_path, monkeypatch, whole
):
    def stop(*_):
        raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(Trainer, "run", stop)
        distill(request(place, tmp_path / "run"))
    again = distill(request(place, tmp_path / "run", resume=True))
    assert again.steps == 4
    assert again.weights_sha256 == whole[0].weights_sha256


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"levels": {Level.OUTPUTS: 2.0, Level.FEATURES: 1.0}}, "levels"),
        ({"levels": {Level.OUTPUTS: 1.0, Level.STYLE: 1.0}, "pairs": ()}, "levels"),
        ({"teacher": "distill_nets:other"}, "teacher"),
        ({"student": "distill_nets:other"}, "student"),
        ({"pairs": (("image", "image"),)}, "match"),
        ({"plan_changes": {"content": "others"}}, "content"),
        ({"plan_changes": {"style": "others"}}, "style"),
        ({"plan_changes": {"seed": 1}}, "student"),
        ({"plan_changes": {"loss_weights": "vgg16.pth"}}, "loss weights"),
    ],
)
def test_resuming_with_another_thing_names_it(place, whole, changes, name):
    how = request(place, whole[1], resume=True)
    moved = changes.get("plan_changes", {})
    for key, value in moved.items():
        if isinstance(value, str):
            moved = {key: place / value if key == "loss_weights" else (place / value,)}
    how = replace(how, plan=replace(how.plan, **moved))
    how = replace(how, **{k: v for k, v in changes.items() if k != "plan_changes"})
    before = (whole[1] / "weights.safetensors").read_bytes()
    with pytest.raises(UsageError, match=f"begun with another {name}: give the same as then"):
        distill(how)
    assert (whole[1] / "weights.safetensors").read_bytes() == before


def test_a_folder_is_begun_once(place, tmp_path, whole):
    with pytest.raises(UsageError, match=r"distill.json exists: add --resume"):
        distill(request(place, whole[1]))
    with pytest.raises(UsageError, match=r"there is no .*distill.json to go on with"):
        distill(request(place, tmp_path / "new", resume=True))
    (tmp_path / "last.pt").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"last.pt exists: add --resume"):
        distill(request(place, tmp_path))
    (tmp_path / "distill.json").write_text("{")
    with pytest.raises(UsageError, match=r"distill.json is damaged"):
        distill(request(place, tmp_path, resume=True))


def average(objective: DistillObjective, batches: int = 6) -> dict[str, float]:
    rows = [objective.terms(0) for _ in range(batches)]
    return {name: float(torch.stack([r[name] for r in rows]).mean().detach()) for name in rows[0]}


def taught(teacher, student, how: TrainingPlan, levels, pairs=(), temperature=None):
    """Return the weighted terms before and after a training, and its objective."""
    student.module.requires_grad_(True)
    setup = distillation_setup(teacher, student, how, levels, pairs, temperature)
    objective = DistillObjective(setup, how)
    trainer = Trainer(student.module, how, objective, objective.maps)
    objective.open(0)
    first = average(objective)
    maps = [p.detach().clone() for p in trainer.auxiliary.parameters()]
    trainer.run(lambda _: None, report_every=how.steps + 1)
    last, scales = average(objective), objective.scales()
    assert not any(map(torch.equal, maps, trainer.auxiliary.parameters())), "maps learn too"
    totals = [sum(scales[n] * value for n, value in each.items()) for each in (first, last)]
    return totals, set(first), objective


@pytest.mark.parametrize(
    ("level", "terms"),
    [
        (Level.OUTPUTS, ["outputs"]),
        (Level.FEATURES, ["features"]),
        (Level.STYLE, ["outside", "style"]),
    ],
    ids=str,
)
def test_each_level_alone_is_learned(place, tmp_path, level, terms):
    torch.manual_seed(0)
    teacher, student = load_own(Tiny(12)), load_own(Tiny(5))
    how = plan(place, tmp_path, steps=30, learning_rate=1e-2, checkpoint_every=99)
    totals, names, _ = taught(
        teacher, student, how, {level: 1.0}, PAIRS if level == "features" else ()
    )
    assert totals[1] < 0.9 * totals[0]
    assert sorted(names) == terms


def test_the_objective_of_train_is_mixed_in_and_resumes(place, tmp_path, monkeypatch):
    levels = {Level.OUTPUTS: 3.0, Level.STYLE: 1.0, Level.OBJECTIVE: 0.5}
    states = []
    for step in (99, 2, 2):
        torch.manual_seed(0)
        teacher, student = load_own(Tiny(12)), load_own(Tiny(5))
        student.module.requires_grad_(True)
        how = plan(place, tmp_path / str(step), loss_weights=place / "vgg16.pth", steps=3)
        how.out.mkdir(exist_ok=True)
        objective = DistillObjective(distillation_setup(teacher, student, how, levels, ()), how)
        trainer = Trainer(student.module, how, objective, objective.maps)
        if (how.out / "last.pt").exists():
            trainer.resume(how.out / "last.pt")
        objective.open(trainer.step)
        with monkeypatch.context() as patch:
            if not trainer.step:
                stop_at(step, patch)
            try:
                trainer.run(lambda _: None)
            except Stop:
                continue
        states.append(student.module.state_dict())
        assert set(objective.terms(0)) == {
            "outputs",
            "perceptual",
            "style",
            "objective_style",
            "objective_content",
            "objective_identity",
            "objective_outside",
        }
        scales = objective.scales()
        assert (scales["perceptual"], scales["objective_outside"]) == (3.0, 5.0)
    assert len(states) == 2
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


class Classifier(nn.Module):
    """Logits of four classes: of a picture, or of every second place."""

    def __init__(self, width: int, dense: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.head = nn.Conv2d(width, 4, 1)
        self.dense = dense

    def forward(self, image):
        logits = self.head(self.body(image))
        return logits if self.dense else logits.mean((2, 3))


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("levels", [{}, {Level.LOGITS: 1.0, Level.FEATURES: 1.0}])
def test_logits_are_learned(place, tmp_path, dense, levels):
    torch.manual_seed(0)
    teacher, student = load_own(Classifier(12, dense)), load_own(Classifier(5, dense))
    with torch.no_grad():
        teacher.module.head.weight.mul_(20)
    how = plan(place, tmp_path, steps=30, learning_rate=2e-2, style=(), checkpoint_every=99)
    totals, names, objective = taught(teacher, student, how, levels, PAIRS if levels else (), 2.0)
    assert totals[1] < 0.8 * totals[0]
    assert names == {"logits", *(["features"] if levels else [])}
    assert objective.setup.kind is OutputKind.LOGITS
    assert objective.setup.temperature == 2.0
    assert student.module.body[1].running_mean.any(), "the student's statistics are learned"
    assert not teacher.module.training
    assert (objective.output_shape is None) == bool(levels)


def test_trying_a_network_leaves_its_statistics_alone(place, tmp_path):
    teacher, student = load_own(Classifier(4, True)), load_own(Classifier(4, True))
    distillation_setup(teacher, student, plan(place, tmp_path, style=()), {}, ())
    assert not student.module.body[1].running_mean.any()


def test_what_is_kept_of_the_teacher_is_what_it_says(place, tmp_path):
    torch.manual_seed(0)
    teacher, student = load_own(Tiny(12)), load_own(Tiny(5))
    how = plan(place, tmp_path)
    setup = distillation_setup(
        teacher, student, how, {Level.OUTPUTS: 1.0, Level.FEATURES: 1.0}, PAIRS
    )
    objective = DistillObjective(setup, how)
    objective.open(0)
    crops = objective._draw()
    net, one = teacher.module, torch.ones(1)
    with torch.no_grad():
        assert torch.allclose(crops.code, net.encode(crops.style), atol=1e-5)
        fresh = net.transfer(crops.content, net.encode(crops.style), one)
        net.encode = None
        output, features = objective._run_teacher(crops)
        assert torch.allclose(output, fresh, atol=1e-5)
        assert torch.allclose(features[0], net.body(crops.content), atol=1e-5), "of the content"
        own = objective._run_student(crops)[1][0]
        assert torch.allclose(own, student.module.body(crops.content), atol=1e-5)


def test_crops_are_drawn_on_as_if_nothing_had_happened(place):
    files = image_files([place / "content"])

    def pool(seed: int, size: int = 16) -> CropPool:
        return CropPool(
            files,
            size,
            lambda crops: crops.mean((2, 3)),
            slots=4,
            reuse=2,
            seed=seed,
            device=torch.device("cpu"),
            scales=(1.0, 2.0),
        )

    whole = pool(0)
    for _ in range(3):
        whole.draw(2)
    state = json.loads(json.dumps(whole.state()))
    other = pool(7)
    assert other.load(state)
    for _ in range(6):
        (a, rows), (b, same) = whole.draw(2), other.draw(2)
        assert torch.equal(a, b)
        assert torch.equal(rows, same)
    before = pool(7, size=20).draw(2)[0]
    fresh = pool(7, size=20)
    assert not fresh.load(state)
    assert torch.equal(fresh.draw(2)[0], before)


def test_a_checkpoint_without_anything_beside_still_loads(place, tmp_path):
    module = nn.Conv2d(3, 3, 1)
    objective = type("Nothing", (), {"state": lambda self: {}, "load": lambda self, state: None})()
    trainer = Trainer(module, plan(place, tmp_path), objective)
    trainer.save(tmp_path / "last.pt")
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state.pop("beside") == {}
    torch.save(state, tmp_path / "old.pt")
    trainer.resume(tmp_path / "old.pt")
    maps = Trainer(module, plan(place, tmp_path), objective, nn.Conv2d(3, 4, 1))
    with pytest.raises(BadCheckpoint, match="is not a checkpoint of this training"):
        maps.resume(tmp_path / "last.pt")


def test_a_compressed_student_stays_so_and_remembers_its_teacher(place, tmp_path):
    network = find("adain-cd16x")
    torch.manual_seed(0)
    module = network.build(level=2)
    event = Event(method="test", parent_sha256="0" * 64)
    start = tmp_path / "start.safetensors"
    write_weights(start, module.state_dict(), architecture_of(network, module, [event]))
    how = request(
        place,
        tmp_path / "run",
        {"steps": 1},
        teacher="adain-lite",
        student="adain-cd16x",
        student_checkpoints=(start,),
        pairs=(),
        levels={Level.OUTPUTS: 2.0, Level.FEATURES: 0.25},
    )
    report = distill(how)
    record = read_architecture(Path(report.weights))
    assert [e.method for e in record.history] == ["test", "distill"]
    last = record.history[-1]
    assert last.parent_sha256 == report.student_sha256
    assert last.schedule["teacher_sha256"] == report.teacher_sha256
    assert (last.schedule["level outputs"], last.schedule["level features"]) == (2.0, 0.25)
    assert (last.schedule["teacher"], last.schedule["steps"]) == ("adain-lite", 1)
    again = open_network("adain-cd16x", [Path(report.weights)])
    assert again.module.encoder.blocks == [[16, 16], [32]]
    assert [m.teacher for m in report.matches] == ["encoder.stem", "encoder.down.0"]


def test_a_variant_from_scratch_opens_again_and_a_plain_network_has_no_record(
    place, tmp_path, whole
):
    how = request(place, tmp_path / "run", {"steps": 1}, student="adain-cd16x", pairs=())
    report = distill(how)
    record = read_architecture(Path(report.weights))
    assert record.settings == {"level": 4}
    assert report.student_sha256 == record.history[0].parent_sha256 == ""
    assert read_architecture(Path(whole[0].weights)) is None


def test_a_fixed_style_network_learns_from_photographs_alone(place, tmp_path):
    torch.manual_seed(1)
    torch.save(find("fast-style").build().state_dict(), tmp_path / "t.pth")
    how = request(
        place,
        tmp_path / "run",
        {"style": (), "steps": 1, "batch": 1},
        teacher="fast-style",
        student="fast-style",
        teacher_checkpoints=(tmp_path / "t.pth",),
        pairs=(),
    )
    report = distill(how)
    assert (report.kind, report.matches) == ("fixed-style", ())
    assert report.levels == {"outputs": 1.0, "style": 1.0}
    assert report.quality.style is None
    assert report.quality.outputs == 2
    assert report.quality.psnr_db.after < 60
    assert Image.open(tmp_path / "run" / "sheet.png").size[0] == 4 * 192
    assert Image.open(tmp_path / "run" / "sheet_000001.png").size[0] == 3 * 128


def test_a_student_that_is_its_teacher_is_perfect(place, tmp_path):
    weights = tmp_path / "same.safetensors"
    write_weights(weights, open_network(WIDE).module.state_dict(), None)
    how = request(
        place,
        tmp_path / "run",
        {"steps": 1, "learning_rate": 0.0},
        student="distill_nets:other",
        student_checkpoints=(weights,),
    )
    report = distill(how)
    quality = report.quality
    assert quality.psnr_db.before == quality.psnr_db.after == 200.0
    assert quality.style.after == quality.teacher_style
    assert quality.to_teacher.after < 1e-3
    assert report.losses["outputs"] < 1e-4
    assert report.losses["style"] < 1e-2
    assert report.losses["features"] < 0.05


def test_a_student_that_starts_with_nan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("distill_spoilt.py").write_text(
        "from torch import nn\n\n\ndef build():\n    net = nn.Conv2d(3, 3, 1)\n"
        "    nn.init.constant_(net.bias, float('nan'))\n    return net\n"
    )
    with pytest.raises(BadCheckpoint, match="student build starts with NaN or infinity in bias"):
        StartingPoint(role="student").open(describe("distill_spoilt:build"))


def test_teachers_without_weights_and_students_that_cannot_start():
    with pytest.raises(BadCheckpoint, match=r"teacher adain-vgg16 has no weights.*--teacher-check"):
        open_teacher("adain-vgg16", ())
    with pytest.raises(UsageError, match=r"student candy.onnx is a graph"):
        describe("candy.onnx", "student")
    lite = describe("adain-lite", "student")
    with pytest.raises(UsageError, match="student adain-lite takes no backbone"):
        StartingPoint(backbone=Path("x"), role="student").open(lite)
    with pytest.raises(UsageError, match="leave out --student-backbone"):
        StartingPoint((Path("y"),), Path("x"), role="student").open(lite)


def test_a_student_starts_from_a_backbone(place):
    student = StartingPoint(backbone=place / "vgg16.pth").open(describe("adain-vgg16"))
    backbone = torch.load(place / "vgg16.pth", weights_only=True)
    state = student.module.state_dict()
    assert torch.equal(state["encoder.features.0.weight"], backbone["features.0.weight"])
    assert student.source == ("vgg16.pth",)
