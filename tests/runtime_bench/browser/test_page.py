"""The page's own tests, run by node, and what can be seen without running it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.runners.browser._job import PagePlanFact
from styleexport.runtime_bench.runners.browser._packages import FILES, LOCK, PAGE, versions
from tests.runtime_bench.browser.conftest import needed

HERE = Path(__file__).parent
MODULES = sorted(PAGE.glob("*.js"))


def test_the_modules_pass_their_tests():
    node = shutil.which("node")
    needed(None if node else "node is not installed: install Node.js 20 or newer")
    tests = sorted(map(str, HERE.glob("*.test.mjs")))
    assert len(tests) == 9
    done = subprocess.run(
        [str(node), "--test", "--test-reporter=tap", *tests],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_the_plan_is_that_of_the_desktop():
    plan, request = PagePlanFact(), BenchRequest((Path("artifact"),))
    for name in request.plan.__struct_fields__:
        assert getattr(plan, name) == getattr(request.plan, name)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_imports_what_is_there(module):
    source = module.read_text(encoding="utf-8")
    for name in re.findall(r'from "(\./[^"]+)"', source):
        assert (PAGE / name).is_file(), name
    assert "http://" not in source.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"\b(eval|innerHTML|outerHTML|insertAdjacentHTML)\b", source)


def test_every_element_that_is_asked_for_is_on_the_page():
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    asked = {
        name
        for module in MODULES
        for name in re.findall(r'(?:find|show|showPhoto|onPicture)\("([^"]+)"', module.read_text())
    }
    assert asked
    assert asked <= ids


def test_the_page_asks_other_hosts_for_nothing():
    for path in (PAGE / "index.html", PAGE / "style.css", PAGE / "icon.svg"):
        source = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|url\(|//\w", source), path


def test_packages_are_pinned_with_digests_and_without_a_host():
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    assert "resolved" not in LOCK.read_text(encoding="utf-8")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions().values())
    packages = {name: fact for name, fact in lock["packages"].items() if name}
    assert all(fact["integrity"].startswith("sha512-") for fact in packages.values())
    for name, version in versions().items():
        assert packages[f"node_modules/{name}"]["version"] == version
    for path in FILES:
        assert any(path.startswith(name.removeprefix("node_modules/")) for name in packages)


def test_the_import_map_leads_to_files_that_are_served():
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    inline = re.search(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    assert inline is not None
    for target in json.loads(inline[1])["imports"].values():
        assert target.removeprefix("./packages/") in FILES
