"""Which channels of a network live and die together, found by running it once.

Every output and every input channel of every layer gets a label. The network is run on noise, and
beside each tensor goes a shadow of the same shape that holds, for each element, the label of its
channel (0: none). What moves values moves the shadow; where values of two labels meet, element by
element, the labels are joined; a convolution or a matrix product joins the labels that it reads
with its own inputs, and what it makes carries its outputs. An operation that is not known pins the
labels that it reads: such channels stay. So concatenations, splits, residual sums, inverted
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

from styleexport.models.architecture import (
    Layer,
    has_kernel,
    is_depthwise,
    layers,
)
from styleexport.models.architecture import widths_of as layer_widths
from styleexport.models.compress.prune.channel_sets import Coupling, Joined

# Same values, same places.
SAME = {"clone", "_to_copy", "detach", "alias", "contiguous", "lift_fresh"}
# Values moved, whatever they are: done to the shadow as well.
MOVES = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "permute",
    "transpose", "t", "slice", "select", "cat", "stack", "split", "split_with_sizes", "chunk",
    "unbind", "expand", "repeat", "constant_pad_nd", "pixel_shuffle", "pixel_unshuffle",
    "index_select", "flip", "roll", "as_strided", "native_channel_shuffle", "channel_shuffle",
}  # fmt: skip
# Values of one channel become values of that channel, zeros zeros.
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


class Watch(TorchDispatchMode):
    """Carries shadows through everything that torch computes while it is entered."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.joined = Joined()
        self.layers: dict[str, Layer] = dict(layers(module))
        self.inputs: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self.read: set[str] = set()
        self._weights: dict[int, tuple[str, bool]] = {}
        self._shadows: dict[int, Tensor] = {}
        # Tensors stay alive, so that no two of them have one id.
        self._alive: list[Tensor] = []
        for name, layer in self.layers.items():
            self._label(name, layer)

    def _label(self, name: str, layer: Layer) -> None:
        widths = layer_widths(layer)
        self.outputs[name] = self.joined.fresh(widths.outputs)
        mixes = has_kernel(layer)
        self.inputs[name] = self.joined.fresh(widths.inputs) if mixes else self.outputs[name]
        if mixes:
            self._weights[id(layer.weight)] = (name, False)
        vectors = ("bias",) if mixes else ("weight", "bias", "running_mean", "running_var")
        for vector in vectors:
            tensor = getattr(layer, vector, None)
            if isinstance(tensor, Tensor):
                self._shadows[id(tensor)] = self.outputs[name]

    def shadow(self, tensor: Tensor) -> Tensor | None:
        """Return the shadow of a tensor, None if it carries no labels."""
        found = self._shadows.get(id(tensor))
        return found if found is not None and found.shape == tensor.shape else None

    def cast(self, tensor: object, shadow: Tensor | None) -> None:
        """Give a tensor a shadow."""
        if not isinstance(tensor, Tensor):
            return
        self._alive.append(tensor)
        if shadow is None or not bool(shadow.any()):
            self._shadows.pop(id(tensor), None)
        else:
            self._shadows[id(tensor)] = shadow

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function returns, its shadow carried on."""
        named = kwargs or {}
        result = func(*args, **named)
        tensors = [x for x in pytree.tree_leaves((args, named)) if isinstance(x, Tensor)]
        name = func._schema.name.removeprefix("aten::")
        base = name.removesuffix("_") if name[:1] != "_" else name
        known = [x for x in tensors if id(x) in self._weights or self.shadow(x) is not None]
        for made in pytree.tree_leaves(result):
            if not any(made is tensor for tensor in tensors):
                self.cast(made, None)
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
        first = tensors[0]
        if name == "convolution" and id(args[1]) in self._weights:
            self._convolution(args, result)
        elif name in ("addmm", "mm") and id(tensors[-1]) in self._weights:
            self._product(name, tensors, result)
        elif name == "t" and id(first) in self._weights:
            self._weights[id(result)] = (self._weights[id(first)][0], True)
        elif any(id(tensor) in self._weights for tensor in tensors):
            self._refuse(tensors)
        elif name in SAME and len(tensors) == 1:
            self.cast(result, self.shadow(first))
        elif "batch_norm" in name:
            self._batch_norm(args, result)
        elif name in SPATIAL and first.dim() == 4:
            labels = self._channels(first)
            made = result[0] if isinstance(result, tuple) else result
            self.cast(made, labels.reshape(1, -1, 1, 1).expand(made.shape))
        elif name in REDUCTIONS:
            self._reduction(args, tensors, result)
        elif torch.Tag.pointwise in func.tags or name in POINTWISE:
            self._pointwise(tensors, result)
        elif name in MOVES and not func._schema.is_mutable:
            self._move(func, name, args, named, result)
        else:
            self._refuse(tensors)

    def _refuse(self, tensors: Iterable[Tensor]) -> None:
        """Pin all that goes into an operation that is not known."""
        for tensor in tensors:
            if (shadow := self.shadow(tensor)) is not None:
                self.joined.pin(shadow)
            if id(tensor) in self._weights:
                name, _ = self._weights[id(tensor)]
                self.joined.pin(self.inputs[name])
                self.joined.pin(self.outputs[name])

    def _channels(self, tensor: Tensor, dim: int = 1) -> Tensor:
        """Return one label a channel, those that share a channel joined; 0 for none."""
        shadow = self.shadow(tensor)
        if shadow is None:
            return torch.zeros(tensor.shape[dim], dtype=torch.float64)
        rows = shadow.movedim(dim, 0).reshape(tensor.shape[dim], -1)
        low, high = rows.amin(1), rows.amax(1)
        for index in (low != high).nonzero().flatten().tolist():
            self.joined.join(rows[index], high[index].expand(rows.shape[1]))
        return high

    def _vector(self, tensor: object, labels: Tensor) -> None:
        """Join the labels of a bias or a statistic with those of the channels it is for."""
        if isinstance(tensor, Tensor):
            shadow = self.shadow(tensor)
            self.joined.join(torch.zeros_like(labels) if shadow is None else shadow, labels)

    def _convolution(self, args: Sequence[Any], result: Tensor) -> None:
        x, weight, bias = args[:3]
        name, _ = self._weights[id(weight)]
        inputs, outputs = self.inputs[name], self.outputs[name]
        found = self._channels(x)
        self.joined.join(found, inputs)
        if is_depthwise(self.layers[name]):
            self.joined.join(inputs.repeat_interleave(len(outputs) // len(inputs)), outputs)
        elif args[8] != 1:
            self.joined.pin(inputs)
            self.joined.pin(outputs)
        else:
            self.read.add(name)
        self._vector(bias, outputs)
        self.cast(result, outputs.reshape(1, -1, *[1] * (result.dim() - 2)).expand(result.shape))

    def _product(self, operation: str, tensors: list[Tensor], result: Tensor) -> None:
        x, weight = tensors[-2:]
        name, turned = self._weights[id(weight)]
        if not turned:
            self._refuse(tensors)
            return
        self.joined.join(self._channels(x), self.inputs[name])
        self.read.add(name)
        if operation == "addmm":
            self._vector(tensors[0], self.outputs[name])
        self.cast(result, self.outputs[name].expand(result.shape))

    def _batch_norm(self, args: Sequence[Any], result: Any) -> None:  # noqa: ANN401
        labels = self._channels(args[0])
        for vector in args[1:5]:
            self._vector(vector, labels)
        made = result[0] if isinstance(result, tuple) else result
        self.cast(made, labels.reshape(1, -1, *[1] * (made.dim() - 2)).expand(made.shape))

    def _reduction(self, args: Sequence[Any], tensors: list[Tensor], result: Any) -> None:  # noqa: ANN401
        shadow = self.shadow(tensors[0])
        dims = args[1] if len(args) > 1 else None
        made = [x for x in pytree.tree_leaves(result) if isinstance(x, Tensor)]
        if shadow is None or not dims:
            self._refuse(tensors)
            return
        keep = made[0].dim() == shadow.dim()
        low, high = shadow.amin(dims, keepdim=keep), shadow.amax(dims, keepdim=keep)
        if not torch.equal(low, high):
            self._refuse(tensors)
            return
        for tensor in made:
            self.cast(tensor, high)

    def _pointwise(self, tensors: list[Tensor], result: Tensor) -> None:
        shadow: Tensor | None = None
        for tensor in tensors:
            found = self.shadow(tensor)
            own = torch.zeros_like(tensor, dtype=torch.float64) if found is None else found
            own = _aligned(own, result.dim())
            shadow = own if shadow is None else self._meet(shadow, own)
        if shadow is not None:
            self.cast(result, shadow.expand(result.shape))

    def _meet(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the shadow of an operation on two tensors, element by element."""
        if _varies_alone(a, b):
            self.joined.pin(b)
            b = torch.zeros_like(b)
        elif _varies_alone(b, a):
            self.joined.pin(a)
            a = torch.zeros_like(a)
        else:
            self.joined.join(*torch.broadcast_tensors(a, b))
        return torch.maximum(a, b)

    def _move(
        self,
        func: Callable[..., Any],
        name: str,
        args: Sequence[Any],
        named: dict[str, Any],
        result: Any,  # noqa: ANN401
    ) -> None:
        def shaded(x: object) -> object:
            if not isinstance(x, Tensor) or not x.is_floating_point():
                return x
            found = self.shadow(x)
            return torch.zeros(x.shape, dtype=torch.float64) if found is None else found

        arguments = args[:2] if name == "constant_pad_nd" else args
        with torch.no_grad():
            moved = func(*pytree.tree_map(shaded, arguments), **named)
        pairs = zip(pytree.tree_leaves(result), pytree.tree_leaves(moved), strict=True)
        for made, shadow in pairs:
            self.cast(made, shadow)

    def sets(self, shadow: Tensor) -> tuple[int, ...]:
        """Return the set of each label."""
        return tuple(self.joined.root(int(label)) for label in shadow.flatten().tolist())


