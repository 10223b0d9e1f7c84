"""A comparison's figures in the words that the terminal, the page and the picture share."""

from __future__ import annotations

from styleexport.runtime_bench.quality.compare import Comparison
from styleexport.runtime_bench.quality.report import PictureQuality

HEADER = ("psnr", "stable", "worst", "ssim", "style", "gram", "lpips", "flicker", "budget")
PICTURE_HEADER = ("picture", "kind", "psnr", "stability", "ssim", "style", "gram", "lpips")
NOTE = (
    "PSNR of the squared error pooled over all pictures; stable: over those that the float network "
    "paints the same when the photograph changes invisibly; worst: of one picture. Style, Gram, "
    "LPIPS and flicker: change from the reference, less is better."
)


def decibels(value: float | None) -> str:
    """Return a figure in dB; a dash for None."""
    return "-" if value is None else f"{value:.1f} dB"


def percent(value: float | None) -> str:
    """Return a relative change in percent; a dash for None."""
    return "-" if value is None else f"{100 * value:+.1f} %"


def share(value: float | None) -> str:
    """Return a figure from 0 to 1; a dash for None."""
    return "-" if value is None else f"{value:.4f}"


def change(pair: tuple[float, float] | None) -> str:
    """Return the distances of reference and candidate; the second alone where the first is 0."""
    if pair is None:
        return "-"
    return f"{pair[0]:.4f} to {pair[1]:.4f}" if pair[0] else f"{pair[1]:.4f}"


def cells(comparison: Comparison) -> tuple[str, ...]:
    """Return the totals of a comparison, under `HEADER`."""
    quality = comparison.quality
    verdict = "FAIL" if comparison.failures else "pass"
    return (
        decibels(quality.psnr_db),
        decibels(quality.stable_psnr_db),
        decibels(quality.worst_psnr_db),
        share(quality.ssim),
        percent(quality.style_change),
        percent(quality.gram_change),
        percent(quality.lpips_change),
        percent(quality.flicker_change),
        "-" if comparison.budget is None else verdict,
    )


def picture_cells(picture: PictureQuality) -> tuple[str, ...]:
    """Return the figures of one picture, under `PICTURE_HEADER`."""
    return (
        picture.name,
        picture.kind,
        decibels(picture.psnr_db),
        decibels(picture.stability_db),
        share(picture.ssim),
        change(picture.style_distance),
        change(picture.gram_distance),
        change(picture.lpips),
    )
