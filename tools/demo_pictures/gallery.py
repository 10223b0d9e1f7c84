"""`python -m tools.demo_pictures.gallery ARTIFACT FILE`: the shipped pictures, painted."""

from __future__ import annotations

import sys
from pathlib import Path

from styleexport.core.assets import folder
from styleexport.core.contact_sheet import contact_sheet
from styleexport.core.images import read_image, write_image
from styleexport.runtime_bench.stylize.stylizer import Stylizer

CONTENTS = ("content_lake.jpg", "content_harbour.jpg", "content_tulips.jpg")
STYLES = ("style_swirl.jpg", "style_impasto.jpg", "style_woodblock.jpg", "style_glass.jpg")
CELL = 192


def main(artifact: Path, out: Path) -> None:
    """Paint three shipped photographs in four shipped styles and write the contact sheet."""
    contents = [read_image(folder() / name) for name in CONTENTS]
    styles = [read_image(folder() / name) for name in STYLES]
    with Stylizer(artifact) as stylizer:
        codes = [stylizer.encode(style) for style in styles]
        paintings = [[stylizer.stylize(content, code) for code in codes] for content in contents]
    write_image(contact_sheet(contents, styles, paintings, CELL), out, quality=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(f"{sys.argv[2]}\n")
