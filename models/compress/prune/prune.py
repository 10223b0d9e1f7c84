"""One pruning, from what is asked to what is written."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress
from styleexport.models.architecture import SYMMETRIC_L2, ZERO_CHANNEL, Event
from styleexport.models.compress.pictures import PictureSet
from styleexport.models.compress.prune import symmetric_l2
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.files import (
    Cut,
    first_report,
    with_failures,
    write_pruned,
    write_sensitivity_alone,
)
from styleexport.models.compress.prune.iterative import (
    begun_layout,
    check_trainable,
    prune_in_rounds,
    record_history,
)
from styleexport.models.compress.prune.layout_search import find_layout
from styleexport.models.compress.prune.mirrors import Tie
from styleexport.models.compress.prune.reconstruct import Calibration
from styleexport.models.compress.prune.report import PruneReport
from styleexport.models.compress.prune.request import PruneRequest, history_of, open_pruning
from styleexport.models.compress.prune.sensitivity import Sensitivity, measure_sensitivity
from styleexport.models.compress.prune.symmetric_l2 import Cutter, Cutting, cut_to
from styleexport.models.compress.prune.zero_channel import (
    EmptyChannels,
    find_empty,
    measure,
    prove,
    without_channels,
)
from styleexport.models.compress.style_quality import style_network
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network


def prune_zero_channels(request: PruneRequest, progress: Progress = lambda _: None) -> PruneReport:
    """Remove the channels of a network that are always empty, prove it, and return what changed.

    Writes ``weights.safetensors`` (what ``--checkpoint`` takes), ``report.json``, ``card.md``,
    ``sheet.png`` and ``channels.svg`` into the folder, whole or not at all; nothing where no
    channel is empty.

    Raises:
        UsageError: the network cannot be pruned, there are too few pictures, or the folder is
            taken.
        BadCheckpoint: the weights are not of the network.
        ParityFailure: the pruned network paints otherwise.
    """
    network, pictures = open_pruning(request)
    found = find_empty(network, pictures, request.sizes, progress)
    pruned = without_channels(network, found.kept)
    told = msgspec.structs.replace(
        first_report(ZERO_CHANNEL, request, network, pruned, pictures),
        removed=len(found.gone),
        woken=found.woken,
        stay=found.stay,
        calibration=len(pictures.calibration),
    )
    if request.dry_run or not found.gone:
        return told
    proof = prove(network, pruned, pictures, request.sizes)
    progress(f"proven: {proof.worst_db:.1f} dB on the worst of {proof.pictures} held-out paintings")
    cut = Cut(
        found.kept,
        _peaks(found),
        "the largest value that each channel held; red ones hold 0 and went",
        {"pictures_sha256": pictures.sha256},
    )
    return write_pruned(request, network, pruned, cut, pictures, proof, told, progress)


def _peaks(found: EmptyChannels) -> dict[str, list[float]]:
    """Return the peak of each output channel of each layer whose outputs are read."""
    return {
        name: [found.peaks.get(label, 0.0) for label in outputs]
        for name, outputs in found.coupling.outputs.items()
        if name in found.coupling.read and any(label in found.peaks for label in outputs)
    }


@dataclass(frozen=True)
class _Symmetric:
    """A symmetric pruning that is about to cut.

    Attributes:
        network: whole.
        pictures: calibration and held-out.
        cutting: which layers, by what.
        cutter: of the network.
        sensitivity: of its layers, if it was measured.
    """

    network: LoadedNetwork
    pictures: PictureSet
    cutting: Cutting
    cutter: Cutter
    sensitivity: Sensitivity | None


def prune_symmetrically(request: PruneRequest, progress: Progress = lambda _: None) -> PruneReport:
    """Cut a network and its mirrored decoder to a layout, and return what changed.

    Writes what `prune_zero_channels` does, and ``sensitivity.svg`` where sensitivity was measured;
    that and ``report.json`` alone where nothing but the sensitivity was asked for. Where a budget
    does not hold, what came nearest is written, and the report's ``failures`` say so.

    Raises:
        UsageError: no layout or two, one that does not fit, a ratio that empties a layer, a budget
            that cannot be read, or a network without mirrored layers.
        BadCheckpoint: the weights are not of the network.
    """
    _check_choice(request)
    budget = PruneBudget.parse(request.budget) if request.budget is not None else None
    network, pictures = open_pruning(request)
    cutting = Cutting(
        ties=tuple(Tie.parse(text) for text in request.mirrors),
        criterion=request.criterion,
        calibration=Calibration.of(pictures.calibration, request.sizes[0])
        if request.refit
        else None,
    )
    begun = _begun(request, budget, network, cutting)
    cutter = Cutter.of(network, cutting)
    sensitivity = None
    if request.sensitivity or (budget is not None and begun is None):
        sensitivity = measure_sensitivity(
            cutter,
            pictures.held_out,
            request.sizes[0],
            style_network(request.loss_weights),
            cutting.calibration,
            progress,
        )
    work = _Symmetric(network, pictures, cutting, cutter, sensitivity)
    if request.layout is None and request.ratio is None and budget is None:
        return _sensitivity_alone(request, work, progress)
    layout = begun or _layout(request, budget, work)
    return _prune(request, work, layout, budget, progress)


def _check_choice(request: PruneRequest) -> None:
    """Check that one layout is asked for, one way.

    Raises:
        UsageError: none or two.
    """
    choices = (request.layout, request.ratio, request.budget)
    chosen = sum(choice is not None for choice in choices)
    if chosen > 1 or (not chosen and not request.sensitivity):
        raise UsageError(
            f"{SYMMETRIC_L2} takes either --layout or --ratio or --budget: type for "
            "example --ratio 0.25, or --sensitivity to see what each layer can lose"
        )
    if not chosen and request.retrain is not None:
        raise UsageError(
            "--retrain needs to know what to cut: add --layout, --ratio or --budget, or leave out "
            "--retrain"
        )


def _begun(
    request: PruneRequest, budget: PruneBudget | None, network: LoadedNetwork, cutting: Cutting
) -> tuple[int, ...] | None:
    """Return the layout of rounds that go on under the same budget.

    Raises:
        UsageError: the network cannot be trained as asked, or the rounds are others.
    """
    if request.retrain is None or request.dry_run:
        return None
    check_trainable(network, request.retrain)
    return None if budget is None else begun_layout(network, request.retrain, cutting, budget)


def _sensitivity_alone(request: PruneRequest, work: _Symmetric, progress: Progress) -> PruneReport:
    told = msgspec.structs.replace(
        first_report(SYMMETRIC_L2, request, work.network, work.network, work.pictures),
        sensitivity=work.sensitivity,
        criterion=request.criterion,
    )
    if not request.dry_run:
        write_sensitivity_alone(request.out, told)
        progress(f"written: {request.out / 'sensitivity.svg'}; nothing was cut")
    return told


def _layout(request: PruneRequest, budget: PruneBudget | None, work: _Symmetric) -> tuple[int, ...]:
    layers, name = work.cutter.layers, work.network.network.name
    if budget is not None:
        assert work.sensitivity is not None
        return find_layout(work.cutter, work.sensitivity, budget.sizes, request.sizes[0])
    if request.ratio is None:
        return symmetric_l2.parse_layout(request.layout or "", layers)
    layout = symmetric_l2.layout_of_ratio(request.ratio, layers)
    if layout == work.cutter.widths:
        which = "each tied layer" if request.mirrors else "the layers from block 3 on"
        raise UsageError(
            f"--ratio {request.ratio:g} takes no channel of {name}: it is of {which}; type a "
            "larger --ratio, or --layout"
        )
    return layout


def _prune(
    request: PruneRequest,
    work: _Symmetric,
    layout: tuple[int, ...],
    budget: PruneBudget | None,
    progress: Progress,
) -> PruneReport:
    network, pictures = work.network, work.pictures
    found = work.cutter.to(layout)
    told = msgspec.structs.replace(
        first_report(SYMMETRIC_L2, request, network, found.network, pictures),
        removed=found.removed,
        layout=(symmetric_l2.PICTURE_CHANNELS, *layout),
        criterion=request.criterion,
        refitted_on=0 if work.cutting.calibration is None else len(pictures.calibration),
        sensitivity=work.sensitivity,
    )
    if request.dry_run or not found.kept:
        return with_failures(told, budget)
    history: tuple[Event, ...] | None = None
    if request.retrain is None:
        pruned = cut_to(work.cutter, layout, work.cutting, progress).network
    else:
        before, how = history_of(request.checkpoints), request.retrain
        last = prune_in_rounds(
            request.network, network, before, layout, how, work.cutting, budget, progress
        )
        pruned, history = open_network(request.network, [last]), record_history(last)
        told = msgspec.structs.replace(told, trained_steps=how.rounds * how.plan.steps)
    proof = measure(network, pruned, pictures, request.sizes)
    progress(f"{proof.worst_db:.1f} dB to the original on the worst of {proof.pictures} paintings")
    cut = Cut(
        found.kept,
        dict(work.cutter.importance),
        f"importance of each filter ({request.criterion}); red ones went",
        {
            "layout": ",".join(map(str, told.layout or ())),
            "criterion": request.criterion,
            "refitted_on": told.refitted_on,
        },
        history,
    )
    return write_pruned(request, network, pruned, cut, pictures, proof, told, progress)
