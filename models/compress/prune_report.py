"""What a pruning did, as data and as a card for whoever finds the file."""

from __future__ import annotations

import msgspec

from styleexport.models.compress.cost import Costs
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
        weights: the file written; None in a dry run.
        weights_sha256: over it.
    """

    network: str
    method: str
    parent_sha256: str
    removed: int
    layout: tuple[int, ...] | None = None
    trained_steps: int = 0
    woken: int = 0
    stay: int = 0
    calibration: int
    held_out: int
    pictures_sha256: str
    costs: Costs
    worst_db: float | None = None
    pooled_db: float | None = None
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
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    what = "channels that are always empty"
    if report.layout is not None:
        what = f"channels, down to the layout {','.join(map(str, report.layout))},"
    return (
        f"# {report.network}, {report.method}\n\n"
        f"{report.removed} {what} were removed from `{', '.join(network.source)}` (sha256 "
        f"{report.parent_sha256}); steps of training since: {report.trained_steps}. On "
        f"{report.held_out} held-out pictures the worst painting is {report.worst_db} dB from the "
        "original's.\n\n"
        f"| | before | after |\n|---|---:|---:|\n{table}\n\n"
        f"Licence: {network.network.licence}.\nUse: `--checkpoint {WEIGHTS}` with "
        f"`{report.network}`. Architecture and history are in the file's metadata.\n"
    )
