"""Report and model card of a distillation."""

from __future__ import annotations

import msgspec

from styleexport.models.compress.cost import Costs
from styleexport.models.compress.distill.matching import Match
from styleexport.models.compress.distill.quality import Quality
from styleexport.models.compress.style_quality import GAIN_PLACES

WEIGHTS = "weights.safetensors"


class DistillReport(msgspec.Struct, frozen=True, kw_only=True):
    """Settings and results of a distillation.

    Attributes:
        teacher: name of the teacher.
        teacher_sha256: sha256 over the teacher's checkpoint files.
        student: name of the student.
        student_sha256: sha256 over the files that the student started from; "" for random weights.
        kind: kind of output of both: ``two-image``, ``fixed-style`` or ``logits``.
        levels: weight of each level.
        temperature: temperature of the logits; None without them.
        matches: layers whose features were matched.
        costs: costs of the teacher (before) and the student (after).
        steps: steps done; 0 in a dry run.
        losses: terms of the loss, means over the last progress report.
        quality: distances of the student to its teacher; None in a dry run.
        weights: path of the weights file; None in a dry run.
        weights_sha256: sha256 over the weights file; None in a dry run.
    """

    teacher: str
    teacher_sha256: str
    student: str
    student_sha256: str
    kind: str
    levels: dict[str, float]
    temperature: float | None
    matches: tuple[Match, ...]
    costs: Costs
    steps: int = 0
    losses: dict[str, float] = {}
    quality: Quality | None = None
    weights: str | None = None
    weights_sha256: str | None = None


def quality_rows(quality: Quality) -> list[tuple[str, str, str, str]]:
    """Return rows of a table: figure, teacher's value, student's before, student's after."""
    rows: list[tuple[str, str, str, str]] = []
    if quality.style is not None:
        teacher, change = f"{quality.teacher_style:.4f}", quality.style
        rows.append(("style distance", teacher, f"{change.before:.4f}", f"{change.after:.4f}"))
    for place, teacher, gain in zip(
        GAIN_PLACES, quality.teacher_gains, quality.gains, strict=False
    ):
        before, after = f"{gain.before:+.3f}", f"{gain.after:+.3f}"
        rows.append((f"gain beyond colour {place}", f"{teacher:+.3f}", before, after))
    for name, change, template in (
        ("style distance to the teacher's", quality.to_teacher, "{:.4f}"),
        ("PSNR to the teacher's", quality.psnr_db, "{:.2f} dB"),
        ("KL from the teacher's classes", quality.divergence, "{:.4f}"),
        ("same class as the teacher", quality.agreement, "{:.0%}"),
    ):
        if change is not None:
            rows.append((name, "", template.format(change.before), template.format(change.after)))
    return rows


def card(report: DistillReport, licence: str) -> str:
    """Return the model card of a distilled network, in Markdown.

    Args:
        report: report of the distillation.
        licence: licence of the student, in words.
    """
    costs = report.costs
    rows = [("parameters", f"{costs.parameters.before:,.0f}", f"{costs.parameters.after:,.0f}")]
    for role in costs.roles:
        name = f"{role.role.value} at {role.size}, GMAC"
        rows.append((name, f"{role.macs.before / 1e9:.3f}", f"{role.macs.after / 1e9:.3f}"))
    levels = ", ".join(f"{name} {weight:g}" for name, weight in report.levels.items())
    start = f"a file with sha256 {report.student_sha256}" if report.student_sha256 else "scratch"
    soft = "" if report.temperature is None else f" at temperature {report.temperature:g}"
    text = (
        f"# {report.student}, distilled from {report.teacher}\n\n"
        f"The student started from {start} and learned for {report.steps} steps from the teacher "
        f"(sha256 {report.teacher_sha256}) at these levels: {levels}{soft}.\n\n"
        f"| | teacher | student |\n|---|---:|---:|\n{_table(rows)}\n\n"
    )
    if (quality := report.quality) is not None:
        network = "" if quality.loss_network is None else f" Loss network: {quality.loss_network}."
        text += (
            f"On {quality.outputs} held-out outputs at {quality.size}:{network}\n\n"
            f"| | teacher | before | after |\n|---|---:|---:|---:|\n"
            f"{_table(quality_rows(quality))}\n\n"
        )
    return (
        f"{text}Licence: {licence}; the teacher's licence may bind its student too.\n"
        f"Use: `--checkpoint {WEIGHTS}` with `{report.student}`.\n"
    )


def _table(rows: list[tuple[str, str, str]] | list[tuple[str, str, str, str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
