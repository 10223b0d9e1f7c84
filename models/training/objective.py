"""Training objectives: the protocol, and the AdaIN objective on crops of photos and paintings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.core.perceptual import style_distance, style_statistics
from styleexport.models.losses.adain import (
    CONTENT_LEVELS,
    content_distance,
    loss_network,
    total_variation,
)
from styleexport.models.network import TwoImageModule
from styleexport.models.training.data import CropPool, Describe, image_files
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
        style_statistics: channel means and deviations of the paintings' features, [N, 2·ΣC].
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


class AdainObjective(Objective):
    """The AdaIN objective under a VGG-16 loss network; see `models.losses.adain`.

    Args:
        network: two-image network to train.
        plan: training plan with paintings and a loss network.

    Raises:
        UsageError: the network has one style, or the plan has no paintings or loss network.
        BadCheckpoint: the loss network is not VGG-16.
    """

    def __init__(self, network: object, plan: TrainingPlan) -> None:
        if not isinstance(network, TwoImageModule):
            raise UsageError(
                "the AdaIN objective trains two-image networks; this one has a fixed style, and is "
                "only fine-tuned for int8, with --quantize-aware RECIPE"
            )
        if not plan.style:
            raise UsageError("the AdaIN objective learns from paintings: type --style FOLDER")
        if plan.loss_weights is None:
            raise UsageError(
                "the AdaIN objective needs ImageNet's VGG-16: type --loss-weights PATH"
            )
        self.plan = plan
        self.network: TwoImageModule = network
        self.device = torch.device(plan.device)
        self.features = to_device(loss_network(plan.loss_weights), self.device)
        self.pools: tuple[CropPool, CropPool] | None = None

    def open(self, step: int) -> None:
        """Create the pools of crops, with draws that depend on the step."""
        plan = self.plan
        self.pools = (
            crop_pool(plan, plan.content, self.describe_content, plan.seed * 2 + step),
            crop_pool(plan, plan.style, self.describe_style, plan.seed * 2 + 1 + step),
        )

    def draw(self) -> Batch:
        """Return a new batch."""
        assert self.pools is not None
        contents, styles = self.pools
        return Batch(*contents.draw(self.plan.batch), *styles.draw(self.plan.batch))

    def paint(self, batch: Batch) -> Tensor:
        """Return the batch's contents in its styles, [N, 3, H, W], not clamped."""
        with self._autocast():
            code = self.network.encode(batch.style)
            return self.network.transfer(batch.content, code, torch.ones(1, device=self.device))

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        batch = self.draw()
        return self.losses(batch, self.paint(batch))

    def losses(
        self, batch: Batch, output: Tensor, features: Sequence[Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return the terms for one batch and its paintings, unweighted scalars by name.

        Args:
            batch: crops and their features.
            output: paintings of the batch, [N, 3, H, W], not clamped.
            features: the paintings' features in the loss network; None to compute them.
        """
        weights, net = self.plan.weights, self.network
        features = self.features_of(output) if features is None else features
        outside = (output - output.clamp(0, 1)).float().abs().mean()
        statistics, target = style_statistics(features), batch.style_statistics
        deepest = features[-CONTENT_LEVELS:]
        terms = {
            "style": style_distance(statistics, target, self.features.widths).mean(),
            "content": content_distance(deepest, batch.content_features, target).mean(),
            "outside": outside,
        }
        if weights.variation:
            terms["variation"] = total_variation(output.float())
        if weights.identity:
            some = batch.content[: max(1, len(batch.content) // 4)]
            with self._autocast():
                same = net.transfer(some, net.encode(some), torch.ones(1, device=self.device))
            terms["identity"] = (same.float() - some).abs().mean()
        return terms

    def features_of(self, output: Tensor) -> Sequence[Tensor]:
        """Return features of paintings [N, 3, H, W], clamped to 0..1, one [N, C, h, w] per tap."""
        with self._autocast():
            return self.features(output.clamp(0, 1))

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        weights = self.plan.weights
        return {
            "style": weights.style,
            "content": weights.content,
            "identity": weights.identity,
            "variation": weights.variation,
            "outside": 10.0,
        }

    def sheet_network(self) -> object:
        """Return the network."""
        return self.network

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16)

    @torch.no_grad()
    def describe_content(self, crops: Tensor) -> Tensor:
        """Return the deepest features of crops [n, 3, H, W] in 0..1, bfloat16 [n, ΣC·h·w]."""
        with self._autocast():
            features = self.features(crops.to(memory_format=torch.channels_last))
        return torch.cat([f.to(torch.bfloat16).flatten(1) for f in features[-CONTENT_LEVELS:]], 1)

    @torch.no_grad()
    def describe_style(self, crops: Tensor) -> Tensor:
        """Return the style statistics of crops [n, 3, H, W] in 0..1, [n, 2·ΣC]."""
        with self._autocast():
            return style_statistics(self.features(crops.to(memory_format=torch.channels_last)))
