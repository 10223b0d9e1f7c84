from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from styleexport.core.errors import UsageError
from styleexport.core.types import Role
from styleexport.runtime_bench.diff.heat_map import CYAN
from styleexport.runtime_bench.quality.closeups import (
    DifferenceScale,
    shown_pictures,
    worst_regions,
)
from styleexport.runtime_bench.quality.compare import compare
from styleexport.runtime_bench.quality.contact_sheet import CELL, COLUMNS, GAP, sheet
from styleexport.runtime_bench.quality.page import page
from styleexport.runtime_bench.quality.pairs import FileFilter, pairs_of

VOID = {"meta", "img", "link"}


class Balanced(HTMLParser):
    """Checks that every tag is closed, and that nothing is fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "iframe")
        assert tag != "link" or dict(attrs) == {"rel": "icon", "href": "data:,"}
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def found(int8_artifact, settings):
    pairs = pairs_of([str(int8_artifact)], FileFilter(role=Role.TRANSFORM))
    return compare(pairs, settings)[0]


def with_spot(found, picture: int, top: int, left: int, value: float):
    """The reference's outputs as the candidate's, with one bright square."""
    outputs = [output.copy() for output in found.reference]
    outputs[picture][..., top : top + 4, left : left + 4] = value
    return replace(found, candidate=tuple(outputs))


def test_the_worst_place_is_where_the_error_is(found):
    spotted = with_spot(found, 5, 20, 80, 9.0)
    region = worst_regions(spotted)[0]
    assert region.picture == 5
    assert region.top <= 20 < 24 <= region.top + region.side
    assert region.left <= 80 < 84 <= region.left + region.side
    assert region.cut(spotted.candidate[5]).size == (256, 256)


def test_worst_places_are_of_three_pictures(found):
    regions = worst_regions(found)
    assert len({region.picture for region in regions}) == len(regions) == 3


def test_the_worst_of_each_kind_is_shown_worst_first(found):
    rows = found.comparison.quality.pictures
    shown = shown_pictures(found)
    assert sorted(rows[i].kind for i in shown) == ["colours", "gradient", "photograph", "text"]
    figures = [rows[i].psnr_db for i in shown]
    assert figures == sorted(figures)
    assert figures[0] == min(row.psnr_db for row in rows)
    assert shown_pictures(found, most=1) == shown[:1]


def test_the_difference_is_amplified_as_stated():
    scale = DifferenceScale(top=10.0)
    reference = np.zeros((1, 3, 4, 4), np.float32)
    candidate = reference.copy()
    candidate[0, 1, 0, 0] = 10 / 255
    candidate[0, 2, 0, 1] = 0.9
    candidate[0, 0, 3, 3] = np.nan
    pixels = np.asarray(scale.map(reference, candidate)).astype(int)
    assert scale.caption == "difference x25.5, lightest: 10/255 and more"
    assert pixels[0, 0].sum() > 600
    assert np.array_equal(pixels[0, 0], pixels[0, 1])
    assert pixels[1, 1].sum() < 60
    assert tuple(pixels[3, 3]) == CYAN


def test_the_sheet_holds_a_row_a_kind_and_the_places(found):
    image = sheet(found)
    assert image.width == GAP + COLUMNS * (CELL + GAP)
    pixels = np.asarray(image)
    # A 64x96 picture is 171 high in a cell of 256; the regions are 256 high.
    assert 4 * 171 + 256 < image.height < 4 * 171 + 256 + 500
    first = found.candidate[shown_pictures(found)[0]]
    column = GAP + 3 * (CELL + GAP)
    cell = pixels[:, column : column + CELL].astype(float) / 255
    assert abs(cell[cell.std(axis=(1, 2)) > 0.05].mean() - first.mean()) < 0.3


def test_the_page_is_whole_and_needs_nothing_else(found):
    text = page([found])
    parser = Balanced()
    parser.feed(text)
    assert text.startswith("<!DOCTYPE html>\n")
    assert parser.open == []
    # Four rows of five, and six crops.
    assert len(parser.images) == 26
    assert all(image["src"].startswith("data:image/png;base64,") for image in parser.images)
    assert all(image["alt"] for image in parser.images)
    assert not re.search(r"https?:", text)
    assert "Quality of adain-lite_transform_64x96_int8.onnx" in text
    assert "prefers-color-scheme: dark" in text
    assert f"{found.comparison.quality.psnr_db:.1f} dB" in text


def test_a_page_of_many_files_shows_the_worst_picture_of_each(found):
    parser = Balanced()
    parser.feed(page([found] * 4))
    assert len(parser.images) == 4 * (5 + 6)


def test_failures_and_names_are_shown_and_escaped(found):
    comparison = msgspec.structs.replace(
        found.comparison,
        candidate="\"'><script>alert(1)</script><b>.onnx",
        budget="psnr>=90",
        failures=("psnr <low>",),
    )
    text = page([replace(found, comparison=comparison)])
    assert '<p class="bad">psnr &lt;low&gt;</p>' in text
    assert '<td class="bad">FAIL</td>' in text
    assert "<b>" not in text
    Balanced().feed(text)


def test_style_codes_have_figures_and_no_pictures(found):
    code = np.zeros((1, 4), np.float32)
    codes = replace(found, reference=(code,), candidate=(code,))
    parser = Balanced()
    parser.feed(page([codes]))
    assert parser.images == []
    with pytest.raises(UsageError, match="returns a style code, of which there is no picture"):
        sheet(codes)
