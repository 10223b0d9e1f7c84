"""Table columns of a quality comparison, the same in the terminal, on the page and the sheet."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.runtime_bench.quality.compare import QualityComparison
from styleexport.runtime_bench.quality.report import PictureQuality
from styleexport.runtime_bench.report.number_format import change, decibels, unit_interval

HEADER = ("psnr", "stable", "worst", "ssim", "style", "gram", "lpips", "flicker", "gain", "budget")
PICTURE_HEADER = ("picture", "kind", "psnr", "stability", "ssim", "style", "gram", "lpips")
NOTE = (
    "PSNR of the squared error pooled over all pictures; stable: over those that the float network "
    "paints the same when the photograph changes invisibly; worst: of one picture. Style, Gram, "
    "LPIPS and flicker (of a pan, a zoom, a turn, noise and an exposure step, beyond the motion "
    "itself): change from the reference, less is better. Gain beyond colour: share of "
    "the style distance that a painting saves over the photograph with the style's colours, at "
    "full size, 1/2 and 1/4; 0 or less for a colour filter, more is better."
)


def cells(comparison: QualityComparison) -> tuple[str, ...]:
    """Return the totals of a comparison under `HEADER`."""
    quality = comparison.quality
    verdict = "FAIL" if comparison.failures else "pass"
    return (
        decibels(quality.psnr_db),
        decibels(quality.stable_psnr_db),
        decibels(quality.worst_psnr_db),
        unit_interval(quality.ssim),
        change(quality.style_change),
        change(quality.gram_change),
        change(quality.lpips_change),
        change(quality.flicker_change),
        gain_cell([gain.candidate for gain in quality.gain_beyond_colour]),
        "-" if comparison.budget is None else verdict,
    )


def gain_cell(gains: Sequence[float]) -> str:
    """Return gains beyond colour, full size first, or ``-`` for none."""
    return " / ".join(f"{gain:+.2f}" for gain in gains) or "-"


def picture_cells(picture: PictureQuality) -> tuple[str, ...]:
    """Return the figures of one picture under `PICTURE_HEADER`."""
    return (
        picture.name,
        picture.kind,
        decibels(picture.psnr_db),
        decibels(picture.stability_db),
        unit_interval(picture.ssim),
        _distances(picture.style_distance),
        _distances(picture.gram_distance),
        _distances(picture.lpips),
    )


def _distances(pair: tuple[float, float] | None) -> str:
    """Return the distances of reference and candidate; the second alone where the first is 0."""
    if pair is None:
        return "-"
    return f"{pair[0]:.4f} to {pair[1]:.4f}" if pair[0] else f"{pair[1]:.4f}"
