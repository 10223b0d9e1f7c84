"""Patches of calibration pictures that convolutions meet, as sums over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node
from torch.nn import functional

from styleexport.core.arrays import Arrays
from styleexport.core.counted import counted
from styleexport.core.shares import in_shares, share_count
from styleexport.core.types import Progress
from styleexport.exporter.graph.rewrite import argument
from styleexport.exporter.quantize.blocks import QuantizedBlock

# Pictures, and places of each of them, that a convolution's patches are taken from.
PICTURES = 8
PLACES = 1024


@dataclass
class Patches:
    """Sums over a convolution's patches x of C·kh·kw values: Σ xxᵀ, Σ x, and their number."""

    products: Tensor
    total: Tensor
    count: int = 0


@dataclass
class _Collector(Interpreter):
    """Runs a simulated module and collects the patches of some of its convolutions."""

    simulated: GraphModule
    blocks: dict[str, QuantizedBlock]
    patches: dict[str, Patches] = field(default_factory=dict[str, Patches])

    def __post_init__(self) -> None:
        super().__init__(self.simulated)

    def run_node(self, n: Node) -> object:
        """Collect before a convolution is run."""
        if n.name in self.blocks:
            data, weight = (self.env[node] for node in n.all_input_nodes[:2])
            self._collect(n, data, weight)
        return super().run_node(n)

    def _collect(self, node: Node, data: Tensor, weight: Tensor) -> None:
        stride, padding, dilation = (
            argument(node, position, name, default)
            for position, name, default in (
                (3, "stride", 1),
                (4, "padding", 0),
                (5, "dilation", 1),
            )
        )
        patches = some_patches(data, weight, stride, padding, dilation)  # pyright: ignore
        size = len(patches)
        sums = self.patches.setdefault(
            node.name, Patches(patches.new_zeros(size, size), patches.new_zeros(size))
        )
        sums.products += patches @ patches.T
        sums.total += patches.sum(1)
        sums.count += patches.shape[1]


def some_patches(
    data: Tensor,
    weight: Tensor,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    places: int = PLACES,
) -> Tensor:
    """Return the patches that a convolution meets at some of its places, [C·kh·kw, number].

    They are every n-th of the columns that `functional.unfold` gives, which at 1024x1024 holds
    gigabytes.

    Args:
        data: [1, C, H, W].
        weight: [out, C, kh, kw].
        stride: step by height and width, or one for both.
        padding: zeros by height and width, or one number for both.
        dilation: spread by height and width, or one for both.
        places: about how many are taken.
    """
    (sy, sx), (py, px), (dy, dx) = map(_pair, (stride, padding, dilation))
    kh, kw = weight.shape[-2:]
    padded = functional.pad(data, (px, px, py, py)).contiguous()
    _, channels, height, width = padded.shape
    rows = (height - dy * (kh - 1) - 1) // sy + 1
    columns = (width - dx * (kw - 1) - 1) // sx + 1
    windows = padded.as_strided(
        (channels, kh, kw, rows, columns),
        (height * width, dy * width, dx, sy * width, sx),
    )
    taken = torch.arange(0, rows * columns, max(1, rows * columns // places))
    return windows[..., taken // columns, taken % columns].flatten(0, 2)


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def collected_patches(
    simulated: GraphModule,
    blocks: dict[str, QuantizedBlock],
    inputs: Sequence[Arrays],
    progress: Progress,
) -> dict[str, Patches]:
    """Return convolution → sums over its patches of some inputs, added up in their order."""

    def share(some: Iterable[Arrays]) -> dict[str, Patches]:
        collector = _Collector(simulated, blocks)
        with torch.inference_mode():
            for values in some:
                collector.run(*(torch.from_numpy(x) for x in values.values()))
        return collector.patches

    chosen = inputs[:: max(1, len(inputs) // PICTURES)][:PICTURES]
    with torch.inference_mode():
        return _added_up(chosen, share, progress)


def _added_up(
    chosen: Sequence[Arrays],
    share: Callable[[Iterable[Arrays]], dict[str, Patches]],
    progress: Progress,
) -> dict[str, Patches]:
    """Return the sums of all inputs from those of each, as one loop would add them."""
    patches: dict[str, Patches] = {}
    # As many at a time as there are cores: the sums of one input are as large as those of all.
    pixels = max(math.prod(x.shape[-2:]) for x in chosen[0].values())
    count = share_count(len(chosen), pixels)
    groups = [chosen[first : first + count] for first in range(0, len(chosen), count)]
    for group in counted(groups, "inputs of the convolutions", progress):
        for sums in in_shares(group, share, "", lambda _: None, pixels=pixels):
            for layer, item in sums.items():
                if layer not in patches:
                    patches[layer] = item
                    continue
                patches[layer].products += item.products
                patches[layer].total += item.total
                patches[layer].count += item.count
    return patches
