"""All pages that are written from the code, by their path under docs."""

from __future__ import annotations

import re

from tools.reference_pages import commands, python_api, schemas, targets

MADE = "<!-- Written by `make pages` from the code; do not edit. -->"
# Their blocks hold examples, which name files of the reader.
EXAMPLES = "<!-- not run: examples with files of the reader's own -->"


def all_pages() -> dict[str, str]:
    """Return path → text of every page."""
    made = {
        "reference/python.md": python_api.page(),
        "reference/runners.md": targets.runners_page(),
        **{f"reference/{path}": text for path, text in schemas.pages().items()},
        **{f"reference/commands/{path}": text for path, text in commands.pages().items()},
        **{f"targets/{path}": text for path, text in targets.pages().items()},
    }
    return {path: _whole(text) for path, text in made.items()}


def is_made(text: str) -> bool:
    """Whether a page was written by this tool."""
    return text.startswith(MADE)


def _whole(text: str) -> str:
    """Return a page with its first lines, and no empty lines in a row."""
    head = f"{MADE}\n{EXAMPLES}\n" if "```bash" in text else f"{MADE}\n"
    body = re.sub(r"\n{3,}", "\n\n", text).strip()
    return f"{head}\n{body}\n"
