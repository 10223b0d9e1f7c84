from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from styleexport.core.manifest import read_manifest, write_manifest
from styleexport.core.types import Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.runtime_bench.quality.compare import JudgeSettings
from tests.conftest import load_own


@pytest.fixture(scope="session")
def settings() -> JudgeSettings:
    return JudgeSettings(shipped_loss_network())


@pytest.fixture(scope="session")
def fixed_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small float artifact of a network with a style of its own; never changed."""

    class Brush(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(3 * self.conv(image))

    out = tmp_path_factory.mktemp("fixed") / "brush"
    export(ExportRequest(load_own(Brush()), out, sizes=(Size(64, 64),)))
    return out


@pytest.fixture(scope="session")
def without_encoder(int8_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 artifact as `--role transform` leaves it; never changed."""
    copy = shutil.copytree(int8_artifact, tmp_path_factory.mktemp("alone") / "lite")
    manifest = read_manifest(copy)
    write_manifest(
        msgspec.structs.replace(
            manifest,
            **{
                name: tuple(f for f in getattr(manifest, name) if f.role == "transform")
                for name in ("files", "programs", "probes")
            },
        ),
        copy,
    )
    return copy
