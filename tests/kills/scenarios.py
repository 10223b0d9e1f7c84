"""Commands that write files, at their smallest, and what must hold whenever one is killed."""

from __future__ import annotations

import json
import shutil
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import Tensor, nn

from styleexport.__main__ import main
from styleexport.cli.bench import bench as _bench  # noqa: F401 - imported once, before the forks
from styleexport.core import renaming
from styleexport.core.files import check_replaceable, remove_leftovers, replace_folder
from styleexport.core.manifest import ARTIFACT, read_manifest
from styleexport.core.types import Role, Size
from styleexport.exporter.pipeline import ExportRequest, check_out, export
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.distill import distill as _distill  # noqa: F401
from styleexport.models.compress.prune import prune as _prune  # noqa: F401
from styleexport.models.compress.prune.report import PRODUCT as PRUNED
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.training.loop import Trainer
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.run import run_training
from styleexport.models.transforms import adain
from styleexport.runtime_bench.contract.latency import read_report, write_report
from styleexport.runtime_bench.runners.browser._reports import Inbox
from styleexport.runtime_bench.stylize.style_pack import pack_styles
from styleexport.runtime_bench.stylize.stylizer import Stylizer
from styleexport.runtime_bench.sweep import SweepRequest, read_plan, reports
from styleexport.runtime_bench.sweep import run as sweep_run
from styleexport.runtime_bench.sweep.engine import TaskResult
from tests.runtime_bench.cells import small_report

NETWORKS = """
import torch
from torch import nn
from torch.nn import functional as F

from tests.kills.scenarios import Tiny


def build():
    return Tiny(12)


def thin():
    return Tiny(5)


def painter():
    torch.manual_seed(0)
    widths = (3, 8, 6, 8, 3)
    layers = [nn.Conv2d(*pair, 3, padding=1) for pair in zip(widths, widths[1:])]
    relus = [nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.Sigmoid()]
    return nn.Sequential(*(part for pair in zip(layers, relus) for part in pair))
"""


class Tiny(nn.Module):
    """A two-image network of two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        torch.manual_seed(width)
        self.body = nn.Conv2d(3, width, 3, padding=1)
        self.image = nn.Conv2d(width, 3, 3, padding=1)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code."""
        return adain.style_code([self.body(style)], unbiased=False)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting."""
        mixed = adain.apply(self.body(content), code, strength, unbiased=False)
        return self.image(nn.functional.relu(mixed))


class Scenario(ABC):
    """A command in a folder of its own."""

    def prepare(self, folder: Path) -> None:
        """Write what the command starts from."""
        (folder / "kill_networks.py").write_text(NETWORKS)
        for kind in ("photos", "paintings"):
            (folder / kind).mkdir()
            for index in range(self.pictures):
                pixels = np.random.default_rng(index).integers(0, 255, (40, 48, 3), np.uint8)
                Image.fromarray(pixels).save(folder / kind / f"{index}.png")

    pictures = 2

    @abstractmethod
    def run(self, folder: Path) -> None:
        """Run the command to its end."""

    @abstractmethod
    def check(self, folder: Path) -> None:
        """Check that all that is there is whole."""

    @abstractmethod
    def go_on(self, folder: Path) -> None:
        """Check that the next run goes on with what is there, and leaves nothing else."""


def command(*arguments: object) -> None:
    """Run a command line to its end, which must be good."""
    sys.argv = ["styleexport", *map(str, arguments)]
    sys.path.insert(0, "")
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, f"exit code {end.code}"


def network(width: int) -> LoadedNetwork:
    """A two-image network of the user's."""
    module = Tiny(width).eval().requires_grad_(False)
    described = StyleNetwork(
        name="tiny",
        summary="a network of yours",
        paper="mine",
        licence="that of your weights",
        build=lambda: module,
        read=lambda _: module,
        checkpoints="a state dict of your module",
    )
    return LoadedNetwork(
        described, module, ("tiny.pth",), str(width) * 64 if width < 10 else "a" * 64
    )


def export_tiny(out: Path, width: int = 5, roles: tuple[Role, ...] = (Role.TRANSFORM,)) -> None:
    """Export one role by default: the fewest files that an artifact can have."""
    export(ExportRequest(network(width), out, sizes=(Size(64, 64),), roles=roles))


def nothing_else(folder: Path, *expected: str) -> None:
    """Check that the next write leaves nothing of a killed one."""
    remove_leftovers(folder)
    left = {path.name for path in folder.iterdir()}
    assert left <= {"kill_networks.py", "photos", "paintings", "__pycache__", *expected}, left


