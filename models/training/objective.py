"""Training objectives: their protocol, and batches of crops of photographs and paintings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from styleexport.models.training.data import CropPool, Describe, image_files
from styleexport.models.training.evaluation import GainBeyondColour
from styleexport.models.training.plan import TrainingPlan

M = TypeVar("M", bound=nn.Module)


def to_device(module: M, device: torch.device) -> M:
    """Move a module to a device, in the channels-last layout that bf16 convolutions are fast in."""
    return module.to(device).to(memory_format=torch.channels_last)  # pyright: ignore


@dataclass(frozen=True)
class Batch:
    """Crops and their features in the loss network.

    Attributes:
        content: crops of photographs, [N, 3, H, W] in 0..1.
        content_features: deepest features of the photographs, flattened and joined, [N, ΣC·h·w].
        style: crops of paintings, [N, 3, H, W] in 0..1.
        style_statistics: channel means and deviations of the paintings' features, [N, 2·ΣC], one
            such row per scale, the full size first.
    """

    content: Tensor
    content_features: Tensor
    style: Tensor
    style_statistics: Tensor


class Objective(Protocol):
    """Loss that a `Trainer` minimises, one batch per step."""

    def sheet_network(self) -> object:
        """Return the network whose paintings contact sheets show."""
        ...

    def open(self, step: int) -> None:
        """Prepare a training that starts or continues at a step."""
        ...

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of the loss for a new batch, unweighted scalars by name."""
        ...

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        ...

    def first_db(self, contents: Tensor, styles: Tensor | None) -> float | None:
        """Return `psnr_db` from before the first step."""
        return None

    def psnr_db(self, contents: Tensor, styles: Tensor | None) -> float | None:
        """Return the PSNR of paintings to a teacher's in dB; None where it is not measured.

        Args:
            contents: [N, 3, H, W] in 0..1.
            styles: [M, 3, H, W] in 0..1; None for a fixed-style network.
        """
        return None

    def gains(
        self, contents: Tensor, styles: Tensor, paintings: Tensor
    ) -> tuple[GainBeyondColour, ...]:
        """Return the gain beyond colour of paintings; () where it is not measured.

        Args:
            contents: [A, 3, H, W] in 0..1.
            styles: [B, 3, H, W] in 0..1.
            paintings: every content in every style, [A, B, 3, H, W] in 0..1.
        """
        return ()

    def state(self) -> dict[str, Any]:
        """Return what a resumed training needs besides the network's weights."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""


def crop_pool(
    plan: TrainingPlan, folders: tuple[Path, ...], describe: Describe, seed: int
) -> CropPool:
    """Return a pool of crops of folders, with the settings of a plan.

    Args:
        plan: training plan.
        folders: folders of images.
        describe: maps crops [n, 3, H, W] in 0..1 to a row of features each.
        seed: seed of the draws.

    Raises:
        UsageError: a folder does not exist, or none holds an image.
    """
    return CropPool(
        image_files(folders),
        plan.crop,
        describe,
        slots=max(plan.slots, plan.batch),
        reuse=plan.reuse,
        seed=seed,
        device=torch.device(plan.device),
        scales=(1.0, 2.0),
    )
