"""One pruning, from a network to a folder: weights, report, card, contact sheet and plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.files import replace_folder
from styleexport.core.images import write_image
from styleexport.core.types import Report, Size
from styleexport.models.checkpoint import sha256_of
from styleexport.models.compress import symmetric_l2, zero_channel
from styleexport.models.compress.architecture import (
    Event,
    KeptChannels,
    architecture_of,
    read_architecture,
    write_weights,
)
from styleexport.models.compress.cost import compare_costs
from styleexport.models.compress.drawing import before_after, write_importance
from styleexport.models.compress.pictures import PictureSet, read_pictures
from styleexport.models.compress.prune_report import WEIGHTS, PruneReport, card
from styleexport.models.compress.rounds import Retraining, prune_in_rounds, record_history
from styleexport.models.compress.zero_channel import (
    EmptyChannels,
    Proof,
    find_empty,
    measure,
    prove,
    without_channels,
)
from styleexport.models.network import LoadedNetwork
from styleexport.models.registry import open_network

DEFAULT_SIZE = Size(256, 256)


@dataclass(frozen=True)
class PruneRequest:
    """A pruning.

    Attributes:
        network: as `open_network` takes it.
        checkpoints: weights files.
        out: folder for what is written.
        layout: of symmetric pruning, ``published`` or widths; see `parse_layout`.
        ratio: of symmetric pruning, the share of channels that each later layer loses.
        retrain: of symmetric pruning, how the network is trained between cuts; None to cut once.
        calibration: folders of pictures; () for those that ship.
        sizes: that channels are watched and time is measured at.
        overwrite: whether a folder that is there is replaced.
        dry_run: whether only to say what would go.
    """

    network: str
    checkpoints: tuple[Path, ...]
    out: Path
    layout: str | None = None
    ratio: float | None = None
    retrain: Retraining | None = None
    calibration: tuple[Path, ...] = ()
    sizes: tuple[Size, ...] = (DEFAULT_SIZE,)
    overwrite: bool = False
    dry_run: bool = False


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


def _steps(how: Retraining) -> int:
    return how.rounds * how.plan.steps


def prune_zero_channels(request: PruneRequest, report: Report = lambda _: None) -> PruneReport:
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
    network, pictures = _opened(request)
    found = find_empty(network, pictures, request.sizes, report)
    pruned = without_channels(network, found.kept)
    told = msgspec.structs.replace(
        _first_report(zero_channel.METHOD, request, network, pruned, pictures),
        removed=len(found.gone),
        woken=found.woken,
        stay=found.stay,
        calibration=len(pictures.calibration),
    )
    if request.dry_run or not found.gone:
        return told
    proof = prove(network, pruned, pictures, request.sizes)
    report(f"proven: {proof.worst_db:.1f} dB on the worst of {proof.pictures} held-out paintings")
    cut = Cut(
        found.kept,
        _peaks(found),
        "the largest value that each channel held; red ones hold 0 and went",
        {"pictures_sha256": pictures.sha256},
    )
    return _write(request, network, pruned, cut, pictures, proof, told, report)


def prune_symmetrically(request: PruneRequest, report: Report = lambda _: None) -> PruneReport:
    """Cut a network and its mirrored decoder to a layout, and return what changed.

    Writes what `prune_zero_channels` does. The network paints otherwise until it is trained on.

    Raises:
        UsageError: no layout or two, one that does not fit, a ratio that empties a layer, or a
            network without a mirrored decoder.
        BadCheckpoint: the weights are not of the network.
    """
    if (request.layout is None) == (request.ratio is None):
        raise UsageError(
            f"{symmetric_l2.METHOD} takes either --layout or --ratio: type for example --ratio 0.25"
        )
    network, pictures = _opened(request)
    mirrored = symmetric_l2.mirrored_layers(network)
    if request.ratio is not None:
        layout = symmetric_l2.layout_of_ratio(request.ratio, mirrored)
        if layout == tuple(layer.width for layer in mirrored):
            raise UsageError(
                f"--ratio {request.ratio:g} takes no channel of {network.network.name}: it is of "
                "the layers from block 3 on; type a larger --ratio, or --layout"
            )
    else:
        layout = symmetric_l2.parse_layout(request.layout or "", mirrored)
    pruned, kept, importance = symmetric_l2.cut_once(network, layout)
    lost = [layer.width - width for layer, width in zip(mirrored, layout, strict=True)]
    told = msgspec.structs.replace(
        _first_report(symmetric_l2.METHOD, request, network, pruned, pictures),
        removed=2 * sum(lost) - lost[-1],
        layout=(symmetric_l2.PICTURE_CHANNELS, *layout),
    )
    if request.dry_run or not kept:
        return told
    history: tuple[Event, ...] | None = None
    if request.retrain is not None:
        before = history_of(request.checkpoints)
        last = prune_in_rounds(request.network, network, before, layout, request.retrain, report)
        pruned, history = open_network(request.network, [last]), record_history(last)
        told = msgspec.structs.replace(told, trained_steps=_steps(request.retrain))
    proof = measure(network, pruned, pictures, request.sizes)
    report(f"{proof.worst_db:.1f} dB to the original on the worst of {proof.pictures} paintings")
    cut = Cut(
        kept,
        importance,
        "L2 norm of each filter; red ones went",
        {"layout": ",".join(map(str, told.layout or ()))},
        history,
    )
    return _write(request, network, pruned, cut, pictures, proof, told, report)


def _opened(request: PruneRequest) -> tuple[LoadedNetwork, PictureSet]:
    _check_out(request)
    if request.network.endswith((".pt2", ".onnx")) or ".onnx," in request.network:
        raise UsageError(
            f"{request.network} is a graph, whose widths are written into it; prune the network "
            "that it came from: a name of `styleexport networks`, or package.module:factory"
        )
    network = open_network(request.network, request.checkpoints)
    _check_sizes(network, request.sizes)
    return network, read_pictures(request.calibration)


def _first_report(
    method: str, request: PruneRequest, network: LoadedNetwork, pruned: LoadedNetwork,
    pictures: PictureSet,
) -> PruneReport:  # fmt: skip
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


def _check_out(request: PruneRequest) -> None:
    out = request.out
    if out.is_file():
        raise UsageError(f"{out} is a file; type -o with the name of a folder")
    if out.is_dir() and any(out.iterdir()) and not (request.overwrite or request.dry_run):
        raise UsageError(f"{out} is not empty: add --overwrite, or choose another -o")


def _check_sizes(network: LoadedNetwork, sizes: Sequence[Size]) -> None:
    smallest = network.network.min_side
    for size in sizes:
        if min(size.height, size.width) < smallest:
            raise UsageError(
                f"size {size} is too small for {network.network.name}: each side needs at least "
                f"{smallest} pixels; type for example --size 256"
            )


def history_of(checkpoints: Sequence[Path]) -> tuple[Event, ...]:
    """Return what was done to the network in the checkpoint files before."""
    found = read_architecture(checkpoints[0]) if len(checkpoints) == 1 else None
    return found.history if found is not None else ()


def _write(
    request: PruneRequest, network: LoadedNetwork, pruned: LoadedNetwork, cut: Cut,
    pictures: PictureSet, proof: Proof, told: PruneReport, report: Report,
) -> PruneReport:  # fmt: skip
    report("measuring time")
    event = Event(
        method=told.method,
        parent_sha256=network.source_sha256,
        kept=cut.kept,
        schedule={
            **cut.schedule,
            "sizes": ", ".join(map(str, request.sizes)),
            "worst_db": round(proof.worst_db, 2),
        },
    )
    history = cut.history or (*history_of(request.checkpoints), event)
    architecture = architecture_of(network.network, pruned.module, history)
    with replace_folder(request.out) as folder:
        weights = folder / WEIGHTS
        write_weights(weights, pruned.module.state_dict(), architecture)
        again = open_network(request.network, [weights])
        prove(pruned, again, replace(pictures, held_out=pictures.held_out[:1]), request.sizes[:1])
        told = msgspec.structs.replace(
            told,
            costs=compare_costs(network, pruned, request.sizes, timed=True),
            worst_db=round(proof.worst_db, 2),
            pooled_db=round(proof.pooled_db, 2),
            weights=str(request.out / WEIGHTS),
            weights_sha256=sha256_of([weights]),
        )
        encoded = msgspec.json.format(msgspec.json.encode(told))
        (folder / "report.json").write_bytes(encoded + b"\n")
        (folder / "card.md").write_text(card(told, network), encoding="utf-8")
        sheet = before_after(network, pruned, pictures.held_out, request.sizes[0])
        write_image(sheet, folder / "sheet.png")
        outputs = {name: kept.outputs for name, kept in cut.kept.items()}
        title = f"{told.network}: {cut.title}"
        write_importance(folder / "channels.svg", title, cut.importance, outputs)
    return told


def _peaks(found: EmptyChannels) -> dict[str, list[float]]:
    """Return the peak of each output channel of each layer whose outputs are read."""
    return {
        name: [found.peaks.get(label, 0.0) for label in outputs]
        for name, outputs in found.coupling.outputs.items()
        if name in found.coupling.read and any(label in found.peaks for label in outputs)
    }
