"""Links and navigation of the site."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from mkdocs.structure.files import File

from tools.site_hooks import (
    DOCS,
    ROOT,
    on_config,
    on_files,
    on_page_content,
    on_page_markdown,
)


def rewritten(source: str, markdown: str) -> str:
    page = SimpleNamespace(file=SimpleNamespace(src_uri=source))
    return on_page_markdown(markdown, page, None, None)


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        ("guides/ios.md", "[a](../faq.md#b)", "[a](../faq.md#b)"),
        ("guides/ios.md", "[a](#b) [c](https://d.e)", "[a](#b) [c](https://d.e)"),
        ("benchmarks/int8.md", "[code](../../tests/zoo.py)", "code (`tests/zoo.py`)"),
        (
            "benchmarks/a.md",
            "[c](../../models/weights/adain-lite.md)",
            "[c](../cards/adain-lite.md)",
        ),
        ("cards/adain-lite.md", "[d](../../docs/decisions/0018.md)", "[d](../decisions/0018.md)"),
        ("cards/adain-lite.md", "[o](adain-residual.md)", "[o](adain-residual.md)"),
        ("faq.md", "<!-- a -->\n<!-- b -->\n\n# Title", "# Title"),
    ],
)
def test_links_out_of_docs_become_paths(source, before, after):
    assert rewritten(source, before) == after


def test_a_link_to_nothing_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING, "mkdocs"):
        rewritten("faq.md", "[a](../no/such/file.py)")
    assert "faq.md links to no/such/file.py, which does not exist" in caplog.text


def test_folders_in_the_navigation_stand_for_their_pages():
    config = SimpleNamespace(
        nav=["index.md", {"T": "targets/"}, {"N": ["cards/", {"M": "faq.md"}]}]
    )
    nav = on_config(config).nav
    assert nav[0] == "index.md"
    assert nav[1]["T"][0] == "targets/README.md"
    assert {name.name for name in (DOCS / "targets").glob("*.md")} == {
        path.removeprefix("targets/") for path in nav[1]["T"]
    }
    assert nav[2]["N"][:-1] == sorted(nav[2]["N"][:-1])
    assert nav[2]["N"][-1] == {"M": "faq.md"}


def test_every_card_becomes_a_page(monkeypatch):
    made = {}
    monkeypatch.setattr(
        File, "generated", lambda _, uri, abs_src_path: made.update({uri: abs_src_path})
    )
    on_files([], None)
    cards = list((ROOT / "models" / "weights").glob("*.md"))
    assert cards
    assert made == {f"cards/{card.name}": str(card) for card in cards}


def test_short_names_are_not_broken_at_hyphens():
    html = f"<code>--quantize</code> <code>{'x' * 40}</code>"
    assert on_page_content(html, None, None, None).count('class="short"') == 1
