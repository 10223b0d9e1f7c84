"""Why XNNPACK leaves an operation to ExecuTorch's own kernels, and what would help."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Leaving:
    """A group of operations that XNNPACK does not take.

    Attributes:
        operations: names in ExecuTorch, without overload and `_copy`.
        reason: why they are left.
        remedy: what to change in the network.
    """

    operations: tuple[str, ...]
    reason: str
    remedy: str


LEAVINGS = (
    Leaving(
        (
            *("argmax", "argmin", "topk", "sort", "max", "min"),
            *("embedding", "index", "index_select", "gather", "scatter"),
        ),
        "XNNPACK computes no indices, and reads nothing by them",
        "none without another result: the network chooses patches or rows; where it need not, "
        "weigh all of them (softmax and a product of matrices)",
    ),
    Leaving(
        ("gt", "ge", "lt", "le", "eq", "ne", "where", "logical_and", "logical_not", "sign"),
        "XNNPACK compares nothing and chooses nothing",
        "write choices as arithmetic: relu, clamp, minimum, maximum; those of a gradient have "
        "no other form",
    ),
    Leaving(
        ("mean", "sum", "var", "std", "amax", "amin", "prod", "cumsum", "norm"),
        "XNNPACK averages over height and width alone, and reduces nothing else",
        "reduce over height and width, the channels of a map or its last axes, by mean or sum: "
        "those are rewritten",
    ),
    Leaving(
        ("native_layer_norm", "native_group_norm", "layer_norm", "group_norm"),
        "XNNPACK has no norm of this kind",
        "write it with means and arithmetic",
    ),
    Leaving(
        ("expand", "repeat", "flip", "roll", "tile", "index_put"),
        "XNNPACK repeats values in arithmetic alone, and reverses no axis",
        "let arithmetic broadcast, or concatenate slices",
    ),
    Leaving(
        (
            *("_to_dim_order", "_to", "full", "full_like", "ones_like", "zeros_like"),
            *("arange", "scalar_tensor"),
        ),
        "XNNPACK converts no types and makes no constants",
        "keep values float32, and constants as buffers of the network",
    ),
    Leaving(
        ("upsample_nearest2d", "upsample_bicubic2d", "grid_sampler_2d", "adaptive_avg_pool2d"),
        "XNNPACK resizes bilinearly alone",
        "resize by whole numbers (nearest is rewritten then) or bilinearly",
    ),
    Leaving(
        ("convolution", "convolution_backward", "max_pool2d_with_indices_backward"),
        "XNNPACK takes no convolution with computed weights, nor a transposed one that is dilated",
        "compute with stored weights",
    ),
    Leaving(
        (
            *("view", "slice", "cat", "squeeze", "unsqueeze", "permute", "select"),
            *("_clone_dim_order", "clone"),
        ),
        "what it reads or makes is no float map that XNNPACK holds: integers, an axis that it "
        "cannot drop, or what its neighbours outside compute",
        "see its neighbours",
    ),
)
OTHER = Leaving((), "XNNPACK has no such operation", "write it with arithmetic that it has")


def leaving_of(operation: str) -> Leaving:
    """Return why an operation is left.

    Args:
        operation: name as the file or a program has it: ``aten::argmax.out``, ``aten.mean.dim``.
    """
    parts = operation.replace("::", ".").split(".")
    name = parts[1] if len(parts) > 1 else parts[0]
    base = name.removesuffix("_copy")
    return next((item for item in LEAVINGS if base in item.operations), OTHER)


def grouped(operations: Iterable[str]) -> dict[Leaving, list[str]]:
    """Return operations by why they are left, in order."""
    found = dict[Leaving, list[str]]()
    for name in operations:
        found.setdefault(leaving_of(name), []).append(name)
    return found
