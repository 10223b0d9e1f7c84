"""Contact sheets of a teacher and its student side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from styleexport.core.contact_sheet import CELL, picture_grid
from styleexport.models.compress.distill.quality import EvaluationSet, paint
from styleexport.models.network import LoadedNetwork
from styleexport.models.training.contact_sheet import picture

MOST = 5


def _sheet(
    captions: Sequence[str], rows: Sequence[Sequence[Tensor | None]], cell: int = CELL
) -> Image.Image:
    """Return rows of pictures [3, H, W] in 0..1 under captions; None leaves a place empty."""
    pictures = [[None if shown is None else picture(shown) for shown in row] for row in rows]
    return picture_grid(pictures, cell, captions)


class PairSheet:
    """Contact sheet of contents × styles with the teacher's painting beside the student's.

    The teacher's are painted once.

    Args:
        teacher: teacher on the CPU.
        pictures: held-out pictures; the first five of each kind are drawn.
    """

    def __init__(self, teacher: LoadedNetwork, pictures: EvaluationSet) -> None:
        self.contents = pictures.contents[:MOST]
        self.styles = pictures.styles[:MOST]
        self.references = self._paintings(teacher)

    def draw(self, student: LoadedNetwork) -> Image.Image:
        """Return the sheet for a student on the CPU."""
        columns = max(1, len(self.styles))
        captions = ["content", *["teacher", "student"] * columns]
        rows: list[list[Tensor | None]] = []
        if len(self.styles):
            rows.append([None, *(x for style in self.styles for x in (style, None))])
        paintings = self._paintings(student)
        for content, a, b in zip(self.contents, self.references, paintings, strict=True):
            rows.append([content, *(x for pair in zip(a, b, strict=True) for x in pair)])
        return _sheet(captions, rows)

    def _paintings(self, network: LoadedNetwork) -> list[list[Tensor]]:
        """Return the paintings [3, H, W] in 0..1, one row per content."""
        return [
            [
                paint(network, content[None], self.styles[index : index + 1])[0]
                for index in range(max(1, len(self.styles)))
            ]
            for content in self.contents
        ]


def before_and_after(
    networks: tuple[LoadedNetwork, LoadedNetwork, LoadedNetwork], pictures: EvaluationSet
) -> Image.Image:
    """Return a sheet with one row per photograph: painted by the teacher, student before, after.

    Args:
        networks: teacher, student before and student after, on the CPU.
        pictures: held-out pictures; the first five are drawn, each in another style.
    """
    rows: list[list[Tensor | None]] = []
    two_images = len(pictures.styles) > 0
    for index, content in enumerate(pictures.contents[:MOST]):
        at = index % len(pictures.styles) if two_images else 0
        style = pictures.styles[at : at + 1]
        paintings = [paint(network, content[None], style)[0] for network in networks]
        rows.append([content, *style, *paintings])
    captions = ["content", *(["style"] if two_images else []), "teacher", "before", "after"]
    return _sheet(captions, rows, 192)
