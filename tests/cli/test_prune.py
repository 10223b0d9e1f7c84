"""`styleexport prune`: what it writes, that every command takes it, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.architecture import (
    architecture_of,
    layers,
    read_architecture,
    write_weights,
)
from styleexport.models.registry import find, open_network
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
        "prune", "adain-cd16x", "--checkpoint", weights, "--method", "zero-channel",
        "--calibration", pictures, "--size", "64", "-o", "slim", *others,
    )  # fmt: skip


def test_a_pruned_network_is_a_network_like_any_other(cli, weights, pictures):
    done = slim(cli, weights, pictures)
    assert done.code == 0, done.err
    assert "encoder.features.5: 16 → 16 in, 32 → 29 out" in done.out
    assert "values in a style code" in done.out
    assert sorted(path.name for path in Path("slim").iterdir()) == [
        "card.md", "channels.svg", "report.json", "sheet.png", "weights.safetensors"
    ]  # fmt: skip
    report = json.loads(Path("slim/report.json").read_text())
    assert (report["removed"], report["calibration"], report["held_out"]) == (3, 12, 4)
    assert report["worst_db"] > 110
    assert report["costs"]["style_code"] == {"before": 64, "after": 58}
    assert "3 channels that are always empty" in Path("slim/card.md").read_text()
    assert Path("slim/channels.svg").read_text().count("#c8442e") == 3
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


def test_pruning_again_adds_to_the_history(cli, weights, pictures):
    slim(cli, weights, pictures)
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
    done = cli("prune", spec, "--checkpoint", "w.pth", "--calibration", pictures, "--size", "64",
               "-o", "slim")  # fmt: skip
    assert done.code == 0, done.err
    assert "a: 3 → 3 in, 6 → 4 out" in done.out
    assert open_network(spec, [Path("slim/weights.safetensors")]).module.a.out_channels == 4


def test_too_few_pictures(cli, weights, pictures):
    for path in sorted(pictures.iterdir())[1:]:
        path.unlink()
    slim(cli, weights, pictures).refused(2, "1 pictures", "too few to call a channel empty", "16")
    nothing_at(Path("slim"))


def test_a_folder_that_holds_other_things_is_left_alone(cli, weights, pictures):
    picture(Path("slim/mine.png"))
    slim(cli, weights, pictures).refused(2, "slim is not empty", "--overwrite")
    assert [p.name for p in Path("slim").iterdir()] == ["mine.png"]


def test_graphs_are_refused(cli):
    cli("prune", "candy.onnx").refused(2, "candy.onnx is a graph", "package.module:factory")
    cli("prune", "candy.pt2").refused(2, "candy.pt2 is a graph")


def test_a_missing_folder_and_a_size_that_is_none(cli, weights):
    cli("prune", "adain-cd16x", "--checkpoint", weights, "--calibration", "nowhere").refused(
        2, "nowhere is not a folder"
    )
    cli("prune", "--size", "big").refused(2, "size 'big' is not a size")
    nothing_half_written(Path())


def test_a_compressed_file_of_another_network(cli, weights, pictures):
    slim(cli, weights, pictures)
    cli("prune", "adain-vgg16", "--checkpoint", "slim/weights.safetensors").refused(
        2, "a compressed adain-cd16x, not adain-vgg16"
    )


def test_pictures_too_small_for_the_network(cli, weights, pictures):
    cli("prune", "adain-cd16x", "--checkpoint", weights, "--calibration", pictures,
        "--size", "8").refused(2, "size 8x8 is too small for adain-cd16x", "32")  # fmt: skip


def test_symmetric_pruning_cuts_to_a_layout(cli, weights, pictures):
    common = ("prune", "adain-cd16x", "--checkpoint", weights, "--method", "symmetric-l2",
              "--calibration", pictures, "--size", "64", "-o", "slim")  # fmt: skip
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
    cli("prune", "--method", "symmetric-l2", "--ratio", "0.5").refused(
        2, "adain-lite has no decoder that mirrors its encoder"
    )


def test_pruning_in_rounds_trains_resumes_and_remembers(cli, weights, pictures, data):
    vgg = data / "weights/vgg16/vgg16_imagenet_to_relu5_3_fp16.npz"
    common = (
        "prune", "adain-cd16x", "--checkpoint", weights, "--method", "symmetric-l2",
        "--calibration", pictures, "--size", "64", "--layout", "3,16,12,20", "--rounds", "2",
        "--steps", "1", "--retrain", pictures, "--loss-weights", vgg, "-o", "slim",
    )  # fmt: skip
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
    cli(*common, "--style", pictures, "--overwrite", "--resume", "--steps", "2").refused(
        2, "another steps"
    )
    torch.save({}, "none.pth")
    cli("prune", "--resume").refused(2, "go with --retrain")
