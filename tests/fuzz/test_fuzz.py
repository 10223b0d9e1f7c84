"""Mutated input files: each is read, or refused by an error of ours in bounded time.

Examples are drawn from a fixed seed, so that a run is the same everywhere. Reading writes nothing
outside the folder of the test.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save
from safetensors.torch import save_file

from styleexport.core.documents import read_document
from styleexport.core.errors import StyleExportError
from styleexport.core.manifest import MANIFEST, read_manifest
from styleexport.core.program import load_program
from styleexport.core.recipe import RECIPE
from styleexport.core.terminal import one_line
from styleexport.models.architecture import read_architecture
from styleexport.models.checkpoint import read_tensors
from styleexport.runtime_bench.contract.job import job_from_json
from styleexport.runtime_bench.contract.latency import report_from_json
from styleexport.runtime_bench.parity import read_probe
from styleexport.runtime_bench.report.comparison import compare_reports
from styleexport.runtime_bench.report.formats import render
from styleexport.runtime_bench.style_packs import read_pack
from styleexport.runtime_bench.sweep.plan import exports_of, read_plan
from styleexport.runtime_bench.sweep.table import SCHEMA, reports
from tests.fuzz.mutations import documents, files

CONTRACT = Path(__file__).resolve().parents[1] / "contract"
ARTIFACT = CONTRACT / "artifacts/colour-transfer"
# Far above what any example takes; a hang is minutes.
MAX_SECONDS = 10
WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate")

fuzz = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Watch:
    """Watch over the files that Python code writes, as an audit hook, which cannot be taken off."""

    def __init__(self) -> None:
        self.inside: Path | None = None
        self.outside: list[str] = []
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.inside is None or not (event == "open" or event in WRITES):
            return
        path = arguments[0]
        if event == "open" and not (set(str(arguments[1] or "r")) & set("wax+")):
            return
        inside = isinstance(path, (str, bytes)) and str(self.inside) in str(path)
        if not inside and path != "/dev/null" and not isinstance(path, int):
            self.outside.append(f"{event} {path!r}")


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, watch: Watch) -> Iterator[Path]:
    """A folder with an artifact, which the tests damage and mend."""
    place = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(ARTIFACT, place / "artifact")
    yield place


@pytest.fixture
def bounded(folder: Path, watch: Watch) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Run a reader, which returns or raises an error of ours, and writes nothing outside."""
    before = sorted(folder.parent.iterdir())

    def run(read: Callable[[], object]) -> None:
        start = time.process_time()
        watch.inside, watch.outside = folder, []
        try:
            read()
        except StyleExportError as error:
            assert len(one_line(str(error))) > 10
        finally:
            watch.inside = None
        assert time.process_time() - start < MAX_SECONDS
        assert watch.outside == []

    yield run
    assert sorted(folder.parent.iterdir()) == before


# --- documents ----------------------------------------------------------------------------------


def manifest_json() -> dict:
    return json.loads((ARTIFACT / "manifest.json").read_text())


def read_artifact(folder: Path, raw: bytes) -> None:
    artifact = folder / "artifact"
    (artifact / "manifest.json").write_bytes(raw)
    manifest = read_manifest(artifact)
    manifest.encoded()
    for probe in manifest.probes:
        read_probe(artifact, probe)
    for pack in manifest.styles:
        read_pack(artifact, manifest, pack)
    for fact in manifest.files:
        assert fact.worst.passed in (True, False)
        _ = fact.size and fact.size.size()


@fuzz
@given(raw=documents(manifest_json()))
def test_manifests(bounded, folder, raw):
    bounded(lambda: read_artifact(folder, raw))


@fuzz
@given(raw=files((ARTIFACT / "manifest.json").read_bytes()))
def test_manifests_by_bytes(bounded, folder, raw):
    bounded(lambda: read_artifact(folder, raw))


def read_and_render(raw: bytes, kind: str) -> None:
    report = report_from_json(raw, "report.json")
    assert render([report], kind)  # pyright: ignore[reportArgumentType]
    compare_reports(report, report, fail_above=0.1)


@settings(fuzz, max_examples=25)
@given(
    raw=documents(json.loads((CONTRACT / "reports/desktop.json").read_text())),
    kind=st.sampled_from(("md", "csv", "json-table", "html")),
)
def test_reports(bounded, raw, kind):
    bounded(lambda: read_and_render(raw, kind))


@fuzz
@given(raw=documents(json.loads((CONTRACT / "jobs/job.json").read_text())))
def test_jobs(bounded, raw):
    bounded(lambda: job_from_json(raw, "job.json"))


RECIPE_JSON = {
    "schema_version": 1,
    "role": "transform",
    "size": {"height": 64, "width": 64},
    "settings": {"weights": "per-channel", "ranges": "mse", "equalize": 0.5},
    "islands": [{"layer": "conv", "reason": "why", "weight": ""}],
    "ranges": {"conv": [0.0, 1.0]},
    "calibration": {"method": "mse", "images": 8, "styles": 4, "sha256": "0" * 64},
    "trials": [],
}