class Export(Scenario):
    """An export to a new folder, or over an earlier artifact."""

    def __init__(self, *, over: bool, exchange: bool = True) -> None:
        self.over = over
        self.exchange = exchange

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        if self.over:
            export_tiny(folder / "out")

    def run(self, folder: Path) -> None:
        if not self.exchange:
            renaming._rename = lambda *_: False
        export_tiny(folder / "out", 6)

    def check(self, folder: Path) -> None:
        out = folder / "out"
        if self.over or out.exists():
            manifest = read_manifest(out)  # with the sha256 of every file
            assert manifest.network.source_sha256[0] in "56"
            check_out(out, overwrite=False)

    def go_on(self, folder: Path) -> None:
        nothing_else(folder, "out")


class Pack(Scenario):
    """A pack with thumbnails in an artifact that has another, new or in place of an earlier one."""

    def __init__(self, *, over: bool) -> None:
        self.over = over

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        for path in (folder / "photos").iterdir():  # styles, and so thumbnails, of their own
            with Image.open(path) as picture:
                ImageOps.invert(picture).rotate(90).save(path)
        export_tiny(folder / "out", roles=(Role.ENCODE, Role.TRANSFORM))
        pack_styles(folder / "out", [folder / "paintings"], "other")
        if self.over:
            pack_styles(folder / "out", [folder / "photos/0.png"], "mine")

    def run(self, folder: Path) -> None:
        command("styles", "pack", "out", "photos/1.png", "--name", "mine")

    def check(self, folder: Path) -> None:
        out = folder / "out"
        packs = read_manifest(out).styles
        found = {Path(pack.path).stem: pack.names for pack in packs}
        for pack in packs:
            assert tuple(thumbnail.style for thumbnail in pack.thumbnails) == pack.names
        assert found.pop("other") == ("0", "1")
        assert found in ([{"mine": ("0",)}] if self.over else [{}]) + [{"mine": ("1",)}]
        with Stylizer(out) as stylizer:
            assert {"0", "1"} <= set(stylizer.packed_codes())

    def go_on(self, folder: Path) -> None:
        out = folder / "out"
        check_out(out, overwrite=True)
        pack_styles(out, [folder / "photos/0.png"], "mine")
        manifest = read_manifest(out)
        assert {pack.names for pack in manifest.styles} == {("0", "1"), ("0",)}
        files = {
            path.relative_to(out).as_posix()
            for path in (out / "styles").rglob("*")
            if path.is_file()
        }
        assert files == {path for path in manifest.known_paths() if path.startswith("styles/")}
        assert len(files) == 2 + 3
        nothing_else(
            out,
            "README.md",
            "manifest.json",
            "programs",
            "probes",
            "styles",
            *(fact.path for fact in read_manifest(out).files),
        )


class Prune(Scenario):
    """A pruning over the folder of an earlier one."""

    pictures = 16

    def _prune(self, folder: Path, layout: str) -> None:
        line = (
            "prune kill_networks:painter --method symmetric-l2 --calibration photos "
            f"--size 40 --mirror 0=4 --mirror 2 --layout {layout} --overwrite -o slim"
        )
        command(*line.split())

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        self._prune(folder, "3,5,4")

    def run(self, folder: Path) -> None:
        self._prune(folder, "3,4,3")

    def check(self, folder: Path) -> None:
        report = json.loads((folder / "slim/report.json").read_bytes())
        assert report["layout"] in ([3, 5, 4], [3, 4, 3])
        assert report["weights_sha256"] == sha256_of([folder / "slim/weights.safetensors"])

    def go_on(self, folder: Path) -> None:
        check_replaceable(folder / "slim", PRUNED)
        nothing_else(folder, "slim")


