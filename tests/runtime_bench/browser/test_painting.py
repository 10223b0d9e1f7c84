"""The page paints in headless Chromium: at once, in tiles, and by optimization."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleexport.core import assets
from styleexport.core.manifest import FileFact, read_manifest
from styleexport.core.types import Precision
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for
from styleexport.runtime_bench.runners.browser._drive import serving
from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
from styleexport.runtime_bench.runners.browser._server import Address, PageServer
from styleexport.runtime_bench.style_packs import read_pack
from styleexport.runtime_bench.stylize.style_pack import pack_styles
from styleexport.runtime_bench.tiling.files import TiledFiles
from styleexport.runtime_bench.tiling.painter import TiledPainter
from styleexport.runtime_bench.tiling.pictures import ArrayPicture
from tests.runtime_bench.browser.driven_page import DrivenPage, driven
from tests.zoo import case

BRIGHTNESS = """(() => {
  const {width, height} = document.getElementById("painted");
  const context = document.getElementById("painted").getContext("2d");
  return context.getImageData(0, 0, width, height).data.reduce((sum, value) => sum + value, 0);
})()"""


@contextlib.contextmanager
def page_of(artifact: Path, reports: Path) -> Iterator[DrivenPage]:
    job = job_of(read_manifest(artifact), PagePlanFact())
    with serving(PageServer(Address(port=0), artifact, job, reports)) as url, driven(url) as page:
        yield page


def test_a_first_picture_is_painted(browser, artifact, tmp_path):
    with page_of(artifact, tmp_path) as page:
        assert page.wait("painted-caption", "×").startswith("the painting, ")
        assert page.run('document.getElementById("optimizing").hidden') is True
        assert page.run('document.getElementById("camera").disabled') is False
        before = page.run(BRIGHTNESS)
        page.run('document.querySelectorAll("#styles input")[1].click()')
        while page.run(BRIGHTNESS) == before:
            assert page.text("trouble") == ""


@pytest.mark.parametrize("name", [case("gatys-vgg-eighth", slow=False)])
def test_a_step_file_is_iterated_until_it_is_stopped(browser, zoo, name, tmp_path):
    def iterate(number: int) -> None:
        page.run(f'document.getElementById("iterations").value = {number}')
        page.run('document.getElementById("iterations").dispatchEvent(new Event("change"))')

    with page_of(zoo.exported(name, "onnx"), tmp_path) as page:
        assert ", 100 iterations, best loss " in page.wait("painted-caption", "best loss")
        assert page.run('document.getElementById("camera").disabled') is True
        iterate(1000)
        page.wait("painted-caption", "of 1000")
        # A change of the settings starts again.
        iterate(999)
        page.wait("painted-caption", "of 999")
        page.run('document.getElementById("stop").click()')
        assert "stopped after iteration " in page.wait("painted-caption", "best loss")
        assert page.run('document.getElementById("stop").disabled') is True


FOLDERS = """navigator.storage.getDirectory().then(async (root) => {
  const names = [];
  for await (const name of root.keys()) names.push(name);
  document.getElementById("summary").textContent = `folders ${names}`;
}) && undefined"""
SAMPLES = """(() => {
  const canvas = document.getElementById("painted");
  const {width, height} = canvas;
  const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
  const found = [];
  for (let row = 3; row < height; row += 10)
    for (let column = 3; column < width; column += 10)
      found.push([...data.slice(4 * (row * width + column), 4 * (row * width + column) + 3)]);
  return found;
})()"""


@pytest.fixture
def full_artifact(zoo, tmp_path) -> Path:
    """The shipped network with files that paint in tiles, and a packed style."""
    whole = zoo.in_tiles("adain-lite", "onnx", Precision.FP32)
    copy = Path(shutil.copytree(whole, tmp_path / "full"))
    pack_styles(copy, [assets.bundled("style")[0]])
    return copy


def painted_here(artifact: Path, strength: float) -> np.ndarray:
    """The page's first picture in the packed style, painted by the reference, as bytes."""
    manifest = read_manifest(artifact)
    with Image.open(assets.folder() / assets.DEMO_CONTENT) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    parts = np.zeros(pixels.shape, np.float32)

    def write(rows: slice, columns: slice, part: np.ndarray) -> None:
        parts[rows, columns] = part[0].transpose(1, 2, 0)

    def opened_file(fact: FileFact):
        path = artifact / fact.path
        return runner_for(path).open(path, RunOptions())

    files = TiledFiles.of(manifest, manifest.tilings[0], opened_file)
    (code,) = read_pack(artifact, manifest, manifest.styles[0]).values()
    inputs = {"style_code": code, "strength": np.array([strength], np.float32)}
    TiledPainter(files).paint(ArrayPicture(pixels), inputs, write)
    return (parts.clip(0, 1) * 255).round()


def test_a_photo_is_painted_at_full_size_and_repainted_at_another_strength(
    browser, full_artifact, tmp_path
):
    with page_of(full_artifact, tmp_path) as page:
        caption = page.wait("painted-caption", "at full size")
        assert caption == "the painting, 384×512, at full size"
        assert page.run('document.getElementById("no-tiles").hidden') is True
        assert page.run('document.getElementById("painter").options.length') == 1
        # Feature maps are files of the browser.
        page.run(FOLDERS)
        assert page.wait("summary", "folders").startswith("folders maps-")
        total = page.run('document.getElementById("tile").max')
        for strength in (1.0, 0.3):
            expected = painted_here(full_artifact, strength)[3::10, 3::10].reshape(-1, 3)
            # Chromium decodes the photograph a little differently.
            difference = np.abs(np.array(page.run(SAMPLES)) - expected)
            assert difference.mean() < 1.5, (strength, difference.mean(), difference.max())
            if strength == 1.0:
                page.run('document.getElementById("strength").value = 0.3')
                # The first tile of a repaint comes after those of the features.
                page.run('document.getElementById("tile").value = 0')
                page.run('document.getElementById("strength").dispatchEvent(new Event("change"))')
                page.wait("painted-caption", "tile ")
                assert page.run('document.getElementById("tile").value') > total / 6
                page.wait("painted-caption", "at full size")
        # Without it the photograph is scaled to the file.
        page.run('document.getElementById("full").click()')
        assert page.wait("painted-caption", "×") == "the painting, 96×128"


def test_painting_in_tiles_can_be_stopped(browser, full_artifact, tmp_path):
    with page_of(full_artifact, tmp_path) as page:
        page.wait("painted-caption", "tile ")
        page.run('document.getElementById("stop-tiles").click()')
        assert page.wait("painted-caption", "stopped") == "the painting was stopped"
        assert page.run('document.getElementById("stop-tiles").disabled') is True
        assert page.text("trouble") == ""
        # It begins anew.
        page.run('document.getElementById("strength").dispatchEvent(new Event("change"))')
        page.wait("painted-caption", "at full size")


def test_without_tiles_the_page_says_what_to_export(browser, artifact, tmp_path):
    with page_of(artifact, tmp_path) as page:
        page.wait("painted-caption", "×")
        assert "styleexport export --full" in page.text("no-tiles")
        assert page.run('document.getElementById("tiling").hidden') is True
