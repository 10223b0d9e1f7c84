"""What a pruning writes: weights, report, card, contact sheet and plots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from styleexport.core.files import replace_folder
from styleexport.core.images import write_image
from styleexport.core.types import Progress
from styleexport.models.architecture import (
    Event,
    KeptChannels,
    architecture_of,
    write_weights,
)
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress.cost import compare_costs
from styleexport.models.compress.pictures import PictureSet
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.plots import (
    before_after,
    write_importance,
    write_sensitivity,
)
from styleexport.models.compress.prune.report import WEIGHTS, PruneReport, card
from styleexport.models.compress.prune.request import PruneRequest, history_of
from styleexport.models.compress.prune.sensitivity import Sensitivity
from styleexport.models.compress.prune.zero_channel import Proof, prove
from styleexport.models.compress.style_quality import StyleJudge, style_network
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network


@dataclass(frozen=True)
class Cut:
    """What goes, and why.

    Attributes:
        kept: of the layers that lose channels, those that they keep.
        importance: of each output channel of each layer that was judged.
        title: what the importance is.
        schedule: the settings that decided it, for the network's history.
        history: of the pruned network, if it has its own already.
    """

    kept: dict[str, KeptChannels]
    importance: dict[str, list[float]]
    title: str
    schedule: dict[str, str | int | float]
    history: tuple[Event, ...] | None = None


def first_report(
    method: str,
    request: PruneRequest,
    network: LoadedNetwork,
    pruned: LoadedNetwork,
    pictures: PictureSet,
) -> PruneReport:
    """Return what is known of a pruning before anything is painted."""
    return PruneReport(
        network=network.network.name,
        method=method,
        parent_sha256=network.source_sha256,
        removed=0,
        calibration=0,
        held_out=len(pictures.held_out),
        pictures_sha256=pictures.sha256,
        costs=compare_costs(network, pruned, request.sizes, timed=False),
    )


def with_failures(report: PruneReport, budget: PruneBudget | None) -> PruneReport:
    """Return a report that says which limits of its budget do not hold."""
    if budget is None:
        return report
    failures = budget.failures(report)
    return msgspec.structs.replace(report, budget=str(budget), failures=failures)


def write_pruned(
    request: PruneRequest,
    network: LoadedNetwork,
    pruned: LoadedNetwork,
    cut: Cut,
    pictures: PictureSet,
    proof: Proof,
    told: PruneReport,
    progress: Progress,
) -> PruneReport:
    """Write a pruned network and all that is said of it, whole or not at all; return the report.

    Args:
        request: what was asked.
        network: whole.
        pruned: without its channels.
        cut: what went.
        pictures: that both painted.
        proof: how far they are apart.
        told: the report so far.
        progress: takes lines of progress.
    """
    progress("measuring style and time")
    features = style_network(request.loss_weights)
    judge = StyleJudge(network, pictures.held_out, request.sizes[0], features)
    told = msgspec.structs.replace(
        told,
        costs=compare_costs(network, pruned, request.sizes, timed=True),
        worst_db=round(proof.worst_db, 2),
        pooled_db=round(proof.pooled_db, 2),
        style=judge.change(pruned),
        weights=str(request.out / WEIGHTS),
    )
    told = with_failures(told, PruneBudget.parse(request.budget) if request.budget else None)
    with replace_folder(request.out) as folder:
        weights = folder / WEIGHTS
        history = cut.history or (*history_of(request.checkpoints), _event(network, cut, told))
        architecture = architecture_of(network.network, pruned.module, history)
        write_weights(weights, pruned.module.state_dict(), architecture)
        again = open_network(request.network, [weights])
        prove(pruned, again, replace(pictures, held_out=pictures.held_out[:1]), request.sizes[:1])
        told = msgspec.structs.replace(told, weights_sha256=sha256_of([weights]))
        _write_report(told, folder)
        (folder / "card.md").write_text(card(told, network), encoding="utf-8")
        sheet = before_after(network, pruned, pictures.held_out, request.sizes[0])
        write_image(sheet, folder / "sheet.png")
        outputs = {name: kept.outputs for name, kept in cut.kept.items()}
        title = f"{told.network}: {cut.title}"
        write_importance(folder / "channels.svg", title, cut.importance, outputs)
    return told


def write_sensitivity_alone(out: Path, told: PruneReport) -> None:
    """Write what each layer can lose of a network that was not cut, whole or not at all."""
    with replace_folder(out) as folder:
        _write_report(told, folder)


def _write_report(told: PruneReport, folder: Path) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(told))
    (folder / "report.json").write_bytes(encoded + b"\n")
    if told.sensitivity is not None:
        title = f"{told.network}: style distance with one layer's channels gone"
        write_sensitivity(folder / "sensitivity.svg", title, _curves(told.sensitivity))


def _curves(sensitivity: Sensitivity) -> dict[str, list[tuple[float, float]]]:
    return {
        layer.layer: [(0.0, 0.0), *((loss.share, loss.style_change) for loss in layer.losses)]
        for layer in sensitivity.layers
    }


def _event(network: LoadedNetwork, cut: Cut, told: PruneReport) -> Event:
    sizes = dict.fromkeys(role.size for role in told.costs.roles)
    return Event(
        method=told.method,
        parent_sha256=network.source_sha256,
        kept=cut.kept,
        schedule={**cut.schedule, "sizes": ", ".join(sizes), "worst_db": told.worst_db or 0.0},
    )
