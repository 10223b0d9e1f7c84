"""Pictures painted in shipped styles by an int8 artifact, and one of them in float beside it.

    python -m tools.demo_pictures.gallery ARTIFACT FILE [PHOTOGRAPH]...

ARTIFACT is of a network with shipped weights and styles, at 512x512. Without photographs it paints
pictures that ship with the package.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from styleexport.core.assets import folder
from styleexport.core.contact_sheet import picture_grid
from styleexport.core.images import array_from_image, image_from_array, read_image, write_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Role, Size
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.stylize.stylizer import Stylizer

SHIPPED = ("content_lake.jpg", "content_harbour.jpg", "content_tulips.jpg")
COMPARED = "starry-night"
OTHERS = ("water-lilies", "street-pavers", "udnie")
SIZE = Size(512, 512)
CELL = 208


def main(artifact: Path, out: Path, photographs: Sequence[Path]) -> None:
    """Paint photographs in four shipped styles and write the sheet."""
    files = photographs or [folder() / name for name in SHIPPED]
    contents = [centre_crop(read_image(file), SIZE) for file in files]
    rows = []
    with Stylizer(artifact) as stylizer, torch.no_grad():
        codes = {name: stylizer.packed(name) for name in (COMPARED, *OTHERS)}
        network = open_network(stylizer.manifest.network.name).role_module(Role.TRANSFORM)
        for content in contents:
            picture, code = map(torch.from_numpy, (array_from_image(content), codes[COMPARED]))
            in_float = image_from_array(network(picture, code, torch.ones(1)).numpy())
            paintings = [stylizer.stylize(content, code) for code in codes.values()]
            rows.append([content, in_float, *paintings])
    captions = ("photograph", f"{COMPARED}, float32", *(f"{name}, int8" for name in codes))
    write_image(picture_grid(rows, CELL, captions), out, quality=85)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
    sys.stdout.write(f"{sys.argv[2]}\n")
