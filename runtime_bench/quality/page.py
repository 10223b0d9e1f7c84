"""Quality comparisons as one self-contained HTML file: figures, and pictures side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from styleexport.core.images import image_from_array
from styleexport.runtime_bench.quality import columns
from styleexport.runtime_bench.quality.closeups import (
    DifferenceScale,
    shown_pictures,
    worst_regions,
)
from styleexport.runtime_bench.quality.compare import Compared, QualityComparison
from styleexport.runtime_bench.report.number_format import unit_interval
from styleexport.runtime_bench.report.templates import render_template

# Fourteen files in full would make a page of 50 MB.
MAX_IN_FULL = 3


@dataclass(frozen=True)
class PageImage:
    """An embedded picture.

    Attributes:
        caption: text below the picture.
        width: width in pixels.
        height: height in pixels.
        png_base64: contents of a PNG file.
    """

    caption: str
    width: int
    height: int
    png_base64: str

    @classmethod
    def of(cls, caption: str, image: Image.Image) -> PageImage:
        """Return a picture with its caption."""
        encoded = io.BytesIO()
        image.save(encoded, format="PNG", optimize=True)
        png = base64.b64encode(encoded.getvalue()).decode()
        return cls(caption, image.width, image.height, png)


@dataclass(frozen=True)
class PageSection:
    """One comparison on the page.

    Attributes:
        comparison: figures, runners and failures.
        rows: content, style, reference, candidate and difference of each shown picture.
        regions: enlarged regions of the largest error, reference and candidate in turn.
        figures: figures of every picture, formatted.
    """

    comparison: QualityComparison
    rows: tuple[tuple[PageImage, ...], ...]
    regions: tuple[PageImage, ...]
    figures: tuple[tuple[str, ...], ...]


def page(results: Sequence[Compared]) -> str:
    """Return the page: for each comparison the worst picture of each kind and the worst regions.

    Of more than three files only the one worst picture of each is shown.

    Args:
        results: one comparison or more.
    """
    comparisons = [item.comparison for item in results]
    quality = comparisons[0].quality
    return render_template(
        __package__ or "",
        "page.html.j2",
        title=_title(comparisons),
        picture_count=len(quality.pictures),
        loss_network=quality.loss_network,
        note=columns.NOTE,
        header=("file", "role", "size", *columns.HEADER),
        summary=[
            (c.candidate, c.role.value, str(c.quality.size.size()), *columns.cells(c))
            for c in comparisons
        ],
        sections=[_section(item, brief=len(results) > MAX_IN_FULL) for item in results],
        picture_header=columns.PICTURE_HEADER,
    )


def _title(comparisons: Sequence[QualityComparison]) -> str:
    if len(comparisons) == 1:
        return f"Quality of {Path(comparisons[0].candidate).name}"
    return f"Quality of {len(comparisons)} files"


def _section(compared: Compared, *, brief: bool) -> PageSection:
    rows: tuple[tuple[PageImage, ...], ...] = ()
    regions: tuple[PageImage, ...] = ()
    if compared.reference[0].ndim == 4:
        scale = DifferenceScale.of(compared)
        shown = shown_pictures(compared, most=1 if brief else None)
        rows = tuple(_picture_row(compared, index, scale) for index in shown)
        regions = _regions(compared)
    pictures = compared.comparison.quality.pictures
    figures = tuple(columns.picture_cells(picture) for picture in pictures)
    return PageSection(compared.comparison, rows, regions, figures)


def _picture_row(compared: Compared, index: int, scale: DifferenceScale) -> tuple[PageImage, ...]:
    """Return content, style (where there is one), reference, candidate and difference."""
    probe = compared.probes[index]
    reference, candidate = compared.reference[index], compared.candidate[index]
    figure = compared.comparison.quality.pictures[index]
    arrays = (
        (f"content: {probe.name}", probe.content),
        ("style", probe.style),
        ("reference", reference),
        (f"candidate: {figure.psnr_db:.1f} dB, SSIM {unit_interval(figure.ssim)}", candidate),
    )
    images = [PageImage.of(c, image_from_array(array)) for c, array in arrays if array is not None]
    return (*images, PageImage.of(scale.caption, scale.map(reference, candidate)))


def _regions(compared: Compared) -> tuple[PageImage, ...]:
    images: list[PageImage] = []
    for region in worst_regions(compared):
        where = f"{compared.probes[region.picture].name}, column {region.left}, row {region.top}"
        for side, outputs in (("reference", compared.reference), ("candidate", compared.candidate)):
            images.append(PageImage.of(f"{side}: {where}", region.cut(outputs[region.picture])))
    return tuple(images)
