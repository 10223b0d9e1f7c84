"""Any two files of artifacts, judged on the fixed probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from msgspec import Struct

from styleexport.core.perceptual import LossNetwork, Lpips
from styleexport.core.types import Progress, Role, Size
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.judge import Judge, Outputs
from styleexport.runtime_bench.quality.pairs import FilePair, ModelFile
from styleexport.runtime_bench.quality.picture_session import (
    StyleEncoders,
    open_picture_session,
    partner,
)
from styleexport.runtime_bench.quality.probes import QualityProbe, quality_probes
from styleexport.runtime_bench.quality.report import QualityReport
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for


class QualityComparison(Struct, frozen=True, kw_only=True):
    """Two files, and what the second loses.

    Attributes:
        reference: path in its artifact.
        candidate: path in its artifact.
        role: of both.
        runners: of both.
        judged_through: the float program that paints with the style codes of two encoders; None
            elsewhere.
        quality: what the candidate loses.
        budget: what it may lose; None without one.
        failures: limits of the budget that do not hold.
    """

    reference: str
    candidate: str
    role: Role
    runners: tuple[str, str]
    judged_through: str | None
    quality: QualityReport
    budget: str | None
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """A comparison and the pictures that it speaks of.

    Attributes:
        comparison: the figures.
        probes: the stills, in the order of the outputs.
        reference: outputs of the stills.
        candidate: outputs of the stills.
    """

    comparison: QualityComparison
    probes: tuple[QualityProbe, ...]
    reference: Outputs
    candidate: Outputs


@dataclass(frozen=True)
class JudgeSettings:
    """What all comparisons are judged with.

    Attributes:
        loss_network: in whose features style is measured.
        lpips: None leaves LPIPS out.
        budget: None allows all.
    """

    loss_network: LossNetwork
    lpips: Lpips | None = None
    budget: Budget | None = None


def compare(
    pairs: Sequence[FilePair],
    settings: JudgeSettings,
    options: RunOptions | None = None,
    progress: Progress = lambda _: None,
) -> tuple[Compared, ...]:
    """Return what each candidate loses against its reference, in the order of the pairs.

    Raises:
        UsageError: the budget limits what was not measured.
        BadArtifact: a file cannot be loaded or run.
        DeviceError: no runner for a file can run here.
    """
    encoders = StyleEncoders(options or RunOptions())
    found: list[Compared] = []
    for (reference, size), group in groupby(pairs, lambda pair: (pair.reference, pair.size)):
        same = list(group)
        judge = Judge(settings.loss_network, quality_probes(size, _inputs(same)), settings.lpips)
        progress(f"{reference.path}: reference")
        with open_picture_session(reference, size, encoders) as session:
            expected = judge.reference(session)
        for pair in same:
            progress(f"{pair.candidate.path}: compare")
            with open_picture_session(pair.candidate, size, encoders) as session:
                outputs = judge.outputs(session)
            comparison = _comparison(pair, judge.report(outputs), settings.budget)
            count = len(judge.stills)
            found.append(Compared(comparison, judge.stills, expected[:count], outputs[:count]))
    return tuple(found)


def _inputs(pairs: Sequence[FilePair]) -> tuple[str, ...]:
    """Return what the probes of some pairs must hold."""
    sides = [side for pair in pairs for side in (pair.reference, pair.candidate)]
    if sides[0].role is Role.ENCODE:
        painted = all(_through(side, pairs[0].size) for side in sides)
        return ("content", "style", "strength") if painted else ("style",)
    if not any(side.takes_style for side in sides):
        return ("content",)
    coded = sides[0].role is Role.TRANSFORM
    if coded and any(partner(side, Role.ENCODE, pairs[0].size) is None for side in sides):
        return ("content", "strength")
    return ("content", "style", "strength")


def _through(side: ModelFile, size: Size) -> str | None:
    """Return the program that paints with the codes of an encoder."""
    program = partner(side, Role.TRANSFORM, size) if side.role is Role.ENCODE else None
    return None if program is None else program.path


def _comparison(pair: FilePair, quality: QualityReport, budget: Budget | None) -> QualityComparison:
    reference, candidate = pair.reference, pair.candidate
    return QualityComparison(
        reference=reference.path,
        candidate=candidate.path,
        role=candidate.role,
        runners=(runner_for(reference.file).name, runner_for(candidate.file).name),
        judged_through=_through(candidate, pair.size),
        quality=quality,
        budget=None if budget is None else str(budget),
        failures=() if budget is None else budget.failures(quality),
    )