@fuzz
@given(raw=documents(RECIPE_JSON))
def test_recipes(bounded, raw):
    bounded(lambda: read_document(raw, RECIPE, "recipe.json"))


@fuzz
@given(raw=files(b"[" * 500 + b"]" * 500))
def test_nested_documents(bounded, raw):
    bounded(lambda: read_document(raw, MANIFEST, "manifest.json"))


PLAN = """
networks = ["adain-lite", { name = "mine:build", checkpoints = ["weights.pth"] }]
sizes = ["64", 128, "64x96"]
runners = ["onnxruntime", "torch:dtype=bf16"]
roles = ["transform"]
batches = [1, 2]
threads = 2
rounds = 3
seconds = 0.5
profile = true

[[recipes]]
target = "onnx"
precision = "int8"
budget = "psnr>=35"
"""


def read_sweep(folder: Path, raw: bytes) -> None:
    (folder / "sweep.toml").write_bytes(raw)
    plan = read_plan(folder / "sweep.toml")
    list(exports_of(plan, folder))


@fuzz
@given(raw=files(PLAN.encode()))
def test_plans(bounded, folder, raw):
    bounded(lambda: read_sweep(folder, raw))


def toml_of(value: object) -> str:
    """Return a document as TOML of one line each key, values as inline TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml_of(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    return "[]" if value is None else json.dumps(value)


@fuzz
@given(raw=documents(tomllib.loads(PLAN)))
def test_plans_by_value(bounded, folder, raw):
    lines = [f"{json.dumps(k)} = {toml_of(v)}" for k, v in json.loads(raw).items()]
    bounded(
        lambda: read_sweep(folder, "\n".join(lines).encode(errors="surrogatepass")),
    )


# --- files --------------------------------------------------------------------------------------


def table_bytes(folder: Path) -> bytes:
    report = (CONTRACT / "reports/desktop.json").read_text()
    row = ("k", "n", "onnx", "fp32", "", "64x64", "all", "measured", "", "", "", report)
    path = folder / "whole.sqlite"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
        connection.execute(f"INSERT INTO cells VALUES ({', '.join('?' * len(row))})", row)
    connection.close()
    return path.read_bytes()


@settings(fuzz, max_examples=40)
@given(data=st.data())
def test_tables(bounded, folder, data):
    raw = data.draw(files(table_bytes(folder)))

    def read() -> None:
        (folder / "table.sqlite").write_bytes(raw)
        reports(folder / "table.sqlite")

    bounded(read)


PACK = save({"sea": np.ones((1, 6), np.float32), "dusk": np.zeros((1, 6), np.float32)})


@fuzz
@given(raw=files(PACK))
def test_style_packs(bounded, folder, raw):
    def read() -> None:
        artifact = folder / "artifact"
        manifest = manifest_json()
        (artifact / "styles/styles.safetensors").write_bytes(raw)
        manifest["styles"][0]["sha256"] = hashlib.sha256(raw).hexdigest()
        read_artifact(folder, json.dumps(manifest).encode())

    bounded(read)


def weights(suffix: str) -> bytes:
    tensors = {"a.weight": torch.ones(3, 2), "a.bias": torch.zeros(3)}
    out = io.BytesIO()
    if suffix == ".npz":
        np.savez(out, **{name: value.numpy() for name, value in tensors.items()})
    else:
        torch.save({"state_dict": tensors}, out)
    return out.getvalue()


@fuzz
@given(data=st.data(), suffix=st.sampled_from((".safetensors", ".npz", ".pth")))
def test_weights(bounded, folder, data, suffix):
    path = folder / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file({"a.weight": torch.ones(3, 2)}, path, metadata={"styleexport": "{}"})
        content = path.read_bytes()
    else:
        content = weights(suffix)
    raw = data.draw(files(content))

    def read() -> None:
        path.write_bytes(raw)
        read_architecture(path)
        read_tensors(path)

    bounded(read)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The entries of a captured program."""
    path = tmp_path_factory.mktemp("program") / "net.pt2"
    module = torch.nn.Conv2d(3, 3, 1).eval().requires_grad_(False)
    torch.export.save(torch.export.export(module, (torch.rand(1, 3, 8, 8),)), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


@settings(fuzz, max_examples=50)
@given(data=st.data())
def test_programs(bounded, folder, program, data):
    entries = dict(program)
    name = data.draw(st.sampled_from(sorted(entries)))
    if data.draw(st.booleans()) and name.endswith(".json"):
        entries[name] = data.draw(documents(json.loads(entries[name])))
    else:
        entries[name] = data.draw(files(entries[name]))
    raw = archive_of(entries)
    if data.draw(st.integers(0, 4)) == 0:
        raw = data.draw(files(raw))

    def read() -> None:
        (folder / "net.pt2").write_bytes(raw)
        load_program(folder / "net.pt2")

    bounded(read)
