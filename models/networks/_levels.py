"""Networks that move the covariance of features at several levels, one level after the other.

On the encoders and decoders of Collaborative Distillation, whose levels 5 to 1 are a whole network,
or on VGG-19; some of the levels make a shorter network. Each level encodes what the level before
painted. Strength acts at every level; at 0 the picture is what the decoders make of it. Roots come
from matrix products (models/transforms/newton_schulz.py) in place of an SVD.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.manifest import IterationFact
from styleexport.models.checkpoint import load_into, read_tensors
from styleexport.models.decoders.mirror import MirrorDecoder
from styleexport.models.encoders import cd16x, vgg19
from styleexport.models.encoders._vgg import Padding, VggEncoder, vgg_settings
from styleexport.models.network import StyleNetwork
from styleexport.models.networks._published import load_cd16x_decoder
from styleexport.models.networks._vgg19_files import Vgg19Files, is_vgg19
from styleexport.models.transforms.convergence import Exact, SeenFeatures, settled
from styleexport.models.transforms.newton_schulz import Steps
from styleexport.models.transforms.wct import style_code, style_root

ALL = "54321"
# Number of convolutions of an encoder → its level.
COUNTS = {13: "5", 9: "4", 5: "3", 3: "2", 1: "1"}
FILES = (
    "pairs eN.pth and dN.pth, or the folder that holds all of N = 5 to 1; or VGG-19's encoder and "
    "decoders of the same levels, or the folder that holds them"
)


@dataclass(frozen=True)
class Kind:
    """Transform of a network of levels.

    Attributes:
        network: name of the network.
        apply: maps features [N, C, H, W], a code [N, C + C²], a strength [1] and numbers of steps
            to features.
        exact: maps Ss^(1/2) [N, C, C] and centred features [N, C, n] to styled ones less their
            mean, by eigenvalues in float64.
        has_factor: whether it has an orthogonal factor, with steps of its own.
        blending: meaning of the weighted mean of its codes.
        reason: why it has none or is approximate; "" where it is exact.
    """

    network: str
    apply: Callable[[Tensor, Tensor, Tensor, Steps], Tensor]
    exact: Exact
    blending: Blending
    reason: str = ""
    has_factor: bool = False


class LevelsNetwork(nn.Module):
    """Encoder, transform, decoder: of each level, the deepest first.

    Args:
        levels: levels of the pairs, deepest first.
        kind: transform.
        encoder: ``cd16x`` or ``vgg19``.
        padding: how VGG-19's convolutions pad.
    """

    def __init__(
        self,
        levels: Sequence[int],
        kind: Kind,
        encoder: str = "cd16x",
        padding: Padding = "reflect",
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.kind = kind
        self.encoder_name = encoder
        self.steps = (Steps(),) * len(self.levels)
        small = encoder == "cd16x"
        encoders = [
            cd16x.build(level) if small else vgg19.build((f"relu{level}_1",), padding)
            for level in levels
        ]
        self.encoders = nn.ModuleList(encoders)
        self.decoders = nn.ModuleList(MirrorDecoder(x.blocks, last_relu=small) for x in encoders)
        for layer in self.modules():  # features that vanish from layer to layer have no roots
            if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 1:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of channels of each level."""
        return tuple(encoder.widths[0] for encoder in self.encoders)  # pyright: ignore

    @property
    def code_layout(self) -> CodeLayoutFact:
        """Layout of its style codes: of each level, the style's mean and covariance root."""
        parts: dict[str, tuple[int, ...]] = {}
        for level, width in zip(self.levels, self.widths, strict=True):
            parts[f"relu{level}_1.mean"] = (width,)
            parts[f"relu{level}_1.root"] = (width, width)
        return CodeLayoutFact.of(parts, self.kind.blending, self.kind.reason)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, Σ(C + C²)] of images [N, 3, H, W] in 0..1."""
        codes = [self._code(place, x(style)[0]) for place, x in enumerate(self.encoders)]
        return torch.cat(codes, 1)

    def _code(self, place: int, features: Tensor) -> Tensor:
        """Return one level's part of a style code, [N, C + C²]."""
        iterations = self.steps[place].style
        return style_code(features, lambda centred: style_root(centred, iterations))

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the painting, [N, 3, H, W].

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style code, [N, Σ(C + C²)].
            strength: [1], 0 (what the decoders make of the content) to 1 (the style).
        """
        image, start = content, 0
        for place, width in enumerate(self.widths):
            part = code[:, start : start + width + width**2]
            start += part.shape[1]
            image = self._painted(place, image, self.encoders[place](image)[0], part, strength)
        return image

    def _painted(
        self, place: int, image: Tensor, features: Tensor, part: Tensor, strength: Tensor
    ) -> Tensor:
        """Return what one level makes of an image and its features."""
        moved = self.kind.apply(features, part, strength, self.steps[place])
        return self.decoders[place](moved)[:, :, : image.shape[2], : image.shape[3]]

    def settle(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[IterationFact, ...]:
        """Choose the numbers of steps by pairs of content and style, and return them.

        Args:
            pairs: pictures [1, 3, H, W] in 0..1. Each level sees what the level before painted.
        """
        images, steps = [content for content, _ in pairs], list(self.steps)
        facts: list[IterationFact] = []
        one = torch.ones(1)
        for place, (level, encoder) in enumerate(zip(self.levels, self.encoders, strict=True)):
            features = [
                (encoder(x)[0], encoder(s)[0]) for x, (_, s) in zip(images, pairs, strict=True)
            ]
            seen = [SeenFeatures(x, s) for x, s in features]
            kind = self.kind
            found = settled(seen, kind.apply, kind.exact, has_factor=kind.has_factor)
            steps[place] = found.steps
            self.steps = tuple(steps)
            images = [
                self._painted(place, image, x, self._code(place, s), one)
                for image, (x, s) in zip(images, features, strict=True)
            ]
            facts.append(
                IterationFact(
                    layer=f"relu{level}_1",
                    style=found.steps.style,
                    content=found.steps.content,
                    factor=found.steps.factor,
                    style_db=round(found.style_db, 1),
                    content_db=round(found.content_db, 1),
                    pictures=len(pairs),
                )
            )
        return tuple(facts)


def settings(module: nn.Module) -> dict[str, str | int]:
    """Return levels and encoder of a module, as `build` takes them."""
    assert isinstance(module, LevelsNetwork)
    levels = {"levels": "".join(map(str, module.levels))}
    if module.encoder_name == "cd16x":
        return {**levels}
    return {**levels, "encoder": module.encoder_name, **vgg_settings(module.encoders[0])}


def build(
    levels: str = ALL, encoder: str = "cd16x", padding: Padding = "reflect", *, kind: Kind
) -> LevelsNetwork:
    """Return the network of some levels, ``54321`` for all, with random weights.

    Raises:
        UsageError: not falling levels of 5 to 1, or another encoder.
    """
    if encoder not in ("cd16x", "vgg19"):
        raise UsageError(f"{kind.network} has no encoder {encoder!r}: expected cd16x or vgg19")
    if not re.fullmatch("(?!$)5?4?3?2?1?", levels):
        raise UsageError(f"levels {levels!r}: expected some of {ALL}, the deepest first: type 431")
    return LevelsNetwork([int(level) for level in levels], kind, encoder, padding)


def select(module: nn.Module, levels: str) -> LevelsNetwork:
    """Return a network with some of its levels, ``543``.

    Raises:
        UsageError: not falling levels, or one that it has not.
    """
    assert isinstance(module, LevelsNetwork)
    had = "".join(map(str, module.levels))
    pattern = "(?!$)" + "".join(f"{level}?" for level in had)
    if not re.fullmatch(pattern, levels):
        raise UsageError(
            f"levels {','.join(levels)}: expected some of {','.join(had)}, which the weights have, "
            f"the deepest first; type for example --levels {','.join(had[:2])}"
        )
    places = [had.index(level) for level in levels]
    module.levels = tuple(map(int, levels))
    module.steps = tuple(module.steps[place] for place in places)
    module.encoders = nn.ModuleList(module.encoders[place] for place in places)
    module.decoders = nn.ModuleList(module.decoders[place] for place in places)
    return module


def read(paths: Sequence[Path], *, kind: Kind) -> LevelsNetwork:
    """Return the network of pairs of files, of their folder, or of one file of `train`.

    Raises:
        BadCheckpoint: a file has no partner, or is of another network.
    """
    if len(paths) == 1 and paths[0].is_dir():
        pairs = [paths[0] / f"{part}{level}.pth" for level in ALL for part in "ed"]
        others = [path for path in sorted(paths[0].iterdir()) if path.is_file()]
        paths = pairs if any(path.exists() for path in pairs) or not others else others
    if len(paths) == 1:
        return _whole(paths[0], kind)
    if any(map(is_vgg19, paths)):
        return _read_vgg19(paths, kind)
    pairs = _pairs(paths, kind.network)
    network = build("".join(map(str, sorted(pairs, reverse=True))), kind=kind)
    for level, encoder, decoder in zip(
        network.levels, network.encoders, network.decoders, strict=True
    ):
        assert isinstance(encoder, VggEncoder) and isinstance(decoder, MirrorDecoder)
        encoder.load_state_dict(cd16x.read_level(pairs[level][0]).state_dict())
        load_cd16x_decoder(decoder, encoder, pairs[level][1])
    return network


def _read_vgg19(paths: Sequence[Path], kind: Kind) -> LevelsNetwork:
    """Return the network of VGG-19's encoder and decoders.

    Raises:
        BadCheckpoint: not one encoder, two decoders of a level, or a file of another network.
    """
    files = Vgg19Files.of(paths, kind.network)
    deepest = files.encoder()
    padding = vgg_settings(deepest)["padding"]
    network = build(files.levels, "vgg19", padding, kind=kind)  # pyright: ignore
    weights = deepest.state_dict()
    for level, encoder, decoder in zip(
        network.levels, network.encoders, network.decoders, strict=True
    ):
        assert isinstance(encoder, VggEncoder) and isinstance(decoder, MirrorDecoder)
        encoder.load_state_dict({key: weights[key] for key in encoder.state_dict()})
        files.load_decoder(decoder, level)
    return network


def _pairs(paths: Sequence[Path], network: str) -> dict[int, tuple[Path, Path]]:
    """Return level → encoder and decoder.

    Raises:
        BadCheckpoint: a file is of another network, of a level that is there, or has no partner.
    """
    found: dict[str, dict[int, Path]] = {"encoder": {}, "decoder": {}}
    for path in paths:
        tensors = read_tensors(path)
        blocks = [int(match[1]) for key in tensors if (match := re.match(r"conv([1-5])\d\.", key))]
        if not blocks:
            raise BadCheckpoint(
                f"checkpoint {path} is of another network: missing conv11.weight, found "
                f"{next(iter(tensors))}; {network} takes {FILES}"
            )
        part = found["encoder" if "conv0.weight" in tensors else "decoder"]
        if (other := part.get(max(blocks))) is not None:
            raise BadCheckpoint(f"checkpoints {other} and {path} are of one level: leave one out")
        part[max(blocks)] = path
    for part, partner in (("encoder", "decoder"), ("decoder", "encoder")):
        for level in sorted(found[part].keys() - found[partner].keys()):
            raise BadCheckpoint(
                f"checkpoint {found[part][level]} has no {partner} of level {level}: "
                f"{network} takes {FILES}"
            )
    return {level: (path, found["decoder"][level]) for level, path in found["encoder"].items()}


def _whole(path: Path, kind: Kind) -> LevelsNetwork:
    """Return the network from one file of a training, with the levels that its widths tell."""
    tensors = read_tensors(path)
    first = tensors.get("encoders.0.features.0.weight")
    encoder = "vgg19" if first is not None and len(first) == vgg19.BLOCKS[0][0] else "cd16x"
    network = build(_levels_in(tensors) or ALL, encoder, kind=kind)
    load_into(network, tensors, path)
    return network


def _levels_in(tensors: Mapping[str, Tensor]) -> str:
    """Return the levels of a state dict: those that its encoders have the layers of."""
    levels = ""
    for index in range(len(ALL)):
        count = len(
            [key for key in tensors if re.match(rf"encoders\.{index}\.features.*weight", key)]
        )
        levels += COUNTS.get(count, "")
    return levels


def description(kind: Kind, *, summary: str, paper: str) -> StyleNetwork:
    """Return the description of a network of levels."""
    return StyleNetwork(
        name=kind.network,
        summary=summary,
        paper=paper,
        licence="MIT (published weights)",
        build=functools.partial(build, kind=kind),
        read=functools.partial(read, kind=kind),
        checkpoints=f"{FILES}; or one from `train`",
        trains=("decoders.",),
        settings=settings,
        select=select,
        family="Covariances",
    )
