"""Quality of a student: distances to its teacher, before and after, on held-out pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from styleexport.core.assets import bundled
from styleexport.core.perceptual import (
    LossNetwork,
    ScaledStyle,
    gains_beyond_colour,
    style_distance,
    style_statistics,
)
from styleexport.core.psnr import pooled_psnr
from styleexport.core.types import Role, Size
from styleexport.models.compress.cost import Change
from styleexport.models.compress.distill.levels import OutputKind
from styleexport.models.compress.distill.losses import softened_divergence
from styleexport.models.compress.style_quality import style_network
from styleexport.models.network import LoadedNetwork
from styleexport.models.training.contact_sheet import squares
from styleexport.models.training.data import image_files

MOST = 8

# Teacher, student before and student after.
Networks = tuple[LoadedNetwork, LoadedNetwork, LoadedNetwork]


@dataclass(frozen=True)
class EvaluationSet:
    """Held-out pictures to evaluate on.

    Attributes:
        contents: [A, 3, H, W] in 0..1.
        styles: [B, 3, H, W] in 0..1; B is 0 for networks without a style picture.
    """

    contents: Tensor
    styles: Tensor


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Distances of a student to its teacher, before and after.

    Attributes:
        outputs: number of paintings, or of classified pictures, that were compared.
        size: size of the pictures, height x width.
        loss_network: name of the loss network that style is measured in; None for logits.
        teacher_style: mean style distance of the teacher's paintings to the style pictures; None
            where there are none.
        style: mean style distance of the student's paintings to the style pictures.
        teacher_gains: mean gain beyond colour (`core.perceptual`) of the teacher's paintings at
            their size, 1/2 and 1/4 of it; () where there are no style pictures.
        gains: the same of the student's.
        to_teacher: mean style distance of the student's paintings to the teacher's.
        psnr_db: PSNR of the student's paintings to the teacher's in dB, pooled over all.
        divergence: mean KL of the student's classes from the teacher's in nats, temperature 1.
        agreement: share of pictures (for a segmenter: of positions) where both predict one class.
    """

    outputs: int = msgspec.field(name="answers")
    size: str
    loss_network: str | None = None
    teacher_style: float | None = None
    style: Change | None = None
    teacher_gains: tuple[float, ...] = ()
    gains: tuple[Change, ...] = ()
    to_teacher: Change | None = None
    psnr_db: Change | None = None
    divergence: Change | None = None
    agreement: Change | None = None


def evaluation_set(
    contents: Sequence[Path], styles: Sequence[Path], kind: OutputKind, size: Size
) -> EvaluationSet:
    """Return at most eight pictures of each folder, or of those that ship with the package.

    Raises:
        UsageError: a folder does not exist, or holds no image.
        BadImage: none can be read.
    """
    side = min(size.height, size.width)

    def read(folders: Sequence[Path], name: str) -> Tensor:
        return squares(image_files(folders) if folders else bundled(name), side, MOST)

    photos = read(contents, "content")
    paintings = read(styles, "style") if kind is OutputKind.TWO_IMAGE else photos[:0]
    return EvaluationSet(photos, paintings)


def compare_quality(
    networks: Networks, pictures: EvaluationSet, kind: OutputKind, loss_weights: Path | None
) -> Quality:
    """Return the distances of a student to its teacher, before and after.

    Args:
        networks: teacher, student before and student after, on the CPU.
        pictures: held-out pictures.
        kind: kind of output of the networks.
        loss_weights: ImageNet VGG-16 weights; None for the loss network that ships.

    Raises:
        BadCheckpoint: the loss network is not VGG-16.
    """
    if kind is OutputKind.LOGITS:
        return _compare_logits(networks, pictures.contents)
    return _compare_paintings(networks, pictures, style_network(loss_weights))


@torch.no_grad()
def _compare_paintings(
    networks: Networks, pictures: EvaluationSet, features: LossNetwork
) -> Quality:
    styles = pictures.styles
    targets = [ScaledStyle.of(style[None], features) for style in styles]
    to_style: list[list[tuple[float, ...]]] = [[], [], []]
    gains: list[list[tuple[float, ...]]] = [[], [], []]
    to_teacher: list[list[float]] = [[], []]
    errors: list[list[float]] = [[], []]
    for content in pictures.contents:
        for index in range(max(1, len(styles))):
            style = styles[index : index + 1]
            outputs = [paint(network, content[None], style) for network in networks]
            rows = [style_statistics(features(output)) for output in outputs]
            if targets:
                moved = targets[index].colour_distances(content[None])
                for output, distances, gained in zip(outputs, to_style, gains, strict=True):
                    distances.append(targets[index].distances(output))
                    gained.append(gains_beyond_colour(distances[-1], moved))
            for student in (0, 1):
                distance = style_distance(rows[student + 1], rows[0], features.widths)
                to_teacher[student].append(float(distance))
                difference = outputs[student + 1] - outputs[0]
                errors[student].append(float(difference.square().mean()))
    teacher, before, after = (_column_means(rows) for rows in to_style)
    teacher_gains, gains_before, gains_after = (_column_means(rows) for rows in gains)
    return Quality(
        outputs=len(errors[0]),
        size="x".join(map(str, pictures.contents.shape[2:])),
        loss_network=features.name,
        teacher_style=teacher[0] if targets else None,
        style=Change(before[0], after[0]) if targets else None,
        teacher_gains=teacher_gains,
        gains=tuple(Change(a, b) for a, b in zip(gains_before, gains_after, strict=True)),
        to_teacher=Change(*map(_mean, to_teacher)),
        psnr_db=Change(*(round(pooled_psnr(each), 2) for each in errors)),
    )


@torch.no_grad()
def paint(network: LoadedNetwork, content: Tensor, style: Tensor) -> Tensor:
    """Return a painting at full strength, [1, 3, H, W] in 0..1.

    Args:
        network: network of any kind but logits.
        content: [1, 3, H, W] in 0..1.
        style: [1, 3, H, W] in 0..1; ignored by a fixed-style network.
    """
    module = network.role_module(Role.STYLIZE)
    inputs = {"content": content, "style": style, "strength": torch.ones(1)}
    return module(*(inputs[name] for name in module.input_names()))


@torch.no_grad()
def _compare_logits(networks: Networks, contents: Tensor) -> Quality:
    for network in networks:
        network.module.eval()
    divergence: list[list[float]] = [[], []]
    agreement: list[list[float]] = [[], []]
    for content in contents:
        teacher, *students = (network.module(content[None]) for network in networks)
        for index, logits in enumerate(students):
            divergence[index].append(float(softened_divergence(logits, teacher, 1.0)))
            if logits.dim() == 4 and logits.shape != teacher.shape:
                logits = torch.nn.functional.interpolate(logits, teacher.shape[2:], mode="bilinear")
            same = (logits.argmax(1) == teacher.argmax(1)).float().mean()
            agreement[index].append(float(same))
    return Quality(
        outputs=len(contents),
        size="x".join(map(str, contents.shape[2:])),
        divergence=Change(*map(_mean, divergence)),
        agreement=Change(*map(_mean, agreement)),
    )


def _column_means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(_mean(column) for column in zip(*rows, strict=True))


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
