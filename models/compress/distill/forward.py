"""Forward passes in training: pictures in 0..1 in, unclamped outputs out."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from styleexport.core.errors import UsageError, first_line
from styleexport.models.compress.distill.levels import OutputKind
from styleexport.models.network import LoadedNetwork, TwoImageModule
from styleexport.models.pixel_modules import FromNetwork, ToNetwork


class UnclampedNetwork:
    """A network as a loss calls it: clamped paintings would pass no gradient where they clip.

    Args:
        loaded: network with its weights.
        layers: names of the layers whose outputs `hooked` yields.
    """

    def __init__(self, loaded: LoadedNetwork, layers: Sequence[str] = ()) -> None:
        self.loaded = loaded
        self.name = loaded.network.name
        self.module = loaded.module
        self.layers = tuple(layers)
        self._to_network = ToNetwork(loaded.network.input_pixels)
        self._from_network = FromNetwork(loaded.network.output_pixels, loaded.network.scale)

    @property
    def two_images(self) -> bool:
        """Whether the network takes the style as a picture."""
        return isinstance(self.module, TwoImageModule)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style codes [N, K] of pictures [N, 3, H, W] in 0..1."""
        assert isinstance(self.module, TwoImageModule)
        return self.module.encode(self._to_network.to(style.device)(style))

    def output(self, content: Tensor, code: Tensor | None = None) -> Tensor:
        """Return paintings in the network's pixel format, or logits.

        Args:
            content: [N, 3, H, W] in 0..1.
            code: style codes [N, K] of a two-image network; None for others.
        """
        if code is None:
            return self.module(self._to_network.to(content.device)(content))
        assert isinstance(self.module, TwoImageModule)
        strength = torch.ones(1, device=content.device)
        return self.module.transfer(self._to_network.to(content.device)(content), code, strength)

    def to_painting(self, output: Tensor, content: Tensor) -> Tensor:
        """Return an output as paintings in 0..1, not clamped, [N, 3, H, W]."""
        return self._from_network.to(output.device)(output.float(), content)

    @contextlib.contextmanager
    def hooked(self) -> Generator[dict[str, Tensor]]:
        """Yield the last output of each of ``layers`` within the block, by name."""
        outputs: dict[str, Tensor] = {}
        handles = [
            self.module.get_submodule(name).register_forward_hook(partial(_record, outputs, name))
            for name in self.layers
        ]
        try:
            yield outputs
        finally:
            for handle in handles:
                handle.remove()


def _record(
    outputs: dict[str, Tensor], name: str, _module: nn.Module, _inputs: object, output: Tensor
) -> None:
    outputs[name] = output


@dataclass(frozen=True)
class TrialRun:
    """Results of running a network once on noise.

    Attributes:
        output: paintings or logits.
        encoding: outputs of the hooked layers while the style was encoded, by name.
        painting: outputs of the hooked layers afterwards, by name.
    """

    output: Tensor
    encoding: dict[str, Tensor]
    painting: dict[str, Tensor]

    def kind(self, network: UnclampedNetwork, crop: int) -> OutputKind:
        """Return the kind of output for crops; what has the shape of a painting is one."""
        if network.two_images:
            return OutputKind.TWO_IMAGE
        return OutputKind.FIXED_STYLE if _is_painting(self.output, crop) else OutputKind.LOGITS


def _is_painting(output: Tensor, crop: int) -> bool:
    shape = output.shape
    return len(shape) == 4 and shape[1] == 3 and min(shape[2:]) >= crop


def trial_run(network: UnclampedNetwork, who: str, batch: int, crop: int) -> TrialRun:
    """Return the results of a network on a batch of noise of the size that it is trained on.

    Args:
        network: network on the CPU.
        who: ``teacher`` or ``student``.
        batch: number of pictures.
        crop: side of the pictures in pixels.

    Raises:
        UsageError: the network does not take such a batch, or its output is not a finite tensor of
            the right shape.
    """
    random = torch.Generator().manual_seed(0)
    content, style = (torch.rand(batch, 3, crop, crop, generator=random) for _ in range(2))
    code: Tensor | None = None
    try:
        with network.hooked() as encoding:
            if network.two_images:
                code = network.encode(style)
        with network.hooked() as painting:
            output = network.output(content, code)
    except Exception as error:  # what users' networks raise is not a closed list
        raise UsageError(
            f"{who} {network.name} does not take {batch} pictures of {crop}x{crop} "
            f"({first_line(error)}): choose another --crop or --batch, or another {who}"
        ) from error
    _check_output(network, who, output, crop)
    if not bool(torch.isfinite(output).all()):
        raise UsageError(
            f"{who} {network.name} answers with NaN or infinity before the first step: give "
            f"weights that are finite with --{who}-checkpoint"
        )
    return TrialRun(output.detach(), encoding, painting)


def _check_output(network: UnclampedNetwork, who: str, output: object, crop: int) -> None:
    if (
        isinstance(output, Tensor)
        and output.dim() in (2, 4)
        and (not network.two_images or _is_painting(output, crop))
    ):
        return
    got = list(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise UsageError(
        f"{who} {network.name} returned {got}, expected a painting [N, 3, H, W], or logits [N, K] "
        "or [N, K, H, W]: wrap it in a module that returns those"
    )
