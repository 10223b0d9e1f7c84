"""Every page in Chromium, wide and narrow, light and dark: axe-core finds nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest

from styleexport.core.manifest import read_manifest
from styleexport.core.types import Role
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.runtime_bench.contract.latency import read_report
from styleexport.runtime_bench.quality.compare import JudgeSettings, compare
from styleexport.runtime_bench.quality.page import page as quality_page
from styleexport.runtime_bench.quality.pairs import FileFilter, pairs_of
from styleexport.runtime_bench.report.formats import render
from styleexport.runtime_bench.runners.browser._drive import serving
from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
from styleexport.runtime_bench.runners.browser._server import Address, PageServer
from tests.pages.accessibility import findings
from tests.runtime_bench.browser.driven_page import DrivenPage
from tests.zoo import case

pytestmark = pytest.mark.slow

REPORTS = Path(__file__).parents[1] / "contract" / "reports"
WIDTHS = (1280, 390)
UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
# A table that is wider than its place has a shadow a side, and covers that scroll away with it.
SHADOWS = """[...document.querySelectorAll(".wide")]
  .filter((each) => each.scrollWidth > each.clientWidth)
  .map((each) => getComputedStyle(each).backgroundAttachment)"""
SHARING = """navigator.canShare = () => true;
navigator.share = async ({files: [file]}) => {
  globalThis.shared = [file.name, file.type, file.size > 1000];
};"""


def inspect(page: DrivenPage) -> None:
    """Check a page in every look; nothing but its tables is wider than the window."""
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            page.look(width, scheme)
            assert findings(page) == [], (width, scheme)
            assert page.run("document.documentElement.scrollWidth") <= width, (width, scheme)


def opened(page: DrivenPage, text: str, folder: Path) -> None:
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    page.open(path.as_uri())
    page.run(UNFOLD)


@pytest.mark.parametrize("names", [("desktop",), ("desktop", "phone")], ids="-".join)
def test_the_page_of_report(page, tmp_path, names):
    reports = [read_report(REPORTS / f"{name}.json") for name in names]
    opened(page, render(reports, "html"), tmp_path)
    inspect(page)
    assert page.console == []
    shadows = page.run(SHADOWS)
    assert shadows
    assert set(shadows) == {"local, local, scroll, scroll"}


def test_the_page_of_compare(page, tmp_path, int8_artifact):
    pairs = pairs_of([str(int8_artifact)], FileFilter(role=Role.TRANSFORM))
    opened(page, quality_page(compare(pairs, JudgeSettings(shipped_loss_network()))), tmp_path)
    inspect(page)
    assert page.console == []
    assert page.run(SHADOWS)


@pytest.mark.parametrize("name", [case("adain-lite", slow=False)])
def test_the_page_of_serve(page, packages, zoo, name, tmp_path):
    artifact = zoo.exported(name, "onnx")
    plan = PagePlanFact(rounds=2, seconds=0.05, min_samples=3)
    job = job_of(read_manifest(artifact), plan)
    page.before_load(SHARING)
    with serving(PageServer(Address(port=0), artifact, job, tmp_path)) as url:
        page.open(url)
        page.wait("painted-caption", "×")
        shows_a_painting_in_every_style(page)
        compares_and_shares(page)
        page.run(UNFOLD)
        inspect(page)
        quiet = [line for line in page.console if "No available adapters" not in line]
        assert quiet == []
        page.run("document.getElementById('start').click()")
        page.wait("stored", "stored as ")
        page.wait_for("document.querySelector('#chart svg')")
        inspect(page)
    page.open("about:blank")


def shows_a_painting_in_every_style(page: DrivenPage) -> None:
    """The styles that ship, without a pack, and the examples get thumbnails painted by the page."""
    painted = "[...document.querySelectorAll('#styles img')].map((each) => each.src.slice(0, 5))"
    page.wait_for(f"{painted}.every((start) => start === 'blob:')")
    names = page.run(
        "[...document.querySelectorAll('#styles span')].map((each) => each.textContent)"
    )
    assert names[:3] == ["Starry night", "Shipwreck", "Water lilies"]
    assert names[-2:] == ["Gold", "Your picture …"]
    tooltip = page.run("document.querySelector('#styles label').title")
    assert tooltip == "The Starry Night, Vincent van Gogh, 1889"
    # Nothing was asked of the browser so far that it would warn of.
    assert page.console == []


def compares_and_shares(page: DrivenPage) -> None:
    page.run(
        "(() => { const slider = document.getElementById('split'); slider.value = 75;"
        " slider.dispatchEvent(new Event('input')); })()"
    )
    clip = page.run("getComputedStyle(document.getElementById('painted')).clipPath")
    assert clip == "inset(0px 0px 0px 75%)"
    page.run("document.getElementById('share').click()")
    page.wait_for("globalThis.shared")
    assert page.run("globalThis.shared") == ["sample-Starry-night.png", "image/png", True]
