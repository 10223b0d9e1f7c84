"""Comparisons as one HTML file that needs nothing else: figures, pictures side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from styleexport.core.images import image_from_array
from styleexport.runtime_bench.quality import number_format as words
from styleexport.runtime_bench.quality.closeups import (
    DifferenceScale,
    shown_pictures,
    worst_places,
)
from styleexport.runtime_bench.quality.compare import Compared, QualityComparison

MOST_IN_FULL = 3
STYLE = """
:root { color-scheme: light dark; --line: #d6d6d6; --faint: #666; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --line: #444; --faint: #a5a5a5; --bad: #ff8a80; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 3rem; overflow-wrap: anywhere; }
p, figcaption, summary { color: var(--faint); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; } .bad { color: var(--bad); font-weight: 600; }
.row { display: grid; gap: .75rem; margin: 0 0 1.25rem; }
.five { grid-template-columns: repeat(5, 1fr); } .four { grid-template-columns: repeat(4, 1fr); }
.six { grid-template-columns: repeat(6, 1fr); }
figure { margin: 0; min-width: 0; } figcaption { font-size: .85rem; overflow-wrap: anywhere; }
img { width: 100%; height: auto; display: block; } .zoom { image-rendering: pixelated; }
@media (max-width: 700px) { .five, .four, .six { grid-template-columns: repeat(2, 1fr); } }
"""


def page(found: Sequence[Compared]) -> str:
    """Return the page of some comparisons: the worst picture of each kind, and the worst places.

    Of more than three files only the one worst picture of each is shown: a page of fourteen files
    would have 50 MB.
    """
    comparisons = [item.comparison for item in found]
    quality = comparisons[0].quality
    summary = _table(
        ("file", "role", "size", *words.HEADER),
        [(c.candidate, c.role, str(c.quality.size.size()), *words.cells(c)) for c in comparisons],
    )
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_title(comparisons)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{_title(comparisons)}</h1>",
            f"<p>{len(quality.pictures)} pictures a file, style in the features of "
            f"{escape(quality.loss_network)}. {escape(words.NOTE)}</p>",
            summary,
            *(_section(item, brief=len(found) > MOST_IN_FULL) for item in found),
            "</body></html>\n",
        ]
    )


def _title(comparisons: Sequence[QualityComparison]) -> str:
    if len(comparisons) == 1:
        return escape(f"What {Path(comparisons[0].candidate).name} loses")
    return f"What {len(comparisons)} files lose"


def _section(compared: Compared, *, brief: bool) -> str:
    comparison = compared.comparison
    runners = f"{comparison.runners[0]} and {comparison.runners[1]}"
    through = comparison.judged_through
    parts = [
        f"<h2>{escape(comparison.candidate)}</h2>",
        f"<p>against {escape(comparison.reference)}, run by {escape(runners)}"
        + (f"; judged by what {escape(through)} paints with its codes" if through else "")
        + "</p>",
        *(f'<p class="bad">{escape(failure)}</p>' for failure in comparison.failures),
    ]
    if compared.reference[0].ndim == 4:
        scale = DifferenceScale.of(compared)
        shown = shown_pictures(compared, most=1 if brief else None)
        parts += [_pictures(compared, index, scale) for index in shown]
        parts.append(_places(compared))
    rows = [words.picture_cells(picture) for picture in comparison.quality.pictures]
    parts.append(
        f"<details><summary>all {len(rows)} pictures in figures</summary>"
        f"{_table(words.PICTURE_HEADER, rows)}</details>"
    )
    return "\n".join(parts)


def _pictures(compared: Compared, index: int, scale: DifferenceScale) -> str:
    """Return one row: content, style, reference, candidate, difference."""
    probe = compared.probes[index]
    reference, candidate = compared.reference[index], compared.candidate[index]
    figure = compared.comparison.quality.pictures[index]
    arrays = (
        (f"content: {probe.name}", probe.content),
        ("style", probe.style),
        ("reference", reference),
        (f"candidate: {figure.psnr_db:.1f} dB, SSIM {words.index(figure.ssim)}", candidate),
    )
    shown = [_figure(t, image_from_array(array)) for t, array in arrays if array is not None]
    shown.append(_figure(scale.words, scale.map(reference, candidate)))
    return f'<div class="row {"five" if len(shown) == 5 else "four"}">{"".join(shown)}</div>'


def _places(compared: Compared) -> str:
    """Return the worst places, reference and candidate."""
    shown: list[str] = []
    for place in worst_places(compared):
        where = f"{compared.probes[place.picture].name}, column {place.left}, row {place.top}"
        for side, outputs in (("reference", compared.reference), ("candidate", compared.candidate)):
            crop = place.cut(outputs[place.picture])
            shown.append(_figure(f"{side}: {where}", crop, kind="zoom"))
    return f'<div class="row six">{"".join(shown)}</div>'


def _figure(caption: str, image: Image.Image, kind: str = "") -> str:
    encoded = io.BytesIO()
    image.save(encoded, format="PNG", optimize=True)
    data = base64.b64encode(encoded.getvalue()).decode()
    return (
        f'<figure><img class="{kind}" alt="{escape(caption)}" width="{image.width}" '
        f'height="{image.height}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(tag: str, cells: Sequence[str]) -> str:
        marks = (' class="bad"' if cell == "FAIL" else "" for cell in cells)
        inner = (f"<{tag}{m}>{escape(c)}</{tag}>" for m, c in zip(marks, cells, strict=True))
        return f"<tr>{''.join(inner)}</tr>"

    body = "".join(line("td", row) for row in rows)
    return (
        f'<div class="wide"><table><thead>{line("th", header)}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
