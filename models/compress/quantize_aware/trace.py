"""Tracing of a network's convolutions: what each reads, and what reads it.

A pass of a network (``encode``, ``transfer``, or its call) is run once on noise, and every call of
a torch function is recorded. That needs no symbolic tracing, so it works for every module that
runs.
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
class TracedCall:
    """One call of a torch function.

    Attributes:
        name: name of the function.
        sources: calls whose results it reads.
        readers: calls that read its result.
        activation: the function of its first argument, if it is an activation.
        moves: whether it only moves values.
        pads_zeros: whether it adds zeros around them.
        weight: convolution: name of its weight in the state dict, or "".
        pointwise: convolution: whether its window is one pixel.
    """

    name: str
    sources: list[TracedCall] = field(default_factory=list["TracedCall"])
    readers: list[TracedCall] = field(default_factory=list["TracedCall"])
    activation: Activation | None = None
    moves: bool = False
    pads_zeros: bool = False
    weight: str = ""
    pointwise: bool = False


@dataclass(frozen=True)
class TracedPass:
    """A traced pass.

    Attributes:
        convolutions: calls of ``conv2d``, in order.
        picture: stands for the input picture.
        result: call that computed the output.
    """

    convolutions: tuple[TracedCall, ...]
    picture: TracedCall
    result: TracedCall | None


class _FunctionTrace(TorchFunctionMode):
    """Records every call of a torch function that returns tensors."""

    def __init__(self, weights: dict[int, str], picture: Tensor) -> None:
        super().__init__()
        self.weights = weights
        self.picture = TracedCall("picture")
        self.call_of = {id(picture): self.picture}
        # Tensors stay alive, so that no two of them have one id.
        self.alive: list[Tensor] = [picture]
        self.convolutions: list[TracedCall] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function returns."""
        named = kwargs or {}
        inputs = [x for x in pytree.tree_leaves((args, named)) if isinstance(x, Tensor)]
        sources = [self.call_of[id(x)] for x in inputs if id(x) in self.call_of]
        result = func(*args, **named)
        tensors = [x for x in pytree.tree_leaves(result) if isinstance(x, Tensor)]
        if tensors:
            call = self._traced(func, args, named, inputs)
            call.sources = sources
            for source in sources:
                source.readers.append(call)
            self.call_of |= {id(x): call for x in tensors}
            self.alive += tensors
        return result

    def _traced(
        self,
        func: Callable[..., Any],
        args: Sequence[Any],
        named: dict[str, Any],
        inputs: Sequence[Tensor],
    ) -> TracedCall:
        call = TracedCall(str(getattr(func, "__name__", "")))
        if call.name in ACTIVATIONS:
            rest = tuple(args[1:])
            keywords = {key: value for key, value in named.items() if key != "inplace"}
            call.activation = lambda x: func(x, *rest, **keywords)
        elif call.name == CONV and len(inputs) > 1:
            call.weight = self.weights.get(id(inputs[1]), "")
            call.pointwise = inputs[1].shape[2:] == (1, 1)
            padding = args[4] if len(args) > 4 else named.get("padding", 0)
            call.pads_zeros = padding == "same" or any(pytree.tree_leaves(padding))
            self.convolutions.append(call)
        elif call.name == "interpolate":
            call.moves = (args[3] if len(args) > 3 else named.get("mode", "nearest")) == "nearest"
        elif call.name in MOVES:
            call.moves = True
            mode = args[2] if len(args) > 2 else named.get("mode", "constant")
            call.pads_zeros = call.name == "pad" and mode == "constant"
        return call


@torch.no_grad()
def trace(
    module: nn.Module, run: Callable[..., Tensor], picture: Tensor, *others: Tensor
) -> tuple[TracedPass, Tensor]:
    """Return the trace of a pass, and its output.

    Args:
        module: network whose weights are named.
        run: the pass.
        picture: first input of the pass, [N, 3, H, W].
        others: other inputs of the pass.
    """
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    mode = _FunctionTrace(names, picture)
    with mode:
        result = run(picture, *others)
    last = mode.call_of.get(id(result))
    return TracedPass(tuple(mode.convolutions), mode.picture, last), result


def is_folded(call: TracedCall) -> bool:
    """Whether the exporter folds a 1x1 convolution into the one behind it (`fold-pointwise`)."""
    if call.name != CONV or not call.pointwise or len(call.readers) != 1:
        return False
    (reader,) = call.readers
    while reader.moves and not reader.pads_zeros and len(reader.readers) == 1:
        (reader,) = reader.readers
    return reader.name == CONV and not reader.pads_zeros and not reader.moves


def source_of(call: TracedCall) -> TracedCall | None:
    """Return the call whose values a convolution reads, through calls that only move them."""
    source = call.sources[0] if call.sources else None
    while source is not None and (source.moves or is_folded(source)):
        source = source.sources[0] if source.sources else None
    return source


def is_picture(call: TracedCall | None, picture: TracedCall) -> bool:
    """Whether a call's result is the input picture, at most scaled and shifted by constants."""
    while call is not None and call is not picture:
        constant = call.name in ARITHMETIC and len(call.sources) == 1
        call = call.sources[0] if constant or call.moves or is_folded(call) else None
    return call is picture


def output_of(call: TracedCall) -> tuple[TracedCall, Activation | None]:
    """Return the call that ends a convolution's quantized block, and the activation in it."""
    if len(call.readers) == 1 and call.readers[0].activation is not None:
        return call.readers[0], call.readers[0].activation
    return call, None
