"""Writes docs/reference/onnx-operators.md: ``python -m tools.onnx_operators``."""

from __future__ import annotations

from pathlib import Path

from styleexport.models.from_onnx.graph import REFERENCE
from styleexport.models.from_onnx.operators import reference_page

PAGE = Path(__file__).parents[1] / REFERENCE


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(reference_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
