"""linear-wct: the learned linear transform between a frozen encoder and its decoder (CVPR 2019).

Reads the three files of the release for relu3_1 or relu4_1: encoder, decoder, matrix. A training
takes the pair of Collaborative Distillation too: the matrix alone is trained. The release rounds
odd sizes down when it pools; here they are rounded up, so that the painting covers the photograph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.input_files import check_input
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders._encoder import Encoder, find_encoder
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._published import load_cd16x_decoder, load_linear_pair
from styleexport.models.transforms.linear import SIDE, LinearTransform

DEFAULT = "vgg19"
# Encoder → its taps that have a decoder, and the files of that tap: encoder, decoder.
PAIRS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "vgg19": {
        "relu4_1": ("vgg_r41.pth", "dec_r41.pth"),
        "relu3_1": ("vgg_r31.pth", "dec_r31.pth"),
    },
    "cd16x": {"relu4_1": ("e4.pth", "d4.pth"), "relu3_1": ("e3.pth", "d3.pth")},
}
FILES = "vgg_r41.pth, dec_r41.pth and r41.pth (or those of r31)"
COMPRESS = "transform.compress.weight"


class LinearWctNetwork(nn.Module):
    """Encoder, learned linear transform of the features at its only tap, decoder.

    Args:
        encoder: a VGG with one tap.
        name: name of the encoder.
    """

    def __init__(self, encoder: VggEncoder, name: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder_name = name
        self.transform = LinearTransform(encoder.widths[0])
        self.decoder = MirrorDecoder(encoder.blocks, last_relu=name == "cd16x")

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes: the transform is linear in them."""
        parts = {"matrix": (SIDE, SIDE), "mean": (self.encoder.widths[0],)}
        return CodeLayoutFact.of(parts, Blending.EXACT)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, 1024 + C] of images [N, 3, H, W] in 0..1."""
        (features,) = self.encoder(style)
        return self.transform.style_code(features)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H', W'], H and W rounded up to multiples of the stride.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, 1024 + C].
            strength: [1], 0 (what the decoder makes of the content's features) to 1 (the style).
        """
        (features,) = self.encoder(content)
        return self.decoder(self.transform(features, code, strength))


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return encoder and tap of a module, as `build` takes them."""
    assert isinstance(module, LinearWctNetwork)
    described = find_encoder(module.encoder_name)
    chosen = {"encoder": module.encoder_name, "tap": module.encoder.tap_names[0]}
    return {**chosen, **described.settings(module.encoder)}


def _chosen(encoder: str, tap: str) -> tuple[Encoder, str]:
    """Return the encoder and the tap of a pair that has a decoder.

    Raises:
        UsageError: there is no such encoder or tap, or it has no decoder.
    """
    described = find_encoder(encoder)
    name = described.tap(tap).name
    taps = PAIRS.get(encoder)
    if taps is None or name not in taps:
        pairs = [f"--encoder {e} --tap {t}" for e, names in PAIRS.items() for t in names]
        raise UsageError(
            f"linear-wct has no decoder for {name} of encoder {encoder}: expected one of "
            f"{', '.join(pairs)}"
        )
    return described, name


def build(encoder: str = DEFAULT, tap: str = "", **variant: str) -> LinearWctNetwork:
    """Return the network with random weights.

    Raises:
        UsageError: there is no such encoder or tap, or it has no decoder.
    """
    described, name = _chosen(encoder, tap)
    module = described.build((name,), **variant)
    assert isinstance(module, VggEncoder)
    return LinearWctNetwork(module, encoder)


def start(backbone: Path, encoder: str = DEFAULT, tap: str = "") -> LinearWctNetwork:
    """Return the network with the encoder and the decoder of a folder, and a random matrix.

    Raises:
        UsageError: there is no such encoder or tap, or it has no decoder.
        BadCheckpoint: the folder lacks one of the two files, or they are of another network.
    """
    _, name = _chosen(encoder, tap)
    names = PAIRS[encoder][name]
    if not backbone.is_dir():
        raise BadCheckpoint(
            f"--backbone {backbone} is not a folder: linear-wct takes an encoder and its decoder: "
            f"type the folder that holds {names[0]} and {names[1]}"
        )
    for file in names:
        remedy = f"linear-wct --encoder {encoder} --tap {name} takes {names[0]} and {names[1]}"
        check_input(backbone / file, "checkpoint", error=BadCheckpoint, remedy=remedy)
    network = build(encoder, name)
    _load_pair(network, backbone / names[0], backbone / names[1])
    return network


def _load_pair(network: LinearWctNetwork, encoder: Path, decoder: Path) -> None:
    """Load an encoder and its decoder under their published names, in place.

    Raises:
        BadCheckpoint: a file is of another network or layer.
    """
    tap = network.encoder.tap_names[0]
    files = " and ".join(PAIRS[network.encoder_name][tap])
    if network.encoder_name != "cd16x":
        load_linear_pair(network.encoder, network.decoder, (encoder, decoder), files)
        return
    read = find_encoder("cd16x").read(encoder, (tap,))
    network.encoder.load_state_dict(read.state_dict())
    load_cd16x_decoder(network.decoder, network.encoder, decoder)


def _of_channels(channels: int, path: Path) -> LinearWctNetwork:
    """Return the network, with random weights, whose tap has a number of channels.

    Raises:
        BadCheckpoint: no tap of a pair has as many.
    """
    known: dict[int, tuple[str, str]] = {}
    for encoder, taps in PAIRS.items():
        for tap in taps:
            known[find_encoder(encoder).tap(tap).channels] = (encoder, tap)
    if channels not in known:
        widths = ", ".join(f"{width} ({e} {t})" for width, (e, t) in known.items())
        raise BadCheckpoint(
            f"checkpoint {path} transforms features of {channels} channels, expected {widths}"
        )
    return build(*known[channels])


def _single(path: Path) -> LinearWctNetwork:
    """Return the network from one file of `styleexport train`."""
    tensors = read_tensors(path)
    matrix = tensors.get(COMPRESS)
    network = build() if matrix is None else _of_channels(matrix.shape[1], path)
    load_into(network, tensors, path)
    return network


def read(paths: Sequence[Path]) -> LinearWctNetwork:
    """Return the network from encoder, decoder and matrix, or from one file of `train`.

    The three are told apart by what they hold, in any order; the matrix says of which layer.

    Raises:
        BadCheckpoint: not such files, or of different layers.
    """
    if len(paths) == 1 and not paths[0].is_dir():
        return _single(paths[0])
    if len(paths) != 3:
        raise BadCheckpoint(
            f"linear-wct takes three checkpoint files, {FILES}, or one of `styleexport train`, "
            f"got {len(paths)}: type --checkpoint ENCODER --checkpoint DECODER --checkpoint MATRIX"
        )
    held = {path: read_tensors(path) for path in paths}
    matrices = [path for path, tensors in held.items() if "compress.weight" in tensors]
    encoders = [
        path for path, tensors in held.items() if {"conv1.weight", "conv0.weight"} & {*tensors}
    ]
    decoders = [path for path in paths if path not in (*matrices, *encoders)]
    for what, found in (("matrix", matrices), ("encoder", encoders), ("decoder", decoders)):
        if len(found) != 1:
            raise BadCheckpoint(
                f"linear-wct takes one {what}, found {len(found)} in "
                f"{', '.join(map(str, paths))}: type {FILES}"
            )
    tensors = held[matrices[0]]
    network = _of_channels(tensors["compress.weight"].shape[1], matrices[0])
    load_into(network.transform, tensors, matrices[0])
    _load_pair(network, encoders[0], decoders[0])
    return network


NETWORK = StyleNetwork(
    name="linear-wct",
    summary="A learned 32x32 transform of second order at relu4_1 or relu3_1; styles blend exactly",
    paper="Li et al., Learning Linear Transformations for Fast Image and Video Style Transfer, "
    "CVPR 2019",
    licence="that of your weights",
    build=build,
    read=read,
    checkpoints=f"{FILES}; or one from `styleexport train linear-wct`",
    trains=("transform.",),
    start=start,
    backbone="the folder of the encoder and its decoder: vgg_r41.pth and dec_r41.pth, or, with "
    "--encoder cd16x, e4.pth and d4.pth (r31, e3 and d3 with --tap relu3_1)",
    settings=settings,
    choices=("encoder", "tap"),
    encoder=DEFAULT,
    family="Covariances",
)
