"""What a training minimises: the AdaIN objective on crops of photographs and paintings."""

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


def placed(module: M, device: torch.device) -> M:
    """Return the module on a device in channels-last order, in which bf16 convolutions are fast."""
    return module.to(device).to(memory_format=torch.channels_last)  # pyright: ignore


@dataclass(frozen=True)
class Batch:
    """Crops [N, 3, H, W] in 0..1 and what the loss network says of them.

    Attributes:
        content: of photographs.
        described: their deepest features, one row each.
        style: of paintings.
        target: their statistics, one row each.
    """

    content: Tensor
    described: Tensor
    style: Tensor
    target: Tensor


class Objective(Protocol):
    """What a `Trainer` minimises, one batch a step."""

    def shown(self) -> object:
        """Return the network as it paints pictures to look at."""
        ...

    def open(self, step: int) -> None:
        """Make ready for a training that goes on from a step."""
        ...

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        ...

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        ...

    def first_db(self, contents: Tensor, styles: Tensor | None) -> float | None:
        """Return what `psnr_db` returned before the first step."""
        ...

    def psnr_db(self, contents: Tensor, styles: Tensor | None) -> float | None:
        """Return the PSNR of paintings to those of a teacher, if there is one."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what a resumed training needs, beside the network's weights."""
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        ...


def crop_pool(
    plan: TrainingPlan, folders: tuple[Path, ...], describe: Describe, seed: int
) -> CropPool:
    """Return a plan's pool of crops of some folders.

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


class AdainObjective:
    """The AdaIN objective under a VGG-16 loss network; see `losses`.

    Raises:
        UsageError: the network paints in one style, or the plan has no paintings or loss network.
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
        self.painter: TwoImageModule = network
        self.device = torch.device(plan.device)
        self.features = placed(loss_network(plan.loss_weights), self.device)
        self.pools: tuple[CropPool, CropPool] | None = None

    def open(self, step: int) -> None:
        """Make the pools of crops, with other draws than the training had up to a step."""
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
        """Return the batch's contents in its styles, not clamped."""
        with self._autocast():
            code = self.painter.encode(batch.style)
            return self.painter.transfer(batch.content, code, torch.ones(1, device=self.device))

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        batch = self.draw()
        return self.losses(batch, self.paint(batch))

    def losses(
        self, batch: Batch, output: Tensor, features: Sequence[Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return each term for one batch and what the network made of it, unweighted.

        Args:
            batch: of `draw`.
            output: the paintings, not clamped.
            features: what the loss network says of them, where that is known already.
        """
        weights, net = self.plan.weights, self.painter
        features = self.seen(output) if features is None else features
        outside = (output - output.clamp(0, 1)).float().abs().mean()
        measured = style_statistics(features)
        deepest = features[-CONTENT_LEVELS:]
        terms = {
            "style": style_distance(measured, batch.target, self.features.widths).mean(),
            "content": content_distance(deepest, batch.described, batch.target).mean(),
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

    def seen(self, output: Tensor) -> Sequence[Tensor]:
        """Return what the loss network says of paintings."""
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

    def shown(self) -> object:
        """Return the network."""
        return self.painter

    def first_db(self, contents: Tensor, styles: Tensor | None) -> None:
        """Return None: there is no teacher."""

    def psnr_db(self, contents: Tensor, styles: Tensor | None) -> None:
        """Return None: there is no teacher."""

    def state(self) -> dict[str, Any]:
        """Return nothing: all is in the network's weights."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Do nothing."""

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16)

    @torch.no_grad()
    def describe_content(self, crops: Tensor) -> Tensor:
        """Return the deepest features of photographs, one row each."""
        with self._autocast():
            features = self.features(crops.to(memory_format=torch.channels_last))
        return torch.cat([f.to(torch.bfloat16).flatten(1) for f in features[-CONTENT_LEVELS:]], 1)

    @torch.no_grad()
    def describe_style(self, crops: Tensor) -> Tensor:
        """Return the statistics of paintings, one row each."""
        with self._autocast():
            return style_statistics(self.features(crops.to(memory_format=torch.channels_last)))
