"""What a user asks of a pruning, and the network and pictures that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.errors import UsageError
from styleexport.core.types import Size
from styleexport.models.architecture import Event, read_architecture
from styleexport.models.compress.pictures import PictureSet, read_pictures
from styleexport.models.compress.prune.criteria import DEFAULT
from styleexport.models.compress.prune.iterative import Retraining
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network

DEFAULT_SIZE = Size(256, 256)


@dataclass(frozen=True)
class PruneRequest:
    """A pruning.

    Attributes:
        network: as `open_network` takes it.
        checkpoints: weights files.
        out: folder for what is written.
        layout: of symmetric pruning, ``published`` or widths; see `parse_layout`.
        ratio: of symmetric pruning, the share of channels that each late layer loses.
        budget: of symmetric pruning, what the network may cost and lose; see `PruneBudget`.
        sensitivity: of symmetric pruning, whether to measure what each layer can lose.
        mirrors: of symmetric pruning, the layers that are tied; see `Tie`.
        criterion: of symmetric pruning, what ranks filters; see `find_criterion`.
        refit: of symmetric pruning, whether kernels that lost inputs are chosen anew; see `refit`.
        retrain: of symmetric pruning, how the network is trained between cuts; None to cut once.
        loss_weights: ImageNet's VGG-16, in which style is measured; None for the shipped encoder.
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
    budget: str | None = None
    sensitivity: bool = False
    mirrors: tuple[str, ...] = ()
    criterion: str = DEFAULT
    refit: bool = True
    retrain: Retraining | None = None
    loss_weights: Path | None = None
    calibration: tuple[Path, ...] = ()
    sizes: tuple[Size, ...] = (DEFAULT_SIZE,)
    overwrite: bool = False
    dry_run: bool = False


def open_pruning(request: PruneRequest) -> tuple[LoadedNetwork, PictureSet]:
    """Return the network and the pictures of a pruning.

    Raises:
        UsageError: the network cannot be pruned, there are too few pictures, or the folder is
            taken.
        BadCheckpoint: the weights are not of the network.
    """
    _check_out(request)
    if request.network.endswith((".pt2", ".onnx")) or ".onnx," in request.network:
        raise UsageError(
            f"{request.network} is a graph, whose widths are written into it; prune the network "
            "that it came from: a name of `styleexport networks`, or package.module:factory"
        )
    network = open_network(request.network, request.checkpoints)
    _check_sizes(network, request.sizes)
    return network, read_pictures(request.calibration)


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
