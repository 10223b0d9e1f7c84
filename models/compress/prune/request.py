"""Pruning requests, and the network and pictures that they start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.errors import UsageError
from styleexport.core.files import check_replaceable, entries
from styleexport.core.types import Size
from styleexport.models.architecture import SYMMETRIC_L2
from styleexport.models.compress.pictures import PictureSet, read_pictures
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.criteria import DEFAULT
from styleexport.models.compress.prune.iterative import Retraining
from styleexport.models.compress.prune.mirrors import LayerPair
from styleexport.models.compress.prune.multiples import Int8Times
from styleexport.models.compress.prune.report import PRODUCT
from styleexport.models.network import LoadedNetwork
from styleexport.models.network_spec import NetworkSpec
from styleexport.models.networks._open import open_network

DEFAULT_SIZE = Size(256, 256)


@dataclass(frozen=True)
class PruneRequest:
    """Settings of both pruning methods.

    Attributes:
        network: network specification, as `open_network` takes it.
        checkpoints: weights files.
        out: output folder.
        loss_weights: ImageNet VGG-16 weights, in which style is measured; None for the shipped
            encoder.
        calibration: folders of pictures; () for those that ship with the package.
        sizes: sizes of the pictures that channels are observed and time is measured at.
        overwrite: whether the folder of an earlier pruning is replaced.
        dry_run: whether to report only, without writing.
        multiple: multiple that widths are rounded to, or the timer that chooses one; None for
            widths as they come.
    """

    network: str
    checkpoints: tuple[Path, ...]
    out: Path
    loss_weights: Path | None = None
    calibration: tuple[Path, ...] = ()
    sizes: tuple[Size, ...] = (DEFAULT_SIZE,)
    overwrite: bool = False
    dry_run: bool = False
    multiple: int | Int8Times | None = None


@dataclass(frozen=True)
class SymmetricRequest:
    """Further settings of symmetric pruning; at most one of layout, ratio and budget.

    Attributes:
        layout: ``published`` or widths; see `parse_layout`.
        ratio: share of channels that each late layer loses.
        budget: limits on what the network may cost and lose.
        sensitivity: whether to measure the sensitivity of each layer.
        pairs: mirrored layers; () for those of a known network.
        criterion: importance of filters; see `find_criterion`.
        reconstruct: whether layers that lost inputs are reconstructed.
        retrain: training between cuts; None to cut once.
    """

    layout: str | None = None
    ratio: float | None = None
    budget: PruneBudget | None = None
    sensitivity: bool = False
    pairs: tuple[LayerPair, ...] = ()
    criterion: str = DEFAULT
    reconstruct: bool = True
    retrain: Retraining | None = None

    @property
    def cuts(self) -> bool:
        """Whether channels are removed, not only the sensitivity measured."""
        return any(choice is not None for choice in (self.layout, self.ratio, self.budget))

    def check(self) -> None:
        """Check that one way to choose a layout is given, or sensitivity alone.

        Raises:
            UsageError: none or several.
        """
        choices = (self.layout, self.ratio, self.budget)
        if sum(choice is not None for choice in choices) > 1 or not (self.cuts or self.sensitivity):
            raise UsageError(
                f"{SYMMETRIC_L2} takes either --layout or --ratio or --budget: type for "
                "example --ratio 0.25, or --sensitivity to see what each layer can lose"
            )
        if not self.cuts and self.retrain is not None:
            raise UsageError(
                "--retrain needs to know what to cut: add --layout, --ratio or --budget, or leave "
                "out --retrain"
            )


@dataclass(frozen=True)
class PruneJob:
    """A pruning with its network and pictures opened.

    Attributes:
        request: what was asked for.
        network: network before pruning.
        pictures: calibration and held-out pictures.
    """

    request: PruneRequest
    network: LoadedNetwork
    pictures: PictureSet


def open_pruning(request: PruneRequest) -> PruneJob:
    """Return a pruning with its network and pictures.

    Raises:
        UsageError: the network cannot be pruned, there are too few pictures, or the folder is not
            empty.
        BadCheckpoint: the weights are of another network.
    """
    _check_out(request)
    spec = NetworkSpec.parse(request.network)
    spec.require_module("whose widths are written into it")
    network = open_network(spec, request.checkpoints)
    _check_sizes(network, request.sizes)
    return PruneJob(request, network, read_pictures(request.calibration))


def _check_out(request: PruneRequest) -> None:
    out = request.out
    if out.is_file():
        raise UsageError(f"{out} is a file; type -o with the name of a folder")
    if request.dry_run:
        return
    check_replaceable(out, PRODUCT)
    if out.is_dir() and entries(out) and not request.overwrite:
        raise UsageError(f"{out} is not empty: add --overwrite, or choose another -o")


def _check_sizes(network: LoadedNetwork, sizes: Sequence[Size]) -> None:
    smallest = network.network.min_side
    for size in sizes:
        if min(size.height, size.width) < smallest:
            raise UsageError(
                f"size {size} is too small for {network.network.name}: each side needs at least "
                f"{smallest} pixels; type for example --size 256"
            )