class SmallObjective:
    """The least objective: outputs become grey."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def sheet_network(self) -> object:
        return self.module

    def open(self, step: int) -> None:
        pass

    def terms(self, step: int) -> dict[str, Tensor]:
        image = torch.zeros(1, 3, 16, 16)
        code = self.module.encode(image)
        painted = self.module.transfer(image, code, torch.ones(1))
        return {"grey": (painted - 0.5).square().mean()}

    def scales(self) -> dict[str, float]:
        return {"grey": 1.0}

    def first_db(self, contents: Tensor, styles: Tensor | None) -> None:
        return None

    def gains(self, contents: Tensor, styles: Tensor, paintings: Tensor) -> tuple[()]:
        return ()

    psnr_db = first_db

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: dict[str, Any]) -> None:
        pass


class Train(Scenario):
    """A training with a checkpoint on the way."""

    def run(self, folder: Path) -> None:
        self._train(folder, resume=False)

    def _train(self, folder: Path, *, resume: bool) -> None:
        loaded = network(5)
        loaded.module.requires_grad_(True)
        plan = TrainingPlan(
            content=(folder / "photos",),
            style=(folder / "paintings",),
            loss_weights=None,
            out=folder / "run",
            steps=60,
            checkpoint_every=30,
            sheet_every=50,
            bfloat16=False,
        )
        trainer = Trainer(loaded.module, plan, SmallObjective(loaded.module))  # type: ignore[arg-type]
        run_training(loaded.network, trainer, (), "train", resume=resume, progress=lambda _: None)

    def check(self, folder: Path) -> None:
        out = folder / "run"
        if (out / "weights.safetensors").exists():
            assert set(load_file(out / "weights.safetensors")) == set(Tiny(5).state_dict())
        if (out / "last.pt").exists():
            step = torch.load(out / "last.pt", weights_only=True)["step"]
            assert step in (30, 60)
        for sheet in out.glob("sheet_*.png"):
            Image.open(sheet).load()

    def go_on(self, folder: Path) -> None:
        out = folder / "run"
        self._train(folder, resume=(out / "last.pt").exists())
        assert torch.load(out / "last.pt", weights_only=True)["step"] == 60
        nothing_else(
            out,
            "last.pt",
            "weights.safetensors",
            "log.jsonl",
            "sheet_000050.png",
            "sheet_000060.png",
        )


class Distill(Scenario):
    """A distillation to its report."""

    def run(self, folder: Path) -> None:
        self._distill()

    def _distill(self, *options: str) -> None:
        line = (
            "distill --teacher kill_networks:build --student kill_networks:thin --content "
            "photos --evaluation photos --style paintings --evaluation-style paintings "
            "--crop 32 --size 32 --steps 2 --batch 2 --arithmetic fp32 --match body=body "
            "-o run"
        )
        command(*line.split(), *options)

    def check(self, folder: Path) -> None:
        out = folder / "run"
        if (out / "report.json").exists():
            report = json.loads((out / "report.json").read_bytes())
            assert report["weights_sha256"] == sha256_of([out / "weights.safetensors"])

    def go_on(self, folder: Path) -> None:
        out = folder / "run"
        begun = (out / "distill.json").exists()
        self._distill(*(["--resume"] if begun else []))
        report = json.loads((out / "report.json").read_bytes())
        assert (report["steps"], (out / "card.md").read_text()[:2]) == (2, "# ")
        assert report["weights_sha256"] == sha256_of([out / "weights.safetensors"])
        nothing_else(
            out,
            "last.pt",
            "weights.safetensors",
            "log.jsonl",
            "sheet.png",
            "card.md",
            "report.json",
            "distill.json",
            "sheet_000002.png",
        )


def copy_artifact(source: Path, out: Path) -> None:
    """Write an artifact as an export does, without computing it."""
    with replace_folder(out, ARTIFACT) as part:
        shutil.copytree(source, part, dirs_exist_ok=True)


class SerialEngine:
    """Does the tasks of a sweep in this process."""

    def map_tasks(self, function: Any, tasks: Any) -> Any:
        for task in tasks:
            yield TaskResult(task, function(task), host="here")

    def map_one_per_host(self, function: Any, groups: Any) -> Any:
        yield from self.map_tasks(function, [task for group in groups for task in group])


class Sweep(Scenario):
    """A sweep of two artifacts, new or begun anew over the table of an earlier one."""

    def __init__(self, *, over: bool) -> None:
        self.over = over

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        # Exports have a scenario of their own.
        export_tiny(folder / "made")
        (folder / "sweep.toml").write_text(
            'networks = ["a"]\nsizes = [64, 72]\nrunners = ["onnxruntime"]\n'
        )
        if self.over:
            self._sweep(folder, restart=False)

    def run(self, folder: Path) -> None:
        self._sweep(folder, restart=self.over)

    def _sweep(self, folder: Path, *, restart: bool) -> None:
        import contextlib

        sweep_run.cluster = lambda *_: contextlib.nullcontext(SerialEngine())
        sweep_run.host_lock = lambda **_: contextlib.nullcontext()
        request = SweepRequest(
            read_plan(folder / "sweep.toml"),
            folder,
            folder / "t.sqlite",
            {"onnx": ".onnx"},
            restart=restart,
        )
        rows = sweep_run.sweep(
            request,
            lambda _item, out: copy_artifact(folder / "made", out),
            lambda _: None,
            measure=lambda _cell, artifact: (read_manifest(artifact), small_report().encoded())[1],
        )
        assert [row.status for row in rows] == ["measured"] * 2

    def check(self, folder: Path) -> None:
        if (folder / "t.sqlite").exists() and (folder / "t.sqlite").stat().st_size:
            assert len(reports(folder / "t.sqlite")) in (0, 1, 2)

    def go_on(self, folder: Path) -> None:
        self._sweep(folder, restart=False)
        assert len(reports(folder / "t.sqlite")) == 2
        for artifact in (folder / "t-artifacts").iterdir():
            if not artifact.name.startswith("."):
                read_manifest(artifact)
        nothing_else(folder, "sweep.toml", "t.sqlite", "t-artifacts", "made")


class Bench(Scenario):
    """A latency report, new or in place of an earlier one."""

    def __init__(self, *, over: bool) -> None:
        self.over = over

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        export_tiny(folder / "out", roles=(Role.ENCODE,))
        if self.over:
            write_report(small_report(), folder / "r.json")

    def run(self, folder: Path) -> None:
        line = (
            "bench out --runner onnxruntime --role encode --rounds 1 --seconds 0.01 "
            "--threads 1 --no-peak -o r.json --overwrite"
        )
        command(*line.split())

    def check(self, folder: Path) -> None:
        if self.over or (folder / "r.json").exists():
            assert read_report(folder / "r.json").cells
        read_manifest(folder / "out")

    def go_on(self, folder: Path) -> None:
        write_report(small_report(), folder / "r.json")
        nothing_else(folder, "out", "r.json")


class Serve(Scenario):
    """Two reports that pages send to the server."""

    def run(self, folder: Path) -> None:
        inbox = Inbox(msgspec.UNSET, folder / "reports")  # type: ignore[arg-type]
        inbox._check = lambda _: None  # type: ignore[method-assign]
        for nonce in ("a", "b"):
            inbox._nonces[nonce] = None
            inbox.take(msgspec.structs.replace(small_report(), nonce=nonce).encoded())

    def check(self, folder: Path) -> None:
        for path in (folder / "reports").glob("*.json"):
            read_report(path)

    def go_on(self, folder: Path) -> None:
        before = {path.name: read_report(path) for path in (folder / "reports").glob("*.json")}
        self.run(folder)
        found = {path.name: read_report(path) for path in (folder / "reports").glob("*.json")}
        assert len(found) == len(before) + 2
        assert {name: found[name] for name in before} == before
        nothing_else(folder / "reports", *found)


class Sync(Scenario):
    """A copy of an artifact into an app, over an earlier one."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        (folder / "android_harness/app/src/main").mkdir(parents=True)
        export_tiny(folder / "new")
        self._sync("new")
        export_tiny(folder / "new", 6)

    def _sync(self, name: str) -> None:
        from styleexport.runtime_bench.phones.sync import sync

        sync(Path(name).resolve(), "android", Path("android_harness"))

    def run(self, folder: Path) -> None:
        self._sync("new")

    def check(self, folder: Path) -> None:
        (place,) = (folder / "android_harness/app/src/main/assets").glob("artifacts")
        for bundle in place.iterdir():
            if not bundle.name.startswith("."):
                read_manifest(bundle)

    def go_on(self, folder: Path) -> None:
        place = folder / "android_harness/app/src/main/assets/artifacts"
        self._sync("new")
        remove_leftovers(place)
        assert not [path for path in place.iterdir() if path.name.startswith(".")]


SCENARIOS: dict[str, Scenario] = {
    "export": Export(over=False),
    "export-over": Export(over=True),
    "export-over-without-exchange": Export(over=True, exchange=False),
    "styles-pack": Pack(over=False),
    "styles-pack-over": Pack(over=True),
    "prune": Prune(),
    "train": Train(),
    "distill": Distill(),
    "sweep": Sweep(over=False),
    "sweep-restart": Sweep(over=True),
    "bench": Bench(over=False),
    "bench-over": Bench(over=True),
    "serve": Serve(),
    "harness-sync": Sync(),
}
