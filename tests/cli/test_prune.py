"""`styleexport prune`: what it writes, that every command takes it, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from styleexport.models.architecture import (
    architecture_of,
    layers,
    read_architecture,
    write_weights,
)
from styleexport.models.checkpoint import sha256_of
from styleexport.models.networks._open import find, open_network
from tests.cli.conftest import Cli, module_file, nothing_at, nothing_half_written, picture


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """adain-cd16x of level 2 with three channels that never answer, and no other that is empty."""
    torch.manual_seed(0)
    network = find("adain-cd16x")
    module = network.build(level=2).requires_grad_(False)
    for name, layer in layers(module):
        if name.startswith("encoder.features"):
            layer.weight.abs_().div_(layer.weight.sum((1, 2, 3), keepdim=True))
            nn.init.constant_(layer.bias, 0.1)
    module.encoder.features[5].bias[[3, 17, 31]] = -100.0
    path = tmp_path / "whole.safetensors"
    write_weights(path, module.state_dict(), architecture_of(network, module, ()))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(16):
        pixels = np.random.default_rng(index).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02}.png")
    return folder


def slim(cli: Cli, weights: Path, pictures: Path, *others: object):
    return cli(
        "prune",
        "adain-cd16x",
        "--checkpoint",
        weights,
        "--method",
        "zero-channel",
        "--calibration",
        pictures,
        "--size",
        "64",
        "-o",
        "slim",
        *others,
    )


@pytest.mark.slow
def test_a_pruned_network_is_a_network_like_any_other(cli, weights, pictures):
    done = slim(cli, weights, pictures)
    assert done.code == 0, done.err
    assert "encoder.features.5: 16 → 16 in, 32 → 29 out" in done.out
    assert "values in a style code" in done.out
    assert sorted(path.name for path in Path("slim").iterdir()) == [
        "card.md",
        "channels.svg",
        "report.json",
        "sheet.png",
        "weights.safetensors",
    ]
    report = json.loads(Path("slim/report.json").read_text())
    assert (report["removed"], report["calibration"], report["held_out"]) == (3, 12, 4)
    assert report["worst_db"] > 110
    assert report["costs"]["style_code"] == {"before": 64, "after": 58}
    assert "3 channels that are always empty" in Path("slim/card.md").read_text()
    assert Path("slim/channels.svg").read_text().count("bar c1") == 3
    assert Image.open("slim/sheet.png").size == (4 * 192, 4 * 192)
    small = Path("slim/weights.safetensors")
    record = read_architecture(small)
    assert record is not None
    assert record.history[0].parent_sha256 == report["parent_sha256"]
    assert len(record.history[0].kept["encoder.features.5"].outputs) == 29
    cli("onnx", "adain-cd16x", "--checkpoint", small, "--size", "64", "-o", "art").fine()
    manifest = json.loads(Path("art/manifest.json").read_text())
    code = next(f for f in manifest["files"] if f["role"] == "encode")["outputs"][0]
    assert code["shape"] == [1, 58]
    first = Path("slim/weights.safetensors").rename("first.safetensors")
    module = open_network("adain-cd16x", [first]).module
    assert module.encoder.widths == (29,)
    done = slim(cli, first, pictures, "--overwrite")
    assert "there is no channel to remove: nothing was written" in done.out
    assert not Path("slim/weights.safetensors").exists()


def test_a_dry_run_shows_what_would_go_and_writes_nothing(cli, weights, pictures):
    done = slim(cli, weights, pictures, "--dry-run", "--json")
    assert done.code == 0
    report = json.loads(done.out)
    assert report["removed"] == 3
    assert report["weights"] is None
    assert report["costs"]["roles"][0]["eager_ms"] is None
    nothing_at(Path("slim"))


def test_networks_of_a_user_are_pruned_too(cli, pictures):
    spec = module_file(
        "slimmable",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)
                nn.init.constant_(self.a.bias, 1.0)
                with torch.no_grad():
                    self.a.bias[:2] = -50

            def forward(self, image):
                return self.b(F.relu(self.a(image)))


        def build():
            return Net()
        """,
    )
    torch.save(open_network(spec).module.state_dict(), "w.pth")
    done = cli(
        "prune",
        spec,
        "--checkpoint",
        "w.pth",
        "--calibration",
        pictures,
        "--size",
        "64",
        "-o",
        "slim",
    )
    assert done.code == 0, done.err
    assert "a: 3 → 3 in, 6 → 4 out" in done.out
    assert open_network(spec, [Path("slim/weights.safetensors")]).module.a.out_channels == 4


