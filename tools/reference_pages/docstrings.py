"""Docstrings in Google's style, read into their parts and written as Markdown."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from html import escape

SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")
HEADING = re.compile(rf"^({'|'.join(SECTIONS)}):$", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(?! )\*{0,2}([\w.]+): ?", re.MULTILINE)


@dataclass(frozen=True)
class Docstring:
    """Parts of a docstring.

    Attributes:
        text: everything in front of the first section, as Markdown.
        sections: section → name → text in one line, as Markdown.
    """

    text: str
    sections: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    @property
    def summary(self) -> str:
        """The first paragraph, in one line."""
        return one_line(self.text.partition("\n\n")[0])

    @property
    def body(self) -> str:
        """The paragraphs after the first."""
        return self.text.partition("\n\n")[2].strip()


def parse(docstring: str | None) -> Docstring:
    """Return the parts of a docstring; () of a missing one."""
    text, *rest = HEADING.split(inspect.cleandoc(docstring or ""))
    sections = {name: _entries(body) for name, body in zip(rest[::2], rest[1::2], strict=True)}
    return Docstring(markdown(text.strip()), sections)


def _entries(body: str) -> dict[str, str]:
    """Return the entries of a section: name → text."""
    _, *rest = ENTRY.split(body)
    return {
        name: one_line(markdown(text)) for name, text in zip(rest[::2], rest[1::2], strict=True)
    }


def markdown(text: str) -> str:
    """Return a text as Markdown: names in code, no angle bracket that begins a tag.

    Lines that begin with a name and a colon are entries of a list.
    """
    text = re.sub(r"(?<!\A)\n(?=``[\w.-]+``: )", "\n- ", text)
    text = re.sub(r"\n\n(?=``[\w.-]+``: )", "\n\n- ", text).replace("\n\n\n- ", "\n\n- ")
    parts = re.split(r"(``[^`]+``|`[^`]+`)", text)
    return "".join(
        f"`{part.strip('`')}`" if index % 2 else escape(part, quote=False).replace("*", r"\*")
        for index, part in enumerate(parts)
    )


def one_line(text: str) -> str:
    """Return a text with its line breaks as spaces."""
    return " ".join(text.split())
