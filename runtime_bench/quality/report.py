"""What is reported of a candidate: one row a picture, and the totals that budgets speak of."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from styleexport.core.manifest import SizeFact
from styleexport.runtime_bench.quality.probes import PictureKind

# An invisible change of the content costs a tenth of an error that costs 35 dB.
STABLE_DB = 45.0

Metric = Literal["psnr", "ssim", "style", "gram", "lpips", "flicker"]


class PictureQuality(Struct, frozen=True, kw_only=True):
    """The candidate's output of one probe against the reference's.

    Attributes:
        name: of the probe.
        kind: of its content.
        psnr_db: peak signal-to-noise ratio; 0 where an element is not finite.
        stability_db: the same of the reference against itself on a content dithered by half a step
            of 8 bits, which nobody sees; None for style codes.
        ssim: structural similarity; None for style codes, as all that follow.
        style_distance: of reference and candidate to the style picture, in means and deviations;
            (0, d) where there is no style picture, d being the candidate's to the reference.
        gram_distance: the same in Gram matrices.
        lpips: of reference and candidate to the content; None without LPIPS heads.
    """

    name: str
    kind: PictureKind
    psnr_db: float
    stability_db: float | None = None
    ssim: float | None = None
    style_distance: tuple[float, float] | None = None
    gram_distance: tuple[float, float] | None = None
    lpips: tuple[float, float] | None = None

    @property
    def is_stable(self) -> bool:
        """Whether the reference itself can be told from an invisible change of its input."""
        return self.stability_db is not None and self.stability_db >= STABLE_DB


class QualityReport(Struct, frozen=True, kw_only=True):
    """What a candidate loses over the probe set.

    Changes are relative: 0.05 is 5 % more than the reference, and worse; below 0 is better.

    Attributes:
        loss_network: in whose features style is measured.
        size: of the pictures.
        psnr_db: of the squared error pooled over all pictures.
        stable_psnr_db: pooled over the stable pictures alone; None where there are none. On one
            that is not stable the float network paints the rounding of its input, and a low PSNR
            says little: look at the style.
        worst_psnr_db: of the picture that loses most.
        worst_picture: its name.
        ssim: mean over the pictures; None for style codes, as all that follow.
        worst_ssim: the least.
        style_change: of the style distance summed over the pictures; for a network with a style of
            its own the mean distance of the candidate's style to the reference's.
        gram_change: the same in Gram matrices.
        lpips_change: of LPIPS to the content, summed over the pictures; None without LPIPS heads.
        flicker: mean absolute difference of neighbouring frames of a pan, of reference and
            candidate, in 0..1; None without a pan.
        flicker_change: from the one to the other.
        pictures: one by one.
    """

    loss_network: str
    size: SizeFact
    psnr_db: float
    stable_psnr_db: float | None
    worst_psnr_db: float
    worst_picture: str
    ssim: float | None
    worst_ssim: float | None
    style_change: float | None
    gram_change: float | None
    lpips_change: float | None
    flicker: tuple[float, float] | None
    flicker_change: float | None
    pictures: tuple[PictureQuality, ...]

    def measured(self, metric: Metric) -> float | None:
        """Return the total that a budget's metric speaks of; None where it was not measured.

        The PSNR is that of the stable pictures, if there are any.
        """
        stable = self.stable_psnr_db
        return {
            "psnr": self.psnr_db if stable is None else stable,
            "ssim": self.ssim,
            "style": self.style_change,
            "gram": self.gram_change,
            "lpips": self.lpips_change,
            "flicker": self.flicker_change,
        }[metric]

    def encoded(self) -> bytes:
        """Return the report as indented JSON, ending in a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
