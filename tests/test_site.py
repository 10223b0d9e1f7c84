"""The documentation: its commands run as written, its pages are built without a broken link."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from styleexport.core.assets import DEMO_CONTENT, DEMO_STYLE, folder
from tests.page_commands import NOT_RUN, blocks, calls, check_call, run_page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# Pages whose blocks are run; those of others give a reason why they are not.
JOURNEYS = DOCS / "journeys"
RUN = (*sorted(JOURNEYS.glob("[a-z]*.md")), DOCS / "faq.md")
SHIPPED = folder()


def named(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("path", [p for p in PAGES if calls(p.read_text("utf-8"))], ids=named)
def test_click_takes_every_command_line(path):
    for line in calls(path.read_text(encoding="utf-8")):
        check_call(line)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_command_is_run_or_gives_its_reason(path):
    page = path.read_text(encoding="utf-8")
    for block in blocks(page):
        if block.language == "bash" and path not in RUN and path != JOURNEYS / "README.md":
            assert block.not_run, f"{named(path)}: {block.lines[0]}"
    reasons = NOT_RUN.findall(page)
    assert not reasons or any(block.not_run for block in blocks(page)), "a mark above no block"
    for named_path in re.findall(r"\b(?:tests|docs)/[\w/.]*\w", " ".join(reasons)):
        assert (ROOT / named_path).exists(), named_path


@pytest.mark.slow
@pytest.mark.parametrize("path", RUN, ids=named)
def test_the_page_prints_what_it_says(path, zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(SHIPPED / DEMO_CONTENT, "photo.jpg")
    shutil.copy(SHIPPED / DEMO_STYLE, "painting.jpg")
    page = path.read_text(encoding="utf-8")
    if path.parent == JOURNEYS:
        page = (JOURNEYS / "README.md").read_text(encoding="utf-8") + page
    else:
        shutil.copytree(zoo.exported("adain-lite", "onnx"), "artifact")
    run_page(page, monkeypatch)


def build(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make site` does."""
    rule = (
        (ROOT / "Makefile").read_text(encoding="utf-8").partition("/mkdocs ")[2].partition("\n")[0]
    )
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *rule.split(), "-d", str(out)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stderr
    return out


def test_a_broken_link_fails_the_build(tmp_path):
    for name in ("docs", "tools"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "tools" / "site_hooks.py", tmp_path / "tools")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\n# An entry")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{config}\nnav: [index.md]\n", encoding="utf-8")
    page = tmp_path / "docs" / "index.md"
    page.write_text("# Page\n\n[fine](#page)\n", encoding="utf-8")
    assert build(tmp_path, tmp_path / "fine").returncode == 0
    links = ("nowhere.md", "#no-heading", "../no/file.py")
    page.write_text("# Page\n\n" + "".join(f"[broken]({x})\n\n" for x in links), encoding="utf-8")
    done = build(tmp_path, tmp_path / "broken")
    assert done.returncode != 0
    for link in links:
        assert link.removeprefix("../") in done.stderr, link


def test_the_site_is_built_without_a_broken_link(site):
    assert (site / "index.html").exists()
    for path in PAGES:
        name = named(path).removesuffix(".md").removesuffix("README").removesuffix("index")
        assert (site / name / "index.html").exists(), name


def test_pages_ask_no_other_server_for_anything(site):
    for path in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link)[^>]+(?:src|href)="(https?:[^"]+)"', path.read_text("utf-8")
        )
        assert not loaded, path
