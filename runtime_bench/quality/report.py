"""Quality report of a candidate: metrics per picture, and the totals that budgets limit."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from styleexport.core.manifest import SizeFact
from styleexport.runtime_bench.quality.probes import PictureKind

# An invisible change of the input then costs a tenth of the error of 35 dB.
STABLE_DB = 45.0

Metric = Literal["psnr", "ssim", "style", "gram", "lpips", "flicker"]


class ScaleGain(Struct, frozen=True, kw_only=True):
    """Mean gain beyond colour of the paintings at one scale; see `core.perceptual`.

    Attributes:
        size: size at which paintings and styles were compared.
        reference: gain of the reference; 0 or less for a colour filter.
        candidate: gain of the candidate.
    """

    size: SizeFact
    reference: float
    candidate: float


class MotionFlicker(Struct, frozen=True, kw_only=True):
    """Warping error of frames of one motion: a frame against the one before it, moved to its place.

    Attributes:
        name: ``pan``, ``zoom``, ``turn``, ``noise`` or ``exposure``.
        source: mean absolute difference of the photographs, in 0..1: what moving alone costs.
        reference: that of the reference's paintings.
        candidate: that of the candidate's.
    """

    name: str
    source: float
    reference: float
    candidate: float


class PictureQuality(Struct, frozen=True, kw_only=True):
    """The candidate's output of one probe, compared with the reference's.

    Attributes:
        name: name of the probe.
        kind: kind of its content.
        psnr_db: PSNR in dB; 0 where an element is not finite.
        stability_db: PSNR in dB of the reference's output when its input is dithered by ±½ step of
            8 bits, which is invisible; None for style codes.
        ssim: structural similarity; None for style codes, like all that follow.
        style_distance: distances of reference and candidate to the style picture, in feature means
            and deviations; (0, d) without a style picture, d from candidate to reference.
        gram_distance: the same distances in Gram matrices.
        lpips: LPIPS of reference and candidate to the content; None without LPIPS heads.
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
        """Whether an invisible change of its input changes the reference's output invisibly."""
        return self.stability_db is not None and self.stability_db >= STABLE_DB


class QualityReport(Struct, frozen=True, kw_only=True):
    """Metrics of a candidate over the probe set.

    Changes are relative to the reference: 0.05 is 5 % more, and worse; below 0 is better.

    Attributes:
        loss_network: name of the network in whose features style is measured.
        size: size of the pictures.
        psnr_db: PSNR in dB of the squared error pooled over all pictures.
        stable_psnr_db: PSNR in dB pooled over the stable pictures; None where there are none. On
            others the float network amplifies the rounding of its input, and a low PSNR says
            little: look at the style.
        worst_psnr_db: lowest PSNR of a picture in dB.
        worst_picture: name of that picture.
        ssim: mean SSIM of the pictures; None for style codes, like all that follow.
        worst_ssim: lowest SSIM of a picture.
        style_change: change of the style distance summed over the pictures; for a network with one
            style of its own, mean distance of the candidate's style to the reference's.
        gram_change: the same change in Gram matrices.
        lpips_change: change of LPIPS to the content, summed over the pictures; None without LPIPS
            heads.
        flicker: mean over the motions of the warping error of reference and candidate, in 0..1;
            None without motions.
        flicker_change: change of the flicker.
        pictures: metrics of each picture.
        gain_beyond_colour: gain at full size, 1/2 and 1/4, over the pictures with a style picture;
            () where it was not measured.
        motions: flicker of each motion; () of older reports.
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
    gain_beyond_colour: tuple[ScaleGain, ...] = ()
    motions: tuple[MotionFlicker, ...] = ()

    def measured(self, metric: Metric) -> float | None:
        """Return the total that a budget limits; None where it was not measured.

        The PSNR is that of the stable pictures where there are any.
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
