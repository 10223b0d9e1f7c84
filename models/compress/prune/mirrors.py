"""Which layers of an encoder and a decoder mirror each other, known or as a user ties them.

Layer i of a VGG encoder makes features of some width; the layer of the mirrored decoder that makes
features of the same place has the same width. In other networks the user names the layers, and what
else makes the same channels (residual sums, depthwise blocks) is known from `coupling`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from styleexport.core.errors import UsageError
from styleexport.models.architecture import Convolution, layers
from styleexport.models.compress.prune.channel_sets import Coupling
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._adain import AdainNetwork

FIRST_BLOCK = 3
SHOWN = 6


@dataclass(frozen=True)
class Mirrored:
    """A layer of the encoder, and the one of the decoder that makes features of the same place.

    Attributes:
        name: of the pair: as VGG's authors call it, ``conv3_1``, or the encoder's layer.
        encoder: its name in the state dict.
        decoder: the decoder's layer; None where it has none, or makes the very same channels.
        width: channels now.
        late: whether a ratio takes from it.
    """

    name: str
    encoder: str
    decoder: str | None
    width: int
    late: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Its layers whose filters are ranked."""
        return (self.encoder,) if self.decoder is None else (self.encoder, self.decoder)


@dataclass(frozen=True)
class Tie:
    """Two layers that a user ties: ``encoder.two=decoder.one``, or one alone.

    Attributes:
        encoder: a name in the state dict.
        decoder: another; None for a layer that has no mirror, such as the bottleneck.
    """

    encoder: str
    decoder: str | None = None

    @classmethod
    def parse(cls, text: str) -> Tie:
        """Return the layers that ``ENCODER_LAYER=DECODER_LAYER`` or ``LAYER`` names.

        Raises:
            UsageError: it is neither.
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
    network: LoadedNetwork, coupling: Coupling, ties: Sequence[Tie] = ()
) -> tuple[Mirrored, ...]:
    """Return the mirrored layers of a network, as they were tied, or first to last of its encoder.

    Raises:
        UsageError: its decoder does not mirror its encoder, or a tie does not fit.
    """
    if ties:
        return _tied(network.module, coupling, ties)
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
        Mirrored(
            name=f"conv{block}_{position}",
            encoder=f"encoder.features.{index}",
            decoder=f"decoder.layers.{back[place]}" if place < len(back) else None,
            width=width,
            late=block >= FIRST_BLOCK,
        )
        for place, ((block, position, width), index) in convolutions
    )


def _tied(module: nn.Module, coupling: Coupling, ties: Sequence[Tie]) -> tuple[Mirrored, ...]:
    convolutions = {n: layer for n, layer in layers(module) if isinstance(layer, Convolution)}
    owner: dict[int, str] = {}
    found: list[Mirrored] = []
    for tie in ties:
        names = [tie.encoder] if tie.decoder is None else [tie.encoder, tie.decoder]
        for name in names:
            _check_layer(name, module, convolutions, coupling)
        widths = [convolutions[name].out_channels for name in names]
        if len(set(widths)) > 1:
            raise UsageError(
                f"--mirror {tie.encoder}={tie.decoder}: {tie.encoder} makes {widths[0]} channels "
                f"and {tie.decoder} {widths[1]}; mirrored layers have the same width, type others"
            )
        sets = [frozenset(coupling.outputs[name]) for name in names]
        if len(sets) == 2 and sets[0] == sets[1]:
            names, sets = names[:1], sets[:1]
        for name, labels in zip(names, sets, strict=True):
            if other := next((owner[label] for label in labels if label in owner), None):
                raise UsageError(
                    f"--mirror {name}: its channels are those of {other} too, which was named "
                    "before (a sum or a depthwise block joins them); name one of the two"
                )
            owner |= dict.fromkeys(labels, name)
        found.append(Mirrored(names[0], names[0], [*names, None][1], widths[0]))
    return tuple(found)


def _check_layer(
    name: str, module: nn.Module, convolutions: dict[str, Convolution], coupling: Coupling
) -> None:
    """Check that a layer's channels can be cut one by one.

    Raises:
        UsageError: they cannot.
    """
    if name not in convolutions:
        other = dict(module.named_modules()).get(name)
        what = "no layer of the network" if other is None else f"a {type(other).__name__}"
        near = difflib.get_close_matches(name, convolutions, n=3) or [*convolutions][:SHOWN]
        raise UsageError(
            f"--mirror: {name} is {what}, expected a convolution by its name in the state dict, "
            f"such as {', '.join(near)}"
        )
    labels = coupling.outputs[name]
    if not coupling.pinned.isdisjoint(labels):
        raise UsageError(
            f"--mirror: the channels of {name} must stay: they are the picture, or an operation "
            "that is not understood reads them; name another layer"
        )
    if len(set(labels)) < len(labels):
        raise UsageError(
            f"--mirror: {name} makes channels that are joined with each other (by a sum, a split "
            "or a pixel shuffle), and cannot lose them one by one; name another layer"
        )
    if not any(not set(labels).isdisjoint(coupling.outputs[layer]) for layer in coupling.read):
        raise UsageError(f"--mirror: {name} is not run when the network paints; name another layer")
