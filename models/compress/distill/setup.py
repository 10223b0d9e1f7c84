"""Who teaches whom, and at which levels: opened, tried on noise, and found to fit."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.distill.forward import Unclamped, tried
from styleexport.models.compress.distill.levels import (
    ANSWERS,
    Kind,
    Level,
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
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.networks._open import describe_factory, find, open_network, read_module
from styleexport.models.training.plan import TrainingPlan

GRAPHS = (".pt2", ".onnx")


@dataclass(frozen=True)
class Lesson:
    """Who teaches whom, and at which levels.

    Attributes:
        teacher: the network that knows.
        student: the network that learns; its module is the one that is trained.
        kind: of both.
        weights: of each level.
        temperature: of logits.
        matches: layers that are held to each other.
    """

    teacher: Unclamped
    student: Unclamped
    kind: Kind
    weights: Mapping[Level, float]
    temperature: float
    matches: tuple[Match, ...]


def open_teacher(spec: str, checkpoints: Sequence[Path]) -> LoadedNetwork:
    """Return a teacher with its weights.

    Raises:
        UsageError: there is no such network.
        BadCheckpoint: it has no weights, or not these.
    """
    if ":" not in spec and not spec.endswith(GRAPHS) and ".onnx," not in spec:
        network = find(spec)
        if not checkpoints and network.weights is None:
            raise BadCheckpoint(
                f"teacher {spec} has no weights of its own: type --teacher-checkpoint PATH with "
                f"{network.checkpoints}"
            )
    return open_network(spec, checkpoints)


def open_student(
    spec: str, checkpoints: Sequence[Path], backbone: Path | None, seed: int
) -> LoadedNetwork:
    """Return a student as it starts: from checkpoint files, from a backbone, or from scratch.

    Raises:
        UsageError: there is no such network, or its start is not clear.
        BadCheckpoint: weights of another network, or not finite.
    """
    if spec.endswith(GRAPHS) or ".onnx," in spec:
        raise UsageError(
            f"student {spec} is a graph, which has no weights file to write; give the network that "
            "it came from: a name of `styleexport networks`, or package.module:factory"
        )
    network = describe_factory(spec) if ":" in spec else find(spec)
    if checkpoints and backbone is not None:
        raise UsageError("--student-checkpoint holds a whole network: leave out --student-backbone")
    torch.manual_seed(seed)
    if checkpoints:
        module = read_module(network, checkpoints)
    elif backbone is not None:
        module = _from_backbone(network, backbone)
    else:
        module = network.build()
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise BadCheckpoint(
                f"student {network.name} starts with NaN or infinity in {name}: mend its factory, "
                "or give finite weights with --student-checkpoint"
            )
    paths = [*checkpoints, *([] if backbone is None else [backbone])]
    files = [f for p in paths for f in (sorted(p.iterdir()) if p.is_dir() else [p]) if f.is_file()]
    digest = sha256_of(files) if files else ""
    return LoadedNetwork(network, module, tuple(file.name for file in files), digest)


def _from_backbone(network: StyleNetwork, backbone: Path) -> nn.Module:
    if network.start is None:
        raise UsageError(f"student {network.name} takes no backbone: leave out --student-backbone")
    return network.start(backbone)


def lesson_of(
    teacher: LoadedNetwork,
    student: LoadedNetwork,
    plan: TrainingPlan,
    levels: Mapping[Level, float],
    pairs: Sequence[tuple[str, str]],
    temperature: float | None = None,
) -> Lesson:
    """Return what is taught, after both networks were tried on noise.

    Args:
        teacher: with its weights.
        student: as it starts.
        plan: of the training.
        levels: with their weights; {} for those that suit the networks.
        pairs: layers to match, the teacher's first; () for those that are known.
        temperature: of logits; None for 4.

    Raises:
        UsageError: the networks, levels, layers or pictures do not fit each other.
    """
    known = pairs or default_pairs(teacher.module, student.module)
    tutor = Unclamped(teacher, [a for a, _ in known])
    pupil = Unclamped(student, [b for _, b in known])
    check_names(tutor, "teacher", tutor.layers)
    check_names(pupil, "student", pupil.layers)
    _check_crop(plan.crop, (teacher, student))
    kind, matches = _kind_and_matches(tutor, pupil, plan, levels, known)
    weights = levels or default_levels(kind, matched=bool(matches))
    check_levels(weights, kind, tutor.name)
    _check_features(weights, tutor, pupil, named=bool(pairs), matched=bool(matches))
    heat = temperature_of(temperature, weights)
    _check_pictures(kind, weights, plan)
    if Level.FEATURES not in weights:
        matches = ()
    tutor.layers = tuple(match.teacher for match in matches)
    pupil.layers = tuple(match.student for match in matches)
    return Lesson(tutor, pupil, kind, weights, heat, matches)


def _check_crop(crop: int, networks: Sequence[LoadedNetwork]) -> None:
    for loaded in networks:
        if crop < loaded.network.min_side:
            raise UsageError(
                f"--crop {crop} is too small for {loaded.network.name}: type --crop "
                f"{loaded.network.min_side} or more"
            )


def _check_features(
    weights: Mapping[Level, float],
    teacher: Unclamped,
    student: Unclamped,
    *,
    named: bool,
    matched: bool,
) -> None:
    """Refuse layers without the level that uses them, and the level without layers."""
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
    teacher: Unclamped,
    student: Unclamped,
    plan: TrainingPlan,
    levels: Mapping[Level, float],
    pairs: Sequence[tuple[str, str]],
) -> tuple[Kind, tuple[Match, ...]]:
    # In training mode a network would take noise into its running statistics.
    trial = copy.copy(student)
    trial.module = copy.deepcopy(student.module).train()
    seen = (
        tried(teacher, "teacher", plan.batch, plan.crop),
        tried(trial, "student", plan.batch, plan.crop),
    )
    kinds = [seen[0].kind(teacher, plan.crop), seen[1].kind(student, plan.crop)]
    if Level.LOGITS in levels and Kind.TWO_IMAGE not in kinds:
        kinds = [Kind.LOGITS, Kind.LOGITS]
    if kinds[0] is not kinds[1]:
        raise UsageError(
            f"teacher {teacher.name} {ANSWERS[kinds[0]]}, student {student.name} "
            f"{ANSWERS[kinds[1]]}: give two networks of one kind"
        )
    if kinds[0] is Kind.LOGITS:
        _check_classes(teacher, student, seen[0].answer.shape, seen[1].answer.shape)
    return kinds[0], matches_of(pairs, teacher, trial, seen)


def _check_classes(
    teacher: Unclamped, student: Unclamped, wanted: torch.Size, got: torch.Size
) -> None:
    if len(wanted) != len(got) or wanted[1] != got[1]:
        raise UsageError(
            f"teacher {teacher.name} returns logits {list(wanted)} and student {student.name} "
            f"{list(got)}: expected the same classes, [N, K] or [N, K, H, W] of both"
        )


def _check_pictures(kind: Kind, weights: Mapping[Level, float], plan: TrainingPlan) -> None:
    """Refuse pictures and loss networks that are missing or that nothing uses."""
    if kind is Kind.TWO_IMAGE and not plan.style:
        raise UsageError(
            "networks that paint in the style of a picture learn on paintings too: type "
            "--style FOLDER"
        )
    if kind is not Kind.TWO_IMAGE and plan.style:
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