def test_widths_are_rounded_up_to_a_multiple(cli, weights, pictures):
    done = slim(cli, weights, pictures, "--multiple", "2", "--dry-run", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["multiple"] == {"multiple": 2, "reason": "as asked", "trials": []}
    assert (report["removed"], report["kept_for_multiple"]) == (2, 1)
    done = slim(cli, weights, pictures, "--multiple", "16")
    assert done.code == 0, done.err
    assert "widths in multiples of 16: as asked" in done.out
    assert "3 empty channels stay so that widths are multiples" in done.err
    assert "nothing was written" in done.out
    nothing_at(Path("slim"))


@pytest.mark.slow
def test_the_multiple_is_measured_and_recorded(cli, weights, pictures):
    done = slim(cli, weights, pictures, "--multiple", "auto")
    assert done.code == 0, done.err
    report = json.loads(Path("slim/report.json").read_text())
    choice = report["multiple"]
    # 29 of 32 channels answer: multiples of 8 and 16 would keep all.
    assert (choice["multiple"], [trial["multiple"] for trial in choice["trials"]]) == (1, [1])
    assert choice["reason"].startswith("least int8 time in ONNX Runtime at 64x64")
    assert "multiples of 1: least int8 time" in Path("slim/card.md").read_text()
    record = read_architecture(Path("slim/weights.safetensors"))
    assert record is not None
    assert record.history[0].schedule["multiple_reason"] == choice["reason"]


@pytest.mark.parametrize("typed", ["12.5", "1", "fast"])
def test_what_is_no_multiple_is_refused(cli, weights, pictures, typed):
    slim(cli, weights, pictures, "--multiple", typed).refused(
        2, f"--multiple {typed!r}", "2 to 64, or auto", "--multiple 8"
    )


def test_a_layout_is_rounded_to_the_nearest_multiple(cli, weights, pictures):
    common = ("--method", "symmetric-l2", "--no-refit", "--dry-run", "--layout")
    done = slim(cli, weights, pictures, *common, "3,16,12,21", "--multiple", "8")
    assert done.code == 0, done.err
    assert "layout: 3,16,16,24" in done.out
    done = slim(cli, weights, pictures, *common, "3,16,16,30", "--multiple", "16")
    done.refused(2, "rounds every width back", "--multiple 8")


def test_too_few_pictures(cli, weights, pictures):
    for path in sorted(pictures.iterdir())[1:]:
        path.unlink()
    slim(cli, weights, pictures).refused(2, "1 pictures", "too few to call a channel empty", "16")
    nothing_at(Path("slim"))


def test_a_folder_that_holds_other_things_is_left_alone(cli, weights, pictures):
    picture(Path("slim/mine.png"))
    slim(cli, weights, pictures).refused(2, "slim is there already", "so it is kept")
    assert [p.name for p in Path("slim").iterdir()] == ["mine.png"]


def test_graphs_are_refused(cli):
    for name in ("candy.onnx", "candy.pt2"):
        Path(name).touch()
    cli("prune", "candy.onnx").refused(2, "candy.onnx is a graph", "package.module:factory")
    cli("prune", "candy.pt2").refused(2, "candy.pt2 is a graph")


def test_a_missing_folder_and_a_size_that_is_none(cli, weights):
    cli("prune", "adain-cd16x", "--checkpoint", weights, "--calibration", "nowhere").refused(
        2, "nowhere is not a folder"
    )
    cli("prune", "--size", "big").refused(2, "size 'big' is not a size")
    nothing_half_written(Path())


def test_a_compressed_file_of_another_network(cli, weights):
    cli("prune", "adain-vgg16", "--checkpoint", weights).refused(
        2, "a compressed adain-cd16x, not adain-vgg16"
    )


def test_pictures_too_small_for_the_network(cli, weights, pictures):
    cli(
        "prune", "adain-cd16x", "--checkpoint", weights, "--calibration", pictures, "--size", "8"
    ).refused(2, "size 8x8 is too small for adain-cd16x", "32")


@pytest.mark.slow
def test_symmetric_pruning_cuts_to_a_layout(cli, weights, pictures):
    common = (
        "prune",
        "adain-cd16x",
        "--checkpoint",
        weights,
        "--method",
        "symmetric-l2",
        "--calibration",
        pictures,
        "--size",
        "64",
        "-o",
        "slim",
    )
    done = cli(*common, "--layout", "3,16,12,20", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["layout"], report["removed"]) == ([3, 16, 12, 20], 20)
    module = open_network("adain-cd16x", [Path("slim/weights.safetensors")]).module
    assert module.encoder.blocks == [[16, 12], [20]]
    assert "down to the layout 3,16,12,20" in Path("slim/card.md").read_text()
    cli(*common, "--overwrite").refused(2, "either --layout or --ratio")
    cli(*common, "--overwrite", "--ratio", "0.5", "--layout", "published").refused(2, "either")
    cli(*common, "--overwrite", "--ratio", "0.5").refused(
        2, "takes no channel of adain-cd16x", "block 3"
    )
    assert report["weights_sha256"] == sha256_of([Path("slim/weights.safetensors")])


def test_options_of_the_other_method_are_refused(cli):
    cli("prune", "--ratio", "0.5").refused(2, "of --method symmetric-l2")
    for option in (
        ("--budget", "macs<=50%"),
        ("--sensitivity",),
        ("--mirror", "encoder.stem"),
        ("--criterion", "l1"),
        ("--no-refit",),
    ):
        cli("prune", *option).refused(2, option[0].replace("--no-", "--"), "of --method symmetric")
    cli("prune", "--method", "symmetric-l2", "--ratio", "0.5").refused(
        2, "adain-residual has no decoder that mirrors its encoder", "--mirror ENCODER_LAYER="
    )


def symmetric(cli: Cli, weights: Path, pictures: Path, *others: object):
    return cli(
        "prune",
        "adain-cd16x",
        "--checkpoint",
        weights,
        "--method",
        "symmetric-l2",
        "--calibration",
        pictures,
        "--size",
        "64",
        "-o",
        "slim",
        *others,
    )


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--layout", "3,16,12"), ("layout '3,16,12' does not fit", "3,16,16,32 is now")),
        (("--mirror", "encoder.features.2", "--ratio", "0.99"), ("empties encoder.features.2",)),
        (("--budget", "macs<=50%", "--layout", "published"), ("either", "--budget")),
        (("--budget", "macs<=50%", "--ratio", "0.5"), ("either --layout or --ratio or --budget",)),
        (("--budget", "style<=+5%"), ("says nothing of the size", "'macs<=50%, style<=+5%'")),
        (("--budget", "macs=50%"), ("written with <=",)),
        (("--criterion", "l3", "--layout", "3,9,9,9"), ("unknown criterion 'l3'", "l2, l1, geom")),
        (("--mirror", "encoder.feature.2", "--ratio", "0.5"), ("no layer", "encoder.features.2")),
        (("--mirror", "a=b=c", "--ratio", "0.5"), ("mirror 'a=b=c' is not one",)),
        (("--mirror", "decoder.layers.5", "--ratio", "0.5"), ("must stay: they are the picture",)),
        (("--retrain", "pictures", "--sensitivity"), ("--retrain needs to know what to cut",)),
        (("--retrain", "pictures", "--ratio", "0.5"), ("add --style FOLDER",)),
        (
            ("--retrain", "pictures", "--style", "pictures", "--layout", "3,9,9,9"),
            ("add --loss-weights PATH",),
        ),
    ],
)
def test_symmetric_pruning_refuses_what_does_not_fit(cli, weights, pictures, options, parts):
    symmetric(cli, weights, pictures, *options).refused(2, *parts)
    nothing_at(Path("slim"))
    assert not Path("slim-rounds").exists()


