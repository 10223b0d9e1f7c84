"""Options shared by the commands that train."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option(
        "--batch",
        type=click.IntRange(1),
        default=4,
        help="Content and style pairs per step.",
    ),
    click.option(
        "--crop",
        type=click.IntRange(32),
        default=128,
        help="Side of the square crops in pixels.",
    ),
    click.option("--seed", type=int, default=0, help="Random seed."),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        help="Device that trains; auto uses CUDA where there is one.",
    ),
    click.option(
        "--arithmetic",
        type=click.Choice(["auto", "bf16", "fp32"]),
        default="auto",
        help="auto uses bf16 where the processor has it, but fp32 for quantize-aware training.",
    ),
    click.option(
        "--sheet-every",
        type=click.IntRange(1),
        default=1_000,
        help="Steps between two contact sheets.",
    ),
)


class TrainingOptions(TypedDict):
    """Values of `OPTIONS`."""

    batch: int
    crop: int
    seed: int
    device: str
    arithmetic: str
    sheet_every: int


def training_options(command: F) -> F:
    """Add the options of every training."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def uses_bfloat16(arithmetic: str, device: str, *, tuned: bool = False) -> bool:
    """Return whether a training multiplies in bf16.

    Args:
        arithmetic: value of --arithmetic.
        device: device that trains.
        tuned: whether it is quantize-aware, where auto means fp32.
    """
    from styleexport.models.training.plan import has_bfloat16

    return arithmetic == "bf16" or (arithmetic == "auto" and not tuned and has_bfloat16(device))
