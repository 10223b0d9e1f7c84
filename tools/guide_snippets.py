"""Code of docs/guides/without_the_harness.md, for the checks that run or compile it."""

from __future__ import annotations

from pathlib import Path

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "without_the_harness.md"


def snippet(language: str) -> str:
    """Return the code of a language: ``python``, ``javascript``, ``kotlin`` or ``swift``."""
    return GUIDE.read_text(encoding="utf-8").split(f"```{language}\n")[1].split("```")[0]


def write_snippet(language: str, path: Path) -> Path:
    """Write the code of a language into a file, and return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(snippet(language), encoding="utf-8")
    return path
