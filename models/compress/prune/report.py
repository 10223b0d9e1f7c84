"""Report and model card of a pruning."""

from __future__ import annotations

import msgspec

from styleexport.core.files import folder_product, json_product
from styleexport.models.compress.cost import Costs
from styleexport.models.compress.prune.multiples import MultipleChoice
from styleexport.models.compress.prune.sensitivity import Sensitivity
from styleexport.models.compress.style_quality import GAIN_PLACES, StyleChange
from styleexport.models.network import LoadedNetwork

WEIGHTS = "weights.safetensors"
PRODUCT = folder_product(
    "the folder of a pruning",
    {
        "report.json": json_product("the report of a pruning", "method", "network", "held_out"),
        WEIGHTS: None,
        "card.md": None,
        "sheet.png": None,
        "channels.svg": None,
        "sensitivity.svg": None,
    },
)


class PruneSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Channels that a pruning method removed, and the grounds.

    Attributes:
        method: ``zero-channel`` or ``symmetric-l2``.
        removed: number of dependency groups removed.
        layout: symmetric pruning: widths left, the picture's 3 first.
        criterion: symmetric pruning: importance that ranked the filters.
        reconstructed_on: symmetric pruning: number of pictures that layers which lost inputs were
            reconstructed on; 0 where they were not.
        trained_steps: symmetric pruning: training steps over all rounds; 0 for a cut alone.
        reactivated: zero-channel: number of groups that were empty on calibration pictures but not
            on held-out ones, and were kept.
        kept_empty: zero-channel: number of empty groups that were kept, because an unknown
            operation reads them or because a layer would have no channel left.
        calibration: zero-channel: number of calibration pictures.
        sensitivity: symmetric pruning: sensitivity of each layer, if measured.
        multiple: multiple that widths were rounded to, and why; None for widths as they come.
        kept_for_multiple: zero-channel: number of empty groups that were kept so that widths are
            multiples.
    """

    method: str
    removed: int = 0
    layout: tuple[int, ...] | None = None
    criterion: str | None = None
    reconstructed_on: int = msgspec.field(default=0, name="refitted_on")
    trained_steps: int = 0
    reactivated: int = msgspec.field(default=0, name="woken")
    kept_empty: int = msgspec.field(default=0, name="stay")
    calibration: int = 0
    sensitivity: Sensitivity | None = None
    multiple: MultipleChoice | None = None
    kept_for_multiple: int = 0


class PruneReport(PruneSummary, frozen=True, kw_only=True):
    """Report of a pruning: removed channels, cost and quality.

    Attributes:
        network: name of the network.
        parent_sha256: sha256 over the checkpoint files.
        held_out: number of held-out pictures, which both networks painted.
        pictures_sha256: sha256 over all calibration and held-out pictures.
        costs: cost of the network before and after.
        worst_db: lowest PSNR of a held-out painting to the original's, in dB; None in a dry run.
        pooled_db: PSNR over all held-out paintings, in dB; None in a dry run.
        style: style distance of held-out paintings before and after; None in a dry run.
        budget: budget as given.
        failures: limits of the budget that do not hold.
        weights: path of the weights file; None in a dry run.
        weights_sha256: sha256 over the weights file; None in a dry run.
    """

    network: str
    parent_sha256: str
    held_out: int
    pictures_sha256: str
    costs: Costs
    worst_db: float | None = None
    pooled_db: float | None = None
    style: StyleChange | None = None
    budget: str | None = None
    failures: tuple[str, ...] = ()
    weights: str | None = None
    weights_sha256: str | None = None


def card(report: PruneReport, network: LoadedNetwork) -> str:
    """Return the model card of a pruned network, in Markdown.

    Args:
        report: report of the pruning.
        network: network before pruning.
    """
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
        rows += [
            (f"gain beyond colour {place}", f"{gain.before:+.3f}", f"{gain.after:+.3f}")
            for place, gain in zip(GAIN_PLACES, style.gain_beyond_colour, strict=False)
        ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"# {report.network}, {report.method}\n\n"
        f"{report.removed} {_removed(report)} were removed from `{', '.join(network.source)}` "
        f"(sha256 {report.parent_sha256}); steps of training since: {report.trained_steps}. On "
        f"{report.held_out} held-out pictures the worst painting is {report.worst_db} dB from the "
        "original's.\n\n"
        f"| | before | after |\n|---|---:|---:|\n{table}\n\n"
        f"{_multiple(report)}{_budget(report)}Licence: {network.network.licence}.\n"
        f"Use: `--checkpoint {WEIGHTS}` with `{report.network}`. Architecture and history are in "
        "the file's metadata.\n"
    )


def _removed(report: PruneReport) -> str:
    """Return which channels were removed, in words."""
    if report.layout is None:
        return "channels that are always empty"
    count = report.reconstructed_on
    weights = f", weights reconstructed on {count} pictures" if count else ""
    layout = ",".join(map(str, report.layout))
    return f"channels, down to the layout {layout} (least {report.criterion} first{weights}),"


def _multiple(report: PruneReport) -> str:
    if report.multiple is None:
        return ""
    choice = report.multiple
    return f"Widths that shrank are multiples of {choice.multiple}: {choice.reason}.\n"


def _budget(report: PruneReport) -> str:
    if report.budget is None:
        return ""
    kept = f"not met: {', '.join(report.failures)}" if report.failures else "met"
    return f"Budget `{report.budget}`: {kept}.\n"
