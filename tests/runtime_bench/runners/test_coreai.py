"""Apple's Core AI runtime: what it refuses, and betas that have moved."""

from __future__ import annotations

import builtins
import hashlib
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from styleexport.core.errors import BadArtifact, MissingExtra, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Precision, Role, Size
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.bench.cells import _timed
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.diff.diff import diff_files
from styleexport.runtime_bench.formats import _coreai_trial
from styleexport.runtime_bench.formats._coreai import read_asset, tested_betas
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for
from styleexport.runtime_bench.runners.coreai import RUNNER

pytest.importorskip("coreai")
pytest.importorskip("coremltools")


@pytest.fixture(scope="module")
def both(zoo) -> Path:
    """A network in both of Apple's formats."""
    return zoo.artifact(
        "lite-apple",
        open_network("adain-lite"),
        targets=("coreai", "coreml"),
        precisions=(Precision.FP16,),
        roles=(Role.TRANSFORM,),
        sizes=(Size(32, 40),),
    )


def test_both_formats_agree_layer_by_layer(both):
    """Two judges that share no code: Apple's runtime, and our interpreter of Core ML."""
    core_ai, core_ml = (
        both / f"adain-lite_transform_32x40_fp16.{end}" for end in ("aimodel", "mlpackage")
    )
    report = diff_files(core_ml, core_ai, layers=True).report
    assert report.runners == ("coreml-reference", "coreai")
    assert report.output.psnr_db > 50
    assert len(report.layers) > 50
    assert report.first is None, report.first


def test_it_proves_files_and_never_times_them(both):
    (fact,) = (x for x in read_manifest(both).files if x.target == "coreai")
    assert runner_for(both / fact.path) is RUNNER
    assert [item.runner for item in fact.parity] == ["coreai"]
    with pytest.raises(UsageError, match="coreai is an interpreter for proofs, its time says noth"):
        _timed((RunnerChoice("coreai"),))


def test_one_picture_at_a_time(both):
    path = both / "adain-lite_transform_32x40_fp16.aimodel"
    with (
        pytest.raises(UsageError, match="one picture at a time; type --batch 1"),
        RUNNER.open(path, RunOptions(batch=2)),
    ):
        pass


def test_it_says_where_it_runs(monkeypatch):
    assert RUNNER.unavailable() is None
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert RUNNER.unavailable() == "Core AI runs on macOS and Linux, this is Windows"


def test_betas_that_have_moved_are_told_from_missing_ones():
    with (
        pytest.raises(
            MissingExtra,
            match=r"coreai-core .* and coreai-torch .* lack what they had .*coreai-core 1\.0\.0b3, "
            r"coreai-torch 0\.4\.3\): ImportError: no such name; type pip install 'styleexport\[co",
        ),
        tested_betas(),
    ):
        raise ImportError("no such name")


def test_a_library_of_another_name_is_not_blamed_on_them(monkeypatch):
    real = builtins.__import__

    def without(name: str, *rest):
        if name == "coreai":
            raise ModuleNotFoundError("No module named 'coreai'", name="coreai")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("styleexport.runtime_bench.formats._coreai.find_spec", lambda name: None)
    missing = pytest.raises(MissingExtra, match=r"Core AI needs coreai, which is not installed")
    with missing, tested_betas():
        import coreai  # noqa: F401


def test_a_program_that_ends_the_process_is_refused(both, tmp_path, monkeypatch):
    """Cut off, with the hash of what is left: Apple's parser throws through its own bindings."""
    monkeypatch.setenv("STYLEEXPORT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "crafted.aimodel"
    shutil.copytree(both / "adain-lite_transform_32x40_fp16.aimodel", path)
    content = (path / "main.mlirb").read_bytes()
    half = content[: len(content) // 2]
    (path / "main.mlirb").write_bytes(half)
    (path / "main.hash").write_bytes(hashlib.sha256(half).digest())
    with pytest.raises(BadArtifact, match=r"ends the process on it \(signal 6\)"):
        read_asset(path)
    with pytest.raises(BadArtifact, match="ends the process"), RUNNER.open(path, RunOptions()):
        pass


def test_a_program_is_tried_once(both, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEEXPORT_CACHE", str(tmp_path / "cache"))
    path = both / "adain-lite_transform_32x40_fp16.aimodel"
    _coreai_trial.try_program(path)
    monkeypatch.setattr(subprocess, "run", None)
    _coreai_trial.try_program(path)
    assert [x.name for x in (tmp_path / "cache").iterdir()] == ["coreai-programs"]
