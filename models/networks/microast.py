"""microast: MicroAST as published (Wang et al., AAAI 2023), 0.47 M parameters.

Two small encoders, one of the content and one of the style; AdaIN and filter modulation at two
levels. Reads the four files of the release.

Strength blends pictures, so that 0 is the photograph itself. The published α blends features with
their AdaIN and leaves the modulation as it is: at 0 that is not the photograph, and below 1 it is
not what the second block was trained on, whose input the first makes up to forty times as large:
the published weights then paint one colour. At 1 both are the same network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import BadCheckpoint
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.micro import MicroDecoder
from styleexport.models.encoders._micro import WIDTH, MicroEncoder, ReflectedConv
from styleexport.models.network import StyleNetwork
from styleexport.models.transforms import adain
from styleexport.models.transforms.modulation import modulation

# Parts of the network, by which the published files are named, in the order that they are typed in.
PARTS = ("content_encoder", "style_encoder", "modulator", "decoder")
FILES = "content_encoder, style_encoder, modulator and decoder (_iter_160000.pth.tar)"


class Modulator(nn.Module):
    """Filters whose mean outputs are a weight and a bias a channel, for both levels.

    Keys as published; 2,560 parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight1, self.bias1, self.weight2, self.bias2 = (
            nn.Sequential(ReflectedConv(WIDTH, WIDTH, groups=WIDTH)) for _ in range(4)
        )

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return weight and bias of the first level and of the second, [N, 64] each."""
        first, second = levels
        return [
            *modulation(first, (self.weight1, self.bias1)),
            *modulation(second, (self.weight2, self.bias2)),
        ]


class MicroAst(nn.Module):
    """The network.

    Its style code, [N, 512], is a weight, a bias, a mean and a deviation of each of 64 channels at
    two levels: the modulation of both levels first, then the statistics of both.
    """

    ignores_strength = True
    code_layout = CodeLayoutFact.of(
        {
            f"{level}.{part}": (WIDTH,)
            for parts in (("weight", "bias"), ("mean", "deviation"))
            for level in ("level1", "level2")
            for part in parts
        },
        Blending.APPROXIMATE,
        "its weights scale filters twice in a block, so that a painting is not linear in them",
    )

    def __init__(self) -> None:
        super().__init__()
        self.content_encoder, self.style_encoder = MicroEncoder(), MicroEncoder()
        self.modulator, self.decoder = Modulator(), MicroDecoder()

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, 512] of images [N, 3, H, W] in 0..1."""
        levels = self.style_encoder(style)
        return torch.cat([*self.modulator(levels), adain.style_code(levels, unbiased=True)], 1)

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting at full strength, [N, 3, H', W'], H and W rounded up to 4.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, 512].
            strength: not used: the pictures are blended.
        """
        weight1, bias1, weight2, bias2, first, second = code.split([WIDTH] * 4 + [2 * WIDTH] * 2, 1)
        styles = ((first, weight1, bias1), (second, weight2, bias2))
        levels = [(s, w[:, :, None, None], b[:, :, None, None]) for s, w, b in styles]
        return self.decoder(self.content_encoder(content)[1], levels)


def read(paths: Sequence[Path]) -> MicroAst:
    """Return the network from the four published files or their folder, or one file of `train`.

    Files named as published may come in any order.

    Raises:
        BadCheckpoint: a file is missing, or of another network.
    """
    network = MicroAst()
    if len(paths) == 1 and not paths[0].is_dir():
        load_into(network, read_tensors(paths[0]), paths[0])
        return network
    for part, path in zip(PARTS, _four(paths), strict=True):
        advice = f"microast takes {FILES}, in this order"
        load_into(network.get_submodule(part), read_tensors(path), path, advice=advice)
    return network


def _four(paths: Sequence[Path]) -> list[Path]:
    """Return the files of the four parts, in order.

    Raises:
        BadCheckpoint: not four files, or two of one part.
    """
    given = sorted(paths[0].iterdir()) if len(paths) == 1 else list(paths)
    named = {part: [path for path in given if path.name.startswith(part)] for part in PARTS}
    missing = [part for part in PARTS if not named[part]]
    if not missing and all(len(files) == 1 for files in named.values()):
        return [files[0] for files in named.values()]
    if len(paths) == len(PARTS) and len(missing) == len(PARTS):
        return given
    where = f"folder {paths[0]}" if len(paths) == 1 else ", ".join(map(str, paths))
    twice = [part for part in PARTS if len(named[part]) > 1]
    what = "no " + ", ".join(missing) if missing else "more than one " + ", ".join(twice)
    raise BadCheckpoint(
        f"microast takes four checkpoint files, {FILES}; there is {what} in {where}: type the "
        "folder of the four, or --checkpoint for each"
    )


NETWORK = StyleNetwork(
    name="microast",
    summary="MicroAST as published: AdaIN and filter modulation at two levels, 0.47 M parameters",
    paper="Wang et al., MicroAST: Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer, "
    "AAAI 2023",
    licence="MIT (published weights)",
    build=MicroAst,
    read=read,
    checkpoints=f"{FILES}, or the folder that holds them; or one from `train`",
    min_side=16,
)
