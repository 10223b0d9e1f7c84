"""One distillation, from two networks to a folder: weights, log, sheets, report and card."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch
from PIL import Image
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.core.files import replace_file
from styleexport.core.images import write_image
from styleexport.core.types import Progress, Size
from styleexport.models.architecture import (
    DISTILL,
    Architecture,
    record_after,
    write_weights,
)
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.cost import Costs, compare_costs, eager_ms
from styleexport.models.compress.distill.contact_sheets import PairSheet, before_and_after
from styleexport.models.compress.distill.levels import Kind, Level
from styleexport.models.compress.distill.objective import DistillObjective
from styleexport.models.compress.distill.quality import (
    EvaluationSet,
    compare_quality,
    evaluation_set,
)
from styleexport.models.compress.distill.report import WEIGHTS, DistillReport, card
from styleexport.models.compress.distill.setup import (
    Lesson,
    lesson_of,
    open_student,
    open_teacher,
)
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network
from styleexport.models.training.loop import Trainer
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.resume import begin, pictures_sha256
from styleexport.models.training.run import run_logged

STATE = "distill.json"
LAST = "last.pt"
DEFAULT_SIZE = Size(256, 256)


@dataclass(frozen=True)
class DistillRequest:
    """A distillation.

    Attributes:
        teacher: as `open_network` takes it.
        teacher_checkpoints: its weights files.
        student: as `open_network` takes it.
        student_checkpoints: weights files that it starts from; () to start from scratch.
        student_backbone: weights of an encoder that it starts from.
        plan: of the training.
        levels: with their weights; {} for those that suit the networks.
        pairs: layers to match, the teacher's first; () for those that are known.
        temperature: of logits; None for 4.
        evaluation: folders of pictures to judge on; () for those that ship.
        evaluation_style: the same of paintings.
        size: of pictures that are judged, drawn and measured.
        resume: whether to go on with what is in the folder.
        dry_run: whether only to say what would be done.
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


class DistillState(msgspec.Struct, frozen=True, kw_only=True):
    """What a distillation was begun with; a resumed one must be of the same."""

    teacher: str
    student: str
    content: str
    style: str
    loss_weights: str
    levels: dict[str, float]
    match: tuple[tuple[str, str], ...]
    temperature: float


class Classified(nn.Module):
    """A network of logits with a picture's shape, so that it can be counted and timed as others."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return the mean of the logits in every pixel, [N, 3, H, W]."""
        means = self.network(image).flatten(1).mean(1)
        return means[:, None, None, None].expand(image.shape)


def distill(request: DistillRequest, progress: Progress = lambda _: None) -> DistillReport:
    """Train a student to do as its teacher does, and return what became of it.

    Writes ``weights.safetensors`` (what ``--checkpoint`` takes), ``last.pt`` (what resuming takes),
    ``log.jsonl``, contact sheets, ``report.json`` and ``card.md`` into the plan's folder.

    Raises:
        UsageError: networks, levels, layers or pictures do not fit, or the folder holds another
            training.
        BadCheckpoint: weights cannot be read, or the loss became NaN.
    """
    plan = request.plan
    if plan.out.is_file():
        raise UsageError(f"{plan.out} is a file; type -o with the name of a folder")
    teacher = open_teacher(request.teacher, request.teacher_checkpoints)
    student = open_student(
        request.student, request.student_checkpoints, request.student_backbone, plan.seed
    )
    lesson = lesson_of(teacher, student, plan, request.levels, request.pairs, request.temperature)
    _check_size(request.size, teacher, student)
    pictures = evaluation_set(
        request.evaluation, request.evaluation_style, lesson.kind, request.size
    )
    state = _state(request, lesson)
    if not request.dry_run:
        if not request.resume and (plan.out / LAST).exists() and not (plan.out / STATE).exists():
            raise UsageError(f"{plan.out / LAST} is of another training: choose another -o")
        begin(plan.out / STATE, state, resume=request.resume)
    told = _first_report(request, lesson)
    if request.dry_run:
        return told
    before = replace(student, module=copy.deepcopy(student.module).eval())
    trainer, losses = _train(request, lesson, pictures, progress)
    return _write(request, lesson, (teacher, before), pictures, trainer, losses, told, progress)


def _check_size(size: Size, teacher: LoadedNetwork, student: LoadedNetwork) -> None:
    least = max(teacher.network.min_side, student.network.min_side)
    if size.height != size.width or size.height < least:
        raise UsageError(
            f"size {size} does not fit: pictures are judged as squares of {least} pixels or more; "
            "type for example --size 256"
        )


def _state(request: DistillRequest, lesson: Lesson) -> DistillState:
    plan, student = request.plan, lesson.student.loaded
    return DistillState(
        teacher=f"{request.teacher} {lesson.teacher.loaded.source_sha256}",
        student=f"{request.student} {student.source_sha256 or f'scratch, seed {plan.seed}'}",
        content=pictures_sha256(plan.content),
        style=pictures_sha256(plan.style) if plan.style else "",
        loss_weights=sha256_of([plan.loss_weights]) if plan.loss_weights else "",
        levels={level.value: weight for level, weight in lesson.weights.items()},
        match=tuple((match.teacher, match.student) for match in lesson.matches),
        temperature=lesson.temperature if Level.LOGITS in lesson.weights else 0.0,
    )


