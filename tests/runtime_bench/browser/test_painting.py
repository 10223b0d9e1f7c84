"""The page paints in headless Chromium: at once, and by optimization."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.runners.browser._drive import serving
from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
from styleexport.runtime_bench.runners.browser._server import Address, PageServer
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