def test_sensitivity_is_shown_and_drawn_without_a_cut(cli, weights, pictures):
    done = symmetric(cli, weights, pictures, "--sensitivity", "--dry-run")
    assert done.code == 0, done.err
    assert "change of style distance" in done.out
    assert "conv1_1 = decoder.layers.3" in done.out
    nothing_at(Path("slim"))
    done = symmetric(cli, weights, pictures, "--sensitivity", "--json")
    assert done.code == 0, done.err
    assert sorted(path.name for path in Path("slim").iterdir()) == [
        "report.json",
        "sensitivity.svg",
    ]
    report = json.loads(done.out)
    assert report == json.loads(Path("slim/report.json").read_text())
    found = report["sensitivity"]
    assert (found["size"], found["pairs"], found["refitted"]) == ("64x64", 4, True)
    assert [layer["layer"] for layer in found["layers"]] == ["conv1_1", "conv1_2", "conv2_1"]
    assert [loss["width"] for loss in found["layers"][2]["losses"]] == [28, 24, 16, 8]
    assert Path("slim/sensitivity.svg").read_text().count('class="mark') == 3 * (5 + 1)


@pytest.mark.slow
def test_a_budget_finds_a_layout(cli, weights, pictures):
    budget = ("--budget", "macs<=60%, bytes<=70%, style<=+5000%")
    dry = symmetric(cli, weights, pictures, *budget, "--dry-run", "--json")
    assert dry.code == 0, dry.err
    nothing_at(Path("slim"))
    done = symmetric(cli, weights, pictures, *budget, "--json")
    assert done.code == 0, done.err
    report, before = json.loads(done.out), json.loads(dry.out)
    assert report["layout"] == before["layout"]
    assert (report["failures"], report["budget"]) == ([], budget[1])
    macs = [role["macs"] for role in report["costs"]["roles"]]
    assert sum(x["after"] for x in macs) <= 0.6 * sum(x["before"] for x in macs)
    parameters = report["costs"]["parameters"]
    assert parameters["after"] <= 0.7 * parameters["before"]
    assert {"sensitivity.svg", "channels.svg"} <= {path.name for path in Path("slim").iterdir()}
    card = Path("slim/card.md").read_text()
    assert f"Budget `{budget[1]}`: met." in card
    assert "style distance of 12 paintings at 64x64 (adain-lite encoder)" in card
    assert "weights reconstructed on 12 pictures" in card
    assert (report["style"]["pairs"], report["criterion"]) == (12, "l2")


