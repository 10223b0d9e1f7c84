"""The wheel and the editable install, beside a user's own ``models`` package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROBE = """
import models, styleexport.models.encoders.vgg16, styleexport.exporter.pipeline
import styleexport.runtime_bench.parity, styleexport
assert models.MINE == "mine", models
print(styleexport.models.encoders.vgg16.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out), str(ROOT)],
        check=True,
        capture_output=True,
        cwd=tmp_path_factory.mktemp("elsewhere"),
    )
    return next(out.glob("*.whl"))


def users_folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir(parents=True)
    (tmp_path / "models" / "__init__.py").write_text('MINE = "mine"\n')
    return tmp_path


@pytest.mark.slow
def test_wheel_holds_every_room_and_the_shipped_files(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "styleexport/exporter/pipeline.py",
        "styleexport/exporter/passes/fold_pointwise.py",
        "styleexport/models/weights/adain-lite.safetensors",
        "styleexport/models/weights/adain-lite.md",
        "styleexport/runtime_bench/runners/onnxruntime.py",
        "styleexport/runtime_bench/quality/templates/page.html.j2",
        "styleexport/runtime_bench/report/templates/page.html.j2",
        "styleexport/runtime_bench/report/templates/page.css",
        "styleexport/runtime_bench/runners/browser/page/app.js",
        "styleexport/runtime_bench/runners/browser/page/package-lock.json",
        "styleexport/assets/content_lake.jpg",
        "styleexport/assets/styles/adain-lite.safetensors",
        "styleexport/py.typed",
    ):
        assert name in names
    outside = ("models/", "exporter/", "tests/", "tools/")
    assert not [name for name in names if name.startswith(outside)]
    code = {
        name for name in names if name.startswith("styleexport/assets/") and name.endswith(".py")
    }
    assert code == {"styleexport/assets/__init__.py"}


@pytest.mark.slow
def test_wheel_says_where_the_project_lies(wheel):
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
    metadata = message_from_bytes(archive.read(name))
    assert metadata["Author"]
    named = dict(x.split(", ") for x in metadata.get_all("Project-URL", []))
    assert {"Homepage", "Documentation", "Changes", "Issues"} == set(named)
    description = metadata.get_payload()
    targets = re.findall(r"\]\(([^)#]+)\)", description)
    assert len(targets) > 20
    assert all(target.startswith("https://") for target in targets)
    assert re.search(r"!\[[^\]]+\]\(https://[^)]+\.jpg\)", description)


@pytest.mark.slow
def test_wheel_works_beside_a_models_package_of_the_users(wheel, tmp_path):
    place = tmp_path / "venv"
    venv.create(place, with_pip=False)
    site = next(place.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    # The heavy libraries come from the environment that runs the tests.
    libraries = [p for p in sys.path if p.endswith("site-packages")]
    done = subprocess.run(
        [place / "bin" / "python", "-c", PROBE],
        capture_output=True,
        text=True,
        cwd=users_folder(tmp_path),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *libraries])},
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    listed = subprocess.run(
        [place / "bin" / "python", "-m", "styleexport", "networks"],
        capture_output=True,
        text=True,
        cwd=users_folder(tmp_path / "other"),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *libraries])},
    )
    assert listed.returncode == 0, listed.stderr
    assert "adain-residual" in listed.stdout


def test_editable_install_works_beside_a_models_package_of_the_users(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, cwd=users_folder(tmp_path)
    )
    assert done.returncode == 0, done.stderr
