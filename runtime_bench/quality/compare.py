"""Quality comparison of files on the fixed probe pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from msgspec import Struct

from styleexport.core.counted import Prefixed
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
    """The quality of a candidate file relative to a reference.

    Attributes:
        reference: path of the reference in its artifact.
        candidate: path of the candidate in its artifact.
        role: role of both.
        runners: runners of reference and candidate.
        judged_through: float program that stylizes with encoders' codes; None for other files.
        quality: metrics of the candidate.
        budget: quality budget; None without one.
        failures: exceeded limits of the budget, one sentence each.
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
    """A comparison and the outputs behind it.

    Attributes:
        comparison: metrics of the candidate.
        probes: still probes, in the order of the outputs.
        reference: reference outputs of the stills, [1, 3, H, W] in 0..1 or style codes [1, K].
        candidate: candidate outputs of the stills.
    """

    comparison: QualityComparison
    probes: tuple[QualityProbe, ...]
    reference: Outputs
    candidate: Outputs


@dataclass(frozen=True)
class JudgeSettings:
    """Settings of a quality comparison.

    Attributes:
        loss_network: network in whose features style is measured.
        lpips: LPIPS metric; None omits it.
        budget: quality budget; None allows everything.
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
    """Return the comparison of each candidate with its reference, in the order of the pairs.

    Args:
        pairs: pairs of files; those of one reference and size should be neighbours.
        settings: metrics and budget.
        options: options of the runtimes; None for the defaults.
        progress: receives progress messages.

    Raises:
        UsageError: the budget limits a metric that was not measured.
        BadArtifact: a file cannot be loaded or run.
        DeviceError: no runner for a file can run here.
    """
    encoders = StyleEncoders(options or RunOptions())
    results: list[Compared] = []
    for (reference, size), group in groupby(pairs, lambda pair: (pair.reference, pair.size)):
        same = list(group)
        probes = quality_probes(size, _inputs(same))
        judge = Judge(
            settings.loss_network,
            probes,
            settings.lpips,
            measures_gain=True,
            progress=Prefixed(progress, reference.path),
        )
        progress(f"{reference.path}: reference")
        with open_picture_session(reference, size, encoders) as session:
            expected = judge.reference(session)
        for pair in same:
            progress(f"{pair.candidate.path}: compare")
            with open_picture_session(pair.candidate, size, encoders) as session:
                outputs = judge.outputs(session)
            comparison = _comparison(pair, judge.report(outputs), settings.budget)
            count = len(judge.stills)
            results.append(Compared(comparison, judge.stills, expected[:count], outputs[:count]))
    return tuple(results)


def _inputs(pairs: Sequence[FilePair]) -> tuple[str, ...]:
    """Return the inputs that the probes of some pairs need."""
    sides = [side for pair in pairs for side in (pair.reference, pair.candidate)]
    if sides[0].role is Role.ENCODE:
        stylized = all(_through(side, pairs[0].size) for side in sides)
        return ("content", "style", "strength") if stylized else ("style",)
    if not any(side.takes_style for side in sides):
        return ("content",)
    takes_code = sides[0].role is Role.TRANSFORM
    if takes_code and any(partner(side, Role.ENCODE, pairs[0].size) is None for side in sides):
        return ("content", "strength")
    return ("content", "style", "strength")


def _through(side: ModelFile, size: Size) -> str | None:
    """Return the float program that stylizes with an encoder's codes; None for other files."""
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
