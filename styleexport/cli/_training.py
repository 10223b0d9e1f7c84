"""What the commands that train share: the options of a training that mean the same in all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option(
        "--batch", type=click.IntRange(1), default=4, show_default=True, help="Pairs a step."
    ),
    click.option(
        "--crop", type=click.IntRange(32), default=128, show_default=True, help="Side in pixels."
    ),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option(
        "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
    ),
    click.option(
        "--arithmetic",
        type=click.Choice(["auto", "bf16", "fp32"]),
        default="auto",
        show_default=True,
        help="auto takes bf16 where the processor has it, and fp32 under int8's rounding.",
    ),
    click.option(
        "--sheet-every",
        type=click.IntRange(1),
        default=1_000,
        show_default=True,
        help="Steps between contact sheets.",
    ),
)


def training_options(command: F) -> F:
    """Add the options that all trainings have."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
