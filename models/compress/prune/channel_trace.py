"""Tracing of channel dependencies: run the network once and follow every channel's values.

Every output and input channel of every layer gets an id. The network is run on noise, and each
tensor is accompanied by a tensor of ids of the same shape (0 for no channel). Operations that move
values move the ids; where values of two channels meet element by element, their ids are merged; a
convolution or matrix product merges the ids that it reads with its own input channels, and its
output carries its output channels. A product of two maps that sums over their channels merges
theirs, and what it returns carries none; nor does a sum over channels. Channels that reach an
unknown operation are pinned, that is, kept. So concatenations, splits, residual sums, inverted
residual blocks, squeeze and excitation, flattening and style codes need no rule of their own, and a
network needs no symbolic tracing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from styleexport.models.architecture import Layer, has_kernel, is_depthwise, layers
from styleexport.models.architecture import widths_of as layer_widths
from styleexport.models.compress.prune.channel_ids import ChannelIds
from styleexport.models.compress.prune.dependencies import ChannelDependencies

# ATen operations by what they do to channels. Same values, same places:
IDENTITY = {"clone", "_to_copy", "detach", "alias", "contiguous", "lift_fresh"}
# Values moved, whatever they are: applied to the ids as well.
MOVES = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "permute",
    "transpose", "t", "slice", "select", "cat", "stack", "split", "split_with_sizes", "chunk",
    "unbind", "expand", "repeat", "constant_pad_nd", "pixel_shuffle", "pixel_unshuffle",
    "index_select", "flip", "roll", "as_strided", "native_channel_shuffle", "channel_shuffle",
}  # fmt: skip
# Each output channel depends on the same input channel alone, and zeros stay zeros.
SPATIAL = {
    "reflection_pad2d",
    "replication_pad2d",
    "max_pool2d_with_indices",
    "avg_pool2d",
    "_adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "upsample_nearest2d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "_upsample_nearest_exact2d",
}
REDUCTIONS = {"mean", "sum", "amax", "amin", "var", "std", "var_mean"}
POINTWISE = {"hardswish", "hardsigmoid", "_prelu_kernel", "mish", "silu"}
FACTORIES = {
    "zeros_like",
    "ones_like",
    "full_like",
    "empty_like",
    "rand_like",
    "randn_like",
    "new_zeros",
    "new_ones",
    "new_empty",
    "new_full",
}


class ChannelTrace(TorchDispatchMode):
    """Carries channel ids through everything that torch computes while it is entered.

    Attributes:
        ids: channel ids of each tensor.
        layers: layers whose channels are followed, by name.
        inputs: ids of each layer's input channels, [C].
        outputs: ids of each layer's output channels, [C].
        mixing: names of the layers that were run as a convolution or matrix product.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.ids = ChannelIds()
        self.layers: dict[str, Layer] = dict(layers(module))
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.mixing: set[str] = set()
        # Layer name, and whether transposed, by id() of a weight.
        self._weights: dict[int, tuple[str, bool]] = {}
        for name, layer in self.layers.items():
            self._assign_ids(name, layer)

    def _assign_ids(self, name: str, layer: Layer) -> None:
        widths, new_ids = layer_widths(layer), self.ids.groups.new_ids
        self.outputs[name] = new_ids(widths.outputs)
        mixes = has_kernel(layer)
        self.inputs[name] = new_ids(widths.inputs) if mixes else self.outputs[name]
        if mixes:
            self._weights[id(layer.weight)] = (name, False)
        vectors = ("bias",) if mixes else ("weight", "bias", "running_mean", "running_var")
        for vector in vectors:
            self.ids.set(getattr(layer, vector, None), self.outputs[name])

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function returns, with the ids carried on."""
        named = kwargs or {}
        result = func(*args, **named)
        tensors = [x for x in pytree.tree_leaves((args, named)) if isinstance(x, Tensor)]
        name = func._schema.name.removeprefix("aten::")
        base = name.removesuffix("_") if name[:1] != "_" else name
        known = [x for x in tensors if id(x) in self._weights or self.ids.get(x) is not None]
        for output in pytree.tree_leaves(result):
            if not any(output is tensor for tensor in tensors):
                self.ids.set(output, None)
        if known and base not in FACTORIES:
            self._follow(func, base, args, named, tensors, result)
        return result

    def _follow(
        self,
        func: Any,  # noqa: ANN401
        name: str,
        args: Sequence[Any],
        named: dict[str, Any],
        tensors: list[Tensor],
        result: Any,  # noqa: ANN401
    ) -> None:
        """Apply the rule of one operation."""
        first = tensors[0]
        if name == "convolution" and id(args[1]) in self._weights:
            self._convolution(args, result)
        elif name in ("addmm", "mm") and id(tensors[-1]) in self._weights:
            self._product(name, tensors, result)
        elif name in ("mm", "bmm") and not any(id(x) in self._weights for x in tensors):
            self._contraction(tensors)
        elif name == "embedding":
            self._embedding(first, result)
        elif name == "t" and id(first) in self._weights:
            self._weights[id(result)] = (self._weights[id(first)][0], True)
        elif any(id(tensor) in self._weights for tensor in tensors):
            self._pin(tensors)
        elif name in IDENTITY and len(tensors) == 1:
            self.ids.set(result, self.ids.get(first))
        elif "batch_norm" in name:
            self._batch_norm(args, result)
        elif name in SPATIAL and first.dim() == 4:
            self.ids.set_channels(_first(result), self.ids.of_channels(first))
        elif name in REDUCTIONS:
            self._reduction(name, args, tensors, result)
        elif torch.Tag.pointwise in func.tags or name in POINTWISE:
            self._pointwise(tensors, result)
        elif name == "constant_pad_nd" and not any(args[2:]):
            self._zero_pad(first, args[1], result)
        elif name in MOVES and not func._schema.is_mutable:
            self._move(func, name, args, named, result)
        else:
            self._pin(tensors)

    def _pin(self, tensors: Iterable[Tensor]) -> None:
        """Keep all channels that go into an unknown operation."""
        for tensor in tensors:
            self.ids.pin([tensor])
            if id(tensor) in self._weights:
                name, _ = self._weights[id(tensor)]
                self.ids.groups.pin(self.inputs[name])
                self.ids.groups.pin(self.outputs[name])

    def _convolution(self, args: Sequence[Any], result: Tensor) -> None:
        x, weight, bias = args[:3]
        name, _ = self._weights[id(weight)]
        inputs, outputs, groups = self.inputs[name], self.outputs[name], self.ids.groups
        groups.join(self.ids.of_channels(x), inputs)
        if is_depthwise(self.layers[name]):
            groups.join(inputs.repeat_interleave(len(outputs) // len(inputs)), outputs)
        elif args[8] != 1:
            groups.pin(inputs)
            groups.pin(outputs)
        else:
            self.mixing.add(name)
        self.ids.join_vector(bias, outputs)
        self.ids.set_channels(result, outputs)

    def _product(self, operation: str, tensors: list[Tensor], result: Tensor) -> None:
        x, weight = tensors[-2:]
        name, transposed = self._weights[id(weight)]
        if not transposed:
            self._pin(tensors)
            return
        self.ids.groups.join(self.ids.of_channels(x), self.inputs[name])
        self.mixing.add(name)
        if operation == "addmm":
            self.ids.join_vector(tensors[0], self.outputs[name])
        self.ids.set_channels(result, self.outputs[name])

    def _zero_pad(self, x: Tensor, pads: Sequence[int], result: Tensor) -> None:
        """Carry the ids of a map into its border: a zero of a channel is of that channel.

        Along an axis of several channels, zeros are new channels, with no id.
        """
        ids = self.ids.get_or_zeros(x)
        for number in range(len(pads) // 2):
            axis = -1 - number
            length, start = ids.shape[axis], pads[2 * number]
            places = torch.arange(result.shape[axis]) - start
            inside = places.clamp(0, length - 1)
            of_one = length > 1 and torch.equal(ids.amin(axis), ids.amax(axis))
            mask = (inside == places) | of_one
            ids = ids.index_select(axis, inside) * mask.reshape(-1, *[1] * number)
        self.ids.set(result, ids)

    def _contraction(self, tensors: list[Tensor]) -> None:
        """Merge the channels over which a product of two maps, [.., M, K] and [.., K, N], sums."""
        rows, columns = (self.ids.get_or_zeros(tensor) for tensor in tensors)
        summed = rows.movedim(-1, 0).flatten(1), columns.movedim(-2, 0).flatten(1)
        highest = [ids.amax(1) for ids in summed]
        if all(torch.equal(ids.amin(1), high) for ids, high in zip(summed, highest, strict=True)):
            self.ids.groups.join(*highest)
        else:
            self._pin(tensors)

    def _embedding(self, rows: Tensor, result: Tensor) -> None:
        """Carry the ids of the columns of a table [P, C], of which rows are taken."""
        ids = self.ids.get_or_zeros(rows)
        if torch.equal(ids.amin(0), ids.amax(0)):
            self.ids.set(result, ids.amax(0).expand(result.shape))
        else:
            self._pin([rows])

    def _batch_norm(self, args: Sequence[Any], result: Any) -> None:  # noqa: ANN401
        ids = self.ids.of_channels(args[0])
        for vector in args[1:5]:
            self.ids.join_vector(vector, ids)
        self.ids.set_channels(_first(result), ids)

    def _reduction(
        self,
        name: str,
        args: Sequence[Any],
        tensors: list[Tensor],
        result: Any,  # noqa: ANN401
    ) -> None:
        """Reduce the ids too, where the reduced axes hold one channel, or channels are summed."""
        ids = self.ids.get(tensors[0])
        dims = args[1] if len(args) > 1 else None
        outputs = [x for x in pytree.tree_leaves(result) if isinstance(x, Tensor)]
        if ids is None or not dims:
            self._pin(tensors)
            return
        keep = outputs[0].dim() == ids.dim()
        low, high = ids.amin(dims, keepdim=keep), ids.amax(dims, keepdim=keep)
        if not torch.equal(low, high):
            if name != "sum":
                self._pin(tensors)
            return
        for output in outputs:
            self.ids.set(output, high)

    def _pointwise(self, tensors: list[Tensor], result: Tensor) -> None:
        joined: Tensor | None = None
        for tensor in tensors:
            ids = _with_rank(self.ids.get_or_zeros(tensor), result.dim())
            joined = ids if joined is None else self.ids.join_broadcast(joined, ids)
        if joined is not None:
            self.ids.set(result, joined.expand(result.shape))

    def _move(
        self,
        func: Callable[..., Any],
        name: str,
        args: Sequence[Any],
        named: dict[str, Any],
        result: Any,  # noqa: ANN401
    ) -> None:
        """Run the operation on the ids."""

        def ids_of(x: object) -> object:
            if isinstance(x, Tensor) and x.is_floating_point():
                ids = self.ids.get_or_zeros(x)
                return ids.contiguous() if "view" in name else ids
            return x

        arguments = args[:2] if name == "constant_pad_nd" else args
        with torch.no_grad():
            moved = func(*pytree.tree_map(ids_of, arguments), **named)
        for output, ids in zip(pytree.tree_leaves(result), pytree.tree_leaves(moved), strict=True):
            self.ids.set(output, ids)


def _first(result: Any) -> Tensor:  # noqa: ANN401
    """Return the values of an operation that may return statistics or indices beside them."""
    return result[0] if isinstance(result, tuple) else result


def _with_rank(ids: Tensor, rank: int) -> Tensor:
    """Return ids with axes of one in front, as broadcasting adds them."""
    return ids.reshape(*[1] * (rank - ids.dim()), *ids.shape)


@torch.no_grad()
def trace_dependencies(
    module: nn.Module, picture: Tensor, run: Callable[[nn.Module, Tensor], tuple[Tensor, ...]]
) -> ChannelDependencies:
    """Return which channels of a network can only be removed together.

    Args:
        module: network in inference mode.
        picture: input of the run, [1, 3, H, W] in the network's own pixel format.
        run: runs the module; returns the painting, and the style code if there is one.
    """
    trace = ChannelTrace(module)
    with trace:
        painting, *codes = run(module, picture)
    groups = trace.ids.groups
    trace.ids.pin([painting])
    code = trace.ids.get(codes[0]) if codes else None
    return ChannelDependencies(
        inputs={name: groups.roots(ids) for name, ids in trace.inputs.items()},
        outputs={name: groups.roots(ids) for name, ids in trace.outputs.items()},
        mixing=frozenset(trace.mixing),
        pinned=frozenset(groups.pinned()),
        code=() if code is None else groups.roots(code),
    )
