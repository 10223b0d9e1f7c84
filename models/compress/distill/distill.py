"""Distillation of a network, from request to files: weights, log, sheets, report and card."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import msgspec
import torch
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
from styleexport.models.compress.distill.levels import Level, OutputKind
from styleexport.models.compress.distill.objective import DistillObjective
from styleexport.models.compress.distill.quality import (
    EvaluationSet,
    compare_quality,
    evaluation_set,
)
from styleexport.models.compress.distill.report import WEIGHTS, DistillReport, card
from styleexport.models.compress.distill.request import DistillRequest
from styleexport.models.compress.distill.setup import (
    DistillationSetup,
    distillation_setup,
    open_teacher,
)
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import describe, open_network
from styleexport.models.pixels import STANDARD
from styleexport.models.training.loop import Trainer
from styleexport.models.training.resume import check_resumable, pictures_sha256
from styleexport.models.training.run import Sheet, run_logged
from styleexport.models.training.run_folder import LAST, run_folder

STATE = "distill.json"
OUTPUTS = (WEIGHTS, "report.json", "card.md", "sheet.png")


class DistillState(msgspec.Struct, frozen=True, kw_only=True):
    """Settings recorded at the start of a run, ``distill.json``; a resumed run must match them."""

    teacher: str
    student: str
    content: str
    style: str
    loss_weights: str
    levels: dict[str, float]
    match: tuple[tuple[str, str], ...]
    temperature: float


class LogitsAsImage(nn.Module):
    """A network of logits whose output has a picture's shape, so that it is timed as others are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return the mean of the logits in every pixel, for an image [N, 3, H, W] the same."""
        means = self.network(image).flatten(1).mean(1)
        return means[:, None, None, None].expand(image.shape)


def distill(request: DistillRequest, progress: Progress = lambda _: None) -> DistillReport:
    """Train a student to imitate its teacher, and return the report.

    Writes ``weights.safetensors`` (what ``--checkpoint`` takes), ``last.pt`` (what resuming takes),
    ``log.jsonl``, contact sheets, ``report.json`` and ``card.md`` into the plan's folder.

    Raises:
        UsageError: networks, levels, layers or pictures do not fit, or the folder holds another
            training.
        BadCheckpoint: weights cannot be read, or the loss became NaN.
    """
    plan = request.plan
    if plan.out.is_file():  # before networks are read
        raise UsageError(f"{plan.out} is a file; type -o with the name of a folder")
    teacher = open_teacher(request.teacher, request.teacher_checkpoints)
    student = request.start.open(describe(request.student, "student"))
    setup = distillation_setup(
        teacher, student, plan, request.levels, request.pairs, request.temperature
    )
    _check_size(request.size, teacher, student)
    pictures = evaluation_set(
        request.evaluation, request.evaluation_style, setup.kind, request.size
    )
    state = _state(request, setup)
    report = _untrained_report(request, setup)
    if request.dry_run:
        return report
    begun = request.resume or (plan.out / STATE).exists()
    with run_folder(plan.out, OUTPUTS, resume=begun, progress=progress):
        check_resumable(plan.out / STATE, state, resume=request.resume)
        before = replace(student, module=copy.deepcopy(student.module).eval())
        trainer, losses = _train(request, setup, pictures, progress)
        report = msgspec.structs.replace(report, steps=trainer.step, losses=losses)
        return _write(request, setup, (teacher, before), pictures, trainer, report, progress)


def _check_size(size: Size, teacher: LoadedNetwork, student: LoadedNetwork) -> None:
    least = max(teacher.network.min_side, student.network.min_side)
    if size.height != size.width or size.height < least:
        raise UsageError(
            f"size {size} does not fit: pictures are judged as squares of {least} pixels or more; "
            "type for example --size 256"
        )


def _state(request: DistillRequest, setup: DistillationSetup) -> DistillState:
    plan, student = request.plan, setup.student.loaded
    return DistillState(
        teacher=f"{request.teacher} {setup.teacher.loaded.source_sha256}",
        student=f"{request.student} {student.source_sha256 or f'scratch, seed {plan.seed}'}",
        content=pictures_sha256(plan.content),
        style=pictures_sha256(plan.style) if plan.style else "",
        loss_weights=sha256_of([plan.loss_weights]) if plan.loss_weights else "",
        levels={level.value: weight for level, weight in setup.weights.items()},
        match=tuple((match.teacher, match.student) for match in setup.matches),
        temperature=setup.temperature if Level.LOGITS in setup.weights else 0.0,
    )


def _untrained_report(request: DistillRequest, setup: DistillationSetup) -> DistillReport:
    teacher, student = setup.teacher.loaded, setup.student.loaded
    return DistillReport(
        teacher=teacher.network.name,
        teacher_sha256=teacher.source_sha256,
        student=student.network.name,
        student_sha256=student.source_sha256,
        kind=setup.kind.value,
        levels={level.value: weight for level, weight in setup.weights.items()},
        temperature=setup.temperature if Level.LOGITS in setup.weights else None,
        matches=setup.matches,
        costs=compare_costs(*_counted(teacher, student, setup.kind), [request.size], timed=False),
    )


