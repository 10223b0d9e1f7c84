"""Training plans: settings, device and learning-rate schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch

from styleexport.core.errors import UsageError
from styleexport.models.losses.adain import LossWeights

SLOTS = 768


@dataclass(frozen=True)
class TrainingPlan:
    """Settings of a training.

    Attributes:
        content: folders of photographs.
        style: folders of paintings; () for a fixed-style network.
        loss_weights: ImageNet weights of the loss network; None without the AdaIN objective.
        scoring: name of the encoder that is the loss network, ``vgg16`` or ``vgg19``.
        out: folder for checkpoints and contact sheets.
        steps: total number of steps, including those before a resume.
        batch: content-style pairs per step.
        crop: side of the crops in pixels.
        style_scales: factors by which paintings and styles are reduced before the style distance
            is taken, 1 first; the loss is the mean over them.
        full_size_every: steps between two style losses at full size, which cost most; above 1,
            content is compared at the second scale.
        learning_rate: peak learning rate; linear warm-up over 500 steps, then cosine to 1 %.
        weights: weights of the loss terms.
        trains: name prefixes of the trained parameters.
        seed: seed of random weights and crops.
        device: ``cpu`` or ``cuda``.
        bfloat16: whether to autocast to bf16, about twice as fast where the processor has it.
        slots: number of crops kept in each pool.
        reuse: number of times a crop is used before it is replaced.
        checkpoint_every: steps between checkpoints.
        sheet_every: steps between contact sheets.
    """

    content: tuple[Path, ...]
    style: tuple[Path, ...]
    loss_weights: Path | None
    out: Path
    steps: int = 20_000
    batch: int = 4
    crop: int = 128
    scoring: str = "vgg16"
    style_scales: tuple[int, ...] = (1,)
    full_size_every: int = 1
    learning_rate: float = 1e-3
    weights: LossWeights = field(default_factory=LossWeights)
    trains: tuple[str, ...] = ("",)
    seed: int = 0
    device: str = "cpu"
    bfloat16: bool = True
    slots: int = SLOTS
    reuse: int = 8
    checkpoint_every: int = 500
    sheet_every: int = 1_000


def pick_device(name: str) -> str:
    """Return ``cuda`` or ``cpu``; ``auto`` takes CUDA where there is one.

    Raises:
        UsageError: CUDA was asked for and is not available.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device here: type --device cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def slots_for(crop: int) -> int:
    """Return the number of crops of a side that a pool keeps: 768 of 128 pixels, fewer of larger.

    A pool holds features of each, 0.8 MB of a crop of 128 pixels.
    """
    return min(SLOTS, max(64, SLOTS * 128**2 // crop**2))


def has_bfloat16(device: str) -> bool:
    """Return whether the device multiplies bf16 natively."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16") or flags.get("bf16"))


def learning_rate(plan: TrainingPlan, step: int) -> float:
    """Return the learning rate of a step: linear warm-up, then cosine to 1 % of the peak."""
    warm = min(1.0, (step + 1) / min(500, max(1, plan.steps // 10)))
    fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / plan.steps)))
    return plan.learning_rate * warm * fall
