"""A network run in float64, for proofs, within the memory that the network itself takes.

torch unfolds the input of a float64 convolution into in·kh·kw values for each output pixel: a 9x9
convolution of 32 channels at 1024x1024 would take 21 GB. Here such a convolution is computed in
strips of output rows, which leaves out none of the terms of its sums.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule, Interpreter, Node

aten = torch.ops.aten
# What a core's cache holds: larger strips are slower, twice as slow where they leave all caches.
UNFOLDED_BYTES = 4 * 2**20


def in_float64(module: GraphModule) -> GraphModule:
    """Return the module, changed in place to compute in float64."""
    retype(module.double(), torch.float32, torch.float64)
    return module


def retype(module: GraphModule, old: torch.dtype, new: torch.dtype) -> None:
    """Make the network's own conversions follow the type it runs in, and drop checks of it.

    Only conversions to float32 are changed, and only those are changed back. A constant that an
    operation makes from numbers (an identity matrix, a grid of positions) is one of them.
    """
    for node in list(module.graph.nodes):
        if node.target is aten._assert_tensor_metadata.default:
            module.graph.erase_node(node)
        elif new is torch.float64 and _makes_constant(node, old):
            node.meta["retyped"] = True
            node.kwargs = {**node.kwargs, "dtype": new}
        elif new is torch.float64 or "retyped" in node.meta:
            values = (*node.args, *node.kwargs.values())
            if any(value is old for value in values):
                node.meta["retyped"] = True
                node.args = tuple(new if value is old else value for value in node.args)
                node.kwargs = {k: new if v is old else v for k, v in node.kwargs.items()}
    module.recompile()


def _makes_constant(node: Node, dtype: torch.dtype) -> bool:
    """Whether a node makes a tensor of a type from numbers alone, and takes the type by name."""
    if node.op != "call_function" or not isinstance(node.target, OpOverload):
        return False
    values = (node, *node.all_input_nodes)
    made, *read = (isinstance(value.meta.get("val"), Tensor) for value in values)
    names = [argument.name for argument in node.target._schema.arguments]  # pyright: ignore[reportPrivateUsage]
    return made and not any(read) and "dtype" in names and node.meta["val"].dtype is dtype


def run_exactly(module: GraphModule, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return a module's outputs; each value is freed after its last reader."""
    with torch.no_grad():
        outputs = _InStrips(module).run(*inputs)
    return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)


class _InStrips(Interpreter):
    """Runs large convolutions strip by strip."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        if target is aten.conv2d.default and not kwargs and isinstance(args[0], Tensor):
            return conv2d_in_strips(*args)
        return super().call_function(target, args, kwargs)


def conv2d_in_strips(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: list[int] | None = None,
    padding: list[int] | None = None,
    dilation: list[int] | None = None,
    groups: int = 1,
    unfolded_bytes: int | None = None,
) -> Tensor:
    """Return `aten.conv2d` of x, [N, C, H, W], computed in strips of output rows.

    Args:
        x: the maps.
        weight: [out, C/groups, kh, kw].
        bias: [out].
        stride: step by height and width.
        padding: zeros by height and width.
        dilation: spread by height and width.
        groups: number of channel groups.
        unfolded_bytes: most bytes of one strip's unfolded input, a row at least; None is
            `UNFOLDED_BYTES`.
    """
    step, pad, spread = (_pair(v, d) for v, d in ((stride, 1), (padding, 0), (dilation, 1)))
    span = spread[0] * (weight.shape[2] - 1) + 1
    padded = functional.pad(x, (pad[1], pad[1], pad[0], pad[0])) if any(pad) else x
    rows = (padded.shape[2] - span) // step[0] + 1
    columns = (padded.shape[3] - spread[1] * (weight.shape[3] - 1) - 1) // step[1] + 1
    row_bytes = x.element_size() * x.shape[1] * weight.shape[2] * weight.shape[3] * columns
    strip = max(1, (unfolded_bytes or UNFOLDED_BYTES) // max(row_bytes, 1))
    if strip >= rows:
        return functional.conv2d(x, weight, bias, step, pad, spread, groups)
    return torch.cat(
        [
            functional.conv2d(
                padded[:, :, first * step[0] : (min(first + strip, rows) - 1) * step[0] + span],
                weight,
                bias,
                step,
                0,
                spread,
                groups,
            )
            for first in range(0, rows, strip)
        ],
        dim=2,
    )


def _pair(value: list[int] | None, default: int) -> tuple[int, int]:
    if not value:
        return (default, default)
    return (value[0], value[-1])
