"""Which convolutions a network computes, and what each reads and is read by, found by running it.

A pass of a network (``encode``, ``transfer``, or its call) is run once on noise, with every torch
function watched. That needs no symbolic tracing, so it works for every module that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

ACTIVATIONS = ("relu", "relu_", "relu6", "clamp", "clamp_", "hardtanh", "hardtanh_")
MOVES = ("pad", "max_pool2d", "max_pool2d_with_indices")
ARITHMETIC = ("mul", "sub", "rsub", "add", "div", "true_divide")
CONV = "conv2d"

Activation = Callable[[Tensor], Tensor]


@dataclass(eq=False)
class Step:
    """One torch function that a pass called.

    Attributes:
        name: of the function.
        sources: the steps whose results it read.
        readers: the steps that read its result.
        activation: the function on its first argument, if it is an activation.
        moves: whether it only moves values.
        pads_zeros: whether it puts zeros beside them.
        weight: of a convolution: its weight's name in the state dict, or "".
        pointwise: of a convolution: whether its window is one pixel.
    """

    name: str
    sources: list[Step] = field(default_factory=list["Step"])
    readers: list[Step] = field(default_factory=list["Step"])
    activation: Activation | None = None
    moves: bool = False
    pads_zeros: bool = False
    weight: str = ""
    pointwise: bool = False


@dataclass(frozen=True)
class Traced:
    """A pass: its convolutions in the order of their calls.

    Attributes:
        convolutions: with what they read and are read by.
        picture: the step that stands for the picture that goes in.
        result: the step that made what comes out.
    """

    convolutions: tuple[Step, ...]
    picture: Step
    result: Step | None


class _Watch(TorchFunctionMode):
    """Writes down every torch function that returns tensors."""

    def __init__(self, weights: dict[int, str], picture: Tensor) -> None:
        super().__init__()
        self.weights = weights
        self.picture = Step("picture")
        self.made = {id(picture): self.picture}
        # Tensors stay alive, so that no two of them have one id.
        self.alive: list[Tensor] = [picture]
        self.convolutions: list[Step] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function returns, written down."""
        named = kwargs or {}
        read = [x for x in pytree.tree_leaves((args, named)) if isinstance(x, Tensor)]
        sources = [self.made[id(x)] for x in read if id(x) in self.made]
        result = func(*args, **named)
        tensors = [x for x in pytree.tree_leaves(result) if isinstance(x, Tensor)]
        if tensors:
            step = self._step(func, args, named, read)
            step.sources = sources
            for source in sources:
                source.readers.append(step)
            self.made |= {id(x): step for x in tensors}
            self.alive += tensors
        return result

    def _step(
        self,
        func: Callable[..., Any],
        args: Sequence[Any],
        named: dict[str, Any],
        read: Sequence[Tensor],
    ) -> Step:
        step = Step(str(getattr(func, "__name__", "")))
        if step.name in ACTIVATIONS:
            rest = tuple(args[1:])
            keywords = {key: value for key, value in named.items() if key != "inplace"}
            step.activation = lambda x: func(x, *rest, **keywords)
        elif step.name == CONV and len(read) > 1:
            step.weight = self.weights.get(id(read[1]), "")
            step.pointwise = read[1].shape[2:] == (1, 1)
            padding = args[4] if len(args) > 4 else named.get("padding", 0)
            step.pads_zeros = padding == "same" or any(pytree.tree_leaves(padding))
            self.convolutions.append(step)
        elif step.name == "interpolate":
            step.moves = (args[3] if len(args) > 3 else named.get("mode", "nearest")) == "nearest"
        elif step.name in MOVES:
            step.moves = True
            mode = args[2] if len(args) > 2 else named.get("mode", "constant")
            step.pads_zeros = step.name == "pad" and mode == "constant"
        return step


@torch.no_grad()
def trace(
    module: nn.Module, run: Callable[..., Tensor], picture: Tensor, *others: Tensor
) -> tuple[Traced, Tensor]:
    """Return what a pass computes, and its result.

    Args:
        module: whose weights are named.
        run: the pass.
        picture: its first input, [N, 3, H, W].
        others: the rest.
    """
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    watch = _Watch(names, picture)
    with watch:
        result = run(picture, *others)
    made = watch.made.get(id(result))
    return Traced(tuple(watch.convolutions), watch.picture, made), result


def folds_away(step: Step) -> bool:
    """Whether the exporter folds a 1x1 convolution into the one behind it (`fold-pointwise`)."""
    if step.name != CONV or not step.pointwise or len(step.readers) != 1:
        return False
    (reader,) = step.readers
    while reader.moves and not reader.pads_zeros and len(reader.readers) == 1:
        (reader,) = reader.readers
    return reader.name == CONV and not reader.pads_zeros and not reader.moves


def source_of(step: Step) -> Step | None:
    """Return the step whose values a convolution reads, moved at most."""
    source = step.sources[0] if step.sources else None
    while source is not None and (source.moves or folds_away(source)):
        source = source.sources[0] if source.sources else None
    return source


def is_picture(step: Step | None, picture: Step) -> bool:
    """Whether a step holds the picture that went in, at most scaled and shifted by constants."""
    while step is not None and step is not picture:
        constant = step.name in ARITHMETIC and len(step.sources) == 1
        step = step.sources[0] if constant or step.moves or folds_away(step) else None
    return step is picture


def output_of(step: Step) -> tuple[Step, Activation | None]:
    """Return the step whose values leave a convolution's unit, and the activation in it."""
    if len(step.readers) == 1 and step.readers[0].activation is not None:
        return step.readers[0], step.readers[0].activation
    return step, None