@pytest.mark.slow
def test_a_budget_that_cannot_be_met_offers_the_nearest(cli, weights, pictures):
    done = symmetric(cli, weights, pictures, "--budget", "macs<=1%", "--json")
    assert done.code == 3
    assert json.loads(done.out)["layout"] == [3, 4, 4, 8]
    assert "budget 'macs<=1%' is not met: macs " in done.err
    assert "the nearest is slim/weights.safetensors; no layer is cut below a quarter" in done.err
    module = open_network("adain-cd16x", [Path("slim/weights.safetensors")]).module
    assert module.encoder.blocks == [[4, 4], [8]]
    done = symmetric(
        cli, weights, pictures, "--budget", "macs<=70%, psnr>=150", "--overwrite", "--no-refit"
    )
    assert done.code == 3
    assert "at least 150.00 dB allowed" in done.err
    assert "it was cut and not trained: add --retrain FOLDER" in done.err
    assert json.loads(Path("slim/report.json").read_text())["failures"] != []
    assert "not met: psnr" in Path("slim/card.md").read_text()
    dry = symmetric(cli, weights, pictures, "--budget", "macs<=1%", "--dry-run", "--overwrite")
    assert dry.code == 3
    assert "layout: 3,4,4,8" in dry.out
    assert "nothing was written" in dry.err


@pytest.mark.slow
def test_style_is_told_of_exact_pruning_too(cli, weights, pictures):
    done = slim(cli, weights, pictures)
    assert done.code == 0, done.err
    assert "style distance" in done.out
    style = json.loads(Path("slim/report.json").read_text())["style"]
    assert style["distance"]["before"] == pytest.approx(style["distance"]["after"], abs=1e-4)


@pytest.mark.slow
def test_criterion_and_refit_are_remembered(cli, weights, pictures):
    options = ("--layout", "3,16,12,20", "--criterion", "geometric-median", "--no-refit", "--json")
    done = symmetric(cli, weights, pictures, *options)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["criterion"], report["refitted_on"]) == ("geometric-median", 0)
    record = read_architecture(Path("slim/weights.safetensors"))
    assert record is not None
    assert record.history[-1].schedule["criterion"] == "geometric-median"
    kept = record.history[-1].kept["encoder.features.5"].outputs
    done = symmetric(cli, weights, pictures, "--layout", "3,16,12,20", "--overwrite")
    assert done.code == 0, done.err
    assert "new kernel from" in done.err
    other = read_architecture(Path("slim/weights.safetensors"))
    assert other is not None
    assert other.history[-1].schedule["refitted_on"] == 12
    assert other.history[-1].kept["encoder.features.5"].outputs != kept


