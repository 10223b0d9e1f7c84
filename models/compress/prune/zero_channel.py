"""Zero-channel pruning: channels that are always empty go, and the picture stays as it was.

A channel is empty where every convolution and matrix product that reads it finds zeros in it:
behind a ReLU, for a filter that never answers. Its weights then add nothing, whatever they are, so
it is removed together with all that is joined with it (`coupling`): the filter, its bias and
statistics, the weights that read it, its entries in the style code. Nothing is trained. A channel
that is constant and not zero is not empty and stays.

Emptiness is seen on calibration pictures and cannot be known for all pictures: channels that wake
on held-out pictures stay, and what is left is proven there, picture by picture. Of a two-image
network only the extractor's channels may go (the layers that ``encode`` runs, and what reads them):
a decoder meets every photograph in every style, and its channels wake on pairs that no set holds;
so does a channel of the extractor that is empty only once it has taken a style's statistics.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from styleexport.core.errors import ParityFailure, UsageError, first_line
from styleexport.core.types import Progress, Role, Size
from styleexport.models.architecture import KeptChannels, has_kernel, keep_channels, layers
from styleexport.models.compress.activation_hooks import Peaks, Readers
from styleexport.models.compress.pictures import PictureSet, at_size, extremes, variants
from styleexport.models.compress.prune.coupling import Coupling, couple
from styleexport.models.network import LoadedNetwork, RoleModule, TwoImageModule

ALLOWED_DB = 90.0
EXACT_DB = 200.0
STRENGTHS = (1.0, 0.5)
TRACE_SIDE = 64


@dataclass(frozen=True)
class EmptyChannels:
    """What was found empty.

    Attributes:
        coupling: of the network's channels.
        gone: sets of channels that are empty on all pictures and may go.
        woken: how many sets were empty on calibration pictures and not on held-out ones.
        stay: how many empty sets stay, because something that is not understood reads them, or
            because a layer would have no channel left.
        peaks: of each set that is read, how far it was from empty on all pictures.
    """

    coupling: Coupling
    gone: frozenset[int]
    woken: int
    stay: int
    peaks: Mapping[int, float]

    @property
    def kept(self) -> dict[str, KeptChannels]:
        """Of the layers that lose channels, those that they keep."""
        return self.coupling.kept_without(self.gone)


@dataclass(frozen=True)
class Proof:
    """How far the pruned network's pictures are from the original's, on held-out pictures.

    Attributes:
        pictures: how many were painted.
        worst_db: peak signal-to-noise ratio of the worst; 200 where all are equal.
        pooled_db: of all together.
    """

    pictures: int
    worst_db: float
    pooled_db: float


def network_passes(module: nn.Module, picture: Tensor) -> tuple[Tensor, ...]:
    """Return a network's painting of a picture in its own style, and the style code if any."""
    if not isinstance(module, TwoImageModule):
        return (module(picture),)
    code = module.encode(picture)
    return module.transfer(picture, code, torch.ones(1)), code


@torch.no_grad()
def find_empty(
    network: LoadedNetwork, pictures: PictureSet, sizes: Sequence[Size], progress: Progress
) -> EmptyChannels:
    """Return the channels of a network that are always empty.

    Args:
        network: with its weights.
        pictures: to watch it on.
        sizes: of the pictures.
        progress: takes lines of progress.

    Raises:
        UsageError: no layer of the network has channels that can be told apart.
    """
    module = network.module
    if not any(layers(module)):
        raise UsageError(
            f"{network.network.name} has no layers that can be pruned; expected a network built "
            "in PyTorch: a name of `styleexport networks`, or package.module:factory"
        )
    coupling, noise = coupling_of(network)
    first = [v for size in sizes for p in pictures.calibration for v in variants(at_size(p, size))]
    first += extremes(Size(*noise.shape[2:]))
    others = [at_size(p, size) for size in sizes for p in pictures.held_out]
    progress(f"watching {len(coupling.read)} layers on {len(first)} pictures and variants")
    seen = _watched(network, coupling, first)
    painting = _made_while_painting(network, coupling, noise)
    empty = {label for label, peak in seen.items() if peak == 0} - painting
    progress(f"{len(empty)} channels are empty; {len(others)} held-out pictures")
    again = _watched(network, coupling, others)
    still = {label for label in empty if again[label] == 0}
    gone = without_emptied_layers(coupling, still - coupling.pinned)
    peaks = {label: max(peak, again[label]) for label, peak in seen.items()}
    return EmptyChannels(coupling, gone, len(empty - still), len(still) - len(gone), peaks)


def coupling_of(network: LoadedNetwork) -> tuple[Coupling, Tensor]:
    """Return which channels of a network live and die together, and the picture that told it."""
    side = max(TRACE_SIDE, network.network.min_side)
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return couple(network.module, _scaled(network, noise), network_passes), noise


