"""How close a student is to its teacher, before and after, on pictures that taught it nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from styleexport.core.assets import bundled
from styleexport.core.perceptual import LossNetwork, style_distance, style_statistics
from styleexport.core.types import Role, Size
from styleexport.models.compress.cost import Change
from styleexport.models.compress.distill.levels import Kind
from styleexport.models.compress.distill.losses import softened_divergence
from styleexport.models.losses.loss_network import shipped_loss_network, vgg16_loss_network
from styleexport.models.network import LoadedNetwork
from styleexport.models.training.contact_sheet import squares
from styleexport.models.training.data import image_files

MOST = 8
BEST_DB = 120.0


@dataclass(frozen=True)
class EvaluationSet:
    """Pictures to judge on.

    Attributes:
        contents: [A, 3, H, W] in 0..1.
        styles: [B, 3, H, W] in 0..1; none where there is no style picture.
    """

    contents: Tensor
    styles: Tensor


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How close a student is to its teacher, before and after.

    Attributes:
        answers: paintings or classified pictures that were compared.
        size: of the pictures, height x width.
        loss_network: in whose features style is measured; None for logits.
        teacher_style: mean style distance of the teacher's paintings to the style pictures; None
            where there are none.
        style: of the student's.
        to_teacher: mean style distance of the student's paintings to the teacher's.
        psnr_db: of the student's paintings to the teacher's, pooled.
        divergence: KL of the student's classes from the teacher's, in nats, at temperature 1.
        agreement: share of pictures (of a segmenter: of places) to which both give one class.
    """

    answers: int
    size: str
    loss_network: str | None = None
    teacher_style: float | None = None
    style: Change | None = None
    to_teacher: Change | None = None
    psnr_db: Change | None = None
    divergence: Change | None = None
    agreement: Change | None = None


def evaluation_set(
    contents: Sequence[Path], styles: Sequence[Path], kind: Kind, size: Size
) -> EvaluationSet:
    """Return at most eight pictures of each folder, or of those that ship with the package.

    Raises:
        UsageError: a folder does not exist, or holds no image.
        BadImage: none can be read.
    """
    side = min(size.height, size.width)

    def some(folders: Sequence[Path], name: str) -> Tensor:
        return squares(image_files(folders) if folders else bundled(name), side, MOST)

    shown = some(contents, "content")
    painted = some(styles, "style") if kind is Kind.TWO_IMAGE else shown[:0]
    return EvaluationSet(shown, painted)


def compare_quality(
    networks: tuple[LoadedNetwork, LoadedNetwork, LoadedNetwork],
    pictures: EvaluationSet,
    kind: Kind,
    loss_weights: Path | None,
) -> Quality:
    """Return how close a student is to its teacher.

    Args:
        networks: the teacher, the student before, and after; on the CPU.
        pictures: that they did not learn from.
        kind: of the networks.
        loss_weights: ImageNet's VGG-16; without it the loss network is the one that ships.
    """
    if kind is Kind.LOGITS:
        return _of_logits(networks, pictures.contents)
    judge = vgg16_loss_network(loss_weights) if loss_weights else shipped_loss_network()
    return _of_paintings(networks, pictures, judge)


@torch.no_grad()
def _of_paintings(
    networks: tuple[LoadedNetwork, LoadedNetwork, LoadedNetwork],
    pictures: EvaluationSet,
    judge: LossNetwork,
) -> Quality:
    styles = pictures.styles
    codes = [style_statistics(judge(style[None])) for style in styles]
    to_style: list[list[float]] = [[], [], []]
    to_teacher: list[list[float]] = [[], []]
    errors: list[list[float]] = [[], []]
    for content in pictures.contents:
        for index in range(max(1, len(styles))):
            style = styles[index : index + 1]
            outputs = [paint(network, content[None], style) for network in networks]
            rows = [style_statistics(judge(output)) for output in outputs]
            if codes:
                for row, found in zip(rows, to_style, strict=True):
                    found.append(float(style_distance(row, codes[index], judge.widths)))
            for place in (0, 1):
                distance = style_distance(rows[place + 1], rows[0], judge.widths)
                to_teacher[place].append(float(distance))
                errors[place].append(float((outputs[place + 1] - outputs[0]).square().mean()))
    return Quality(
        answers=len(errors[0]),
        size="x".join(map(str, pictures.contents.shape[2:])),
        loss_network=judge.name,
        teacher_style=_mean(to_style[0]) if codes else None,
        style=Change(_mean(to_style[1]), _mean(to_style[2])) if codes else None,
        to_teacher=Change(*map(_mean, to_teacher)),
        psnr_db=Change(*(_db(sum(each) / len(each)) for each in errors)),
    )


@torch.no_grad()
def paint(network: LoadedNetwork, content: Tensor, style: Tensor) -> Tensor:
    """Return a painting [1, 3, H, W] in 0..1; the style is not looked at without a style input."""
    module = network.role_module(Role.STYLIZE)
    given = {"content": content, "style": style, "strength": torch.ones(1)}
    return module(*(given[name] for name in module.input_names()))


@torch.no_grad()
def _of_logits(
    networks: tuple[LoadedNetwork, LoadedNetwork, LoadedNetwork], contents: Tensor
) -> Quality:
    for network in networks:
        network.module.eval()
    divergence: list[list[float]] = [[], []]
    agreement: list[list[float]] = [[], []]
    for content in contents:
        wanted, *answers = (network.module(content[None]) for network in networks)
        for place, answer in enumerate(answers):
            divergence[place].append(float(softened_divergence(answer, wanted, 1.0)))
            if answer.dim() == 4 and answer.shape != wanted.shape:
                answer = torch.nn.functional.interpolate(answer, wanted.shape[2:], mode="bilinear")
            same = (answer.argmax(1) == wanted.argmax(1)).float().mean()
            agreement[place].append(float(same))
    return Quality(
        answers=len(contents),
        size="x".join(map(str, contents.shape[2:])),
        divergence=Change(*map(_mean, divergence)),
        agreement=Change(*map(_mean, agreement)),
    )


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


def _db(error: float) -> float:
    return round(min(BEST_DB, -10 * math.log10(max(error, 1e-12))), 2)