OWN = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
            self.deep, self.back = nn.Conv2d(8, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
            self.out = nn.Conv2d(8, 3, 3, padding=1)

        def forward(self, image):
            x = F.relu(self.one(image))
            x = F.relu(x + self.two(x))
            return torch.sigmoid(self.out(F.relu(self.back(F.relu(self.deep(x))))))


    def build():
        return Net()
"""


def test_layers_of_a_users_network_are_tied(cli, pictures):
    spec = module_file("tied", OWN)
    common = (
        "prune",
        spec,
        "--method",
        "symmetric-l2",
        "--calibration",
        pictures,
        "--size",
        "64",
        "--mirror",
        "one=back",
        "--mirror",
        "deep",
        "-o",
        "slim",
    )
    done = cli(*common, "--layout", "3,5,4", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["layout"], report["removed"]) == ([3, 5, 4], 8)
    assert report["style"]["pairs"] == 12
    small = [Path("slim/weights.safetensors")]
    module = open_network(spec, small).module
    assert (module.one.out_channels, module.two.in_channels, module.two.out_channels) == (5, 5, 5)
    assert (module.deep.out_channels, module.back.out_channels) == (4, 5)
    done = cli(*common, "--overwrite", "--budget", "parameters<=50%", "--dry-run", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["costs"]["parameters"]["after"] < 1400
    cli(*common, "--overwrite", "--ratio", "0.5", "--retrain", pictures).refused(
        2, "build paints in one style, and --retrain trains two-image networks"
    )
    cli(*common, "--overwrite", "--mirror", "two", "--ratio", "0.5").refused(
        2, "--mirror two: its channels are those of one too", "name one of the two"
    )
    cli(*common, "--overwrite", "--layout", "3,5").refused(2, "2 widths, got 3 and 1; 3,8,6 is now")


@pytest.mark.slow
def test_pruning_in_rounds_trains_resumes_and_remembers(cli, weights, pictures, data):
    vgg = data / "weights/vgg16/vgg16_imagenet_to_relu5_3_fp16.npz"
    common = (
        "prune",
        "adain-cd16x",
        "--checkpoint",
        weights,
        "--method",
        "symmetric-l2",
        "--calibration",
        pictures,
        "--size",
        "64",
        "--layout",
        "3,16,12,20",
        "--rounds",
        "2",
        "--steps",
        "1",
        "--retrain",
        pictures,
        "--loss-weights",
        vgg,
        "-o",
        "slim",
    )
    cli(*common, "--style", pictures, "--resume").refused(2, "no slim-rounds/rounds.json", "leave")
    done = cli(*common, "--style", pictures, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["layout"], report["trained_steps"]) == ([3, 16, 12, 20], 2)
    record = read_architecture(Path("slim/weights.safetensors"))
    assert record is not None
    methods = [event.method for event in record.history]
    assert methods == ["symmetric-l2", "train", "symmetric-l2", "train"]
    middle = read_architecture(Path("slim-rounds/round_01/weights.safetensors"))
    assert middle is not None
    assert middle.widths["encoder.features.5"].outputs == 25
    cli(*common, "--style", pictures, "--overwrite").refused(2, "rounds.json exists: add --resume")
    before = Path("slim/weights.safetensors").read_bytes()
    again = cli(*common, "--style", pictures, "--overwrite", "--resume")
    assert again.code == 0, again.err
    assert Path("slim/weights.safetensors").read_bytes() == before
    picture(pictures / "another.png")
    cli(*common, "--style", pictures, "--overwrite", "--resume").refused(2, "another data")
    (pictures / "another.png").unlink()
    resumed = ("--style", pictures, "--overwrite", "--resume")
    for others, what in (
        (("--steps", "2"), "steps"),
        (("--criterion", "l1"), "criterion"),
        (("--mirror", "encoder.features.5"), "layout"),
        (("--no-refit",), "refit"),
    ):
        layout = ("--layout", "3,20") if what == "layout" else ()
        cli(*common, *resumed, *others, *layout).refused(2, f"another {what}")
    state = Path("slim-rounds/rounds.json")
    old = json.loads(state.read_text())
    for name in ("criterion", "mirrors", "refit", "budget"):
        del old[name]
    state.write_text(json.dumps(old))
    done = cli(*common, *resumed, "--no-refit")  # as an earlier version wrote it
    assert done.code == 0, done.err
    write_weights(
        weights, {k: v + 1 for k, v in load_file(weights).items()}, read_architecture(weights)
    )
    cli(*common, *resumed, "--no-refit").refused(2, "another checkpoint")
    cli("prune", "--resume").refused(2, "go with --retrain")