def _scaled(network: LoadedNetwork, picture: Tensor) -> Tensor:
    """Return a picture in 0..1 in the network's own range."""
    low, high = network.network.pixel_range
    return picture * (high - low) + low


def _watched(
    network: LoadedNetwork, coupling: Coupling, pictures: Sequence[Tensor]
) -> dict[int, float]:
    """Return how far each set of channels that is read is from empty.

    Every picture is painted in the style of the one before. It is the largest magnitude that the
    set's readers found; of channels whose statistics are a style code, also by how much the code's
    entries differ from picture to picture: statistics of what is empty are the same for all.
    """
    peaks, module, codes = Peaks(), network.module, list[Tensor]()
    with Readers(module, peaks.see):
        for index, picture in enumerate(pictures):
            content = _scaled(network, picture)
            if isinstance(module, TwoImageModule):
                codes.append(module.encode(_scaled(network, pictures[index - 1])))
                module.transfer(content, codes[-1], torch.ones(1))
            else:
                module(content)
    found: dict[int, float] = {}
    for name in coupling.read:
        for label, peak in zip(coupling.inputs[name], peaks.of[name].tolist(), strict=True):
            found[label] = max(found.get(label, 0.0), peak)
    if coupling.code:
        rows = torch.cat(codes)
        spread = (rows.amax(0) - rows.amin(0)).tolist()
        for label, value in zip(coupling.code, spread, strict=True):
            if label in found:
                found[label] = max(found[label], value)
    return found


def _made_while_painting(network: LoadedNetwork, coupling: Coupling, noise: Tensor) -> set[int]:
    """Return the sets with a channel that a layer makes which ``encode`` does not run."""
    module = network.module
    if not isinstance(module, TwoImageModule):
        return set()
    extracting = Peaks()
    with Readers(module, extracting.see):
        module.encode(_scaled(network, noise))
    return {
        label
        for name, layer in layers(module)
        if has_kernel(layer) and name not in extracting.of
        for label in coupling.outputs[name]
    }


def without_emptied_layers(coupling: Coupling, empty: set[int]) -> frozenset[int]:
    """Return the sets that may go so that each layer keeps a channel, at either end."""
    gone = set(empty)
    for channels in (*coupling.inputs.values(), *coupling.outputs.values()):
        if gone.issuperset(channels):
            gone.discard(channels[0])
    return frozenset(gone)


def without_channels(network: LoadedNetwork, kept: dict[str, KeptChannels]) -> LoadedNetwork:
    """Return the network with some channels of some layers; the given one is left alone."""
    module = copy.deepcopy(network.module)
    present = dict(layers(module))
    for name, channels in kept.items():
        keep_channels(present[name], channels)
    return replace(network, module=module)


def prove(
    original: LoadedNetwork, pruned: LoadedNetwork, pictures: PictureSet, sizes: Sequence[Size]
) -> Proof:
    """Return how far a pruned network is from the original; see `measure`.

    Raises:
        UsageError: the pruned network does not run.
        ParityFailure: a picture is below 90 dB.
    """
    proof = measure(original, pruned, pictures, sizes)
    if proof.worst_db < ALLOWED_DB:
        raise ParityFailure(
            f"pruned {original.network.name}: {proof.worst_db:.1f} dB to the original on the worst "
            f"of {proof.pictures} held-out pictures, allowed {ALLOWED_DB:.0f}: some channels are "
            "not empty there; add pictures of that kind with --calibration"
        )
    return proof


@torch.no_grad()
def measure(
    original: LoadedNetwork, pruned: LoadedNetwork, pictures: PictureSet, sizes: Sequence[Size]
) -> Proof:
    """Return how far a pruned network is from the original on the held-out pictures.

    Two-image networks paint every picture in the style of the next, at full and at half strength.

    Raises:
        UsageError: the pruned network does not run.
    """
    roles = [network.role_module(Role.STYLIZE) for network in (original, pruned)]
    errors: list[float] = []
    for inputs in _runs(roles[0], pictures, sizes):
        wanted = roles[0](*inputs)
        try:
            found = roles[1](*inputs)
        except Exception as error:
            raise UsageError(
                f"{original.network.name} does not run with fewer channels "
                f"({first_line(error)}): a width is written into its code; let it take widths from "
                "its tensors"
            ) from error
        errors.append(float((found.double() - wanted.double()).square().mean()))
    return Proof(len(errors), _decibels(max(errors)), _decibels(sum(errors) / len(errors)))


def _runs(
    role: RoleModule, pictures: PictureSet, sizes: Sequence[Size]
) -> Iterator[tuple[Tensor, ...]]:
    for size in sizes:
        batch = [at_size(picture, size) for picture in pictures.held_out]
        for index, content in enumerate(batch):
            if len(role.input_names()) == 1:
                yield (content,)
                continue
            for strength in STRENGTHS:
                yield content, batch[index - 1], torch.tensor([strength])


def _decibels(error: float) -> float:
    return -10 * math.log10(error) if error > 0 else EXACT_DB
