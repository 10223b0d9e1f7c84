"""Mirrored layers: encoder layers and the decoder layers that compute features of the same place.

In a VGG encoder and its mirrored decoder they are known by position and have the same width. In
other networks the user names the pairs; which other layers compute the same channels (residual
sums, depthwise blocks) follows from the channel dependencies.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from styleexport.core.errors import UsageError
from styleexport.models.architecture import Convolution, layers
from styleexport.models.compress.prune.dependencies import ChannelDependencies
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._adain import AdainNetwork

FIRST_BLOCK = 3
SHOWN = 6


@dataclass(frozen=True)
class MirroredLayer:
    """An encoder layer, and the decoder layer that mirrors it.

    Attributes:
        name: name of the pair: VGG's own, such as ``conv3_1``, or the encoder layer's.
        encoder: encoder layer's name in the state dict.
        decoder: decoder layer's name; None where there is none, or where both layers compute the
            same channels.
        width: present number of channels.
        late: whether a ratio applies to it.
    """

    name: str
    encoder: str
    decoder: str | None
    width: int
    late: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers whose filters are ranked."""
        return (self.encoder,) if self.decoder is None else (self.encoder, self.decoder)


@dataclass(frozen=True)
class LayerPair:
    """Mirrored layers as a user names them: ``encoder.two=decoder.one``, or one alone.

    Attributes:
        encoder: layer's name in the state dict.
        decoder: mirrored layer's name; None where there is none, such as at the bottleneck.
    """

    encoder: str
    decoder: str | None = None

    @classmethod
    def parse(cls, text: str) -> LayerPair:
        """Return the pair that ``ENCODER_LAYER=DECODER_LAYER`` or ``LAYER`` names.

        Raises:
            UsageError: the text is neither.
        """
        names = [part.strip().removesuffix(".weight") for part in text.split("=")]
        if len(names) > 2 or not all(names):
            raise UsageError(
                f"mirror {text!r} is not one: type --mirror ENCODER_LAYER=DECODER_LAYER with names "
                "of convolutions in the state dict, or one name alone"
            )
        return cls(*names)

    def __str__(self) -> str:
        return self.encoder if self.decoder is None else f"{self.encoder}={self.decoder}"


def mirrored_layers(
    network: LoadedNetwork, dependencies: ChannelDependencies, pairs: Sequence[LayerPair] = ()
) -> tuple[MirroredLayer, ...]:
    """Return the mirrored layers of a network: the given pairs, or those of an AdaIN network.

    Raises:
        UsageError: the decoder does not mirror the encoder, or a pair does not fit.
    """
    if pairs:
        return _from_pairs(network.module, dependencies, pairs)
    module = network.module
    if not isinstance(module, AdainNetwork):
        raise UsageError(
            f"{network.network.name} has no decoder that mirrors its encoder, which symmetric-l2 "
            "needs: tie its layers with --mirror ENCODER_LAYER=DECODER_LAYER, take adain-vgg19, "
            "adain-vgg16 or adain-cd16x, or type --method zero-channel"
        )
    blocks = enumerate(module.encoder.blocks, 1)
    names = [(b, p, width) for b, widths in blocks for p, width in enumerate(widths, 1)]
    back = list(reversed(module.decoder.conv_indices()))[1:]
    convolutions = enumerate(zip(names, module.encoder.conv_indices(), strict=True))
    return tuple(
        MirroredLayer(
            name=f"conv{block}_{position}",
            encoder=f"encoder.features.{index}",
            decoder=f"decoder.layers.{back[place]}" if place < len(back) else None,
            width=width,
            late=block >= FIRST_BLOCK,
        )
        for place, ((block, position, width), index) in convolutions
    )


def _from_pairs(
    module: nn.Module, dependencies: ChannelDependencies, pairs: Sequence[LayerPair]
) -> tuple[MirroredLayer, ...]:
    convolutions = {n: layer for n, layer in layers(module) if isinstance(layer, Convolution)}
    owner: dict[int, str] = {}
    mirrored: list[MirroredLayer] = []
    for pair in pairs:
        names = [pair.encoder] if pair.decoder is None else [pair.encoder, pair.decoder]
        for name in names:
            _check_layer(name, module, convolutions, dependencies)
        widths = [convolutions[name].out_channels for name in names]
        if len(set(widths)) > 1:
            raise UsageError(
                f"--mirror {pair}: {pair.encoder} makes {widths[0]} channels and {pair.decoder} "
                f"{widths[1]}; mirrored layers have the same width, type others"
            )
        groups = [frozenset(dependencies.outputs[name]) for name in names]
        if len(groups) == 2 and groups[0] == groups[1]:
            names, groups = names[:1], groups[:1]
        for name, own in zip(names, groups, strict=True):
            if other := next((owner[group] for group in own if group in owner), None):
                raise UsageError(
                    f"--mirror {name}: its channels are those of {other} too, which was named "
                    "before (a sum or a depthwise block joins them); name one of the two"
                )
            owner |= dict.fromkeys(own, name)
        mirrored.append(MirroredLayer(names[0], names[0], [*names, None][1], widths[0]))
    return tuple(mirrored)


def _check_layer(
    name: str,
    module: nn.Module,
    convolutions: dict[str, Convolution],
    dependencies: ChannelDependencies,
) -> None:
    """Check that a layer's channels can be removed one by one.

    Raises:
        UsageError: the layer is no convolution, is never run, or its channels must be kept or
            depend on each other.
    """
    if name not in convolutions:
        other = dict(module.named_modules()).get(name)
        what = "no layer of the network" if other is None else f"a {type(other).__name__}"
        near = difflib.get_close_matches(name, convolutions, n=3) or [*convolutions][:SHOWN]
        raise UsageError(
            f"--mirror: {name} is {what}, expected a convolution by its name in the state dict, "
            f"such as {', '.join(near)}"
        )
    groups = dependencies.outputs[name]
    if not dependencies.pinned.isdisjoint(groups):
        raise UsageError(
            f"--mirror: the channels of {name} must stay: they are the picture, or an operation "
            "that is not understood reads them; name another layer"
        )
    if len(set(groups)) < len(groups):
        raise UsageError(
            f"--mirror: {name} makes channels that are joined with each other (by a sum, a split "
            "or a pixel shuffle), and cannot lose them one by one; name another layer"
        )
    mixing = (dependencies.outputs[layer] for layer in dependencies.mixing)
    if all(set(groups).isdisjoint(outputs) for outputs in mixing):
        raise UsageError(f"--mirror: {name} is not run when the network paints; name another layer")
