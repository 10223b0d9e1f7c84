"""`styleexport distill`: what it writes, what every command makes of it, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from styleexport.models.checkpoint import sha256_of
from tests.cli.conftest import Cli, module_file, nothing_at, picture

TINY = """
    from styleexport.models.transforms import adain


    class Tiny(nn.Module):
        def __init__(self, width):
            super().__init__()
            torch.manual_seed(width)
            self.body = nn.Conv2d(3, width, 3, padding=1)
            self.image = nn.Conv2d(width, 3, 3, padding=1)

        def encode(self, style):
            return adain.style_code([self.body(style)], unbiased=False)

        def transfer(self, content, code, strength):
            mixed = adain.apply(self.body(content), code, strength, unbiased=False)
            return self.image(F.relu(mixed))


    def build():
        return Tiny(12)


    def thin():
        return Tiny(5)
"""
FIXED = """
    def painter(width):
        torch.manual_seed(width)
        ends = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 3, padding=1)
        return nn.Sequential(ends[0], nn.ReLU(), ends[1])


    def build():
        return painter(12)


    def thin():
        return painter(5)
"""
CLASSIFIER = """
    class Classifier(nn.Module):
        def __init__(self, classes, dense=False, dead=False):
            super().__init__()
            torch.manual_seed(classes)
            self.body = nn.Conv2d(3, classes, 3, padding=1)
            self.dense, self.dead = dense, dead

        def forward(self, image):
            logits = self.body(image)
            return logits if self.dense else logits.mean((2, 3))


    def build():
        return Classifier(4)


    def five():
        return Classifier(5)


    def dense():
        return Classifier(4, dense=True)


    def three():
        return Classifier(3, dense=True)
