"""Quality metrics of candidates on the probes, against one reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from styleexport.core.arrays import Array, Run
from styleexport.core.counted import counted
from styleexport.core.errors import UsageError
from styleexport.core.manifest import SizeFact
from styleexport.core.perceptual import LossNetwork, Lpips
from styleexport.core.psnr import pooled_psnr, psnr_from_squared_error
from styleexport.core.shares import in_shares
from styleexport.core.types import Progress, Size
from styleexport.runtime_bench.quality.fidelity import relative_squared_error, ssim
from styleexport.runtime_bench.quality.flicker import flicker_change
from styleexport.runtime_bench.quality.measures import (
    dithered,
    mean_flicker,
    paint,
    relative_change,
    scale_of,
    warping_errors,
    with_content,
)
from styleexport.runtime_bench.quality.probes import QualityProbe
from styleexport.runtime_bench.quality.report import (
    MotionFlicker,
    PictureQuality,
    QualityReport,
    ScaleGain,
)
from styleexport.runtime_bench.quality.style import StyleFeatures, gains, scaled_style

T = TypeVar("T")
R = TypeVar("R")
Outputs = tuple[Array, ...]
# Four halvings and a reflection of one row, and the eleven pixels of SSIM's window.
MIN_SIDE = 16
# A quick look at a candidate runs every so many-th picture.
QUICK_EVERY = 3


@dataclass(frozen=True)
class _Reference:
    """The reference's output of one still, and its features; those are None for style codes.

    Attributes:
        output: picture [1, 3, H, W] in 0..1, or style code [1, K].
        stability_db: PSNR of the output when the content is dithered by half a step of 8 bits.
        style: style features of the output.
        target: style features of the style picture; None without one.
        content: LPIPS features of the content.
        lpips: LPIPS between output and content.
    """

    output: Array
    stability_db: float | None = None
    style: StyleFeatures | None = None
    target: StyleFeatures | None = None
    content: Sequence[Tensor] | None = None
    lpips: float | None = None


class Judge:
    """Measures candidates against the stored outputs of a reference.

    Args:
        loss_network: network in whose features style is measured.
        probes: probes to run; those of kind ``motion`` measure flicker alone.
        lpips: LPIPS metric; None omits it.
        measures_gain: whether reports hold the gain beyond colour, which costs as much as all else.
        progress: takes a line every few seconds.
        at_once: whether the reference may be run on several pictures at the same time.
    """

    def __init__(
        self,
        loss_network: LossNetwork,
        probes: Sequence[QualityProbe],
        lpips: Lpips | None = None,
        *,
        measures_gain: bool = False,
        progress: Progress = lambda _: None,
        at_once: bool = False,
    ) -> None:
        self.at_once = at_once
        self.loss_network = loss_network
        self.lpips = lpips
        self.measures_gain = measures_gain
        self.progress = progress
        self.stills = tuple(probe for probe in probes if probe.kind != "motion")
        self.moving = tuple(probe for probe in probes if probe.kind == "motion")
        self._references: tuple[_Reference, ...] = ()
        self._flicker: dict[str, float] = {}

    def reference(self, session: Run) -> Outputs:
        """Run the float reference, store its outputs and features, and return its `outputs`."""
        outputs = tuple(self._painted(session, (*self.stills, *self.moving)))
        styles = {id(p.style): p.style for p in self.stills if p.style is not None}
        targets = {key: self._style(picture) for key, picture in styles.items()}
        moved: Sequence[Array | None] = [None] * len(self.stills)
        if outputs[0].ndim == 4:
            contents = {id(p.content): p.content for p in self.stills if p.content is not None}
            noisy = {key: dithered(picture) for key, picture in contents.items()}
            probes = [with_content(p, noisy.get(id(p.content))) for p in self.stills]
            moved = self._painted(session, probes, "pictures painted once more")
        rows = list(zip(self.stills, outputs, moved, strict=False))
        self._references = self._mapped(
            lambda row: self._features(row[0], row[1], row[2], targets.get(id(row[0].style))),
            rows,
            "features of pictures",
        )
        self._flicker = self._flicker_of(outputs) if outputs[0].ndim == 4 else {}
        return outputs

    def _painted(
        self, session: Run, probes: Sequence[QualityProbe], what: str = "pictures painted"
    ) -> list[Array]:
        """Return the reference's outputs of some probes."""
        if self.at_once:
            return list(self._mapped(lambda probe: paint(session, probe), probes, what))
        return [paint(session, probe) for probe in counted(probes, what, self.progress)]

    def _mapped(self, make: Callable[[T], R], items: Sequence[T], what: str) -> tuple[R, ...]:
        """Return what is made of each picture, several at the same time."""
        shares = in_shares(
            items,
            lambda some: [make(item) for item in some],
            what,
            self.progress,
            pixels=self._pixels,
        )
        return tuple(item for share in shares for item in share)

    @property
    def _pixels(self) -> int:
        return max(math.prod(x.shape[2:]) for x in self.stills[0].inputs.values() if x.ndim == 4)

    def _flicker_of(self, outputs: Outputs) -> dict[str, float]:
        """Return motion → mean warping error of its frames."""
        return warping_errors(self.moving, outputs[len(self.stills) :])

    def outputs(self, session: Run) -> Outputs:
        """Return the outputs of all probes, stills first; pictures are clipped to 0..1."""
        probes = (*self.stills, *self.moving)
        return tuple(paint(session, p) for p in counted(probes, "pictures painted", self.progress))

    def psnr(self, session: Run, every: int = 1) -> float:
        """Return the pooled PSNR of a candidate in dB alone, for inner loops.

        Args:
            session: candidate.
            every: runs every n-th still only; `QUICK_EVERY` leaves six of sixteen, of all kinds and
                styles.

        Raises:
            ValueError: there is no reference yet.
        """
        self._check_reference()
        pairs = zip(self.stills[::every], self._references[::every], strict=True)
        return pooled_psnr([relative_squared_error(paint(session, p), r.output) for p, r in pairs])

    def __call__(self, session: Run) -> QualityReport:
        """Return the metrics of a candidate; see `report`."""
        return self.report(self.outputs(session))

    def report(self, outputs: Outputs) -> QualityReport:
        """Return the metrics of a candidate.

        Args:
            outputs: its `outputs`.

        Raises:
            ValueError: there is no reference yet.
        """
        errors = self._errors(outputs[: len(self.stills)])
        rows = self._mapped(
            lambda row: self._row(row[0], outputs[row[0]], row[1]),
            list(enumerate(errors)),
            "pictures judged",
        )
        stable = [error for error, row in zip(errors, rows, strict=True) if row.is_stable]
        worst = min(rows, key=lambda row: row.psnr_db)
        similarities = [row.ssim for row in rows if row.ssim is not None]
        height, width = next(iter(self.stills[0].inputs.values())).shape[2:]
        motions = self._motions(outputs)
        flicker = mean_flicker(motions)
        return QualityReport(
            loss_network=self.loss_network.name,
            size=SizeFact.of(Size(height, width)),
            psnr_db=round(pooled_psnr(errors), 2),
            stable_psnr_db=round(pooled_psnr(stable), 2) if stable else None,
            worst_psnr_db=worst.psnr_db,
            worst_picture=worst.name,
            ssim=round(sum(similarities) / len(similarities), 5) if similarities else None,
            worst_ssim=min(similarities) if similarities else None,
            style_change=relative_change([row.style_distance for row in rows]),
            gram_change=relative_change([row.gram_distance for row in rows]),
            lpips_change=relative_change([row.lpips for row in rows]),
            flicker=flicker,
            flicker_change=round(flicker_change(flicker[1], flicker[0]), 5) if flicker else None,
            motions=motions,
            pictures=rows,
            gain_beyond_colour=self._gains(outputs) if self.measures_gain else (),
        )

    def _gains(self, outputs: Outputs) -> tuple[ScaleGain, ...]:
        """Return the mean gains of reference and candidate over the stills with a style picture."""
        pictures = {id(p.style): p.style for p in self.stills if p.style is not None}
        styles = {key: scaled_style(each, self.loss_network) for key, each in pictures.items()}
        rows: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
        scales: tuple[int, ...] = ()
        for probe, known, output in zip(self.stills, self._references, outputs, strict=False):
            style = styles.get(id(probe.style))
            if style is None or probe.content is None or known.output.ndim != 4:
                continue
            paintings = (known.output, np.nan_to_num(output))
            rows.append(gains(probe.content, style, paintings))
            scales = style.scales
        if not rows:
            return ()
        means = np.mean(rows, axis=0)
        height, width = self.stills[0].inputs["content"].shape[2:]
        return tuple(
            ScaleGain(
                size=SizeFact.of(Size(height // scale, width // scale)),
                reference=round(float(reference), 4),
                candidate=round(float(candidate), 4),
            )
            for scale, reference, candidate in zip(scales, *means, strict=True)
        )

    def _errors(self, outputs: Sequence[Array]) -> list[float]:
        self._check_reference()
        pairs = zip(outputs, self._references, strict=True)
        return [relative_squared_error(output, reference.output) for output, reference in pairs]

    def _check_reference(self) -> None:
        if not self._references:
            raise ValueError("a judge needs its reference first: call judge.reference(session)")

    def _motions(self, outputs: Outputs) -> tuple[MotionFlicker, ...]:
        if not self._flicker:
            return ()
        source = [probe.content for probe in self.moving if probe.content is not None]
        own, candidate = warping_errors(self.moving, source), self._flicker_of(outputs)
        return tuple(
            MotionFlicker(
                name=name,
                source=round(own[name], 6),
                reference=round(reference, 6),
                candidate=round(candidate[name], 6),
            )
            for name, reference in self._flicker.items()
        )

    def _features(
        self,
        probe: QualityProbe,
        output: Array,
        moved: Array | None,
        target: StyleFeatures | None,
    ) -> _Reference:
        """Return the reference of a still, with what it paints of its dithered content."""
        if output.ndim != 4 or moved is None:
            return _Reference(output)
        stability = round(psnr_from_squared_error(relative_squared_error(moved, output)), 2)
        content = None
        if self.lpips is not None and probe.content is not None:
            times = scale_of(probe, output)
            enlarged = probe.content.repeat(times, 2).repeat(times, 3)
            content = self.lpips.describe(torch.from_numpy(enlarged))
        lpips = self._lpips(content, output)
        return _Reference(output, stability, self._style(output), target, content, lpips)

    def _row(self, index: int, output: Array, error: float) -> PictureQuality:
        """Return the metrics of the candidate's output of one still."""
        probe, reference = self.stills[index], self._references[index]
        decibels = round(psnr_from_squared_error(error), 2)
        if reference.style is None:
            return PictureQuality(name=probe.name, kind=probe.kind, psnr_db=decibels)
        output = np.nan_to_num(output)
        target = reference.target or reference.style
        style, gram = self._style(output).distances(target, self.loss_network)
        reference_distances = (0.0, 0.0)
        if reference.target is not None:
            reference_distances = reference.style.distances(target, self.loss_network)
        lpips = self._lpips(reference.content, output)
        return PictureQuality(
            name=probe.name,
            kind=probe.kind,
            psnr_db=decibels,
            stability_db=reference.stability_db,
            ssim=round(ssim(output, reference.output), 5),
            style_distance=(round(reference_distances[0], 6), round(style, 6)),
            gram_distance=(round(reference_distances[1], 6), round(gram, 6)),
            lpips=None if lpips is None else (reference.lpips or 0.0, lpips),
        )

    def _style(self, image: Array) -> StyleFeatures:
        height, width = image.shape[2:]
        if min(height, width) < MIN_SIDE:
            raise UsageError(
                f"pictures of {height}x{width} are too small to judge: the loss network and SSIM "
                f"take {MIN_SIDE} pixels a side or more; export at a larger size"
            )
        return StyleFeatures.of(image, self.loss_network)

    def _lpips(self, content: Sequence[Tensor] | None, output: Array) -> float | None:
        """Return LPIPS between an output and content features; None without either."""
        if self.lpips is None or content is None:
            return None
        described = self.lpips.describe(torch.from_numpy(np.ascontiguousarray(output)))
        return round(float(self.lpips.distance(content, described)), 6)
