"""How much each layer can lose before the picture does: one layer cut at a time, nothing trained.

A mirrored layer of the encoder and its mirror lose their least important channels together, in a
few steps, while all other layers stay whole; the kernels behind them are chosen anew (`refit`) if
those of the pruning are. What is then painted is held against the whole network's paintings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
from PIL import Image
from torch import Tensor

from styleexport.core.perceptual import LossNetwork
from styleexport.core.types import Progress, Size
from styleexport.models.compress.prune.reconstruct import Calibration, refit_alone, whole_windows
from styleexport.models.compress.prune.symmetric_l2 import Cutter
from styleexport.models.compress.style_quality import StyleJudge

SHARES = (0.125, 0.25, 0.5, 0.75)
SIDE = 128
PICTURES = 4


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What the picture loses with one layer's channels.

    Attributes:
        share: of its channels that the layer lost.
        width: that it has left.
        style_change: by what share the mean style distance grew.
        psnr_db: of the paintings to the whole network's.
    """

    share: float
    width: int
    style_change: float
    psnr_db: float


class LayerSensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """What the picture loses by one layer.

    Attributes:
        layer: name of the pair.
        encoder: name in the state dict.
        decoder: its mirror's; None where it has none.
        width: whole.
        losses: the more channels, the later.
    """

    layer: str
    encoder: str
    decoder: str | None
    width: int
    losses: tuple[Loss, ...]

    def style_change_at(self, width: int) -> float:
        """Return the style change at a width, straight between those measured; it never falls."""
        points = [(self.width, 0.0)]
        for loss in self.losses:
            points.append((loss.width, max(points[-1][1], loss.style_change)))
        for (wide, before), (narrow, after) in pairwise(points):
            if width >= narrow:
                share = (wide - width) / max(1, wide - narrow)
                return before + share * (after - before)
        return points[-1][1]


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """What the picture loses by each mirrored layer alone.

    Attributes:
        loss_network: that style is measured in.
        size: of the paintings, height x width.
        pairs: held-out pictures in the style of another, that each figure is the mean of.
        refitted: whether kernels that lost inputs were chosen anew.
        style_distance: of the whole network.
        layers: first to last.
    """

    loss_network: str
    size: str
    pairs: int
    refitted: bool
    style_distance: float
    layers: tuple[LayerSensitivity, ...]


@dataclass(frozen=True)
class _Trial:
    """What every layer is tried with.

    Attributes:
        cutter: of the network.
        judge: of paintings.
        windows: that new kernels are chosen by; None to leave them.
    """

    cutter: Cutter
    judge: StyleJudge
    windows: Mapping[str, Tensor] | None

    def loss(self, index: int, share: float) -> Loss:
        """Return what the picture loses by one layer without a share of its channels."""
        layout = list(self.cutter.widths)
        layout[index] = max(1, round(layout[index] * (1 - share)))
        cut = self.cutter.to(layout)
        network = cut.network
        if self.windows is not None:
            network = refit_alone(self.cutter.network, network, cut.kept, self.windows)
        judged = self.judge(network)
        return Loss(
            share=share,
            width=layout[index],
            style_change=round(judged.style / self.judge.original.style - 1, 5),
            psnr_db=round(judged.psnr_db, 2),
        )


def measure_sensitivity(
    cutter: Cutter,
    held_out: Sequence[Image.Image],
    size: Size,
    features: LossNetwork,
    calibration: Calibration | None = None,
    progress: Progress = lambda _: None,
) -> Sensitivity:
    """Return what the picture loses by each layer alone.

    Args:
        cutter: of the network.
        held_out: pictures; a few are taken.
        size: of the pruning; sides above 128 are painted at 128.
        features: the loss network.
        calibration: pictures that new kernels are chosen by; None to leave them.
        progress: takes lines of progress.
    """
    size = Size(min(size.height, SIDE), min(size.width, SIDE))
    judge = StyleJudge(cutter.network, held_out[:PICTURES], size, features, styles=1)
    progress(f"sensitivity of {len(cutter.layers)} layers, {judge.pairs} paintings at {size}")
    windows = None if calibration is None else whole_windows(cutter.network, calibration)
    trial = _Trial(cutter, judge, windows)
    found: list[LayerSensitivity] = []
    for index, layer in enumerate(cutter.layers):
        losses = [trial.loss(index, share) for share in SHARES]
        progress(
            f"{layer.name}: "
            + ", ".join(f"{loss.width} left {loss.style_change:+.1%}" for loss in losses)
        )
        found.append(
            LayerSensitivity(
                layer=layer.name,
                encoder=layer.encoder,
                decoder=layer.decoder,
                width=layer.width,
                losses=tuple(losses),
            )
        )
    return Sensitivity(
        loss_network=features.name,
        size=str(size),
        pairs=judge.pairs,
        refitted=windows is not None,
        style_distance=round(judge.original.style, 6),
        layers=tuple(found),
    )
