"""What a pruning did, as data and as a card for whoever finds the file."""

from __future__ import annotations

import msgspec

from styleexport.models.compress.cost import Costs
from styleexport.models.compress.prune.sensitivity import Sensitivity
from styleexport.models.compress.style_quality import StyleChange
from styleexport.models.network import LoadedNetwork

WEIGHTS = "weights.safetensors"


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a pruning removed, and what that changed.

    Attributes:
        network: its name.
        method: ``zero-channel`` or ``symmetric-l2``.
        parent_sha256: over the checkpoint files.
        removed: channels that went, joined ones counted once.
        layout: of symmetric pruning, the widths left, the picture's first.
        criterion: of symmetric pruning, what ranked the filters.
        refitted_on: of symmetric pruning, how many pictures kernels that lost inputs were chosen
            anew on; 0 where they were not.
        trained_steps: of symmetric pruning, over all rounds; 0 where it was cut and not trained.
        woken: channels that were empty on calibration pictures and not on held-out ones: they stay.
        stay: channels that are empty and stay, because an operation that is not understood reads
            them, or because a layer would have none left.
        calibration: pictures that channels were called empty on.
        held_out: pictures that both networks painted.
        pictures_sha256: over all.
        costs: before and after.
        worst_db: PSNR to the original of the worst of the held-out paintings; None in a dry run.
        pooled_db: of all of them.
        style: style distance of held-out paintings before and after; None in a dry run.
        sensitivity: of symmetric pruning, what the picture loses by each layer, if measured.
        budget: of symmetric pruning, what was asked for.
        failures: limits of the budget that do not hold.
        weights: the file written; None in a dry run.
        weights_sha256: over it.
    """

    network: str
    method: str
    parent_sha256: str
    removed: int
    layout: tuple[int, ...] | None = None
    criterion: str | None = None
    refitted_on: int = 0
    trained_steps: int = 0
    woken: int = 0
    stay: int = 0
    calibration: int
    held_out: int
    pictures_sha256: str
    costs: Costs
    worst_db: float | None = None
    pooled_db: float | None = None
    style: StyleChange | None = None
    sensitivity: Sensitivity | None = None
    budget: str | None = None
    failures: tuple[str, ...] = ()
    weights: str | None = None
    weights_sha256: str | None = None


def card(report: PruneReport, network: LoadedNetwork) -> str:
    """Return what a pruned network is, for whoever finds the file, in Markdown."""
    costs = report.costs
    rows = [("parameters", f"{costs.parameters.before:,.0f}", f"{costs.parameters.after:,.0f}")]
    if costs.style_code is not None:
        code = costs.style_code
        rows.append(("values in a style code", f"{code.before:.0f}", f"{code.after:.0f}"))
    for role in costs.roles:
        name = f"{role.role.value} at {role.size}, GMAC"
        rows.append((name, f"{role.macs.before / 1e9:.2f}", f"{role.macs.after / 1e9:.2f}"))
    if report.style is not None:
        style = report.style
        name = f"style distance of {style.pairs} paintings at {style.size} ({style.loss_network})"
        rows.append((name, f"{style.distance.before:.4f}", f"{style.distance.after:.4f}"))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"# {report.network}, {report.method}\n\n"
        f"{report.removed} {_removed(report)} were removed from `{', '.join(network.source)}` "
        f"(sha256 {report.parent_sha256}); steps of training since: {report.trained_steps}. On "
        f"{report.held_out} held-out pictures the worst painting is {report.worst_db} dB from the "
        "original's.\n\n"
        f"| | before | after |\n|---|---:|---:|\n{table}\n\n"
        f"{_budget(report)}Licence: {network.network.licence}.\nUse: `--checkpoint {WEIGHTS}` with "
        f"`{report.network}`. Architecture and history are in the file's metadata.\n"
    )


def _removed(report: PruneReport) -> str:
    """Return what the channels were, in words."""
    if report.layout is None:
        return "channels that are always empty"
    refit = f", kernels chosen anew on {report.refitted_on} pictures" if report.refitted_on else ""
    layout = ",".join(map(str, report.layout))
    return f"channels, down to the layout {layout} (least {report.criterion} first{refit}),"


def _budget(report: PruneReport) -> str:
    if report.budget is None:
        return ""
    kept = f"not met: {', '.join(report.failures)}" if report.failures else "met"
    return f"Budget `{report.budget}`: {kept}.\n"
