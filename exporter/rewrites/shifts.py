"""Powers of two on the values of a graph: where each passes, where it is absorbed, where it ends.

A value x with *shift* e is stored as x·2^e, the same bits but for the exponent. By operation:

- *passing* ones have f(2^e·x) = 2^e·f(x): ReLU, pads, pools, resampling, sums, shapes. All that
  they read and give has one shift; so have both sides of an addition, and what is concatenated.
- *free* ones hold constants that absorb the difference of any two shifts: W·2^(out - in) and
  b·2^out of a convolution, γ and β of a norm, a constant factor.
- *derived* ones have a shift that follows from those of their operands: the sum of both of a
  product, half of it of a root.
- All others take and give what the network gives: what they read is multiplied back.

Values that pass from one to another form a *region* with one shift. Where a region takes in a value
of another shift, that is multiplied once, as small a tensor as will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.float16 import LARGEST_FLOAT16
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import add_weight, argument, tensor_of
from styleexport.exporter.rewrites.shift_regions import LAYERS, PASSING, Regions, is_value

aten = torch.ops.aten
LIMITS = ("clamp", "clamp_min", "clamp_max", "relu6", "hardtanh")
# Position of weight and bias, and of ε, of a norm.
NORMS = {"instance_norm": (1, 2, 7), "group_norm": (2, 3, 4), "layer_norm": (2, 3, 4)}
MATRIX_PRODUCTS = ("matmul", "bmm", "mm")
PRODUCTS = ("mul", "div", *MATRIX_PRODUCTS)
INDICES = ("argmax", "argmin")
# Lowest float16: a limit that changes no value, between two multiplications that would be merged.
LOWEST = -float(LARGEST_FLOAT16)


@dataclass
class Shifter:
    """One walk over a module that gives every value its shift.

    Attributes:
        regions: the shift of each value.
        shifted: layer → its shift, of those that took one into their constants.
        multiplied: value → shift of a copy of it, which a multiplication makes.
    """

    regions: Regions
    shifted: dict[str, int] = field(default_factory=dict[str, int])
    multiplied: dict[str, int] = field(default_factory=dict[str, int])
    _held: dict[Node, int] = field(default_factory=dict[Node, int])
    _copies: dict[tuple[Node, int], Node] = field(default_factory=dict[tuple[Node, int], Node])

    def run(self) -> None:
        """Rewrite the module in place."""
        for node in list(self._module.graph.nodes):
            if node.op == "output":
                self._read_as(node, 0)
            elif is_value(self._module, node):
                self._held[node] = self._visit(node) if node.op == "call_function" else 0
            elif operation_of(node) not in INDICES:
                self._read_as(node, 0)
        self._module.graph.eliminate_dead_code()

    def _visit(self, node: Node) -> int:
        """Rewrite an operation; return the shift of what it gives now."""
        name, operands = operation_of(node), self.regions.operands(node)
        if not self.regions.of(node) and not any(self._held[x] for x in operands):
            return 0
        if name in LAYERS and (shift := self._layer(node)) is not None:
            return shift
        if name in NORMS:
            return self._norm(node)
        if name in PRODUCTS:
            return self._product(node)
        if name in PASSING and operands:
            shift = self.regions.settle(node, self._held[operands[0]])
            if self._passes(node, shift):
                return shift
        if name in ROOTS and operands:
            derived = ROOTS[name](node, self._held[operands[0]])
            if derived is not None:
                return derived
        self._read_as(node, 0)
        return 0

    def _layer(self, node: Node) -> int | None:
        """Put the difference of shifts into the weights of a layer, and its shift into the bias."""
        data, weight = node.args[0], tensor_of(self._module, node.args[1])
        bias = argument(node, 2, "bias")
        offset = tensor_of(self._module, bias)
        shift = self.regions.of(node) or 0
        if data not in self._held or weight is None or (offset is None) != (bias is None):
            return None
        assert isinstance(data, Node)
        if change := shift - self._held[data]:
            node.update_arg(1, add_weight(self._module, node, weight * 2.0**change))
        if offset is not None and shift:
            scaled = add_weight(self._module, node, offset * 2.0**shift)
            node.args = (*node.args[:2], scaled, *node.args[3:])
            node.kwargs = {name: x for name, x in node.kwargs.items() if name != "bias"}
        if shift:
            self.shifted[node.name] = shift
        return shift

    def _norm(self, node: Node) -> int:
        """Give a norm the ε of what it reads, and its own shift where weight and bias take it."""
        *affine, epsilon = NORMS[operation_of(node)]
        data = node.args[0]
        stored = operation_of(node) == "instance_norm" and not node.args[5]
        if not isinstance(data, Node) or stored or len(node.args) <= epsilon:
            self._read_as(node, 0)
            return 0
        node.update_arg(epsilon, float(node.args[epsilon]) * 4.0 ** self._held[data])  # pyright: ignore
        values = [tensor_of(self._module, node.args[i]) for i in affine]
        shift = self.regions.of(node) or 0
        if not shift or any(value is None for value in values):
            return 0
        for position, value in zip(affine, values, strict=True):
            assert value is not None
            node.update_arg(position, add_weight(self._module, node, value * 2.0**shift))
        return shift

    def _product(self, node: Node) -> int:
        """Put the difference of shifts into a constant factor, else into the smaller operand."""
        first, second = node.args[:2]
        sign = -1 if operation_of(node) == "div" else 1
        held = [self._held.get(x, 0) if isinstance(x, Node) else 0 for x in (first, second)]  # pyright: ignore
        derived = held[0] + sign * held[1]
        change = self.regions.settle(node, derived) - derived
        if not change or self._times(node, change):
            return derived + change
        if first is second:
            return derived
        small = min((0, 1), key=lambda i: _elements(node.args[i]))
        operand = node.args[small]
        assert isinstance(operand, Node)
        copy = self._copy(operand, held[small] + (change if small == 0 else sign * change))
        node.update_arg(small, copy)
        return derived + change

    def _times(self, node: Node, change: int) -> bool:
        """Multiply a product by a power of two through a constant factor; False without one."""
        sign = -1 if operation_of(node) == "div" else 1
        for position, power in ((1, sign * change), (0, change)):
            constant = node.args[position]
            value = tensor_of(self._module, constant)
            if isinstance(constant, (int, float)):
                node.update_arg(position, float(constant) * 2.0**power)
                return True
            if value is not None:
                new = add_weight(self._module, node, value * 2.0**power)
                node.update_arg(position, new)
                return True
        return False

    def _passes(self, node: Node, shift: int) -> bool:
        """Give all that a passing operation reads one shift; False where it does not pass it."""
        name = operation_of(node)
        if name in ("pad", "constant_pad_nd") and not self._pads(node, shift):
            return False
        if name == "linalg_vector_norm" and argument(node, 1, "ord", 2) not in (2, 2.0):
            return False
        if name in LIMITS and not self._limits(node, shift):
            return False
        if name in ("add", "sub"):
            if argument(node, 2, "alpha", 1) != 1 or "alpha" in node.kwargs:
                return False
            node.args = tuple(
                float(x) * 2.0**shift if isinstance(x, (int, float)) else x for x in node.args
            )
        if shift and name != "prelu":
            for constant in node.all_input_nodes:
                value = tensor_of(self._module, constant)
                if value is not None and value.is_floating_point():
                    new = add_weight(self._module, node, value * 2.0**shift)
                    node.replace_input_with(constant, new)
        self._read_as(node, shift)
        return True

    def _pads(self, node: Node, shift: int) -> bool:
        position = 3 if operation_of(node) == "pad" else 2
        value = argument(node, position, "value", None)
        if value not in (None, 0, 0.0) and len(node.args) > position:
            node.update_arg(position, float(value) * 2.0**shift)  # pyright: ignore
            return True
        return value in (None, 0, 0.0)

    def _limits(self, node: Node, shift: int) -> bool:
        """Scale the limits of a clamp; hard tanh and ReLU6 become one."""
        name = operation_of(node)
        low, high = (argument(node, 1, "min"), argument(node, 2, "max"))
        if name == "clamp_max":
            low, high = None, argument(node, 1, "max")
        elif name == "clamp_min":
            high = None
        elif name == "relu6":
            low, high = 0.0, 6.0
        elif name == "hardtanh":
            low, high = argument(node, 1, "min_val", -1.0), argument(node, 2, "max_val", 1.0)
        if any(isinstance(x, Node) for x in (low, high)):
            return False
        limits = [None if x is None else float(x) * 2.0**shift for x in (low, high)]  # pyright: ignore
        node.target, node.args, node.kwargs = aten.clamp.default, (node.args[0], *limits), {}
        return True

    # Multiplications that nothing absorbs.

    @property
    def _module(self) -> GraphModule:
        return self.regions.module

    def _read_as(self, node: Node, shift: int) -> None:
        """Give a node its operands with one shift."""
        for operand in node.all_input_nodes:
            change = shift - self._held.get(operand, shift)
            if not change:
                continue
            alone = len(operand.users) == 1 and operation_of(operand) in ("mul", "div")
            if alone and self._times(operand, change):
                self._held[operand] = shift
            else:
                node.replace_input_with(operand, self._copy(operand, shift))

    def _copy(self, operand: Node, shift: int) -> Node:
        """Return a value with another shift, computed once, just behind it."""
        if (operand, shift) not in self._copies:
            change = shift - self._held[operand]
            graph, source = self._module.graph, operand
            if operation_of(operand) in LAYERS:  # else converters merge the factor with its weights
                with graph.inserting_after(operand):
                    source = graph.call_function(aten.clamp_min.default, (operand, LOWEST))
                source.meta = dict(operand.meta)
            with graph.inserting_after(source):
                copy = graph.call_function(aten.mul.Tensor, (source, 2.0**change))
            copy.meta = dict(operand.meta)
            self._held[copy] = shift
            self._copies[operand, shift] = copy
            self.multiplied[operand.name] = shift
        return self._copies[operand, shift]


def _halved(node: Node, held: int) -> int | None:
    return None if held % 2 else held // 2


def _squared(node: Node, held: int) -> int | None:
    return 2 * held if len(node.args) < 2 or node.args[1] in (2, 2.0) else None


# Operation of one operand → the shift of its result, None where it has none.
ROOTS: Mapping[str, Callable[[Node, int], int | None]] = {
    "sqrt": _halved,
    "rsqrt": lambda node, held: None if held % 2 else -held // 2,
    "reciprocal": lambda node, held: -held,
    "pow": _squared,
    "square": lambda node, held: 2 * held,
    "var": lambda node, held: 2 * held,
}


def _elements(value: object) -> int:
    tensor = value.meta.get("val") if isinstance(value, Node) else None
    return tensor.numel() if isinstance(tensor, Tensor) else 0
