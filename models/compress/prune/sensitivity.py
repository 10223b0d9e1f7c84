"""Sensitivity of each layer: change of style distance when its channels alone are removed.

A mirrored layer of the encoder and its mirror lose their least important channels together, in a
few steps, while all other layers stay whole; the weights behind them are reconstructed if those of
the pruning are. Nothing is trained. Paintings are compared with the whole network's.
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
from styleexport.models.compress.prune.reconstruct import input_windows, reconstruct_single_layer
from styleexport.models.compress.prune.symmetric_l2 import ChannelRanking
from styleexport.models.compress.style_quality import StyleJudge

SHARES = (0.125, 0.25, 0.5, 0.75)
MAX_SIDE = 128
PICTURES = 4


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Quality after one layer lost a share of its channels.

    Attributes:
        share: share of the layer's channels removed, 0 to 1.
        width: number of channels left.
        style_change: relative change of the mean style distance; 0.05 is 5 % worse.
        psnr_db: PSNR of the paintings to the whole network's, in dB.
    """

    share: float
    width: int
    style_change: float
    psnr_db: float


class LayerSensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """Quality by the number of channels that one mirrored layer keeps.

    Attributes:
        layer: name of the pair.
        encoder: encoder layer's name in the state dict.
        decoder: mirrored layer's name; None where there is none.
        width: number of channels before pruning.
        losses: measurements, fewest channels removed first.
    """

    layer: str
    encoder: str
    decoder: str | None
    width: int
    losses: tuple[Loss, ...]

    def style_change_at(self, width: int) -> float:
        """Return the style change at a width, interpolated linearly and made monotonic."""
        points = [(self.width, 0.0)]
        for loss in self.losses:
            points.append((loss.width, max(points[-1][1], loss.style_change)))
        for (wide, before), (narrow, after) in pairwise(points):
            if width >= narrow:
                share = (wide - width) / max(1, wide - narrow)
                return before + share * (after - before)
        return points[-1][1]


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """Sensitivity of all mirrored layers, each pruned alone.

    Attributes:
        loss_network: name of the loss network that style is measured in.
        size: size of the paintings, height x width.
        pairs: number of paintings that each figure is the mean of.
        reconstructed: whether weights behind the removed channels were reconstructed.
        style_distance: mean style distance of the whole network.
        layers: sensitivity of each layer, first to last.
    """

    loss_network: str
    size: str
    pairs: int
    reconstructed: bool = msgspec.field(name="refitted")
    style_distance: float
    layers: tuple[LayerSensitivity, ...]


@dataclass(frozen=True)
class _Trial:
    """Data shared by all measurements.

    Attributes:
        ranking: channel ranking of the network.
        judge: judge of paintings.
        windows: inputs that weights are reconstructed by; None to leave them.
    """

    ranking: ChannelRanking
    judge: StyleJudge
    windows: Mapping[str, Tensor] | None

    def loss(self, index: int, share: float) -> Loss:
        """Return the quality after layer ``index`` lost a share of its channels."""
        layout = list(self.ranking.widths)
        layout[index] = max(1, round(layout[index] * (1 - share)))
        pruned = self.ranking.cut(layout)
        network = pruned.network
        if self.windows is not None:
            network = reconstruct_single_layer(
                self.ranking.network, network, pruned.kept, self.windows
            )
        quality = self.judge(network)
        return Loss(
            share=share,
            width=layout[index],
            style_change=round(quality.style / self.judge.original.style - 1, 5),
            psnr_db=round(quality.psnr_db, 2),
        )


def measure_sensitivity(
    ranking: ChannelRanking,
    held_out: Sequence[Image.Image],
    size: Size,
    features: LossNetwork,
    progress: Progress = lambda _: None,
) -> Sensitivity:
    """Return the sensitivity of each mirrored layer of a network.

    Weights are reconstructed where the ranking's config has calibration pictures.

    Args:
        ranking: channel ranking of the network.
        held_out: pictures to paint; the first four are used.
        size: size of the pruning's pictures; sides above 128 are painted at 128.
        features: loss network that style is measured in.
        progress: receives progress lines.
    """
    size = Size(min(size.height, MAX_SIDE), min(size.width, MAX_SIDE))
    judge = StyleJudge(ranking.network, held_out[:PICTURES], size, features, styles=1)
    progress(f"sensitivity of {len(ranking.layers)} layers, {judge.pairs} paintings at {size}")
    calibration = ranking.config.calibration
    windows = None if calibration is None else input_windows(ranking.network, calibration)
    trial = _Trial(ranking, judge, windows)
    measured: list[LayerSensitivity] = []
    for index, layer in enumerate(ranking.layers):
        losses = [trial.loss(index, share) for share in SHARES]
        progress(
            f"{layer.name}: "
            + ", ".join(f"{loss.width} left {loss.style_change:+.1%}" for loss in losses)
        )
        measured.append(
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
        reconstructed=windows is not None,
        style_distance=round(judge.original.style, 6),
        layers=tuple(measured),
    )