def _counted(
    teacher: LoadedNetwork, student: LoadedNetwork, kind: OutputKind
) -> tuple[LoadedNetwork, LoadedNetwork]:
    """Return the networks in the form in which they are counted and timed."""
    if kind is not OutputKind.LOGITS:
        return teacher, student
    return _as_painter(teacher), _as_painter(student)


def _as_painter(loaded: LoadedNetwork) -> LoadedNetwork:
    """Return a classifier as a network whose pictures are its logits."""
    network = replace(loaded.network, output_pixels=STANDARD, scale=1)
    return replace(loaded, network=network, module=LogitsAsImage(loaded.module))


def _timed(costs: Costs, teacher: LoadedNetwork, student: LoadedNetwork, size: Size) -> Costs:
    """Return the costs with measured times of each role."""
    roles = [
        msgspec.structs.replace(cost, eager_ms=eager_ms(teacher, student, cost.role, size))
        for cost in costs.roles
    ]
    return msgspec.structs.replace(costs, roles=tuple(roles))


def _train(
    request: DistillRequest, setup: DistillationSetup, pictures: EvaluationSet, progress: Progress
) -> tuple[Trainer, dict[str, float]]:
    plan = request.plan
    objective = DistillObjective(setup, plan)
    trainer = Trainer(setup.student.module, plan, objective, objective.maps)
    if request.resume and (plan.out / LAST).exists():
        trainer.resume(plan.out / LAST)
        progress(f"resumed at step {trainer.step}")
    objective.open(trainer.step)
    return trainer, run_logged(trainer, _sheets(setup, pictures), progress)


def _sheets(setup: DistillationSetup, pictures: EvaluationSet) -> Callable[[], Sheet | None]:
    """Return a function that draws a contact sheet; both networks paint on the CPU."""
    if setup.kind is OutputKind.LOGITS:
        return lambda: None
    sheet = PairSheet(on_cpu(setup.teacher.loaded), pictures)
    return lambda: Sheet(sheet.draw(on_cpu(setup.student.loaded)))


def on_cpu(network: LoadedNetwork) -> LoadedNetwork:
    """Return a copy of a network in inference mode on the CPU, its weights contiguous."""
    module = copy.deepcopy(network.module).eval().cpu()
    return replace(network, module=module.to(memory_format=torch.contiguous_format))  # pyright: ignore


def _write(
    request: DistillRequest,
    setup: DistillationSetup,
    originals: tuple[LoadedNetwork, LoadedNetwork],
    pictures: EvaluationSet,
    trainer: Trainer,
    report: DistillReport,
    progress: Progress,
) -> DistillReport:
    """Write all files of a distillation and return its report.

    Args:
        request: what was asked for.
        setup: networks and levels.
        originals: teacher, and student before the training.
        pictures: held-out pictures.
        trainer: trainer of the student, at its last step.
        report: report without costs in time, quality and weights.
        progress: receives progress lines.
    """
    out = request.plan.out
    weights = out / WEIGHTS
    write_weights(weights, trainer.averaged_state(), _architecture(request, setup, trainer.step))
    progress("measuring quality and time")
    teacher, before = on_cpu(originals[0]), originals[1]
    after = open_network(request.student, [weights])
    networks = (teacher, before, after)
    report = msgspec.structs.replace(
        report,
        costs=_timed(report.costs, *_counted(teacher, after, setup.kind), request.size),
        quality=compare_quality(networks, pictures, setup.kind, request.plan.loss_weights),
        weights=str(weights),
        weights_sha256=sha256_of([weights]),
    )
    if setup.kind is not OutputKind.LOGITS:
        write_image(before_and_after(networks, pictures), out / "sheet.png")
    with replace_file(out / "report.json") as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    with replace_file(out / "card.md") as part:
        part.write_text(card(report, setup.student.loaded.network.licence), encoding="utf-8")
    return report


def _architecture(
    request: DistillRequest, setup: DistillationSetup, steps: int
) -> Architecture | None:
    """Return the architecture record of the student; None where a plain file is enough."""
    plan, student = request.plan, setup.student.loaded
    schedule: dict[str, str | int | float] = {
        "teacher": setup.teacher.name,
        "teacher_sha256": setup.teacher.loaded.source_sha256,
        **{f"level {level}": weight for level, weight in setup.weights.items()},
        "steps": steps,
        "batch": plan.batch,
        "crop": plan.crop,
        "learning_rate": plan.learning_rate,
        "seed": plan.seed,
    }
    if Level.LOGITS in setup.weights:
        schedule["temperature"] = setup.temperature
    parents = request.start.files
    return record_after(student.network, student.module, parents, DISTILL, schedule)
