"""Pruning of a network, from request to files: `prune_zero_channels`, `prune_symmetrically`."""

from __future__ import annotations

from collections.abc import Callable

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress
from styleexport.models.architecture import SYMMETRIC_L2, ZERO_CHANNEL, read_history
from styleexport.models.compress.cost import compare_costs, total_macs
from styleexport.models.compress.prune import symmetric_l2
from styleexport.models.compress.prune.channels import remove_channels
from styleexport.models.compress.prune.files import (
    CutRecord,
    unmeasured_report,
    write_pruned,
    write_sensitivity_alone,
)
from styleexport.models.compress.prune.iterative import (
    Asked,
    check_trainable,
    prune_iteratively,
    stored_layout,
)
from styleexport.models.compress.prune.layout_search import find_layout
from styleexport.models.compress.prune.multiples import (
    AUTO,
    ChosenLayout,
    MultipleChoice,
    choose_multiple,
    facts_of,
    rounded_layout,
)
from styleexport.models.compress.prune.parity import measure_parity, prove_parity
from styleexport.models.compress.prune.reconstruct import Calibration
from styleexport.models.compress.prune.report import PruneReport, PruneSummary
from styleexport.models.compress.prune.request import (
    PruneJob,
    PruneRequest,
    SymmetricRequest,
    open_pruning,
)
from styleexport.models.compress.prune.sensitivity import Sensitivity, measure_sensitivity
from styleexport.models.compress.prune.symmetric_l2 import ChannelRanking, PruneConfig
from styleexport.models.compress.prune.zero_channel import find_empty
from styleexport.models.compress.style_quality import style_network
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network


def prune_zero_channels(request: PruneRequest, progress: Progress = lambda _: None) -> PruneReport:
    """Remove the channels of a network that are always empty, prove it, and return the report.

    Writes ``weights.safetensors`` (what ``--checkpoint`` takes), ``report.json``, ``card.md``,
    ``sheet.png`` and ``channels.svg`` into the folder, whole or not at all; nothing where no
    channel is empty.

    Raises:
        UsageError: the network cannot be pruned, there are too few pictures, or the folder is not
            empty.
        BadCheckpoint: the weights are of another network.
        ParityFailure: a held-out painting of the pruned network is below 90 dB to the original's.
    """
    job = open_pruning(request)
    empty = find_empty(job.network, job.pictures, request.sizes, progress)
    choice = _choose_multiple(
        job,
        lambda multiple: remove_channels(job.network, empty.to_multiple(multiple).kept),
        progress,
        exact=True,
    )
    if choice is not None:
        empty = empty.to_multiple(choice.multiple)
    pruned = remove_channels(job.network, empty.kept)
    summary = PruneSummary(
        method=ZERO_CHANNEL,
        removed=len(empty.removed),
        reactivated=empty.reactivated,
        kept_empty=empty.kept_empty,
        calibration=len(job.pictures.calibration),
        multiple=choice,
        kept_for_multiple=empty.kept_for_multiple,
    )
    if request.dry_run or not empty.removed:
        return unmeasured_report(job, pruned, summary)
    parity = prove_parity(job.network, pruned, job.pictures.held_out, request.sizes)
    progress(
        f"proven: {parity.worst_db:.1f} dB on the worst of {parity.paintings} held-out paintings"
    )
    cut = CutRecord(
        empty.kept,
        empty.maxima_by_layer(),
        "the largest value that each channel held; red ones hold 0 and went",
        {"pictures_sha256": job.pictures.sha256, **facts_of(choice)},
    )
    return write_pruned(job, pruned, summary, cut, parity, None, progress)


def _choose_multiple(
    job: PruneJob, cut_to: Callable[[int], LoadedNetwork], progress: Progress, *, exact: bool
) -> MultipleChoice | None:
    """Return the multiple that widths are rounded to; None where none was asked for."""
    multiple, size = job.request.multiple, job.request.sizes[0]
    if multiple is None:
        return None

    def macs_share(network: LoadedNetwork) -> float:
        return total_macs(compare_costs(job.network, network, (size,), timed=False)).share

    return choose_multiple(multiple, job.network, cut_to, size, macs_share, progress, exact=exact)


def prune_symmetrically(
    request: PruneRequest, symmetric: SymmetricRequest, progress: Progress = lambda _: None
) -> PruneReport:
    """Cut a network and its mirrored decoder to a layout, and return the report.

    Writes what `prune_zero_channels` does, and ``sensitivity.svg`` where sensitivity was measured;
    that and ``report.json`` alone where only the sensitivity was asked for. Where a budget cannot
    be met, the nearest network is written, and the report's ``failures`` name the limits.

    Raises:
        UsageError: no layout or two, one that does not fit, a ratio that empties a layer, or a
            network without mirrored layers.
        BadCheckpoint: the weights are of another network.
    """
    symmetric.check()
    job = open_pruning(request)
    config = PruneConfig(
        pairs=symmetric.pairs,
        criterion=symmetric.criterion,
        calibration=Calibration.of(job.pictures.calibration, request.sizes[0])
        if symmetric.reconstruct
        else None,
    )
    layout = _stored_layout(job, symmetric, config)
    ranking = ChannelRanking.of(job.network, config)
    sensitivity = None
    if symmetric.sensitivity or (symmetric.budget is not None and layout is None):
        features = style_network(request.loss_weights)
        held_out, size = job.pictures.held_out, request.sizes[0]
        sensitivity = measure_sensitivity(ranking, held_out, size, features, progress)
    if not symmetric.cuts:
        return _report_sensitivity(job, ranking, sensitivity, progress)
    layout = layout or _choose_layout(job, symmetric, ranking, sensitivity, progress)
    return _prune_to(job, symmetric, ranking, layout, sensitivity, progress)


