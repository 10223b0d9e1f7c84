"""axe-core on a page of Chromium: its findings that are serious or critical, as sentences."""

from __future__ import annotations

from pathlib import Path

from tests.runtime_bench.browser.driven_page import DrivenPage

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RUN = """axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .flatMap(({id, impact, nodes}) => nodes.map(({target, failureSummary}) =>
    `${impact} ${id}: ${target.join(" ")}: ${failureSummary}`)))"""


def missing() -> str | None:
    """Return how to get axe-core where it is missing."""
    return None if AXE.is_file() else "axe-core is not installed: type `make browser`"


def findings(page: DrivenPage) -> list[str]:
    """Return what axe-core finds serious or critical on a page as it is shown now."""
    if not page.run("'axe' in globalThis"):
        page.run(AXE.read_text(encoding="utf-8") + "; undefined")
    return page.run(RUN)
