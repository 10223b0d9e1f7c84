"""What a distillation minimises, on crops of photographs and paintings.

The teacher works without gradients. What it says of one crop alone is said once and kept as long as
the crop is used: style codes, and where there is no style picture its whole answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from styleexport.core.perceptual import style_distance, style_statistics
from styleexport.models.compress.distill.levels import Kind, Level
from styleexport.models.compress.distill.losses import (
    WidthMaps,
    painting_distance,
    perceptual_distance,
    softened_divergence,
)
from styleexport.models.compress.distill.setup import Lesson
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.encoders.lite import LiteEncoder
from styleexport.models.losses.adain import CONTENT_LEVELS, loss_network
from styleexport.models.losses.loss_network import EncoderFeatures, shipped_loss_network
from styleexport.models.training.data import CropPool
from styleexport.models.training.objective import AdainObjective, Batch, crop_pool, placed
from styleexport.models.training.plan import TrainingPlan

OUTSIDE = 10.0
FIT_BATCHES = 8
MOST_KEPT = 200_000


@dataclass(frozen=True)
class Crops:
    """One batch, and what is known of it already.

    Attributes:
        content: [N, 3, H, W] in 0..1.
        described: of the level objective, the content's deepest features.
        answer: the teacher's, if it was kept.
        style: [N, 3, H, W] in 0..1; None where there is no style picture.
        target: of the level objective, the style's statistics.
        code: the teacher's style code, if it was kept.
    """

    content: Tensor
    described: Tensor | None
    answer: Tensor | None
    style: Tensor | None
    target: Tensor | None
    code: Tensor | None


class DistillObjective:
    """The distance of a student to its teacher, level by level.

    Args:
        lesson: who teaches whom, and at which levels.
        plan: of the training.

    Raises:
        BadCheckpoint: the loss network is not VGG-16.
    """

    def __init__(self, lesson: Lesson, plan: TrainingPlan) -> None:
        self.lesson, self.plan = lesson, plan
        self.device = torch.device(plan.device)
        self.teacher, self.student = lesson.teacher, lesson.student
        placed(self.teacher.module.requires_grad_(False).eval(), self.device)
        torch.manual_seed(plan.seed)
        self.maps = WidthMaps(lesson.matches) if lesson.matches else None
        self.adain: AdainObjective | None = None
        self.features: VggEncoder | LiteEncoder | None = None
        if Level.OBJECTIVE in lesson.weights:
            self.adain = AdainObjective(self.student.module, plan)
            self.features = self.adain.features
        elif plan.loss_weights is not None:
            self.features = placed(loss_network(plan.loss_weights), self.device)
        elif Level.STYLE in lesson.weights:
            shipped = shipped_loss_network()
            assert isinstance(shipped, EncoderFeatures)
            self.features = placed(shipped.encoder, self.device)
        self.keeps_code = lesson.kind is Kind.TWO_IMAGE and not any(
            match.encoding for match in lesson.matches
        )
        self.answer_shape: tuple[int, ...] | None = None
        self.pools: list[CropPool] = []
        self.pool_states: list[dict[str, Any]] = []

    def open(self, step: int) -> None:
        """Make the pools of crops, or go on with those of before; fit the maps before step 0."""
        plan, seed = self.plan, self.plan.seed * 2 + step
        self.answer_shape = self._kept_shape()
        self.pools = [crop_pool(plan, plan.content, self._describe_content, seed)]
        if self.lesson.kind is Kind.TWO_IMAGE:
            self.pools.append(crop_pool(plan, plan.style, self._describe_style, seed + 1))
        for pool, state in zip(self.pools, self.pool_states, strict=False):
            pool.load(state)
        if self.maps is not None and step == 0:
            self._fit()

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        crops = self._draw()
        self.student.module.train()
        answer, guided = self._learn(crops)
        wanted, hints = self._teach(crops)
        terms: dict[str, Tensor] = {}
        if Level.LOGITS in self.lesson.weights:
            terms["logits"] = softened_divergence(answer, wanted, self.lesson.temperature)
        if self.maps is not None:
            terms["features"] = self.maps(guided, hints)
        if self.lesson.kind is not Kind.LOGITS:
            painted = self.student.painting(answer, crops.content)
            terms |= self._of_paintings(crops, painted, self._clamped(wanted, crops))
        return terms

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        weights = self.lesson.weights
        found: dict[str, float] = {level.value: weight for level, weight in weights.items()}
        found["outside"] = OUTSIDE
        found["perceptual"] = weights.get(Level.OUTPUTS, 0.0)
        if self.adain is not None:
            weight = weights[Level.OBJECTIVE]
            scales = self.adain.scales().items()
            found |= {f"objective_{name}": weight * scale for name, scale in scales}
        return found

    def shown(self) -> object:
        """Return the student as it paints."""
        return self.student.module.eval()

    def first_db(self, contents: Tensor, styles: Tensor | None) -> None:
        """Return None: the report measures it."""

    def psnr_db(self, contents: Tensor, styles: Tensor | None) -> None:
        """Return None: the report measures it."""

    def state(self) -> dict[str, Any]:
        """Return where the pools of crops are."""
        return {"pools": [pool.state() for pool in self.pools]}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.pool_states = list(state["pools"])

    def _of_paintings(self, crops: Crops, painted: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        weights, terms = self.lesson.weights, dict[str, Tensor]()
        if Level.OUTPUTS in weights:
            terms["outputs"] = painting_distance(painted, wanted)
        elif Level.STYLE in weights and self.adain is None:
            terms["outside"] = (painted - painted.clamp(0, 1)).abs().mean()
        if self.features is None:
            return terms
        with self._autocast():
            seen = self.features(painted.clamp(0, 1))
        with torch.no_grad(), self._autocast():
            goal = self.features(wanted)
        if Level.OUTPUTS in weights and self.plan.loss_weights is not None:
            terms["perceptual"] = perceptual_distance(
                seen[-CONTENT_LEVELS:], goal[-CONTENT_LEVELS:]
            )
        if Level.STYLE in weights:
            rows = style_statistics(seen), style_statistics(goal)
            terms["style"] = style_distance(*rows, self.features.widths).mean()
        if self.adain is not None:
            assert crops.described is not None
            assert crops.style is not None
            assert crops.target is not None
            batch = Batch(crops.content, crops.described, crops.style, crops.target)
            parts = self.adain.losses(batch, painted, seen)
            terms |= {f"objective_{name}": term for name, term in parts.items()}
        return terms

    def _learn(self, crops: Crops) -> tuple[Tensor, list[Tensor]]:
        """Return the student's answer, and what its matched layers gave."""
        with self._autocast(), self.student.watched() as found:
            code = None if crops.style is None else self.student.encode(crops.style)
            answer = self.student.answer(crops.content, code)
        return answer, [found[match.student] for match in self.lesson.matches]

    @torch.no_grad()
    def _teach(self, crops: Crops) -> tuple[Tensor, list[Tensor]]:
        """Return the teacher's answer, and what its matched layers gave."""
        if crops.answer is not None:
            return crops.answer, []
        with self._autocast(), self.teacher.watched() as found:
            code = crops.code
            if code is None and crops.style is not None:
                code = self.teacher.encode(crops.style)
            answer = self.teacher.answer(crops.content, code)
        return answer, [found[match.teacher] for match in self.lesson.matches]

    @torch.no_grad()
    def _fit(self) -> None:
        assert self.maps is not None
        self.student.module.eval()
        drawn = (self._draw() for _ in range(FIT_BATCHES))
        self.maps.fit((self._learn(crops)[1], self._teach(crops)[1]) for crops in drawn)

    def _clamped(self, answer: Tensor, crops: Crops) -> Tensor:
        return self.teacher.painting(answer, crops.content).clamp(0, 1)

    def _draw(self) -> Crops:
        content, row = self.pools[0].draw(self.plan.batch)
        described = row if self.adain is not None else None
        answer = None
        if self.answer_shape is not None:
            answer = row.float().reshape(-1, *self.answer_shape)
        if len(self.pools) == 1:
            return Crops(content, described, answer, None, None, None)
        style, row = self.pools[1].draw(self.plan.batch)
        measured = 2 * sum(self.adain.features.widths) if self.adain is not None else 0
        target, code = row[:, :measured], row[:, measured:]
        return Crops(
            content,
            described,
            answer,
            style,
            target if self.adain is not None else None,
            code if self.keeps_code else None,
        )

    # Crops are described one by one: what is said of each is then the same bit by bit, whatever
    # others are described with it, and a resumed training goes on as if it had not stopped.

    @torch.no_grad()
    def _describe_content(self, crops: Tensor) -> Tensor:
        if self.adain is not None:
            return torch.cat([self.adain.describe_content(crop[None]) for crop in crops])
        if self.answer_shape is None:
            return torch.zeros(len(crops), 1, device=crops.device)
        with self._autocast():
            rows = [self.teacher.answer(crop[None]).flatten(1) for crop in crops]
        return torch.cat(rows).half()

    @torch.no_grad()
    def _describe_style(self, crops: Tensor) -> Tensor:
        return torch.cat([self._style_row(crop[None]) for crop in crops])

    def _style_row(self, crop: Tensor) -> Tensor:
        parts: list[Tensor] = [torch.zeros(1, 0, device=crop.device)]
        if self.adain is not None:
            parts.append(self.adain.describe_style(crop))
        if self.keeps_code:
            with self._autocast():
                parts.append(self.teacher.encode(crop).float())
        return torch.cat(parts, 1)

    @torch.no_grad()
    def _kept_shape(self) -> tuple[int, ...] | None:
        """Return the shape of the teacher's answer to a crop if it is kept with the crop."""
        if self.lesson.kind is Kind.TWO_IMAGE or self.lesson.matches:
            return None
        side = self.plan.crop
        with self._autocast():
            shape = self.teacher.answer(torch.full((1, 3, side, side), 0.5, device=self.device))[0]
        return tuple(shape.shape) if shape.numel() <= MOST_KEPT else None

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bfloat16)
