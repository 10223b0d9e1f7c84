"""A graph in float16, its casts written out: interfaces and unsafe statistics stay in float32.

What stays in float32 is what stays there in Core ML files: sums that the rewrite of statistics
(`half_range`) does not cover, covariances and what is computed of them, the first whitening with
all in front of it, and what an index depends on.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.fx.node import Argument, map_arg

from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.core.thresholds import CHOICES
from styleexport.exporter.graph.graph import CHOSEN_BY, operation_of
from styleexport.exporter.graph.rewrite import add_weight, tensor_of
from styleexport.exporter.graph.whitening import (
    PRODUCTS,
    WHITENED,
    before_first_whitening,
    is_square,
)

# Where float16 values come from: what reads them starts from their rounding.
BODY = ("conv2d", "conv_transpose2d", "relu", "leaky_relu", "prelu", "max_pool2d")
FLOAT32_OPS = (
    *("sum", "linalg_vector_norm", "norm", "logsumexp", "var", "std", "var_mean", "std_mean"),
    *("instance_norm", "layer_norm", "group_norm", "batch_norm", "native_layer_norm"),
)
ELEMENTWISE = ("add", "sub", "mul", "div")
ROOTS = ("sqrt", "rsqrt", "reciprocal")


def half_precision(module: GraphModule, *, exact_code: bool) -> dict[str, list[str]]:
    """Make a captured module compute in float16 what is safe there, in place.

    Args:
        module: float32; its inputs and outputs stay so.
        exact_code: whether its style code is compared, and is computed in float32.

    Returns:
        Reason → nodes that stay float32 for it.
    """
    return _Halving(module, exact_code=exact_code).run()


class _Halving:
    """One walk over a module: knows the type of each node's result, and the casts made of it."""

    def __init__(self, module: GraphModule, *, exact_code: bool) -> None:
        self.module = module
        self.exact_code = exact_code
        self.whitened = before_first_whitening(module.graph)
        self.statistics: set[Node] = set()
        self.types: dict[Node, torch.dtype] = {}
        self.casts: dict[tuple[Node, torch.dtype], Node] = {}

    def run(self) -> dict[str, list[str]]:
        """Cast what each node reads, in order."""
        kept: dict[str, list[str]] = {CHOSEN_BY: [], WHITENED: []}
        for node in list(self.module.graph.nodes):
            if node.op == "output":
                self._read_as(node, torch.float32)
            elif node.op != "call_function":
                stored = tensor_of(self.module, node)
                self.types[node] = _type_of(node) if stored is None else stored.dtype
            else:
                float_type = torch.float16
                if _decides(node, exact_code=self.exact_code):
                    kept[CHOSEN_BY].append(node.name)
                    float_type = torch.float32
                elif node.name in self.whitened:
                    kept[WHITENED].append(node.name)
                    float_type = torch.float32
                elif self._is_statistic(node):
                    self.statistics.add(node)
                    float_type = torch.float32
                self._convert(node, float_type)
        self.module.graph.eliminate_dead_code()
        self.module.recompile()
        return kept

    def _convert(self, node: Node, float_type: torch.dtype) -> None:
        """Make a node read one float type, and note the type of what it makes."""
        read = {self.types[x] for x in node.all_input_nodes if self.types[x].is_floating_point}
        result = _type_of(node)
        if not result.is_floating_point:  # a comparison or an index, of whatever is there
            if len(read) > 1:
                self._read_as(node, torch.float32)
            self.types[node] = result
        elif str(node.target) == "<built-in function getitem>":
            self.types[node] = self.types[node.all_input_nodes[0]]
        elif not read or "dtype" in node.kwargs or operation_of(node) in ("to", "_to_copy"):
            self.types[node] = result
        else:
            self._read_as(node, float_type)
            self.types[node] = float_type

    def _read_as(self, node: Node, float_type: torch.dtype) -> None:
        def cast(argument: Node) -> Argument:
            return self._cast(argument, float_type, node)

        node.args = map_arg(node.args, cast)  # pyright: ignore[reportAttributeAccessIssue]
        node.kwargs = map_arg(node.kwargs, cast)  # pyright: ignore[reportAttributeAccessIssue]

    def _cast(self, node: Node, float_type: torch.dtype, reader: Node) -> Node:
        known = self.types[node]
        if not known.is_floating_point or known is float_type:
            return node
        if (node, float_type) not in self.casts:
            value = tensor_of(self.module, node)
            if value is not None:
                made = add_weight(self.module, reader, value.to(float_type))
            else:
                with self.module.graph.inserting_before(reader):
                    made = self.module.graph.call_function(
                        torch.ops.aten.to.dtype, (node, float_type)
                    )
                made.meta = dict(node.meta)
            self.types[made] = float_type
            self.casts[node, float_type] = made
        return self.casts[node, float_type]

    def _is_statistic(self, node: Node) -> bool:
        return operation_of(node) in FLOAT32_OPS or self._is_matrix(node) or self._is_norm(node)

    def _is_matrix(self, node: Node) -> bool:
        """Whether a node sums a map to a square matrix, or computes one of such matrices.

        Attention is told apart by its shape: its sums are shorter than its sides, and its factors
        two maps.
        """
        shape = _shape(node)
        if len(shape) != 3 or shape[1] != shape[2]:
            return False
        if operation_of(node) in PRODUCTS:
            return _shape(node.all_input_nodes[0])[-1] >= shape[1] or is_square(node)
        return operation_of(node) in ELEMENTWISE and self._follows(node)

    def _is_norm(self, node: Node) -> bool:
        """Whether a node computes one number of a matrix, of a sum of it: a trace or a norm."""
        if len(shape := _shape(node)) != 3 or tuple(shape[1:]) != (1, 1):
            return False
        return operation_of(node) in (*ELEMENTWISE, *ROOTS) and self._follows(node)

    def _follows(self, node: Node) -> bool:
        return any(item in self.statistics for item in node.all_input_nodes)


def _type_of(node: Node) -> torch.dtype:
    """Return the type of what a node makes as captured; of several results, the first's."""
    value = node.meta.get("val")
    while isinstance(value, (tuple, list)):
        value = value[0]
    return value.dtype if isinstance(value, Tensor) else torch.int64


def _shape(node: Node) -> tuple[int | torch.SymInt, ...]:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _decides(node: Node, *, exact_code: bool) -> bool:
    """Whether an index depends on a node, or a code, with no convolution on the way to it."""
    pending, seen = [node], set[Node]()
    while pending:
        current = pending.pop()
        if current in seen or operation_of(current) in BODY:
            continue
        seen.add(current)
        if operation_of(current) in CHOICES or (exact_code and current.op == "output"):
            return True
        pending += current.users
    return False


def keep_convolutions_whole(module: GraphModule) -> None:
    """Limit what a convolution gives to several readers where one multiplies it by a constant.

    Apple's compiler multiplies the constant into the weights of the convolution, and where its
    result is read unscaled too, it computes the convolution twice. A limit at the lowest float16
    between the two changes no value and costs one pass over a map.
    """
    for node in module.graph.nodes:
        data = node.args[0] if operation_of(node) == "mul" else None
        if not isinstance(data, Node) or operation_of(data) != "conv2d" or len(data.users) == 1:
            continue
        if tensor_of(module, node.args[1]) is not None:
            with module.graph.inserting_before(node):
                limited = module.graph.call_function(
                    torch.ops.aten.clamp_min.default, (data, -float(LARGEST_FLOAT16))
                )
            limited.meta = dict(data.meta)
            node.replace_input_with(data, limited)
