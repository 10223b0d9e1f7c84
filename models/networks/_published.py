"""Reading of encoder and decoder checkpoints under the key names that their authors published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import cd16x
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.networks._adain import AdainNetwork


def conv_renames(names: Iterable[str], indices: Iterable[int], container: str) -> dict[str, str]:
    """Return checkpoint key → module key of convolutions.

    Args:
        names: names of the layers in the checkpoint, in order of computation.
        indices: positions of the same layers in the module's container.
        container: name of that ``nn.Sequential``.
    """
    return {
        f"{name}.{kind}": f"{container}.{index}.{kind}"
        for name, index in zip(names, indices, strict=True)
        for kind in ("weight", "bias")
    }


def load_cd16x_decoder(decoder: MirrorDecoder, encoder: VggEncoder, path: Path) -> None:
    """Load a decoder of Collaborative Distillation, in place.

    Args:
        decoder: decoder that mirrors the encoder.
        encoder: encoder of the same level.
        path: dN.pth.

    Raises:
        BadCheckpoint: the file is of another network or level.
    """
    names = reversed(cd16x.layer_names(encoder))
    renames = conv_renames(names, decoder.conv_indices(), "layers")
    advice = f"the decoder of level {len(encoder.blocks)} is d{len(encoder.blocks)}.pth"
    load_into(decoder, read_tensors(path), path, renamed=renames, advice=advice)


def two_files(network: str, paths: Sequence[Path], expected: str) -> tuple[Path, Path]:
    """Return the two checkpoint files of a network that takes two.

    Args:
        network: name of the network, for the message.
        paths: checkpoint files given.
        expected: the two files, in words.

    Raises:
        BadCheckpoint: not two files.
    """
    if len(paths) != 2:
        raise BadCheckpoint(
            f"{network} takes two checkpoint files, {expected}, got {len(paths)}: type "
            "--checkpoint ENCODER --checkpoint DECODER"
        )
    return paths[0], paths[1]


def read_whole(network: AdainNetwork, paths: Sequence[Path]) -> AdainNetwork | None:
    """Return a network with the weights of one file of `styleexport train`; None for other files.

    Raises:
        BadCheckpoint: the file cannot be read, or is of another network.
    """
    if len(paths) != 1:
        return None
    tensors = read_tensors(paths[0])
    if not any(".encoder." in f".{key}" for key in tensors):
        return None
    load_into(network, tensors, paths[0])
    return network


def load_linear_pair(
    encoder: VggEncoder, decoder: MirrorDecoder, paths: tuple[Path, Path], files: str
) -> None:
    """Load an encoder and a decoder of LinearWCT's release, in place.

    Its convolutions are numbered through, the normalising one first.

    Args:
        encoder: VGG-19.
        decoder: decoder that mirrors it.
        paths: files of the two.
        files: the two files, in words.

    Raises:
        BadCheckpoint: a file is of another network or layer.
    """
    count = len(encoder.conv_indices())
    names = [f"conv{place}" for place in range(2, 2 * count + 2)]
    renames = conv_renames(names[:count], encoder.conv_indices(), "features")
    renames |= {f"conv1.{kind}": f"normalise.{kind}" for kind in ("weight", "bias")}
    advice = f"{encoder.tap_names[0]} takes {files}"
    load_into(encoder, read_tensors(paths[0]), paths[0], renamed=renames, advice=advice)
    renames = conv_renames(names[count:], decoder.conv_indices(), "layers")
    load_into(decoder, read_tensors(paths[1]), paths[1], renamed=renames, advice=advice)
