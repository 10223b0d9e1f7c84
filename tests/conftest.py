from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache as cached
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.onnx._internal.exporter._registration import ONNXRegistry

from styleexport.core import cache
from styleexport.core.garbage import collect_rarely
from styleexport.core.types import Precision, Size
from styleexport.models.networks._open import open_network
from tests import cpu_guard
from tests.zoo import SMALL_BUDGET, Zoo, load_own, load_random, shared_folder

__all__ = ["SMALL_BUDGET", "load_own", "load_random"]

TESTS = Path(__file__).parent
ROOT = TESTS.parent
# Their tests wait for what `make android-check` and `make ios-check` build beside the tests.
LAST = ("android", "contract", "ios", "tools")
# One process a core under pytest-xdist, and on a machine that others share.
ALONE = {"PYTEST_XDIST_WORKER", "OMP_NUM_THREADS"}.isdisjoint(os.environ)
torch.set_num_threads(2 if ALONE else 1)


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.register(cpu_guard, "cpu-guard")
    collect_rarely()


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of a file one process, which makes its fixtures once; long files begin."""
    weights: Counter[str] = Counter()
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(TESTS))))
        weights[_group(item)] += 20 if item.get_closest_marker("slow") else 1
    items.sort(key=lambda item: (_is_last(item), -weights[_group(item)], _group(item)))


def pytest_collection_finish() -> None:
    """Leave what has been imported out of garbage collections, as an export does."""
    gc.freeze()


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    assert marker is not None
    return str(marker.args[0])


def _is_last(item: pytest.Item) -> bool:
    return item.path.relative_to(TESTS).parts[0].startswith(LAST)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, for their subprocesses too; one for all processes of a run."""
    folder = shared_folder(tmp_path_factory.getbasetemp()) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(folder))
        patch.setenv("STYLEEXPORT_JOBS", "1")  # the tests keep every core busy
        yield folder


@pytest.fixture(scope="session", autouse=True)
def translations_to_onnx() -> Iterator[None]:
    """torch.onnx.export parses all its translations anew in every call, half a second: here once.

    It only reads them, unless a caller adds some of its own.
    """
    read = cached(ONNXRegistry.from_torchlib)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(read))
        yield


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random tensors in every run, whichever tests came before."""
    torch.manual_seed(0)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def random_network():
    return load_random


def shared_data() -> Path | None:
    """The shared weights and pictures, if they are here."""
    folder = Path(os.environ.get("STYLEEXPORT_DATA", ROOT.parent / "shared" / "data"))
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared weights and pictures; absent on a user's machine, required in CI."""
    folder = shared_data()
    if folder is None:
        reason = "no shared data: set STYLEEXPORT_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """The artifacts that tests of all processes share; never changed."""
    folder = shared_folder(tmp_path_factory.getbasetemp()) / "zoo"
    folder.mkdir(exist_ok=True)
    return Zoo(folder, shared_data())


@pytest.fixture(scope="session")
def artifact(zoo: Zoo) -> Path:
    """A small float artifact of adain-lite with random weights; never changed."""
    sizes = (Size(64, 96), Size(64, 64))
    return zoo.artifact("random-lite", load_random("adain-lite"), sizes=sizes)


@pytest.fixture(scope="session")
def int8_artifact(zoo: Zoo) -> Path:
    """The shipped network at 64x96 in int8; never changed."""
    return zoo.artifact(
        "int8-lite",
        open_network("adain-lite"),
        precisions=(Precision.INT8,),
        sizes=(Size(64, 96),),
        budget=SMALL_BUDGET,
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A 90x70 picture whose four corners differ."""
    rows, columns = np.mgrid[0:70, 0:90]
    pixels = np.stack([rows * 255 // 69, columns * 255 // 89, (rows + columns) % 256], -1)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path