def _aligned(shadow: Tensor, dims: int) -> Tensor:
    """Return a shadow with ones in front, as broadcasting sees it."""
    return shadow.reshape(*[1] * (dims - shadow.dim()), *shadow.shape)


def _varies_alone(a: Tensor, b: Tensor) -> bool:
    """Whether ``a`` has many labels only where ``b`` has one value for all of them."""
    if not bool(a.any()):
        return False
    many = [d for d in range(a.dim()) if a.shape[d] > 1 and bool((a != a.narrow(d, 0, 1)).any())]
    return all(b.shape[d] == 1 for d in many) and (bool(many) or not bool(b.any()))


@torch.no_grad()
def couple(
    module: nn.Module, picture: Tensor, passes: Callable[[nn.Module, Tensor], tuple[Tensor, ...]]
) -> Coupling:
    """Return which channels of a network live and die together.

    Args:
        module: in inference mode.
        picture: that it is run on, [1, 3, H, W].
        passes: runs the module; returns the painting, and the style code if there is one.
    """
    watch = Watch(module)
    with watch:
        painting, *codes = passes(module, picture)
    if (shadow := watch.shadow(painting)) is not None:
        watch.joined.pin(shadow)
    code = [watch.shadow(code) for code in codes]
    return Coupling(
        inputs={name: watch.sets(labels) for name, labels in watch.inputs.items()},
        outputs={name: watch.sets(labels) for name, labels in watch.outputs.items()},
        read=frozenset(watch.read),
        pinned=frozenset(watch.joined.pinned()),
        code=watch.sets(code[0]) if code and code[0] is not None else (),
    )
