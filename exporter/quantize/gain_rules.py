"""Rules by which a gain on the channels of a tensor passes each operation; see `equalize`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import Outcome, add_weight, argument, tensor_of
from styleexport.exporter.quantize.blocks import CONV, TRANSPOSED, elements

ATEN = torch.ops.aten
PASSES = (
    "relu",
    "leaky_relu",
    "max_pool2d",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "upsample_nearest2d",
    "upsample_bilinear2d",
)
Gains = Mapping[str, Tensor]


@dataclass
class GainRules:
    """Walks a module once, in order; knows by what each node's channels have been multiplied.

    Attributes:
        module: module that is changed in place.
        gains: layer → gain a channel, [C].
        expand_norms: whether instance norms are written out.
        tags: node → by what its channels have been multiplied.
        undone: node → the same without its gains.
    """

    module: GraphModule
    gains: Gains
    expand_norms: bool
    tags: dict[Node, Tensor] = field(default_factory=dict[Node, Tensor])
    undone: dict[Node, Node] = field(default_factory=dict[Node, Node])

    def run(self) -> Outcome:
        """Change the module, and return how many gains were applied and which were refused."""
        named = {node.name: node for node in self.module.graph.nodes if node.name in self.gains}
        refused = [f"{name}: no such layer" for name in self.gains if name not in named]
        applied = 0
        for name, node in named.items():
            if operation_of(node) in (CONV, TRANSPOSED):
                applied += 1
            elif edits := self._pushed(node, self._gain(name)):
                for edit in edits:
                    edit()
                self.tags[node] = self._gain(name)
                applied += 1
            else:
                refused.append(f"{name}: nothing before it takes a factor")
        for node in list(self.module.graph.nodes):
            self._visit(node)
        return Outcome(applied, tuple(refused))

    def _gain(self, name: str) -> Tensor:
        return self.gains[name].double()

    def _visit(self, node: Node) -> None:
        if any(x in self.tags for x in node.all_input_nodes) and node not in self.tags:
            rule = getattr(self, f"_rule_{operation_of(node)}", None)
            passes = operation_of(node) in PASSES
            tag = self.tags[node.all_input_nodes[0]] if passes else None
            if rule is not None:
                tag = rule(node)
            elif not passes:
                self._undo_inputs(node)
            if tag is not None:
                self.tags[node] = tag
        if node.name in self.gains and operation_of(node) in (CONV, TRANSPOSED):
            gain = self._gain(node.name)
            if operation_of(node) == TRANSPOSED:
                self._scale_by_group(node, gain)
            else:
                self._scale_constant(node, 1, gain, 0)
            self._scale_constant(node, 2, gain, 0)
            self.tags[node] = gain

    # Rules: each returns the factor of the node's channels, or None for 1.

    def _rule_pad(self, node: Node) -> Tensor | None:
        if argument(node, 3, "value", None) not in (None, 0, 0.0):
            return self._undo_inputs(node)
        return self.tags[node.all_input_nodes[0]]

    def _rule_slice(self, node: Node) -> Tensor | None:
        if argument(node, 1, "dim", 0) == 1:
            return self._undo_inputs(node)
        return self.tags[node.all_input_nodes[0]]

    def _rule_pixel_shuffle(self, node: Node) -> Tensor | None:
        """A channel takes the gain of its phases, where they have one."""
        gains = self.tags[node.all_input_nodes[0]].reshape(-1, int(node.args[1]) ** 2)  # pyright: ignore
        if not torch.allclose(gains, gains[:, :1].expand_as(gains), rtol=1e-12, atol=0):
            return self._undo_inputs(node)
        return gains[:, 0]

    def _rule_mean(self, node: Node) -> Tensor | None:
        if node.args[1] not in ([2, 3], [-2, -1], [-1, -2]):
            return self._undo_inputs(node)
        return self.tags[node.all_input_nodes[0]]

    def _rule_flatten(self, node: Node) -> Tensor | None:
        source = node.all_input_nodes[0]
        if tuple(node.args[1:]) != (1,) or elements(source) != len(self.tags[source]):
            return self._undo_inputs(node)
        return self.tags[source]

    def _rule_sqrt(self, node: Node) -> Tensor:
        return self.tags[node.all_input_nodes[0]].sqrt()

    def _rule_rsqrt(self, node: Node) -> Tensor:
        return self.tags[node.all_input_nodes[0]].rsqrt()

    def _rule_pow(self, node: Node) -> Tensor | None:
        if node.args[1] not in (2, 2.0):
            return self._undo_inputs(node)
        return self.tags[node.all_input_nodes[0]] ** 2

    def _rule_mul(self, node: Node) -> Tensor | None:
        return self._product(node, 1)

    def _rule_div(self, node: Node) -> Tensor | None:
        return self._product(node, -1)

    def _product(self, node: Node, power: int) -> Tensor | None:
        first, second = node.args[:2]
        tag = self.tags.get(first) if isinstance(first, Node) else None  # pyright: ignore
        other = self.tags.get(second) if isinstance(second, Node) else None  # pyright: ignore
        if not all(self._aligned(node, x) for x in (first, second)):
            return self._undo_inputs(node)
        one = torch.ones_like(next(t for t in (tag, other) if t is not None))
        result = (one if tag is None else tag) * (one if other is None else other**power)
        return None if torch.allclose(result, one, rtol=1e-12, atol=0) else result

    def _rule_add(self, node: Node) -> Tensor | None:
        return self._sum(node)

    def _rule_sub(self, node: Node) -> Tensor | None:
        return self._sum(node)

    def _sum(self, node: Node) -> Tensor | None:
        tags = [self.tags.get(x) if isinstance(x, Node) else None for x in node.args[:2]]  # pyright: ignore
        if None not in tags and torch.allclose(tags[0], tags[1], rtol=1e-12, atol=0):  # pyright: ignore
            return tags[0]
        if all(tag is not None for tag in tags):
            return self._undo_inputs(node)
        which = 0 if tags[0] is not None else 1
        gain, tagged, other = tags[which], node.args[which], node.args[1 - which]
        assert gain is not None and isinstance(tagged, Node)
        constant = isinstance(other, (int, float)) or tensor_of(self.module, other) is not None
        small = isinstance(other, Node) and elements(other) == len(gain)
        if constant and self._scale_constant(node, 1 - which, gain, 1):
            return gain
        if small and elements(tagged) > len(gain):
            assert isinstance(other, Node)
            node.replace_input_with(other, self._multiplied(other, gain, node))
            return gain
        return self._undo_inputs(node)

    def _rule_conv2d(self, node: Node) -> Tensor | None:
        """Divide the weights by the input's gain."""
        gain = self.tags[node.all_input_nodes[0]]
        if node.args[0] is not node.all_input_nodes[0] or not self._scale_by_group(node, 1 / gain):
            return self._undo_inputs(node)
        return None

    def _rule_conv_transpose2d(self, node: Node) -> Tensor | None:
        gain = self.tags[node.all_input_nodes[0]]
        if not self._scale_constant(node, 1, 1 / gain, 0):
            return self._undo_inputs(node)
        return None

    def _rule_instance_norm(self, node: Node) -> Tensor | None:
        """(x - μ)/√(σ² + ε) of x = x'/g is (x' - μ')/√(σ'² + g²·ε)."""
        source = node.all_input_nodes[0]
        if not self.expand_norms or argument(node, 5, "use_input_stats", True) is not True:
            return self._undo_inputs(node)
        gain = self.tags[source]
        graph = self.module.graph
        epsilon = add_weight(
            self.module,
            node,
            (gain**2 * float(node.args[7])).reshape(1, -1, 1, 1),  # pyright: ignore
        )
        with graph.inserting_before(node):
            mean = self._call(ATEN.mean.dim, node, source, [2, 3], True)
            centred = self._call(ATEN.sub.Tensor, source, source, mean)
            square = self._call(ATEN.mul.Tensor, source, centred, centred)
            variance = self._call(ATEN.mean.dim, node, square, [2, 3], True)
            deviation = self._call(
                ATEN.sqrt.default, node, self._call(ATEN.add.Tensor, node, variance, epsilon)
            )
            weight, bias = (
                None if value is None else add_weight(self.module, node, value.reshape(1, -1, 1, 1))
                for value in (tensor_of(self.module, node.args[i]) for i in (1, 2))
            )
            scale = (
                self._call(ATEN.reciprocal.default, node, deviation)
                if weight is None
                else self._call(ATEN.div.Tensor, node, weight, deviation)
            )
            result = self._call(ATEN.mul.Tensor, source, centred, scale)
            if bias is not None:
                result = self._call(ATEN.add.Tensor, source, result, bias)
        node.replace_all_uses_with(result)
        graph.erase_node(node)
        return None

    def _call(self, operation: Callable[..., Tensor], like: Node, *args: object) -> Node:
        node = self.module.graph.call_function(operation, args)  # pyright: ignore
        node.meta = dict(like.meta)
        return node

    # Edits.

    def _aligned(self, node: Node, value: object) -> bool:
        """Whether an operand's channels are the node's axis 1, or it is one number."""
        if not isinstance(value, Node) or "val" not in value.meta:
            return not isinstance(value, Node)
        own, whole = value.meta["val"], node.meta["val"]
        return own.numel() == 1 or own.dim() == whole.dim()

    def _scale_constant(self, node: Node, position: int, gain: Tensor, axis: int) -> bool:
        """Multiply a constant argument by a gain along an axis; False where it is none."""
        if len(node.args) <= position or node.args[position] is None:
            return False
        old = node.args[position]
        value = tensor_of(self.module, old)
        if value is None:
            if not isinstance(old, (int, float)):
                return False
            rank = node.meta["val"].dim()
            scaled = (float(old) * gain).reshape([1, -1] + [1] * (rank - 2))
        elif value.numel() == 1:
            rank = node.meta["val"].dim()
            scaled = (value.double() * gain).reshape([1, -1] + [1] * (rank - 2))
        elif value.shape[axis] == len(gain):
            scaled = value * gain.reshape([-1 if i == axis else 1 for i in range(value.dim())])
        else:
            return False
        new = add_weight(self.module, node, scaled)
        node.args = tuple(new if i == position else x for i, x in enumerate(node.args))
        return True

    def _scale_by_group(self, node: Node, gain: Tensor) -> bool:
        """Multiply a weight along its second axis, which counts the channels of one group.

        A weight is [out, in/groups, kh, kw], and [in, out/groups, kh, kw] of a transposed
        convolution: the group of a row says which channels its second axis stands for.
        """
        value, groups = tensor_of(self.module, node.args[1]), argument(node, 6, "groups", 1)
        if value is None or not isinstance(groups, int) or groups * value.shape[1] != len(gain):
            return False
        rows = gain.reshape(groups, -1).repeat_interleave(value.shape[0] // groups, 0)
        node.update_arg(1, add_weight(self.module, node, value * rows[:, :, None, None]))
        return True

    def _undo_inputs(self, node: Node) -> None:
        """Give a node its tagged inputs without their gains."""
        for source in node.all_input_nodes:
            if source in self.tags:
                node.replace_input_with(source, self._undone(source))

    def _undone(self, source: Node) -> Node:
        if source not in self.undone:
            self.undone[source] = self._multiplied(source, 1 / self.tags[source], source.next)
        return self.undone[source]

    def _multiplied(self, source: Node, gain: Tensor, before: Node) -> Node:
        """Return source·gain, computed just before a node."""
        value = source.meta["val"]
        # One value a channel may come as [C, 1, 1] too.
        alone = value.numel() == len(gain)
        shape = value.shape if alone else [1, -1] + [1] * (value.dim() - 2)
        constant = add_weight(self.module, before, gain.reshape(shape))
        with self.module.graph.inserting_before(before):
            result = self.module.graph.call_function(ATEN.mul.Tensor, (source, constant))
        result.meta = dict(source.meta)
        return result

    def _pushed(self, node: Node, gain: Tensor) -> list[Callable[[], object]] | None:
        """Return the edits that multiply a node's channels without touching a whole map."""
        name = operation_of(node)
        if name in ("relu", "leaky_relu"):
            return self._above(node.all_input_nodes[0], node, gain)
        if name == "instance_norm":
            constants = [tensor_of(self.module, node.args[i]) for i in (1, 2)]
            if any(value is None for value in constants):
                return None
            return [lambda i=i: self._scale_constant(node, i, gain, 0) for i in (1, 2)]
        operands = [x for x in node.args[:2] if isinstance(x, Node)]
        if name == "sub" and len(operands) == 2 and _centres(node):
            return self._pushed(operands[0], gain)
        if name in ("add", "sub") and len(operands) == 2:
            parts = [self._above(x, node, gain) for x in operands]
            return None if None in parts else [edit for part in parts for edit in part or ()]
        if name == "mul" and len(operands) == 2:
            for operand in sorted(operands, key=elements):
                if (edits := self._above(operand, node, gain)) is not None:
                    return edits
        return None

    def _above(self, source: Node, reader: Node, gain: Tensor) -> list[Callable[[], object]] | None:
        if elements(source) == len(gain):
            return [
                lambda: reader.replace_input_with(source, self._multiplied(source, gain, reader))
            ]
        return self._pushed(source, gain) if len(source.users) == 1 else None


def _centres(node: Node) -> bool:
    """Whether a subtraction takes the mean off a map that nothing else reads: any gain passes."""
    source, mean = node.args[:2]
    return (
        isinstance(mean, Node)
        and isinstance(source, Node)
        and operation_of(mean) == "mean"
        and mean.args[:2] == (source, [2, 3])
        and set(source.users) == {node, mean}
        and set(mean.users) == {node}
    )