"""
SMALL = ("--crop", "32", "--size", "32", "--steps", "2", "--batch", "2", "--arithmetic", "fp32")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[object, ...]:
    picture(tmp_path / "photos" / "a.png", (50, 40))
    picture(tmp_path / "photos" / "b.png", (40, 60))
    picture(tmp_path / "paintings" / "c.png", (40, 40))
    return ("--content", "photos", "--evaluation", "photos")


def paintings(folders: tuple[object, ...]) -> tuple[object, ...]:
    return (*folders, "--style", "paintings", "--evaluation-style", "paintings")


def pair(spec: str, student: str = "thin") -> tuple[object, ...]:
    return ("--teacher", spec, "--student", f"{spec.split(':')[0]}:{student}")


def test_a_student_is_a_network_like_any_other(cli: Cli, folders):
    spec = module_file("distill_tiny", TINY)
    call = (
        "distill",
        *pair(spec),
        *paintings(folders),
        *SMALL,
        "--match",
        "body=body",
        "-o",
        "out",
    )
    done = cli(*call)
    assert done.code == 0, done.err
    assert "levels: outputs 1, features 0.5, style 1" in done.out
    assert "match: body (12 channels, 32x32) and body (5 channels, 32x32)" in done.out
    assert "parameters" in done.out
    assert "style distance to the teacher's" in done.out
    assert "weights: out/weights.safetensors (step 2)" in done.out
    assert "step 2/2  features" in done.err
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "card.md",
        "distill.json",
        "last.pt",
        "log.jsonl",
        "report.json",
        "sheet.png",
        "sheet_000002.png",
        "weights.safetensors",
    ]
    report = json.loads(Path("out/report.json").read_text())
    assert (report["teacher"], report["student"], report["kind"]) == ("build", "thin", "two-image")
    assert report["weights_sha256"] == sha256_of([Path("out/weights.safetensors")])
    assert report["costs"]["parameters"] == {"before": 663, "after": 278}
    assert [role["role"] for role in report["costs"]["roles"]] == ["encode", "transform"]
    assert report["costs"]["roles"][0]["eager_ms"]["after"] > 0
    assert report["quality"]["answers"] == 2
    assert report["quality"]["loss_network"] == "adain-lite encoder"
    assert report["steps"] == 2
    assert json.loads(Path("out/log.jsonl").read_text())["outputs"] > 0
    card = Path("out/card.md").read_text()
    assert "# thin, distilled from build" in card
    assert "started from scratch" in card
    assert report["teacher_sha256"] in card
    assert Image.open("out/sheet.png").size == (5 * 192, 16 + 2 * 192)
    assert Image.open("out/sheet_000002.png").size == (3 * 128, 16 + 3 * 128)
    taken = cli(
        "prune",
        "distill_tiny:thin",
        "--checkpoint",
        "out/weights.safetensors",
        "--size",
        "32",
        "--dry-run",
    )
    assert taken.code == 0, taken.err
    again = cli(*call, "--resume", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["weights_sha256"] == report["weights_sha256"]


def test_a_dry_run_shows_what_would_be_matched_and_writes_nothing(cli: Cli, folders):
    call = ("distill", "--teacher", "adain-lite", "--student", "adain-cd16x", *paintings(folders))
    done = cli(*call, *SMALL, "-o", "out", "--dry-run")
    assert done.code == 0, done.err
    assert (
        "encoder.deep (128 channels, 4x4) and encoder.features.20 (128 channels, 4x4)" in done.out
    )
    assert "nothing was trained" in done.out
    report = json.loads(cli(*call, *SMALL, "-o", "out", "--dry-run", "--json").out)
    assert len(report["matches"]) == 4
    assert report["levels"] == {"outputs": 1.0, "features": 0.5, "style": 1.0}
    assert report["quality"] is report["weights"] is None
    assert report["costs"]["roles"][0]["eager_ms"] is None
    nothing_at(Path("out"))


def test_networks_of_one_style_learn_from_photographs_alone(cli: Cli, folders):
    spec = module_file("distill_fixed", FIXED)
    done = cli("distill", *pair(spec), *folders, *SMALL, "-o", "out", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["kind"], report["quality"]["style"]) == ("fixed-style", None)
    assert report["quality"]["psnr_db"]["after"] > 0
    cli("distill", *pair(spec), *paintings(folders), *SMALL, "-o", "b").refused(
        2, "no style picture", "leave out --style"
    )


def test_classifiers_and_segmenters(cli: Cli, folders):
    spec = module_file("distill_classes", CLASSIFIER)
    torch.save({"body.weight": torch.randn(4, 3, 3, 3), "body.bias": torch.zeros(4)}, "t.pth")
    call = ("distill", *pair(spec, "build"), "--teacher-checkpoint", "t.pth", *folders, *SMALL)
    done = cli(*call, "--temperature", "2", "-o", "out", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["kind"], report["temperature"]) == ("logits", 2.0)
    assert report["levels"] == {"logits": 1.0}
    assert 0 <= report["quality"]["agreement"]["after"] <= 1
    assert report["costs"]["roles"][0]["macs"]["after"] == 32 * 32 * 4 * 27
    assert not Path("out/sheet.png").exists()
    assert "at temperature 2" in Path("out/card.md").read_text()
    dense = ("distill", "--teacher", "distill_classes:dense", *folders, *SMALL, "-o", "b")
    done = cli(*dense, "--student", "distill_classes:dense")
    assert done.code == 0, done.err
    cli(*call[:4], "distill_classes:five", *folders, *SMALL, "-o", "c").refused(
        2, "logits [2, 4]", "[2, 5]", "same classes"
    )
    cli("distill", *pair(spec, "dense"), *folders, *SMALL, "-o", "c").refused(
        2, "logits [2, 4]", "[2, 4, 32, 32]"
    )
    three = ("distill", *pair("distill_classes:three", "three"), *folders, *SMALL)
    assert json.loads(cli(*three, "--dry-run", "--json").out)["kind"] == "fixed-style"
    asked = cli(*three, "--dry-run", "--json", "--level", "logits")
    assert json.loads(asked.out)["kind"] == "logits"
    nothing_at(Path("c"))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--level", "output=1"], ["unknown level 'output'", "did you mean outputs"]),
        (["--level", "style=0"], ["'0' is not a weight", "above 0"]),
        (["--level", "logits=1"], ["level logits has no meaning for adain-lite", "outputs"]),
        (["--level", "objective"], ["ImageNet's VGG-16", "--loss-weights"]),
        (["--level", "features", "--loss-weights", "x.pth"], ["no level does", "leave it out"]),
        (["--temperature", "3"], ["softens logits", "--level logits=1"]),
        (["--match", "deep"], ["'deep' is not a pair", "TEACHER_LAYER=STUDENT_LAYER"]),
        (["--match", "encoder.dep=x"], ["no layer 'encoder.dep'", "encoder.deep"]),
        (["--match", "encoder.deep=decoder.dep"], ["student", "decoder.deep"]),
        (["--match", "encoder=encoder"], ["layer encoder of teacher", "gives a tuple"]),
        (["--match", "encoder.down=encoder.down"], ["encoder.down", "never runs"]),
        (["--match", "encoder.deep=encoder.deep", "--level", "style"], ["add --level features"]),
        (["--crop", "32", "--size", "8"], ["size 8x8 does not fit", "16 pixels"]),
        (["--size", "64x96"], ["size 64x96 does not fit", "squares"]),
        (["--content", "nowhere"], ["nowhere is not a folder"]),
        (["--evaluation", "nowhere"], ["nowhere is not a folder"]),
        (["--student-checkpoint", "no.pth"], ["no.pth does not exist"]),
        (["--student-backbone", "x.pth"], ["takes no backbone"]),
        (["--student", "lite.pt2"], ["student lite.pt2 is a graph", "package.module:factory"]),
        (
            ["--student", "fast-style"],
            ["in the style of a picture", "a style of its own", "one kin"],
        ),
        (
            ["--teacher", "fast-style"],
            ["teacher fast-style has no weights", "--teacher-checkpoint"],
        ),
        (["--teacher", "none"], ["unknown network 'none'"]),
        (["--resume"], ["there is no", "distill.json", "leave out --resume"]),
    ],
    ids=lambda value: " ".join(value[:3]),
)
def test_what_does_not_fit_is_answered_with_what_to_type(cli: Cli, folders, arguments, parts):
    call = ("--teacher", "adain-lite", "--student", "adain-lite", *paintings(folders), *SMALL)
    for name in ("x.pth", "lite.pt2"):
        Path(name).touch()
    cli("distill", *call, "-o", "out", *arguments).refused(2, *parts)
    nothing_at(Path("out"))


def test_what_is_missing_is_said(cli: Cli, folders):
    call = ("distill", "--teacher", "adain-lite", "--student", "adain-lite", "-o", "out", *SMALL)
    cli(*call).refused(2, "--content")
    cli(*call, *folders).refused(2, "learn on paintings too", "--style FOLDER")
    Path("empty").mkdir()
    cli(*call, "--content", "empty", "--style", "paintings").refused(2, "no images under empty")
    spec = module_file("distill_other", TINY)
    cli(
        "distill", *pair(spec), *paintings(folders), *SMALL, "--level", "features", "-o", "out"
    ).refused(2, "which layers of build and thin", "--match TEACHER_LAYER=STUDENT_LAYER")
    nothing_at(Path("out"))
    Path("out").write_text("mine")
    cli(*call, *paintings(folders)).refused(2, "out is a file")
