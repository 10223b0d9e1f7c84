"""Distillation setup: load both networks, match layers, check shapes on random input."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.compress.distill.forward import UnclampedNetwork, trial_run
from styleexport.models.compress.distill.levels import (
    OUTPUTS,
    Level,
    OutputKind,
    check_levels,
    default_levels,
    temperature_of,
)
from styleexport.models.compress.distill.matching import (
    Match,
    check_names,
    default_pairs,
    matches_of,
)
from styleexport.models.network import LoadedNetwork
from styleexport.models.network_spec import NetworkSource, NetworkSpec
from styleexport.models.networks._open import find, open_network
from styleexport.models.training.plan import TrainingPlan


@dataclass(frozen=True)
class DistillationSetup:
    """Both networks of a distillation, and the losses between them.

    Attributes:
        teacher: network that is imitated.
        student: network that is trained.
        kind: kind of output of both.
        weights: weight of each level.
        temperature: temperature of the logits.
        matches: layers whose features are matched.
    """

    teacher: UnclampedNetwork
    student: UnclampedNetwork
    kind: OutputKind
    weights: Mapping[Level, float]
    temperature: float
    matches: tuple[Match, ...]


def open_teacher(text: str, checkpoints: Sequence[Path]) -> LoadedNetwork:
    """Return a teacher with its weights.

    Raises:
        UsageError: no such network.
        BadCheckpoint: no weights, or those of another network.
    """
    spec = NetworkSpec.parse(text)
    if spec.source is NetworkSource.REGISTRY and not checkpoints:
        network = find(spec.name)
        if not network.shipped:
            raise BadCheckpoint(
                f"teacher {spec} has no weights of its own: type --teacher-checkpoint PATH with "
                f"{network.checkpoints}"
            )
    return open_network(spec, checkpoints)


def distillation_setup(
    teacher: LoadedNetwork,
    student: LoadedNetwork,
    plan: TrainingPlan,
    levels: Mapping[Level, float],
    pairs: Sequence[tuple[str, str]],
    temperature: float | None = None,
) -> DistillationSetup:
    """Return the setup of a distillation, after running both networks once on noise.

    Args:
        teacher: teacher with its weights.
        student: student with its starting weights.
        plan: training plan.
        levels: weight of each level; {} for those that suit the networks.
        pairs: layers to match, the teacher's first; () for those of known networks.
        temperature: temperature of the logits; None for 4.

    Raises:
        UsageError: networks, levels, layers or pictures do not fit each other.
    """
    known = pairs or default_pairs(teacher.module, student.module)
    networks = (
        UnclampedNetwork(teacher, [a for a, _ in known]),
        UnclampedNetwork(student, [b for _, b in known]),
    )
    for network, who in zip(networks, ("teacher", "student"), strict=True):
        check_names(network, who, network.layers)
    _check_crop(plan.crop, (teacher, student))
    kind, matches = _kind_and_matches(*networks, plan, levels, known)
    weights = levels or default_levels(kind, matched=bool(matches))
    check_levels(weights, kind, teacher.network.name)
    _check_features(weights, *networks, named=bool(pairs), matched=bool(matches))
    logit_temperature = temperature_of(temperature, weights)
    _check_pictures(kind, weights, plan)
    if Level.FEATURES not in weights:
        matches = ()
    networks[0].layers = tuple(match.teacher for match in matches)
    networks[1].layers = tuple(match.student for match in matches)
    return DistillationSetup(*networks, kind, weights, logit_temperature, matches)


def _check_crop(crop: int, networks: Sequence[LoadedNetwork]) -> None:
    for loaded in networks:
        if crop < loaded.network.min_side:
            raise UsageError(
                f"--crop {crop} is too small for {loaded.network.name}: type --crop "
                f"{loaded.network.min_side} or more"
            )


def _check_features(
    weights: Mapping[Level, float],
    teacher: UnclampedNetwork,
    student: UnclampedNetwork,
    *,
    named: bool,
    matched: bool,
) -> None:
    """Check that layers are matched where the level ``features`` uses them, and only there."""
    if Level.FEATURES not in weights:
        if named:
            raise UsageError(
                "--match names layers for the level features: add --level features=0.5"
            )
    elif not matched:
        raise UsageError(
            f"level features: which layers of {teacher.name} and {student.name} belong together "
            "is not known: type --match TEACHER_LAYER=STUDENT_LAYER"
        )


@torch.no_grad()
def _kind_and_matches(
    teacher: UnclampedNetwork,
    student: UnclampedNetwork,
    plan: TrainingPlan,
    levels: Mapping[Level, float],
    pairs: Sequence[tuple[str, str]],
) -> tuple[OutputKind, tuple[Match, ...]]:
    # A copy: in training mode the student would take noise into its running statistics.
    trial = copy.copy(student)
    trial.module = copy.deepcopy(student.module).train()
    runs = (
        trial_run(teacher, "teacher", plan.batch, plan.crop),
        trial_run(trial, "student", plan.batch, plan.crop),
    )
    kinds = [runs[0].kind(teacher, plan.crop), runs[1].kind(student, plan.crop)]
    if Level.LOGITS in levels and OutputKind.TWO_IMAGE not in kinds:
        kinds = [OutputKind.LOGITS, OutputKind.LOGITS]
    if kinds[0] is not kinds[1]:
        raise UsageError(
            f"teacher {teacher.name} {OUTPUTS[kinds[0]]}, student {student.name} "
            f"{OUTPUTS[kinds[1]]}: give two networks of one kind"
        )
    if kinds[0] is OutputKind.LOGITS:
        _check_classes(teacher, student, runs[0].output.shape, runs[1].output.shape)
    return kinds[0], matches_of(pairs, (teacher, trial), runs)


def _check_classes(
    teacher: UnclampedNetwork, student: UnclampedNetwork, expected: torch.Size, got: torch.Size
) -> None:
    if len(expected) != len(got) or expected[1] != got[1]:
        raise UsageError(
            f"teacher {teacher.name} returns logits {list(expected)} and student {student.name} "
            f"{list(got)}: expected the same classes, [N, K] or [N, K, H, W] of both"
        )


def _check_pictures(kind: OutputKind, weights: Mapping[Level, float], plan: TrainingPlan) -> None:
    """Check that the plan has the pictures and loss network that are used, and no others."""
    if kind is OutputKind.TWO_IMAGE and not plan.style:
        raise UsageError(
            "networks that paint in the style of a picture learn on paintings too: type "
            "--style FOLDER"
        )
    if kind is not OutputKind.TWO_IMAGE and plan.style:
        raise UsageError("these networks take no style picture: leave out --style")
    if Level.OBJECTIVE in weights and plan.loss_weights is None:
        raise UsageError(
            "level objective is the AdaIN objective under ImageNet's VGG-16: type "
            "--loss-weights PATH"
        )
    judged = {Level.OUTPUTS, Level.STYLE, Level.OBJECTIVE} & set(weights)
    if plan.loss_weights is not None and not judged:
        raise UsageError(
            "--loss-weights judges paintings, and no level does: leave it out, or add "
            "--level outputs=1"
        )
