"""Measures over quality probes and what was painted of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from styleexport.core.arrays import Array, Run
from styleexport.runtime_bench.quality.flicker import warping_error
from styleexport.runtime_bench.quality.probes import QualityProbe
from styleexport.runtime_bench.quality.report import MotionFlicker


def warping_errors(probes: Sequence[QualityProbe], frames: Sequence[Array]) -> dict[str, float]:
    """Return motion → mean warping error of frames, which may be larger than the probes'."""
    errors: dict[str, list[float]] = {}
    for probe, frame in zip(probes, frames, strict=True):
        if probe.moved is not None:
            pair = (np.nan_to_num(frames[probe.moved.before]), np.nan_to_num(frame))
            error = warping_error(*pair, probe.moved.step, scale_of(probe, frame))
            errors.setdefault(probe.moved.motion, []).append(error)
    return {name: float(np.mean(each)) for name, each in errors.items()}


def mean_flicker(motions: Sequence[MotionFlicker]) -> tuple[float, float] | None:
    """Return the mean flicker of reference and candidate over the motions; None without any."""
    if not motions:
        return None
    sides = ([one.reference for one in motions], [one.candidate for one in motions])
    return round(float(np.mean(sides[0])), 6), round(float(np.mean(sides[1])), 6)


def scale_of(probe: QualityProbe, output: Array) -> int:
    """Return how many times an output is as high and wide as the probe's content."""
    return 1 if probe.content is None else output.shape[2] // probe.content.shape[2]


def dithered(content: Array) -> Array:
    """Return a picture dithered by up to ±½ step of 8 bits."""
    noise = np.random.default_rng(0).uniform(-0.5 / 255, 0.5 / 255, content.shape)
    return np.clip(content + noise, 0, 1).astype(np.float32)


def with_content(probe: QualityProbe, content: Array | None) -> QualityProbe:
    """Return a probe of another content; of none, the probe itself."""
    if content is None:
        return probe
    return replace(probe, inputs={**probe.inputs, "content": content})


def paint(session: Run, probe: QualityProbe) -> Array:
    """Return what a session makes of a probe: a picture in 0..1, NaN where it is no number."""
    (output,) = session(probe.inputs).values()
    if output.ndim != 4:
        return output
    # Pictures are clipped for display; infinities become NaN, which stays visible.
    return np.where(np.isfinite(output), np.clip(output, 0, 1), np.nan).astype(np.float32)


def relative_change(pairs: Sequence[tuple[float, float] | None]) -> float | None:
    """Return the relative change of the sums; the candidate's mean where the reference's is 0."""
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return None
    before, after = (sum(pair[side] for pair in known) for side in (0, 1))
    return round(after / before - 1 if before > 0 else after / len(known), 5)
