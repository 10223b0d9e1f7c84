"""Export in several processes: the same files, and errors that reach the caller."""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from styleexport.core.errors import DeviceError, UnsupportedOp
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter import pipeline, processes
from styleexport.exporter.graph_job import ExportRun
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.exporter.shared_groups import SharedGroups
from styleexport.models.networks._open import open_network

SIZES = (Size(32, 40), Size(40, 32))
NETWORK = """
import os, signal, torch
from torch import nn

class Tint(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, content):
        if os.getpid() != {caller}:
            {in_worker}
        return torch.sigmoid(self.convolution(content))

class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        widths = (3, 8, 8, 3)
        layers = [nn.Conv2d(*pair, 3, padding=1) for pair in zip(widths, widths[1:])]
        self.layers = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])

    def forward(self, content):
        return self.layers(content).clamp(0, 1)

class Sealed(Tint):
    def __reduce__(self):
        raise TypeError("a lock cannot be pickled")

class Foreign(Tint):
    def __reduce__(self):
        return exec, ("raise ImportError('only in the process that made it')",)
"""


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a request for a network of a module that workers can import."""
    monkeypatch.syspath_prepend(tmp_path)

    def request(module: str, factory: str = "Tint", in_worker: str = "pass") -> ExportRequest:
        text = NETWORK.format(caller=os.getpid(), in_worker=in_worker)
        (tmp_path / f"{module}.py").write_text(text)
        network = open_network(f"{module}:{factory}")
        return ExportRequest(network, tmp_path / "out", sizes=SIZES, jobs=2)

    return request


def export_in_worker(request: ExportRequest, folder: Path):
    """Return what one worker exports when the calling process takes nothing, and its error."""
    folder.mkdir()
    targets = pipeline._targets_of(request, print)  # pyright: ignore[reportPrivateUsage]
    fact = pipeline._network_fact(request.network)  # pyright: ignore[reportPrivateUsage]
    lines: list[str] = []
    run = ExportRun(request, fact, targets, folder, lines.append)
    message = processes._message(run)  # pyright: ignore[reportPrivateUsage]
    assert message is not None
    keys = deque(enumerate((Role.STYLIZE, size) for size in SIZES))
    finished: dict[int, processes.ExportedGraph] = {}
    shared = SharedGroups()
    shared.close()
    worker = processes._Worker(message, 1, run.progress, keys, finished, shared)  # pyright: ignore[reportPrivateUsage]
    try:
        worker.run()
    finally:
        worker.kill()
    return finished, worker.error, lines


def test_a_worker_writes_the_same_files(request_of, tmp_path: Path) -> None:
    request = request_of("tint")
    here = export(request).manifest
    finished, error, lines = export_in_worker(request, tmp_path / "worker")
    assert error is None
    assert [finished[place].files[0].fact for place in range(2)] == list(here.files)
    assert any(line.endswith("parity") for line in lines)


@pytest.mark.slow
def test_a_worker_writes_files_of_the_calling_process(
    request_of, tmp_path, monkeypatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All but the first here, with the bytes that one process writes; its libraries are quiet."""
    pytest.importorskip("coremltools")
    request = replace(
        request_of("deep", "Deep"),
        targets=("onnx", "coreml"),
        precisions=(Precision.INT8,),
        sizes=SIZES[:1],
        allow_degraded=True,
    )
    alone = export(replace(request, out=tmp_path / "alone", jobs=1)).manifest

    def none(self: SharedGroups) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not (self._waiting or self._away))

    monkeypatch.setattr(SharedGroups, "_next", none)
    capfd.readouterr()
    assert export(request).manifest == alone
    assert "coremltools" not in capfd.readouterr().err


def test_a_worker_that_fails_ends_the_wait_of_the_calling_process() -> None:
    shared = SharedGroups()
    shared._away = 1
    threading.Timer(0.01, shared.close).start()
    assert shared._next() is None


@pytest.mark.parametrize("factory", ["Sealed", "Foreign"])
def test_a_network_that_cannot_be_sent_is_exported_here(request_of, factory: str) -> None:
    assert len(export(request_of(factory.lower(), factory)).manifest.files) == len(SIZES)


@pytest.mark.parametrize(
    ("in_worker", "kind", "text"),
    [
        ("raise ValueError('no paint')", UnsupportedOp, "no paint"),
        ("os.kill(os.getpid(), signal.SIGKILL)", DeviceError, "type --jobs 1"),
    ],
)
def test_what_stops_a_worker_stops_the_export(
    request_of, tmp_path: Path, in_worker: str, kind: type[Exception], text: str
) -> None:
    request = request_of(kind.__name__.lower(), in_worker=in_worker)
    finished, error, _ = export_in_worker(request, tmp_path / "worker")
    assert isinstance(error, kind)
    assert text in str(error)
    assert not finished


def test_one_process_on_one_core_or_for_large_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = {0, 1}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
    assert processes.default_jobs([Size(512, 512)]) == 2
    assert processes.default_jobs([Size(512, 512), Size(512, 2048)]) == 1
    cores = {0}
    assert processes.default_jobs([Size(512, 512)]) == 1
