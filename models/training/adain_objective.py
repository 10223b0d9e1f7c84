"""The AdaIN objective on crops of photographs and paintings, under a VGG loss network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from styleexport.core.errors import UsageError
from styleexport.core.perceptual import (
    ScaledStyle,
    gains_beyond_colour,
    reduced,
    style_distance,
    style_statistics,
)
from styleexport.models.losses.adain import (
    CONTENT_LEVELS,
    content_distance,
    loss_network,
    total_variation,
)
from styleexport.models.losses.loss_network import EncoderFeatures
from styleexport.models.network import TwoImageModule
from styleexport.models.training.data import CropPool
from styleexport.models.training.evaluation import GainBeyondColour, gains_of
from styleexport.models.training.objective import Batch, Objective, crop_pool, to_device
from styleexport.models.training.plan import TrainingPlan


class AdainObjective(Objective):
    """The AdaIN objective under a VGG loss network; see `models.losses.adain`.

    Args:
        network: two-image network to train.
        plan: training plan with paintings and a loss network.

    Raises:
        UsageError: the network has one style, or the plan has no paintings or loss network.
        BadCheckpoint: the weights of the loss network are of another network.
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
            name = plan.scoring.replace("vgg", "VGG-")
            raise UsageError(
                f"the AdaIN objective needs ImageNet's {name}: type --loss-weights PATH"
            )
        self.plan = plan
        self.network: TwoImageModule = network
        self.device = torch.device(plan.device)
        self.features = to_device(loss_network(plan.loss_weights, plan.scoring), self.device)
        self.pools: tuple[CropPool, CropPool] | None = None
        self.pool_states: list[dict[str, Any]] = []

    def open(self, step: int) -> None:
        """Create the pools of crops, with draws that depend on the step, or restore them."""
        plan = self.plan
        self.pools = (
            crop_pool(plan, plan.content, self.describe_content, plan.seed * 2 + step),
            crop_pool(plan, plan.style, self.describe_style, plan.seed * 2 + 1 + step),
        )
        for pool, state in zip(self.pools, self.pool_states, strict=False):
            pool.load(state)

    def state(self) -> dict[str, Any]:
        """Return the state of the pools of crops."""
        return {"pools": [pool.state() for pool in self.pools or ()]}

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; `open` applies it."""
        self.pool_states = list(state.get("pools", []))

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
        scales = self.plan.style_scales
        if step % self.plan.full_size_every:
            scales = scales[1:]
        return self.losses(batch, self.paint(batch), scales=scales)

    @property
    def content_scale(self) -> int:
        """Factor by which pictures are reduced before their content is compared."""
        return self.plan.style_scales[1 if self.plan.full_size_every > 1 else 0]

    def losses(
        self,
        batch: Batch,
        output: Tensor,
        features: Sequence[Tensor] | None = None,
        scales: Sequence[int] | None = None,
    ) -> dict[str, Tensor]:
        """Return the terms for one batch and its paintings, unweighted scalars by name.

        Args:
            batch: crops and their features.
            output: paintings of the batch, [N, 3, H, W], not clamped.
            features: the paintings' features in the loss network at the scale of the content; None
                to compute them.
            scales: the plan's scales at which styles are compared, that of the content among them;
                None for all.
        """
        weights, net = self.plan.weights, self.network
        if features is None:
            features = self.features_of(reduced(output, self.content_scale))
        outside = (output - output.clamp(0, 1)).float().abs().mean()
        targets = self._by_scale(batch.style_statistics)
        style = targets[self.plan.style_scales.index(self.content_scale)]
        deepest = features[-CONTENT_LEVELS:]
        terms = {
            "style": self.style_loss(output, features, batch.style_statistics, scales),
            "content": content_distance(deepest, batch.content_features, style).mean(),
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

    def style_loss(
        self,
        output: Tensor,
        features: Sequence[Tensor],
        target: Tensor,
        scales: Sequence[int] | None = None,
    ) -> Tensor:
        """Return the style distance of paintings, a scalar: the mean over scales.

        Args:
            output: paintings, [N, 3, H, W], not clamped.
            features: their features at the scale of the content.
            target: statistics of the styles, as `describe_style` returns them.
            scales: those of the plan's scales to take; None for all.
        """
        distances: list[Tensor] = []
        for scale, part in zip(self.plan.style_scales, self._by_scale(target), strict=True):
            if scales is not None and scale not in scales:
                continue
            own = scale == self.content_scale
            level = features if own else self.features_of(reduced(output, scale))
            distances.append(style_distance(style_statistics(level), part, self.features.widths))
        return torch.stack(distances).mean()

    def _by_scale(self, statistics: Tensor) -> Sequence[Tensor]:
        """Return the statistics of each of the plan's scales, [N, 2·ΣC] each."""
        return statistics.chunk(len(self.plan.style_scales), 1)

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

    @torch.no_grad()
    def gains(
        self, contents: Tensor, styles: Tensor, paintings: Tensor
    ) -> tuple[GainBeyondColour, ...]:
        """Return the gain beyond colour of the table's diagonal; see `Objective.gains`."""
        judge = EncoderFeatures(self.plan.scoring, self.features)
        rows: list[tuple[float, ...]] = []
        scales: tuple[int, ...] = ()
        for content, style, row in zip(contents, styles, range(len(contents)), strict=False):
            with self._autocast():
                target = ScaledStyle.of(style[None], judge)
                moved = target.colour_distances(content[None])
                rows.append(gains_beyond_colour(target.distances(paintings[row, row][None]), moved))
            scales = target.scales
        return gains_of(rows, scales, int(contents.shape[-1]))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16)

    @torch.no_grad()
    def describe_content(self, crops: Tensor) -> Tensor:
        """Return the deepest features of crops [n, 3, H, W] in 0..1, bfloat16 [n, ΣC·h·w]."""
        with self._autocast():
            crops = reduced(crops, self.content_scale)
            features = self.features(crops.to(memory_format=torch.channels_last))
        return torch.cat([f.to(torch.bfloat16).flatten(1) for f in features[-CONTENT_LEVELS:]], 1)

    @torch.no_grad()
    def describe_style(self, crops: Tensor) -> Tensor:
        """Return style statistics of crops [n, 3, H, W] in 0..1, [n, 2·ΣC] for each scale."""
        crops = crops.to(memory_format=torch.channels_last)
        with self._autocast():
            scaled = [self.features(reduced(crops, scale)) for scale in self.plan.style_scales]
        return torch.cat([style_statistics(features) for features in scaled], 1)