def _first_report(request: DistillRequest, lesson: Lesson) -> DistillReport:
    teacher, student = lesson.teacher.loaded, lesson.student.loaded
    return DistillReport(
        teacher=teacher.network.name,
        teacher_sha256=teacher.source_sha256,
        student=student.network.name,
        student_sha256=student.source_sha256,
        kind=lesson.kind.value,
        levels={level.value: weight for level, weight in lesson.weights.items()},
        temperature=lesson.temperature if Level.LOGITS in lesson.weights else None,
        matches=lesson.matches,
        costs=compare_costs(*_counted(teacher, student, lesson.kind), [request.size], timed=False),
    )


def _counted(
    teacher: LoadedNetwork, student: LoadedNetwork, kind: Kind
) -> tuple[LoadedNetwork, LoadedNetwork]:
    """Return the networks as they are counted and timed."""
    if kind is not Kind.LOGITS:
        return teacher, student
    return (
        replace(teacher, module=Classified(teacher.module)),
        replace(student, module=Classified(student.module)),
    )


def _timed(costs: Costs, teacher: LoadedNetwork, student: LoadedNetwork, size: Size) -> Costs:
    """Return the costs with measured times."""
    roles = [
        msgspec.structs.replace(cost, eager_ms=eager_ms(teacher, student, cost.role, size))
        for cost in costs.roles
    ]
    return msgspec.structs.replace(costs, roles=tuple(roles))


def _train(
    request: DistillRequest, lesson: Lesson, pictures: EvaluationSet, progress: Progress
) -> tuple[Trainer, dict[str, float]]:
    plan = request.plan
    objective = DistillObjective(lesson, plan)
    trainer = Trainer(lesson.student.module, plan, objective, objective.maps)
    if request.resume and (plan.out / LAST).exists():
        trainer.resume(plan.out / LAST)
        progress(f"resumed at step {trainer.step}")
    objective.open(trainer.step)
    return trainer, run_logged(trainer, _sheets(lesson, pictures), progress)


def _sheets(lesson: Lesson, pictures: EvaluationSet) -> Callable[[], Image.Image | None]:
    """Return what draws the contact sheets of a training; both networks paint on the CPU."""
    if lesson.kind is Kind.LOGITS:
        return lambda: None
    sheet = PairSheet(on_cpu(lesson.teacher.loaded), pictures)
    return lambda: sheet.draw(on_cpu(lesson.student.loaded))


def on_cpu(network: LoadedNetwork) -> LoadedNetwork:
    """Return a copy of a network in inference mode on the CPU, in the order that files have."""
    module = copy.deepcopy(network.module).eval().cpu()
    return replace(network, module=module.to(memory_format=torch.contiguous_format))  # pyright: ignore


def _write(
    request: DistillRequest,
    lesson: Lesson,
    others: tuple[LoadedNetwork, LoadedNetwork],
    pictures: EvaluationSet,
    trainer: Trainer,
    losses: dict[str, float],
    told: DistillReport,
    progress: Progress,
) -> DistillReport:
    out = request.plan.out
    weights = out / WEIGHTS
    write_weights(weights, trainer.averaged_state(), _architecture(request, lesson, trainer.step))
    progress("measuring quality and time")
    teacher, before = on_cpu(others[0]), others[1]
    after = open_network(request.student, [weights])
    networks = (teacher, before, after)
    told = msgspec.structs.replace(
        told,
        costs=_timed(told.costs, *_counted(teacher, after, lesson.kind), request.size),
        steps=trainer.step,
        losses=losses,
        quality=compare_quality(networks, pictures, lesson.kind, request.plan.loss_weights),
        weights=str(weights),
        weights_sha256=sha256_of([weights]),
    )
    if lesson.kind is not Kind.LOGITS:
        write_image(before_and_after(networks, pictures), out / "sheet.png")
    with replace_file(out / "report.json") as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
    with replace_file(out / "card.md") as part:
        part.write_text(card(told, lesson.student.loaded.network.licence), encoding="utf-8")
    return told


def _architecture(request: DistillRequest, lesson: Lesson, steps: int) -> Architecture | None:
    """Return the record of a student that is compressed, or of a variant that has settings."""
    plan, student = request.plan, lesson.student.loaded
    schedule: dict[str, str | int | float] = {
        "teacher": lesson.teacher.name,
        "teacher_sha256": lesson.teacher.loaded.source_sha256,
        **{f"level {level}": weight for level, weight in lesson.weights.items()},
        "steps": steps,
        "batch": plan.batch,
        "crop": plan.crop,
        "learning_rate": plan.learning_rate,
        "seed": plan.seed,
    }
    if Level.LOGITS in lesson.weights:
        schedule["temperature"] = lesson.temperature
    backbone = request.student_backbone
    parents = request.student_checkpoints or (() if backbone is None else (backbone,))
    return record_after(student.network, student.module, parents, DISTILL, schedule)
