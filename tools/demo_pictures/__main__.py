"""Draw the pictures that ship with the package: scenes to paint, and paintings to learn from.

Run as `python -m tools.demo_pictures [FOLDER]`. Every picture is computed, from fixed seeds.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from styleexport.core.assets import folder as shipped_folder
from tools.demo_pictures.brushes import develop, shrink
from tools.demo_pictures.paintings import PAINTINGS
from tools.demo_pictures.scenes import SCENES

CONTENT_BYTES = 60_000
STYLE_BYTES = 80_000


def encode(image: Image.Image, limit: int) -> bytes:
    """Encode a picture as JPEG at quality 88, or as much lower as a limit of bytes asks."""
    data = b""
    for quality in range(88, 50, -2):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= limit:
            break
    return data


def draw(folder: Path) -> list[Path]:
    """Draw all pictures and the table of their sources into a folder.

    Args:
        folder: where to write; made if it is not there.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for seed, (name, scene) in enumerate(SCENES.items()):
        files.append(folder / f"content_{name}.jpg")
        files[-1].write_bytes(encode(develop(scene(), seed), CONTENT_BYTES))
    for name, painting in PAINTINGS.items():
        files.append(folder / f"style_{name}.jpg")
        files[-1].write_bytes(encode(shrink(painting()), STYLE_BYTES))
    rows = ["file\tauthor\tlicence\tsource"]
    for path in sorted(files):
        origin = "drawn by tools.demo_pictures"
        rows.append(f"{path.name}\tstyleexport contributors\tCC0-1.0\t{origin}")
    table = folder / "sources.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return [*files, table]


def main(argv: Sequence[str] | None = None) -> int:
    """Draw into the folder of the command line, or into the package's own."""
    parser = argparse.ArgumentParser(prog="tools.demo_pictures", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=shipped_folder())
    options = parser.parse_args(argv)
    for path in draw(options.folder):
        sys.stdout.write(f"{path} {path.stat().st_size}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
