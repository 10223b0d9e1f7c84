"""Pictures and encoder weights of trainings, and contact sheets of few pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from styleexport.models.encoders import mobilenetv2, vgg16, vgg19
from tests.models.pictures import write_pictures


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_pictures(folder, 2)
    torch.manual_seed(0)
    for name, module in (("vgg16", vgg16), ("vgg19", vgg19)):
        state = module.build(("relu4_1",)).features.state_dict()
        torch.save({f"features.{k}": v for k, v in state.items()}, folder / f"{name}.pth")
    state = mobilenetv2.build(("features.6",)).features.state_dict()
    torch.save({f"features.{k}": v for k, v in state.items()}, folder / "mobilenet.pth")
    return folder


@pytest.fixture(autouse=True)
def small_sheets(monkeypatch):
    monkeypatch.setattr("styleexport.models.training.run.SHEET_SIDE", 48)
