from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from styleexport.core.svg import COLOURS
from styleexport.runtime_bench.report.formats import render

VOID = {"meta", "img", "br", "link"}


class Elements(HTMLParser):
    """Every element with its attributes; the words of the page; fails where one is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def page(desktop) -> Elements:
    return Elements(render([desktop], "html"))


def test_the_page_needs_nothing_else_and_runs_nothing(desktop, phone):
    found = render([desktop, phone], "html")
    elements = Elements(found)
    assert found.startswith("<!DOCTYPE html>\n")
    assert {name for name, _ in elements.found} & {"script", "iframe", "object"} == set()
    assert elements.all("link") == [{"rel": "icon", "href": "data:,"}]
    assert all(image["src"].startswith("data:image/png;base64,") for image in elements.all("img"))
    assert not re.search(r"""(?:src|href|action)\s*=\s*["'](?!data:)""", found)
    assert "url(" not in found
    assert "@import" not in found
    policy = next(a["content"] for a in elements.all("meta") if "http-equiv" in a)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_series_has_a_colour_in_light_and_in_dark(desktop):
    style = render([desktop], "html").split("<style>")[1].split("</style>")[0]
    light, dark = style.split("prefers-color-scheme: dark")
    for number, colour in enumerate(COLOURS):
        assert f"--c{number}: {colour};" in light
        assert f"--c{number}:" in dark
        assert f".c{number} {{ color: var(--c{number}); }}" in dark


def test_every_chapter_is_there(page):
    titles = re.findall(
        r"(Latency|Speed-up|Quality against latency|Pictures|Size and memory|GMAC/s|Operations|"
        r"Rounds|Parity|Not measured|All figures|Environment)",
        page.text,
    )
    assert set(titles) == {
        "Latency",
        "Speed-up",
        "Quality against latency",
        "Pictures",
        "Size and memory",
        "GMAC/s",
        "Operations",
        "Rounds",
        "Parity",
        "Not measured",
        "All figures",
        "Environment",
    }


def test_the_summary_names_the_fastest_and_what_was_not_measured(page):
    summary = page.text.split("Latency Median of inference")[0]
    assert "fastest at 64x96 adain-lite transform 2.2" in summary
    assert " ms, onnxruntime onnx int8 2.2" in summary
    assert "failed the probes without latency 1 cell" in summary
    assert "could not be measured the reasons are below 2 cells" in summary
    assert "drifted" not in summary


def test_a_busy_machine_is_marked_in_the_summary(desktop, page):
    assert "load before 0.2 on 2 cores" in page.text
    assert "busy" not in page.text
    busy = replace(desktop, before=replace(desktop.before, load_average=6.8))
    text = Elements(render([busy], "html")).text
    assert "load before 6.8 on 2 cores busy: trust no small difference" in text


def test_doubts_about_a_phone_are_told_at_the_top_and_in_its_environment(phone):
    page = Elements(render([phone], "html")).text
    assert "doubtful conditions thermal it is warm (the" in page
    machine = replace(phone.machine, emulator=True)
    page = Elements(render([replace(phone, machine=machine)], "html")).text
    assert "emulator: it is an emulator, whose times are those of its host; thermal: it is" in page


def test_equals_are_named_as_such(desktop):
    first = desktop.cells[0]
    twin = replace(first, runner="openvino")
    text = Elements(render([replace(desktop, cells=(first, twin))], "html")).text
    assert "; no clear difference from openvino onnx fp32" in text


def test_intervals_that_are_unknown_are_counted(desktop):
    few = replace(desktop.cells[0], rounds_ns=desktop.cells[0].rounds_ns[:2])
    text = Elements(render([replace(desktop, cells=(few, desktop.cells[1]))], "html")).text
    assert "interval unknown fewer than three rounds, or too unlike 1 cell" in text


def test_tables_can_be_scrolled_by_keys_and_have_a_name(page):
    groups = [a for a in page.all("div") if a.get("class") == "wide"]
    assert len(groups) > 5
    assert all(a["tabindex"] == "0" and a["role"] == "group" and a["aria-label"] for a in groups)


def test_cells_that_were_not_measured_say_why(page):
    for words in (
        "unavailable this build has no CUDA: it has cpu and xnnpack",
        "wrong psnr 11.5 dB on the probes, at least 25 is allowed",
        "out-of-memory the process was killed: memory ran out",
    ):
        assert words in page.text
    assert "11.5 FAIL at least 25" in page.text


def test_charts_have_words_for_those_who_do_not_see_them(page):
    charts = [a for a in page.all("svg") if "chart" in (a["class"] or "")]
    assert len(charts) > 5
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    inline = [a for a in page.all("svg") if "chart" not in (a["class"] or "")]
    assert all(picture["aria-hidden"] == "true" for picture in inline)
    assert all(image["alt"] for image in page.all("img"))


