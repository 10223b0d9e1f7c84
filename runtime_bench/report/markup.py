"""HTML that is escaped unless it was made here: reports also come from the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape


class Html(str):
    """Text that is already HTML, made by this package; every other text is escaped."""


def html(value: str) -> Html:
    """Return a text as HTML: escaped, unless it is HTML already."""
    return value if isinstance(value, Html) else Html(escape(value))


def tag(name: str, *parts: str, kind: str = "") -> Html:
    """Return an element that holds some texts."""
    marks = f' class="{kind}"' if kind else ""
    return Html(f"<{name}{marks}>{''.join(map(html, parts))}</{name}>")


def joined(parts: Iterable[str]) -> Html:
    """Return texts one after the other."""
    return Html("\n".join(map(html, parts)))


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int] = ()
) -> Html:
    """Return a table that scrolls sideways where it is too wide; ``words`` are columns of prose."""

    def row(name: str, cells: Sequence[str]) -> Html:
        kinds = ("text" if index in words else "" for index in range(len(cells)))
        return tag("tr", *(tag(name, c, kind=k) for c, k in zip(cells, kinds, strict=True)))

    head = tag("thead", row("th", header))
    body = tag("tbody", *(row("td", cells) for cells in rows))
    return tag("div", tag("table", head, body), kind="wide")


def card(title: str, *parts: str) -> Html:
    """Return a box with a title."""
    return tag("section", tag("h3", title), *parts, kind="card")


def cards(boxes: Iterable[str]) -> Html:
    """Return boxes beside each other; nothing for none."""
    found = list(boxes)
    return tag("div", *found, kind="cards") if found else Html("")


def section(title: str, said: str, *parts: str) -> Html:
    """Return a chapter of the page; nothing where it would hold nothing."""
    if not any(parts):
        return Html("")
    return joined((tag("h2", title), tag("p", said, kind="faint"), *parts))


def folded(title: str, *parts: str) -> Html:
    """Return what is shown when its title is clicked."""
    return tag("details", tag("summary", title), *parts)


def facts(pairs: Mapping[str, str]) -> Html:
    """Return names and values; those that are empty are left out."""
    return tag("dl", *(joined((tag("dt", k), tag("dd", v))) for k, v in pairs.items() if v))
