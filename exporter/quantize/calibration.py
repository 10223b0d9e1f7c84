"""The images that activation ranges are taken from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from styleexport.core.assets import bundled
from styleexport.core.errors import UsageError
from styleexport.core.images import IMAGE_SUFFIXES, read_image
from styleexport.core.manifest import CalibrationFact
from styleexport.core.pictures import evenly_spread, pixel_sha256
from styleexport.exporter.quantize.synthetic import drawn_pictures

MOST_IMAGES = 16
STYLES_EACH = 2


@dataclass(frozen=True)
class CalibrationSet:
    """Content and style images, decoded.

    Attributes:
        content: run through the graphs: the images, and drawn ones of what images seldom show.
        style: encoded for the graphs that take a style code; each content meets two of them.
        sha256: over the pixels, in order.
    """

    content: tuple[Image.Image, ...]
    style: tuple[Image.Image, ...]
    sha256: str

    @property
    def photographs(self) -> int:
        """Number of contents that are photographs: the user's, or the shipped ones."""
        return len(self.content) - len(drawn_pictures())

    def fact(self, inputs: Collection[str]) -> CalibrationFact:
        """Return the record of min-max ranges taken from graphs with these inputs."""
        return CalibrationFact(
            method="min-max",
            images=len(self.content),
            styles=STYLES_EACH if "style_code" in inputs else 0,
            sha256=self.sha256,
        )

    def pairs(self) -> list[tuple[int, int]]:
        """Return (content index, style index) of every run: each content with two styles."""
        return [
            (c, (STYLES_EACH * c + k) % len(self.style))
            for c in range(len(self.content))
            for k in range(min(STYLES_EACH, len(self.style)))
        ]


def read_calibration(folder: Path | None) -> CalibrationSet:
    """Return the calibration images of a folder, or the ones that ship with the package.

    A folder with ``content`` and ``style`` inside gives both; any other gives the content images,
    and the styles that ship are used. At most 16 of each are taken, evenly spread by name. The
    drawn pictures (`drawn`) are always added.

    Raises:
        UsageError: the folder does not exist or holds no image.
        BadImage: an image cannot be read.
    """
    if folder is None:
        content, style = bundled("content"), bundled("style")
    elif (folder / "content").is_dir() and (folder / "style").is_dir():
        content, style = _images(folder / "content"), _images(folder / "style")
    else:
        content, style = _images(folder), bundled("style")
    pictures = [
        [read_image(path) for path in evenly_spread(paths, MOST_IMAGES)]
        for paths in (content, style)
    ]
    contents = (*pictures[0], *drawn_pictures())
    digest = pixel_sha256((*contents, *pictures[1]))
    return CalibrationSet(contents, tuple(pictures[1]), digest)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"--calibration {folder} is not a folder; type a folder of photographs")
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise UsageError(
            f"--calibration {folder} holds no images; expected files ending in "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    return found