def test_speed_up_is_relative_to_fp32_of_the_same_runner_or_of_one_that_is_named(desktop):
    own = Elements(render([desktop], "html")).text.split("Speed-up ")[1].split("Quality against")[0]
    assert "Time of fp32 on the same runner" in own
    assert re.search(r"litert tflite int8 3\.[345]\d× 3\.[345]\d×", own)
    named = Elements(render([desktop], "html", "onnxruntime")).text.split("Speed-up ")[1]
    assert "Time of fp32 on onnxruntime by time of the file" in named
    assert re.search(r"litert tflite int8 [12]\.\d\d×", named.split("Quality against")[0])


def test_the_pipeline_is_the_sum_of_both_files(desktop):
    encode = next(cell for cell in desktop.cells if cell.subject.role == "encode")
    transform = next(
        cell
        for cell in desktop.cells
        if cell.key == (*encode.key[:3], "transform", *encode.key[4:])
    )
    steady = [
        replace(encode, rounds_ns=((5_000_000,),) * 6),
        replace(transform, rounds_ns=((15_000_000, 9),) * 7),
    ]
    text = Elements(render([replace(desktop, cells=tuple(steady))], "html")).text
    assert (
        "adain-lite with a new style ms 128x128 onnxruntime onnx fp32 20.00 20.00 to 20.00, 25 %"
        in (text)
    )
    assert "Pipeline" not in Elements(render([replace(desktop, cells=steady[:1])], "html")).text


def test_machines_stand_beside_each_other_and_are_never_in_one_table(desktop, phone):
    elements = Elements(render([desktop, phone], "html"))
    assert "adain-lite transform · ThinkPad X1" in elements.text
    assert "adain-lite transform · Google Pixel 8 (android)" in elements.text
    rows = [a["class"] for a in elements.all("section") if a["class"].startswith("card")]
    assert rows[:3] == ["card first", "card", "card first"]  # transform on both; encode on one
    alone = Elements(render([desktop], "html"))
    assert "· ThinkPad X1" not in alone.text


def test_two_reports_of_the_same_cells_are_kept_apart_by_their_time(desktop):
    later = replace(desktop, created="2026-11-22T08:00:00Z")
    text = Elements(render([desktop, later], "html")).text
    assert "ThinkPad X1, 2026-11-21 20:10" in text
    assert "ThinkPad X1, 2026-11-22 08:00" in text
    twice = Elements(render([desktop, desktop], "html")).text
    assert "ThinkPad X1, 2026-11-21 20:10 (2)" in twice


def test_reports_of_one_cell_each_are_one_machine_and_a_repeated_one_another(desktop):
    each = [replace(desktop, cells=(cell,)) for cell in desktop.cells]
    again = replace(each[0], created="2026-11-22T08:00:00Z")
    text = Elements(render([*each, again], "html")).text
    assert "adain-lite transform · ThinkPad X1, 2026-11-21 20:10 " in text
    assert "adain-lite transform · ThinkPad X1, 2026-11-22 08:00 " in text
    assert "ThinkPad X1, 2026-11-21 20:10: 12 cells" in text
    assert "7 more" in text.split("Environment")[1]


def test_reports_of_one_machine_that_complete_each_other_are_one(desktop):
    halves = [replace(desktop, cells=desktop.cells[:4]), replace(desktop, cells=desktop.cells[4:])]
    assert "ThinkPad X1, 2026-11-21 20:10 (2)" not in Elements(render(halves, "html")).text


def test_the_environment_tells_what_phones_know(phone):
    text = Elements(render([phone], "html")).text
    assert "thermal state 1 (android), battery 80 %, on battery" in text
    assert "accelerators Mali-G715" in text


def test_harmful_text_stays_text(harmful):
    page = render([harmful], "html")
    elements = Elements(page)
    names = {name for name, _ in elements.found}
    assert names & {"script", "a", "iframe"} == set()
    assert all(not key.startswith("on") for _, found in elements.found for key in found)
    assert "<script>alert(1)</script>" in elements.text
    assert all(i["src"].startswith("data:image/png;base64,") for i in elements.all("img"))
    assert "no PNG or JPEG" in elements.text


@pytest.mark.parametrize("picture", ["R0lGODlhAQABAAAAACw=", "PHN2Zy8+", "A"])
def test_what_is_no_png_or_jpeg_is_not_shown(desktop, picture):
    cell = replace(desktop.cells[0], picture=picture)
    elements = Elements(render([replace(desktop, cells=(cell,))], "html"))
    assert elements.all("img") == []
    assert "no PNG or JPEG onnxruntime onnx fp32" in elements.text


def test_a_report_in_which_nothing_was_measured_is_a_page_too(desktop):
    cells = tuple(cell for cell in desktop.cells if cell.status != "measured")
    text = Elements(render([replace(desktop, cells=cells)], "html")).text
    assert "fastest nothing was measured" in text
    assert "Speed-up" not in text
