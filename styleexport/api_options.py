"""Types of the commands' options, as keywords of the functions of `styleexport.api`.

Written by ``python -m tools.api_options`` from the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TypedDict

from styleexport.core.types import Size


class ExportOptions(TypedDict, total=False):
    """`styleexport export`."""

    checkpoint: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    weights_key: str | Sequence[str] | None
    role: str | Sequence[str] | None
    size: int | str | Size | Sequence[int | str | Size] | None
    calibration: str | PathLike[str] | None
    budget: str | None
    recipe: str | PathLike[str] | None
    allow_degraded: bool | None
    overwrite: bool | None
    full: bool | None
    no_rewrite: str | Sequence[str] | None
    trust: bool | None
    dequantize: bool | None
    jobs: int | None
    levels: str | Sequence[float] | None
    pixels: str | None
    input_pixels: str | None
    output_pixels: str | None
    mean: str | Sequence[float] | None
    std: str | Sequence[float] | None
    bgr: bool | None
    scale: int | str | None
    target: str | Sequence[str] | None
    precision: str | Sequence[str] | None
    skip_missing: bool | None


class BenchOptions(TypedDict, total=False):
    """`styleexport bench`."""

    runner: str | Sequence[str] | None
    size: int | str | Size | Sequence[int | str | Size] | None
    role: str | Sequence[str] | None
    precision: str | Sequence[str] | None
    batch: int | Sequence[int] | None
    threads: int | None
    affinity: str | Sequence[float] | None
    rounds: int | None
    seconds: float | None
    min_samples: int | None
    warm_up: float | None
    no_peak: bool | None
    profile: bool | None
    lease: str | None
    serial: str | None
    suppress: str | None
    benchmark_binary: str | PathLike[str] | None
    out: str | PathLike[str] | None
    yes: bool | None
    overwrite: bool | None


class CompareOptions(TypedDict, total=False):
    """`styleexport compare`."""

    target: str | None
    role: str | None
    size: int | str | Size | None
    budget: str | None
    loss_weights: str | PathLike[str] | None
    lpips_heads: str | PathLike[str] | None
    out: str | PathLike[str] | None
    png: str | PathLike[str] | None


class StylizeOptions(TypedDict, total=False):
    """`styleexport stylize`."""

    out: str | PathLike[str] | None
    strength: float | None
    style_weight: float | Sequence[float] | None
    style_code: str | Sequence[str] | None
    texture: str | None
    color: str | None
    keep_colour: bool | None
    max_side: int | None
    full: bool | None
    stability: float | None
    threads: int | None
    target: str | None
    precision: str | None
    iterations: int | None
    preview: str | PathLike[str] | None
    preview_every: int | None


class QuantizeOptions(TypedDict, total=False):
    """`styleexport quantize`."""

    checkpoint: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    weights_key: str | Sequence[str] | None
    role: str | Sequence[str] | None
    size: int | str | Size | Sequence[int | str | Size] | None
    calibration: str | PathLike[str] | None
    budget: str | None
    recipe: str | PathLike[str] | None
    allow_degraded: bool | None
    overwrite: bool | None
    full: bool | None
    no_rewrite: str | Sequence[str] | None
    trust: bool | None
    dequantize: bool | None
    jobs: int | None
    levels: str | Sequence[float] | None
    pixels: str | None
    input_pixels: str | None
    output_pixels: str | None
    mean: str | Sequence[float] | None
    std: str | Sequence[float] | None
    bgr: bool | None
    scale: int | str | None
    precision: str | Sequence[str] | None
    target: str | Sequence[str] | None
    pixel_range: str | None
    content: str | None
    style: str | None
    styles: str | None


class PruneOptions(TypedDict, total=False):
    """`styleexport prune`."""

    checkpoint: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    weights_key: str | Sequence[str] | None
    levels: str | Sequence[float] | None
    method: str | None
    layout: str | None
    ratio: float | None
    budget: str | None
    sensitivity: bool | None
    mirror: str | Sequence[str] | None
    criterion: str | None
    refit: bool | None
    retrain: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    style: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    loss_weights: str | PathLike[str] | None
    rounds: int | None
    steps: int | None
    learning_rate: float | None
    resume: bool | None
    multiple: int | str | None
    calibration: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    size: int | str | Size | Sequence[int | str | Size] | None
    out: str | PathLike[str] | None
    overwrite: bool | None
    dry_run: bool | None


class TrainOptions(TypedDict, total=False):
    """`styleexport train`."""

    content: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    style: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    loss_weights: str | PathLike[str] | None
    scoring: str | None
    backbone: str | PathLike[str] | None
    encoder: str | None
    tap: str | None
    decoder: str | None
    train_encoder: bool | None
    checkpoint: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    weights_key: str | Sequence[str] | None
    levels: str | Sequence[float] | None
    quantize_aware: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    teacher_weight: float | None
    out: str | PathLike[str] | None
    resume: bool | None
    steps: int | None
    learning_rate: float | None
    content_weight: float | None
    style_weight: float | None
    style_scale: int | Sequence[int] | None
    full_size_every: int | None
    identity_weight: float | None
    variation_weight: float | None
    batch: int | None
    crop: int | None
    seed: int | None
    device: str | None
    arithmetic: str | None
    sheet_every: int | None


class DistillOptions(TypedDict, total=False):
    """`styleexport distill`."""

    teacher: str | None
    teacher_checkpoint: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    student: str | None
    student_checkpoint: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    weights_key: str | Sequence[str] | None
    student_backbone: str | PathLike[str] | None
    content: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    style: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    loss_weights: str | PathLike[str] | None
    level: str | Sequence[str] | None
    match: str | Sequence[str] | None
    temperature: float | None
    evaluation: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    evaluation_style: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    size: int | str | Size | None
    out: str | PathLike[str] | None
    resume: bool | None
    steps: int | None
    learning_rate: float | None
    batch: int | None
    crop: int | None
    seed: int | None
    device: str | None
    arithmetic: str | None
    sheet_every: int | None
    dry_run: bool | None
