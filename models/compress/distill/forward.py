"""Calling a network in training: pictures in 0..1 go in, answers come out that nothing clamped."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from styleexport.core.errors import UsageError, first_line
from styleexport.models.compress.distill.levels import Kind
from styleexport.models.network import LoadedNetwork, TwoImageModule


class Unclamped:
    """A network as a loss calls it; a clamped painting would pass no gradient where it is clamped.

    Args:
        loaded: the network.
        layers: names of those whose values are wanted.
    """

    def __init__(self, loaded: LoadedNetwork, layers: Sequence[str] = ()) -> None:
        self.loaded = loaded
        self.name = loaded.network.name
        self.module = loaded.module
        self.layers = tuple(layers)
        self.low, self.high = loaded.network.pixel_range

    @property
    def two_images(self) -> bool:
        """Whether the style comes as a picture."""
        return isinstance(self.module, TwoImageModule)

    def encode(self, style: Tensor) -> Tensor:
        """Return the style codes [N, K] of pictures [N, 3, H, W] in 0..1."""
        assert isinstance(self.module, TwoImageModule)
        return self.module.encode(self._scaled(style))

    def answer(self, content: Tensor, code: Tensor | None = None) -> Tensor:
        """Return what the network makes of pictures [N, 3, H, W] in 0..1: paintings or logits."""
        if code is None:
            return self.module(self._scaled(content))
        assert isinstance(self.module, TwoImageModule)
        strength = torch.ones(1, device=content.device)
        return self.module.transfer(self._scaled(content), code, strength)

    def painting(self, answer: Tensor, content: Tensor) -> Tensor:
        """Return an answer as paintings in 0..1 of the content's size, float32, not clamped."""
        image = answer[:, :, : content.shape[2], : content.shape[3]].float()
        return (image - self.low) / (self.high - self.low)

    @contextlib.contextmanager
    def watched(self) -> Generator[dict[str, Tensor]]:
        """Yield what each wanted layer gave when it last ran in the block, by name."""
        found: dict[str, Tensor] = {}
        handles = [
            self.module.get_submodule(name).register_forward_hook(partial(_note, found, name))
            for name in self.layers
        ]
        try:
            yield found
        finally:
            for handle in handles:
                handle.remove()

    def _scaled(self, image: Tensor) -> Tensor:
        return (
            image
            if (self.low, self.high) == (0.0, 1.0)
            else (image * (self.high - self.low) + self.low)
        )


def _note(
    found: dict[str, Tensor], name: str, _module: nn.Module, _inputs: object, output: Tensor
) -> None:
    found[name] = output


@dataclass(frozen=True)
class Tried:
    """What a network did on two batches of noise.

    Attributes:
        answer: paintings or logits.
        encoding: what the wanted layers gave while the style was encoded, if it is.
        painting: what they gave afterwards.
    """

    answer: Tensor
    encoding: dict[str, Tensor]
    painting: dict[str, Tensor]

    def kind(self, network: Unclamped, crop: int) -> Kind:
        """Return what the network answers to crops; what could be a painting is one."""
        if network.two_images:
            return Kind.TWO_IMAGE
        return Kind.FIXED_STYLE if _is_painting(self.answer, crop) else Kind.LOGITS


def _is_painting(answer: Tensor, crop: int) -> bool:
    shape = answer.shape
    return len(shape) == 4 and shape[1] == 3 and min(shape[2:]) >= crop


def tried(network: Unclamped, who: str, batch: int, crop: int) -> Tried:
    """Return what a network does on a batch of noise of the size that it is trained on.

    Args:
        network: on the CPU.
        who: ``teacher`` or ``student``.
        batch: pictures.
        crop: their side in pixels.

    Raises:
        UsageError: it does not take such a batch, or its answers are not tensors or not finite.
    """
    random = torch.Generator().manual_seed(0)
    content, style = (torch.rand(batch, 3, crop, crop, generator=random) for _ in range(2))
    code: Tensor | None = None
    try:
        with network.watched() as encoding:
            if network.two_images:
                code = network.encode(style)
        with network.watched() as painting:
            answer = network.answer(content, code)
    except Exception as error:  # what users' networks raise is not a closed list
        raise UsageError(
            f"{who} {network.name} does not take {batch} pictures of {crop}x{crop} "
            f"({first_line(error)}): choose another --crop or --batch, or another {who}"
        ) from error
    _check_answer(network, who, answer, crop)
    if not bool(torch.isfinite(answer).all()):
        raise UsageError(
            f"{who} {network.name} answers with NaN or infinity before the first step: give "
            f"weights that are finite with --{who}-checkpoint"
        )
    return Tried(answer.detach(), encoding, painting)


def _check_answer(network: Unclamped, who: str, answer: object, crop: int) -> None:
    if (
        isinstance(answer, Tensor)
        and answer.dim() in (2, 4)
        and (not network.two_images or _is_painting(answer, crop))
    ):
        return
    got = list(answer.shape) if isinstance(answer, Tensor) else f"a {type(answer).__name__}"
    raise UsageError(
        f"{who} {network.name} returned {got}, expected a painting [N, 3, H, W], or logits [N, K] "
        "or [N, K, H, W]: wrap it in a module that returns those"
    )