def _asked(job: PruneJob, symmetric: SymmetricRequest) -> Asked:
    """Return what the layout is found from by search or by time."""
    if job.request.multiple is None or isinstance(job.request.multiple, int):
        return Asked(symmetric.budget)
    return Asked(symmetric.budget, f"{symmetric.layout or symmetric.ratio or ''} to {AUTO}")


def _stored_layout(
    job: PruneJob, symmetric: SymmetricRequest, config: PruneConfig
) -> ChosenLayout | None:
    """Return the layout that an interrupted iterative run found for the same request.

    Raises:
        UsageError: the network cannot be trained as asked, or the folder holds another run.
    """
    if symmetric.retrain is None or job.request.dry_run:
        return None
    check_trainable(job.network, symmetric.retrain)
    asked = _asked(job, symmetric)
    if asked == Asked():
        return None
    return stored_layout(job.network, symmetric.retrain, config, asked)


def _report_sensitivity(
    job: PruneJob, ranking: ChannelRanking, sensitivity: Sensitivity | None, progress: Progress
) -> PruneReport:
    summary = PruneSummary(
        method=SYMMETRIC_L2, criterion=ranking.config.criterion, sensitivity=sensitivity
    )
    report = unmeasured_report(job, job.network, summary)
    if not job.request.dry_run:
        write_sensitivity_alone(job.request.out, report)
        progress(f"written: {job.request.out / 'sensitivity.svg'}; nothing was cut")
    return report


def _choose_layout(
    job: PruneJob,
    symmetric: SymmetricRequest,
    ranking: ChannelRanking,
    sensitivity: Sensitivity | None,
    progress: Progress,
) -> ChosenLayout:
    """Return the layout to cut to, rounded to the multiple that was asked for or is fastest."""
    size, budget = job.request.sizes[0], symmetric.budget
    layout = None if budget is not None else _given_layout(job, symmetric, ranking)

    def widths_to(multiple: int) -> tuple[int, ...]:
        if layout is not None:
            return rounded_layout(layout, ranking.layers, multiple)
        assert sensitivity is not None
        assert budget is not None
        return find_layout(ranking, sensitivity, budget.sizes, size, multiple)

    choice = _choose_multiple(
        job, lambda multiple: ranking.cut(widths_to(multiple)).network, progress, exact=False
    )
    return ChosenLayout(widths_to(choice.multiple if choice else 1), choice)


def _given_layout(
    job: PruneJob, symmetric: SymmetricRequest, ranking: ChannelRanking
) -> tuple[int, ...]:
    if symmetric.ratio is None:
        return symmetric_l2.parse_layout(symmetric.layout or "", ranking.layers)
    layout = symmetric_l2.layout_of_ratio(symmetric.ratio, ranking.layers)
    if layout == ranking.widths:
        which = "each tied layer" if symmetric.pairs else "the layers from block 3 on"
        raise UsageError(
            f"--ratio {symmetric.ratio:g} takes no channel of {job.network.network.name}: it "
            f"applies to {which}; type a larger --ratio, or --layout"
        )
    return layout


def _prune_to(
    job: PruneJob,
    symmetric: SymmetricRequest,
    ranking: ChannelRanking,
    layout: ChosenLayout,
    sensitivity: Sensitivity | None,
    progress: Progress,
) -> PruneReport:
    """Cut a network to a layout at once or in rounds, and return the report."""
    request, retrain, budget = job.request, symmetric.retrain, symmetric.budget
    cut = ranking.cut(layout.widths)
    cuts = bool(cut.kept) and not request.dry_run
    summary = PruneSummary(
        method=SYMMETRIC_L2,
        removed=cut.removed,
        layout=(symmetric_l2.PICTURE_CHANNELS, *layout.widths),
        criterion=symmetric.criterion,
        reconstructed_on=len(job.pictures.calibration) if symmetric.reconstruct else 0,
        trained_steps=retrain.rounds * retrain.plan.steps if retrain and cuts else 0,
        sensitivity=sensitivity,
        multiple=layout.multiple,
    )
    if not cuts:
        return unmeasured_report(job, cut.network, summary, budget)
    history = None
    if retrain is None:
        pruned = ranking.prune(layout.widths, progress).network
    else:
        before = read_history(request.checkpoints)
        last = prune_iteratively(
            request.network, ranking, before, layout, retrain, _asked(job, symmetric), progress
        )
        pruned, history = open_network(request.network, [last]), read_history([last])
    parity = measure_parity(job.network, pruned, job.pictures.held_out, request.sizes)
    progress(
        f"{parity.worst_db:.1f} dB to the original on the worst of {parity.paintings} paintings"
    )
    record = CutRecord(
        cut.kept,
        dict(ranking.importance),
        f"importance of each filter ({symmetric.criterion}); red ones went",
        {
            "layout": ",".join(map(str, summary.layout or ())),
            "criterion": symmetric.criterion,
            "refitted_on": summary.reconstructed_on,
            **facts_of(layout.multiple),
        },
        history,
    )
    return write_pruned(job, pruned, summary, record, parity, budget, progress)
