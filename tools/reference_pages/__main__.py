"""Pages under docs/reference and docs/targets that are written from the code.

    python -m tools.reference_pages [DOCS]

``make pages`` writes them; a test compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.reference_pages.pages import all_pages, is_made

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    """Write the pages into the folder given on the command line, or into docs."""
    docs = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    made = all_pages()
    for path in docs.rglob("*.md"):
        if is_made(path.read_text(encoding="utf-8")) and str(path.relative_to(docs)) not in made:
            path.unlink()
    for name, text in made.items():
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
