"""The file of a model card: its name, and the digest by which an edited card is told apart.

A card ends in a line with the sha256 of all that is above it. What is written again replaces a card
as it was written, and never one that somebody has edited.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from styleexport.core.errors import BadArtifact
from styleexport.core.input_files import read_input

CARD_NAME = "README.md"
_END = re.compile(rb"<!-- written by styleexport, sha256 ([0-9a-f]{64}) of the text above -->\n")


def with_digest(text: str) -> str:
    """Return the text of a card, ended by the line with its digest."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text}<!-- written by styleexport, sha256 {digest} of the text above -->\n"


def is_card(path: Path) -> bool:
    """Whether a file is a card of ours, edited or not."""
    return path.name == CARD_NAME and path.is_file() and _END.search(_content(path)) is not None


def is_edited(path: Path) -> bool:
    """Whether a file is no longer the card that was written."""
    content = _content(path)
    end = _END.search(content)
    if end is None or end.end() != len(content):
        return True
    return hashlib.sha256(content[: end.start()]).hexdigest().encode() != end[1]


def _content(path: Path) -> bytes:
    return read_input(path, "model card", error=BadArtifact)
