from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from styleexport.core import cache
from styleexport.core.types import Precision, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.networks._open import user_network, find

ROOT = Path(__file__).parents[1]
# Pictures of 64x96 lose more than those that the default budget is made for.
SMALL_BUDGET = "psnr>=30, style<=+10%"
# One process a core under pytest-xdist.
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


def load_random(name: str, seed: int = 0) -> LoadedNetwork:
    """A network with seeded random weights: fast, and the same everywhere."""
    torch.manual_seed(seed)
    network = find(name)
    module = network.build().eval().requires_grad_(False)
    return LoadedNetwork(network, module, ("random.pth",), "0" * 64)


def load_own(module: nn.Module) -> LoadedNetwork:
    """A network of a user's: any module of ``forward(content)``, or of encode and transfer."""
    network: StyleNetwork = user_network("mine", "mine", lambda: module, lambda _: module)
    return LoadedNetwork(network, module.eval().requires_grad_(False), ("mine.pth",), "0" * 64)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, for their subprocesses too; one for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(folder))
        yield folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def random_network():
    return load_random


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared weights and pictures; absent on a user's machine, required in CI."""
    folder = Path(os.environ.get("STYLEEXPORT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no shared data at {folder}: set STYLEEXPORT_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small float artifact of the default network with random weights; never changed."""
    out = tmp_path_factory.mktemp("artifact") / "lite"
    export(ExportRequest(load_random("adain-lite"), out, sizes=(Size(64, 96), Size(64, 64))))
    return out


@pytest.fixture(scope="session")
def int8_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network at 64x96 in int8; never changed."""
    from styleexport.models.networks._open import open_network

    out = tmp_path_factory.mktemp("int8") / "lite"
    request = ExportRequest(
        open_network("adain-lite"),
        out,
        precisions=(Precision.INT8,),
        sizes=(Size(64, 96),),
        budget=SMALL_BUDGET,
    )
    export(request)
    return out


@pytest.fixture
def ungated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights amplify rounding: let every precision pass that paints something."""
    from styleexport.core.thresholds import ALLOWED_DB

    for precision in Precision:
        if precision not in (Precision.FP32, Precision.FP16):
            monkeypatch.setitem(ALLOWED_DB, precision, 5.0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A 90x70 picture whose four corners differ."""
    rows, columns = np.mgrid[0:70, 0:90]
    pixels = np.stack([rows * 255 // 69, columns * 255 // 89, (rows + columns) % 256], -1)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path
