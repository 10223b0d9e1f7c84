"""Tables and sizes as notebooks and terminals show them."""

from __future__ import annotations

import html
from collections.abc import Sequence


def human_bytes(count: int) -> str:
    """Return a size as kB or MB (powers of ten)."""
    return f"{count / 1e6:.2f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"


def html_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in HTML, every text escaped."""
    lines = [_row("th", header), *(_row("td", row) for row in rows)]
    return f"<table><caption>{html.escape(caption)}</caption>{''.join(lines)}</table>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"
