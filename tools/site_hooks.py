"""Hooks of the site's build: navigation by folder, cards of weights, links out of ``docs/``.

mkdocs calls each ``on_`` function; ``mkdocs.yml`` names this file.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CARDS, WEIGHTS = "cards", "models/weights"
# A link to a path, and not to an address or a heading of the page.
LINK = re.compile(r"\[([^\[\]]*)\]\((?![a-z]+:|#)([^()#\s]+)(#[^()\s]*)?\)")
# In front of the title, which mkdocs takes from a page's first line.
COMMENTS = re.compile(r"\A(?:<!--.*?-->\s*)+", re.DOTALL)
# An option or a name, which no browser should break at its hyphens.
SHORT_CODE = re.compile(r"<code>([^<\n]{1,32})</code>")
LOG = logging.getLogger("mkdocs.hooks.site")  # in strict mode a warning of mkdocs' fails the build


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of folders into the navigation."""
    config.nav = _expanded(config.nav)
    return config


def _expanded(entries: Any) -> Any:  # noqa: ANN401
    """Return entries of the navigation, each folder replaced by its pages."""
    made: list[Any] = []
    for entry in entries:
        if isinstance(entry, str):
            made += _pages(entry) if entry.endswith("/") else [entry]
            continue
        ((title, value),) = entry.items()
        if isinstance(value, str) and value.endswith("/"):
            value = _pages(value)
        made.append({title: _expanded(value) if isinstance(value, list) else value})
    return made


def _pages(folder: str) -> list[str]:
    """Return the pages of a folder by name, its README first."""
    source = ROOT / WEIGHTS if folder == f"{CARDS}/" else DOCS / folder
    names = sorted((path.name for path in source.glob("*.md")), key=lambda n: (n != "README.md", n))
    return [folder + name for name in names]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the cards of the shipped weights, which lie beside the weights."""
    for card in sorted((ROOT / WEIGHTS).glob("*.md")):
        files.append(File.generated(config, f"{CARDS}/{card.name}", abs_src_path=str(card)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave ``docs/`` into the path of what they lead to, or into its page."""
    is_card = page.file.src_uri.startswith(f"{CARDS}/")
    here = f"{WEIGHTS}/" if is_card else posixpath.join("docs", page.file.src_uri)

    def resolved(match: re.Match[str]) -> str:
        text, path, anchor = match[1], match[2], match[3] or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
        if target.startswith("docs/") and not is_card:
            return match[0]
        if not (ROOT / target).exists():
            LOG.warning("%s links to %s, which does not exist", page.file.src_uri, target)
        if target.startswith(f"{WEIGHTS}/") and target.endswith(".md"):
            target = f"docs/{CARDS}/{posixpath.basename(target)}"
        if not target.startswith("docs/"):
            return f"{text} (`{target}`)"
        start = posixpath.dirname(posixpath.join("docs", page.file.src_uri))
        return f"[{text}]({posixpath.relpath(target, start)}{anchor})"

    return LINK.sub(resolved, COMMENTS.sub("", markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Mark names that are short enough to stay on one line."""
    return SHORT_CODE.sub(r'<code class="short">\1</code>', html)
