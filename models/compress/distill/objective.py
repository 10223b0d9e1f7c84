"""Distillation objective: distance of a student to its teacher, on crops of photos and paintings.

The teacher runs without gradients. Outputs that depend on one crop alone are computed once and
cached as long as the crop is used: style codes and, without style pictures, the whole output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from styleexport.core.perceptual import style_distance, style_statistics
from styleexport.models.compress.distill.levels import Level, OutputKind
from styleexport.models.compress.distill.losses import (
    WidthMaps,
    painting_distance,
    perceptual_distance,
    softened_divergence,
)
from styleexport.models.compress.distill.setup import DistillationSetup
from styleexport.models.encoders._lite import LiteEncoder
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.losses.adain import CONTENT_LEVELS, loss_network
from styleexport.models.losses.loss_network import EncoderFeatures, shipped_loss_network
from styleexport.models.training.adain_objective import AdainObjective
from styleexport.models.training.data import CropPool
from styleexport.models.training.objective import Batch, Objective, crop_pool, to_device
from styleexport.models.training.plan import TrainingPlan

OUTSIDE = 10.0
FIT_BATCHES = 8
MAX_CACHED_VALUES = 200_000


@dataclass(frozen=True)
class DistillBatch:
    """Crops of one batch, with what was computed for them before.

    Attributes:
        content: crops of photographs, [N, 3, H, W] in 0..1.
        content_features: level objective: the content's deepest features, [N, ΣC·h·w].
        output: teacher's output, if it is cached.
        style: crops of paintings, [N, 3, H, W] in 0..1; None without style pictures.
        style_statistics: level objective: the style's statistics, [N, 2·ΣC].
        code: teacher's style codes, [N, K], if they are cached.
    """

    content: Tensor
    content_features: Tensor | None
    output: Tensor | None
    style: Tensor | None = None
    style_statistics: Tensor | None = None
    code: Tensor | None = None


class DistillObjective(Objective):
    """Distance of a student to its teacher, level by level.

    Args:
        setup: teacher, student and levels.
        plan: training plan.

    Raises:
        BadCheckpoint: the loss network is not VGG-16.
    """

    def __init__(self, setup: DistillationSetup, plan: TrainingPlan) -> None:
        self.setup, self.plan = setup, plan
        self.device = torch.device(plan.device)
        self.teacher, self.student = setup.teacher, setup.student
        to_device(self.teacher.module.requires_grad_(False).eval(), self.device)
        torch.manual_seed(plan.seed)
        self.maps = WidthMaps(setup.matches) if setup.matches else None
        self.adain: AdainObjective | None = None
        self.features: VggEncoder | LiteEncoder | None = None
        if Level.OBJECTIVE in setup.weights:
            self.adain = AdainObjective(self.student.module, plan)
            self.features = self.adain.features
        elif plan.loss_weights is not None:
            self.features = to_device(loss_network(plan.loss_weights), self.device)
        elif Level.STYLE in setup.weights:
            shipped = shipped_loss_network()
            assert isinstance(shipped, EncoderFeatures)
            self.features = to_device(shipped.encoder, self.device)
        self.caches_code = setup.kind is OutputKind.TWO_IMAGE and not any(
            match.encoding for match in setup.matches
        )
        self.output_shape: tuple[int, ...] | None = None
        self.pools: list[CropPool] = []
        self.pool_states: list[dict[str, Any]] = []

    def open(self, step: int) -> None:
        """Create or restore the pools of crops; fit the maps before step 0."""
        plan, seed = self.plan, self.plan.seed * 2 + step
        self.output_shape = self._cached_shape()
        self.pools = [crop_pool(plan, plan.content, self._describe_content, seed)]
        if self.setup.kind is OutputKind.TWO_IMAGE:
            self.pools.append(crop_pool(plan, plan.style, self._describe_style, seed + 1))
        for pool, state in zip(self.pools, self.pool_states, strict=False):
            pool.load(state)
        if self.maps is not None and step == 0:
            self._fit()

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        batch = self._draw()
        self.student.module.train()
        output, features = self._run_student(batch)
        target, target_features = self._run_teacher(batch)
        terms: dict[str, Tensor] = {}
        if Level.LOGITS in self.setup.weights:
            terms["logits"] = softened_divergence(output, target, self.setup.temperature)
        if self.maps is not None:
            terms["features"] = self.maps(features, target_features)
        if self.setup.kind is not OutputKind.LOGITS:
            painting = self.student.to_painting(output, batch.content)
            target = self.teacher.to_painting(target, batch.content).clamp(0, 1)
            terms |= self._painting_terms(batch, painting, target)
        return terms

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        weights = self.setup.weights
        scales: dict[str, float] = {level.value: weight for level, weight in weights.items()}
        scales["outside"] = OUTSIDE
        scales["perceptual"] = weights.get(Level.OUTPUTS, 0.0)
        if self.adain is not None:
            weight = weights[Level.OBJECTIVE]
            for name, scale in self.adain.scales().items():
                scales[f"objective_{name}"] = weight * scale
        return scales

    def sheet_network(self) -> object:
        """Return the student in inference mode."""
        return self.student.module.eval()

    def state(self) -> dict[str, Any]:
        """Return the state of the pools of crops."""
        return {"pools": [pool.state() for pool in self.pools]}

    def load(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; `open` applies it."""
        self.pool_states = list(state["pools"])

    def _painting_terms(
        self, batch: DistillBatch, painting: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """Return the terms of a student's paintings, and the teacher's, both [N, 3, H, W]."""
        weights, terms = self.setup.weights, dict[str, Tensor]()
        if Level.OUTPUTS in weights:
            terms["outputs"] = painting_distance(painting, target)
        elif Level.STYLE in weights and self.adain is None:
            terms["outside"] = (painting - painting.clamp(0, 1)).abs().mean()
        if self.features is None:
            return terms
        with self._autocast():
            features = self.features(painting.clamp(0, 1))
        with torch.no_grad(), self._autocast():
            target_features = self.features(target)
        if Level.OUTPUTS in weights and self.plan.loss_weights is not None:
            terms["perceptual"] = perceptual_distance(
                features[-CONTENT_LEVELS:], target_features[-CONTENT_LEVELS:]
            )
        if Level.STYLE in weights:
            statistics = style_statistics(features), style_statistics(target_features)
            terms["style"] = style_distance(*statistics, self.features.widths).mean()
        if self.adain is not None:
            assert batch.content_features is not None
            assert batch.style is not None
            assert batch.style_statistics is not None
            adain_batch = Batch(
                batch.content, batch.content_features, batch.style, batch.style_statistics
            )
            parts = self.adain.losses(adain_batch, painting, features)
            terms |= {f"objective_{name}": term for name, term in parts.items()}
        return terms

    def _run_student(self, batch: DistillBatch) -> tuple[Tensor, list[Tensor]]:
        """Return the student's output, and the features of its matched layers."""
        with self._autocast(), self.student.hooked() as features:
            code = None if batch.style is None else self.student.encode(batch.style)
            output = self.student.output(batch.content, code)
        return output, [features[match.student] for match in self.setup.matches]

    @torch.no_grad()
    def _run_teacher(self, batch: DistillBatch) -> tuple[Tensor, list[Tensor]]:
        """Return the teacher's output, and the features of its matched layers."""
        if batch.output is not None:
            return batch.output, []
        with self._autocast(), self.teacher.hooked() as features:
            code = batch.code
            if code is None and batch.style is not None:
                code = self.teacher.encode(batch.style)
            output = self.teacher.output(batch.content, code)
        return output, [features[match.teacher] for match in self.setup.matches]

    @torch.no_grad()
    def _fit(self) -> None:
        assert self.maps is not None
        self.student.module.eval()
        batches = (self._draw() for _ in range(FIT_BATCHES))
        self.maps.fit((self._run_student(b)[1], self._run_teacher(b)[1]) for b in batches)

    def _draw(self) -> DistillBatch:
        content, row = self.pools[0].draw(self.plan.batch)
        features = row if self.adain is not None else None
        output = None
        if self.output_shape is not None:
            output = row.float().reshape(-1, *self.output_shape)
        if len(self.pools) == 1:
            return DistillBatch(content, features, output)
        style, row = self.pools[1].draw(self.plan.batch)
        length = 2 * sum(self.adain.features.widths) if self.adain is not None else 0
        return DistillBatch(
            content,
            features,
            output,
            style,
            row[:, :length] if self.adain is not None else None,
            row[:, length:] if self.caches_code else None,
        )

    @torch.no_grad()
    def _describe_content(self, crops: Tensor) -> Tensor:
        if self.adain is not None:
            return self.adain.describe_content(crops)
        if self.output_shape is None:
            return torch.zeros(len(crops), 1, device=crops.device)
        with self._autocast():
            return self.teacher.output(crops).flatten(1).half()

    @torch.no_grad()
    def _describe_style(self, crops: Tensor) -> Tensor:
        parts: list[Tensor] = [torch.zeros(len(crops), 0, device=crops.device)]
        if self.adain is not None:
            parts.append(self.adain.describe_style(crops))
        if self.caches_code:
            with self._autocast():
                parts.append(self.teacher.encode(crops).float())
        return torch.cat(parts, 1)

    @torch.no_grad()
    def _cached_shape(self) -> tuple[int, ...] | None:
        """Return the shape of the teacher's output for a crop; None if it is not cached."""
        if self.setup.kind is OutputKind.TWO_IMAGE or self.setup.matches:
            return None
        side = self.plan.crop
        with self._autocast():
            crop = torch.full((1, 3, side, side), 0.5, device=self.device)
            output = self.teacher.output(crop)[0]
        return tuple(output.shape) if output.numel() <= MAX_CACHED_VALUES else None

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16)
