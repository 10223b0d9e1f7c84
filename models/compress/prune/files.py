"""Files of a pruning: weights, report, card, contact sheet and plots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from styleexport.core.files import replace_folder
from styleexport.core.images import write_image
from styleexport.core.types import Progress
from styleexport.models.architecture import (
    Event,
    KeptChannels,
    architecture_of,
    read_history,
    write_weights,
)
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.cost import compare_costs
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.parity import PruneParity, prove_parity
from styleexport.models.compress.prune.plots import (
    before_after,
    write_importance,
    write_sensitivity,
)
from styleexport.models.compress.prune.report import (
    PRODUCT,
    WEIGHTS,
    PruneReport,
    PruneSummary,
    card,
)
from styleexport.models.compress.prune.request import PruneJob
from styleexport.models.compress.prune.sensitivity import Sensitivity
from styleexport.models.compress.style_quality import StyleJudge, style_network
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network


@dataclass(frozen=True)
class CutRecord:
    """The channels that were kept, and the figures that decided.

    Attributes:
        kept: channels kept by each layer that lost some.
        importance: importance of each output channel, by name of the ranked layer.
        title: title of the importance plot.
        schedule: settings that decided the cut, for the network's history.
        history: history of the pruned network where its file has it already.
    """

    kept: dict[str, KeptChannels]
    importance: dict[str, list[float]]
    title: str
    schedule: dict[str, str | int | float]
    history: tuple[Event, ...] | None = None


def unmeasured_report(
    job: PruneJob,
    pruned: LoadedNetwork,
    summary: PruneSummary,
    budget: PruneBudget | None = None,
) -> PruneReport:
    """Return the report of a pruning before anything is painted: sizes, but no quality or time."""
    report = PruneReport(
        **msgspec.structs.asdict(summary),
        network=job.network.network.name,
        parent_sha256=job.network.source_sha256,
        held_out=len(job.pictures.held_out),
        pictures_sha256=job.pictures.sha256,
        costs=compare_costs(job.network, pruned, job.request.sizes, timed=False),
    )
    return with_failures(report, budget)


def with_failures(report: PruneReport, budget: PruneBudget | None) -> PruneReport:
    """Return a report that names its budget and the limits that do not hold."""
    if budget is None:
        return report
    failures = budget.failures(report)
    return msgspec.structs.replace(report, budget=str(budget), failures=failures)


def write_pruned(
    job: PruneJob,
    pruned: LoadedNetwork,
    summary: PruneSummary,
    cut: CutRecord,
    parity: PruneParity,
    budget: PruneBudget | None,
    progress: Progress,
) -> PruneReport:
    """Write all files of a pruned network, whole or not at all, and return its report.

    Args:
        job: request, network and pictures of the pruning.
        pruned: network without the removed channels.
        summary: what the method removed.
        cut: channels that were kept, and why.
        parity: PSNR of the pruned network's paintings.
        budget: limits to check the report against.
        progress: receives progress lines.

    Raises:
        ParityFailure: the written weights do not paint as the pruned network does.
    """
    progress("measuring style and time")
    request, network, held_out = job.request, job.network, job.pictures.held_out
    features = style_network(request.loss_weights)
    judge = StyleJudge(network, held_out, request.sizes[0], features)
    report = msgspec.structs.replace(
        unmeasured_report(job, pruned, summary),
        costs=compare_costs(network, pruned, request.sizes, timed=True),
        worst_db=round(parity.worst_db, 2),
        pooled_db=round(parity.pooled_db, 2),
        style=judge.change(pruned),
        weights=str(request.out / WEIGHTS),
    )
    report = with_failures(report, budget)
    with replace_folder(request.out, PRODUCT, progress) as folder:
        weights = folder / WEIGHTS
        own = _event(network, cut, report)
        history = cut.history or (*read_history(request.checkpoints), own)
        architecture = architecture_of(network.network, pruned.module, history)
        write_weights(weights, pruned.module.state_dict(), architecture)
        reopened = open_network(request.network, [weights])
        prove_parity(pruned, reopened, held_out[:1], request.sizes[:1])
        report = msgspec.structs.replace(report, weights_sha256=sha256_of([weights]))
        _write_report(report, folder)
        (folder / "card.md").write_text(card(report, network), encoding="utf-8")
        sheet = before_after(network, pruned, held_out, request.sizes[0])
        write_image(sheet, folder / "sheet.png")
        outputs = {name: kept.outputs for name, kept in cut.kept.items()}
        title = f"{report.network}: {cut.title}"
        write_importance(folder / "channels.svg", title, cut.importance, outputs)
    return report


def write_sensitivity_alone(out: Path, report: PruneReport) -> None:
    """Write report and plot of a sensitivity that nothing was cut after, whole or not at all."""
    with replace_folder(out, PRODUCT) as folder:
        _write_report(report, folder)


def _write_report(report: PruneReport, folder: Path) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(report))
    (folder / "report.json").write_bytes(encoded + b"\n")
    if report.sensitivity is not None:
        title = f"{report.network}: style distance with one layer's channels gone"
        write_sensitivity(folder / "sensitivity.svg", title, _curves(report.sensitivity))


def _curves(sensitivity: Sensitivity) -> dict[str, list[tuple[float, float]]]:
    """Return (share of channels removed, style change) points by layer, from the whole network."""
    return {
        layer.layer: [(0.0, 0.0), *((loss.share, loss.style_change) for loss in layer.losses)]
        for layer in sensitivity.layers
    }


def _event(network: LoadedNetwork, cut: CutRecord, report: PruneReport) -> Event:
    sizes = dict.fromkeys(role.size for role in report.costs.roles)
    return Event(
        method=report.method,
        parent_sha256=network.source_sha256,
        kept=cut.kept,
        schedule={**cut.schedule, "sizes": ", ".join(sizes), "worst_db": report.worst_db or 0.0},
    )
