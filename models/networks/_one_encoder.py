"""AdaIN networks of one described encoder and a decoder that fits its tap.

A network is a small file that names the encoder and the decoder; `encoder_network` makes the
description of it, with every tap that the decoder fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.models import weights
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders._encoder import Encoder, EncoderModule, Tap, find_encoder
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._adain import EncoderAdainNetwork

# Builds the decoder of a tap, of a kind where the network has several; "" is the default kind.
BuildDecoder = Callable[[Tap, str], nn.Module]
TRAINED = ("encoder.features.", "decoder.")
FIRST = "decoder.layers.0.weight"


def mirror(blocks: Sequence[Sequence[int]]) -> BuildDecoder:
    """Return the builder of decoders that mirror blocks of convolutions, full size first.

    A tap at 1/2ⁿ takes the first n blocks; one convolution makes their last width of its channels.
    """

    def build(tap: Tap, kind: str) -> MirrorDecoder:
        if kind:
            raise UsageError(f"decoder {kind!r}: this network has one kind: leave it out")
        count = tap.stride.bit_length() - 1
        if count > len(blocks):
            raise UsageError(
                f"the decoder mirrors taps to 1/{2 ** len(blocks)} and does not fit {tap}: type "
                "--tap with a shallower one"
            )
        decoder = MirrorDecoder((*blocks[:count], (tap.channels,)))
        decoder.initialise()
        return decoder

    return build


def network_of(
    encoder: Encoder,
    module: EncoderModule,
    decoder: BuildDecoder,
    settings: Mapping[str, str],
) -> EncoderAdainNetwork:
    """Return the network of an encoder and a random decoder for its tap.

    Args:
        encoder: description of the encoder.
        module: the encoder, with one tap.
        decoder: builder of the decoder.
        settings: keywords with which the network is built, the tap and the encoder's left out;
            ``decoder`` is the kind of the decoder.
    """
    tap = encoder.tap(module.tap_names[0])
    kept = {**settings, "tap": tap.name, **encoder.settings(module)}
    return EncoderAdainNetwork(module, decoder(tap, settings.get("decoder", "")), kept)


def settings_of(module: nn.Module) -> Mapping[str, str | int]:
    """Return the keywords with which a network is built."""
    assert isinstance(module, EncoderAdainNetwork)
    return module.settings


def read_network(
    name: str, encoder: Encoder, build: Callable[..., EncoderAdainNetwork], paths: Sequence[Path]
) -> EncoderAdainNetwork:
    """Return the network from one file of `styleexport train`, with the tap that the file has.

    Raises:
        BadCheckpoint: not one file, one of another network, or a decoder that does not fit.
    """
    if len(paths) != 1:
        raise BadCheckpoint(f"{name} takes one checkpoint file, got {len(paths)}")
    path, tensors = paths[0], read_tensors(paths[0])
    tap = _tap_in(encoder, tensors)
    network = build(tap="" if tap is None else tap.name)
    expected = network.state_dict()[FIRST].shape
    if tap is not None and FIRST in tensors and tensors[FIRST].shape != expected:
        raise BadCheckpoint(
            f"checkpoint {path}: its decoder does not fit the tap of its encoder, {tap}: {FIRST} "
            f"is {list(tensors[FIRST].shape)}, expected {list(expected)}; train one with "
            f"`styleexport train {name} --tap {tap.name}`"
        )
    load_into(network, tensors, path)
    return network


def _tap_in(encoder: Encoder, tensors: Mapping[str, Tensor]) -> Tap | None:
    """Return the tap at which the encoder of a state dict ends; None for another network."""
    prefix = "encoder.features."
    names = {key.removeprefix(prefix) for key in tensors if key.startswith(prefix)}
    for tap in encoder.taps:
        with torch.device("meta"):
            state = encoder.build((tap.name,)).features.state_dict()
        if names and names == state.keys():
            return tap
    return None


def encoder_network(
    name: str,
    encoder: str,
    decode: BuildDecoder,
    *,
    summary: str,
    paper: str,
    choices: tuple[str, ...] = ("tap",),
    min_side: int = 32,
    shipped: bool = False,
) -> StyleNetwork:
    """Return the description of AdaIN on one encoder.

    Args:
        name: name of the network.
        encoder: name of the encoder.
        decode: builder of the decoder.
        summary: one line for `styleexport networks`.
        paper: publication.
        choices: what the user chooses: the tap, and the decoder where there are several kinds.
        min_side: smallest height and width of a picture in pixels.
        shipped: whether weights of its default variant ship with the package.
    """
    described = find_encoder(encoder)

    def build(tap: str = "", decoder: str = "", **settings: str) -> EncoderAdainNetwork:
        module = described.build((described.tap(tap).name,), **settings)
        return network_of(described, module, decode, {"decoder": decoder} if decoder else {})

    def start(backbone: Path, tap: str = "", decoder: str = "") -> EncoderAdainNetwork:
        module = described.read(backbone, (described.tap(tap).name,))
        return network_of(described, module, decode, {"decoder": decoder} if decoder else {})

    return StyleNetwork(
        name=name,
        summary=summary,
        paper=paper,
        licence="Apache-2.0" if shipped else "that of your weights",
        build=build,
        read=lambda paths: read_network(name, described, build, paths),
        checkpoints=f"one file from `styleexport train {name}`"
        + (" (the shipped weights without)" if shipped else ""),
        weights=Path(weights.__file__).with_name(f"{name}.safetensors") if shipped else None,
        min_side=min_side,
        trains=TRAINED,
        start=start,
        backbone=described.checkpoints,
        settings=settings_of,
        choices=choices,
        encoder=encoder,
    )
