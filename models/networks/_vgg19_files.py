"""Files of the normalised VGG-19 and of decoders from its levels, under the key names in use.

A decoder of level N maps relu N_1 to a picture and mirrors the encoder. Its convolutions are named
by their places in an nn.Sequential with pads, ReLUs and upsamplings (`1`, `5`, `8` …), by the
layers that they mirror (`seq.conv2_1`, PytorchWCT), or numbered on from the encoder's (`conv5`,
LinearWCT). The encoder's files are those of models/encoders/vgg19.py; one serves all levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import vgg19
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.networks._published import conv_renames

FIRST = (64, 3, 3, 3)
LAST = (3, 64, 3, 3)
# Number of convolutions to relu N_1 → N.
LEVELS = {13: 5, 9: 4, 5: 3, 3: 2, 1: 1}


def is_vgg19(path: Path) -> bool:
    """Whether a file is an encoder or a decoder of VGG-19's widths."""
    shapes = {tuple(value.shape) for value in read_tensors(path).values()}
    return not shapes.isdisjoint((FIRST, LAST))


@dataclass(frozen=True)
class Vgg19Files:
    """An encoder's file, and those of decoders by level."""

    encoder_file: Path
    decoders: Mapping[int, Path]

    @classmethod
    def of(cls, paths: Sequence[Path], network: str) -> Vgg19Files:
        """Return what files are.

        Args:
            paths: checkpoint files.
            network: name of the network, for messages.

        Raises:
            BadCheckpoint: not one encoder, no decoder or two of a level, or another network.
        """
        encoders: list[Path] = []
        decoders: dict[int, Path] = {}
        for path in paths:
            tensors = read_tensors(path)
            shapes = [tuple(value.shape) for value in tensors.values()]
            if FIRST in shapes:
                encoders.append(path)
                continue
            level = LEVELS.get(len([shape for shape in shapes if len(shape) == 4]))
            if LAST not in shapes or level is None:
                raise BadCheckpoint(
                    f"checkpoint {path} is of another network: found {next(iter(tensors))}; "
                    f"{network} takes VGG-19's encoder and decoders from relu1_1 to relu5_1"
                )
            if level in decoders:
                raise BadCheckpoint(
                    f"checkpoints {decoders[level]} and {path} are decoders of one level: leave "
                    "one out"
                )
            decoders[level] = path
        if len(encoders) != 1 or not decoders:
            raise BadCheckpoint(
                f"{network} takes one encoder of VGG-19 and its decoders, got {len(encoders)} and "
                f"{len(decoders)}: type --checkpoint ENCODER --checkpoint DECODER …"
            )
        return cls(encoders[0], decoders)

    @property
    def levels(self) -> str:
        """Levels that there are decoders of, the deepest first."""
        return "".join(map(str, sorted(self.decoders, reverse=True)))

    def encoder(self) -> VggEncoder:
        """Return the encoder to the deepest level.

        Raises:
            BadCheckpoint: the file ends before it, or is of another network.
        """
        return vgg19.read(self.encoder_file, (f"relu{self.levels[0]}_1",))

    def load_decoder(self, decoder: MirrorDecoder, level: int) -> None:
        """Load the decoder of a level, in place.

        Raises:
            BadCheckpoint: the file is of another network.
        """
        path = self.decoders[level]
        tensors = read_tensors(path)
        places = decoder.conv_indices()
        count = len(places)
        layers = [f"seq.{name}" for name in vgg19.layer_names()[:count][::-1]]
        numbered = [f"conv{number}" for number in range(count + 2, 2 * count + 2)]
        names = next(
            (each for each in (layers, numbered) if _holds(tensors, each[0])), _in_order(decoder)
        )
        load_into(decoder, tensors, path, renamed=conv_renames(names, places, "layers"))


def _holds(tensors: Mapping[str, Tensor], name: str) -> bool:
    return any(f".{key}".endswith(f".{name}.weight") for key in tensors)


def _in_order(decoder: MirrorDecoder) -> list[str]:
    """Return the places of the convolutions where each has a padding layer in front."""
    names: list[str] = []
    place = 0
    for layer in decoder.layers:
        if isinstance(layer, nn.Conv2d):
            place += 1
            names.append(str(place))
        place += 1
    return names
