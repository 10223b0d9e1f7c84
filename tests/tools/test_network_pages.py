"""The pages of the networks are those of their descriptions."""

from __future__ import annotations

from styleexport.models.encoders._encoder import encoder_names, find_encoder
from tools.network_pages import DOCS, pages


def test_the_pages_are_those_of_the_descriptions():
    folder = DOCS / "networks"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert written == pages(), "type `make pages`"


def test_every_tap_of_every_encoder_is_listed():
    text = pages()["encoders.md"]
    for encoder in map(find_encoder, encoder_names()):
        for tap in encoder.taps:
            assert f"| `{tap.name}` | {tap.channels} | {tap.stride} |" in text
