"""Runs of a graph on inputs that follow each other, in which only what has changed is computed.

Calibration and quality show each photograph with several styles. What of a network depends on the
photograph alone, its encoder, comes out the same for all of them, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch._ops import OpOverload
from torch.fx import GraphModule, Interpreter, Node


class FollowingRuns(Interpreter):
    """Runs a graph, and computes again what depends on an input that is another object than before.

    A value is kept from run to run where something reads it that depends on more inputs than it
    does, or that is an output. A graph that writes into its values is computed whole each time.

    Args:
        module: captured module.
    """

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self._depends = _inputs_of(module)
        self._placeholders = [node for node in module.graph.nodes if node.op == "placeholder"]
        self._frontier = {
            node
            for node, inputs in self._depends.items()
            if any(self._depends[r] > inputs or r.op == "output" for r in node.users)
        }
        self._reuses = not any(map(_writes, module.graph.nodes))
        self._kept: dict[Node, Any] = {}
        self._before: tuple[object, ...] = ()

    def follow(self, inputs: Sequence[object], tensors: Sequence[Tensor]) -> Any:  # noqa: ANN401
        """Return the outputs of a run.

        Args:
            inputs: what tells the inputs from those of the run before, in order: an input that is
                the same object holds the same values.
            tensors: the inputs as tensors.
        """
        changed = frozenset(
            node
            for place, node in enumerate(self._placeholders)
            if not self._before or inputs[place] is not self._before[place]
        )
        known: dict[Node, Any] = {}
        if self._reuses and self._before:
            known = {
                node: self._kept.get(node)
                for node, needed in self._depends.items()
                if node.op not in ("placeholder", "output") and not needed & changed
            }
        outputs = self.run(*tensors, initial_env=known)
        self._before = tuple(inputs)
        return outputs

    def run_node(self, n: Node) -> Any:  # noqa: ANN401 - any value of a graph
        """Compute a node, and keep its value where a later run may read it."""
        value = super().run_node(n)
        if n in self._frontier and self._reuses:
            self._kept[n] = value
        return value


def _inputs_of(module: GraphModule) -> dict[Node, frozenset[Node]]:
    """Return node → the inputs that it depends on."""
    found: dict[Node, frozenset[Node]] = {}
    for node in module.graph.nodes:
        own = frozenset((node,)) if node.op == "placeholder" else frozenset[Node]()
        found[node] = own.union(*(found[other] for other in node.all_input_nodes))
    return found


def _writes(node: Node) -> bool:
    """Whether an operation writes into what it reads, or is none that says so."""
    if node.op != "call_function":
        return node.op in ("call_module", "call_method")
    target = node.target
    return isinstance(target, OpOverload) and target._schema.is_mutable  # pyright: ignore[reportPrivateUsage]
