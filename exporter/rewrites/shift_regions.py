"""Regions of a graph whose values share one power of two, and which operations pass it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import tensor_of

# Operations f with f(2^e·x) = 2^e·f(x).
PASSING = frozenset(
    {
        *("relu", "leaky_relu", "prelu", "abs", "neg", "cat", "stack", "maximum", "minimum"),
        *("pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "slice", "select"),
        *("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "amax", "amin", "mean", "sum", "std"),
        *("upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "pixel_shuffle"),
        *("pixel_unshuffle", "view", "reshape", "flatten", "unsqueeze", "squeeze", "permute"),
        *("transpose", "t", "expand", "clone", "contiguous", "repeat", "flip", "roll", "split"),
        *("chunk", "index_select", "gather", "index", "dropout", "alias", "detach", "diagonal"),
        *("linalg_vector_norm", "split_with_sizes", "narrow", "<built-in function getitem>"),
        *("add", "sub", "clamp", "clamp_min", "clamp_max", "relu6", "hardtanh"),
    }
)
LAYERS = ("conv2d", "conv_transpose2d", "linear")
# The largest shift that is set, 2^-40: what reaches further is no forecast of a working network.
MOST = 40


@dataclass
class Regions:
    """Values that share a shift, and the shift of each region.

    A region that holds a layer, or whose values would leave float16, has one from the start. Any
    other takes that of the first value that it reads.

    Attributes:
        module: the graph.
        need: operation → the largest shift, at most 0, at which it stays inside float16.
    """

    module: GraphModule
    need: Mapping[str, int]
    _parents: dict[Node, Node] = field(default_factory=dict[Node, Node])
    _shift: dict[Node, int] = field(default_factory=dict[Node, int])

    def __post_init__(self) -> None:
        values = [node for node in self.module.graph.nodes if is_value(self.module, node)]
        for node in values:
            for operand in self.operands(node) if operation_of(node) in PASSING else ():
                self._parents[self._root(operand)] = self._root(node)
        for node in values:
            need = max(-MOST, min(0, self.need.get(node.name, 0)))
            if need or operation_of(node) in LAYERS:
                root = self._root(node)
                self._shift[root] = min(need, self._shift.get(root, 0))

    def operands(self, node: Node) -> list[Node]:
        """Return what a node reads that is no constant."""
        return [x for x in node.all_input_nodes if is_value(self.module, x)]

    def of(self, node: Node) -> int | None:
        """Return the shift of the region of a node; None where it has none yet."""
        return self._shift.get(self._root(node))

    def settle(self, node: Node, shift: int) -> int:
        """Return the shift of the region of a node, which is this one where it had none."""
        return self._shift.setdefault(self._root(node), shift)

    def _root(self, node: Node) -> Node:
        while (parent := self._parents.get(node, node)) is not node:
            node = parent
        return node


def is_value(module: GraphModule, node: object) -> bool:
    """Whether a node holds floats that are no constant of the network."""
    if not isinstance(node, Node) or node.op == "output" or tensor_of(module, node) is not None:
        return False
    value = node.meta.get("val")
    while isinstance(value, (tuple, list)) and value:
        value = value[0]
    return isinstance(value, Tensor) and value.is_floating_point()
