"""Distillation requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.types import Size
from styleexport.models.compress.distill.levels import Level
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.start import StartingPoint

DEFAULT_SIZE = Size(256, 256)


@dataclass(frozen=True)
class DistillRequest:
    """Settings of a distillation.

    Attributes:
        teacher: network specification, as `open_network` takes it.
        teacher_checkpoints: weights files of the teacher.
        student: network specification of a module; see `describe`.
        student_checkpoints: weights files that the student starts from; () for random weights.
        student_backbone: weights file of an encoder that the student starts from.
        plan: training plan.
        levels: weight of each level; {} for those that suit the networks.
        pairs: layers to match, the teacher's first; () for those of known networks.
        temperature: temperature of the logits; None for 4.
        evaluation: folders of photographs to evaluate on; () for those that ship.
        evaluation_style: folders of paintings to evaluate on; () for those that ship.
        size: size of pictures that are evaluated, drawn and timed; a square.
        resume: whether to continue the run in the folder.
        dry_run: whether to report only, without training.
    """

    teacher: str
    teacher_checkpoints: tuple[Path, ...]
    student: str
    student_checkpoints: tuple[Path, ...]
    student_backbone: Path | None
    plan: TrainingPlan
    levels: Mapping[Level, float]
    pairs: tuple[tuple[str, str], ...]
    temperature: float | None = None
    evaluation: tuple[Path, ...] = ()
    evaluation_style: tuple[Path, ...] = ()
    size: Size = DEFAULT_SIZE
    resume: bool = False
    dry_run: bool = False

    @property
    def start(self) -> StartingPoint:
        """Weights that the student starts from."""
        return StartingPoint(
            self.student_checkpoints, self.student_backbone, self.plan.seed, role="student"
        )
