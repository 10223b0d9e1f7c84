"""How far operations reach that the geometry of maps does not know, measured on the graph.

One place of a map is changed by more than the map's largest value, and the places that change in
what is computed of it tell how far that reaches. Values are random, so that a place that depends on
another shows it; a split is proven on a photograph afterwards all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node
from torch.fx.node import map_arg

from styleexport.core.errors import UnsupportedOp
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.tiling.field import refusal
from styleexport.exporter.tiling.operations import FLATTENED

# What moves values without reading others; the message names what comes behind.
MOVING = (*FLATTENED, "transpose", "permute", "mT", "t", "pad", "unsqueeze", "clone")
# Places that are changed, as shares of height and width.
PLACES = ((0.5, 0.5), (0.37, 0.61), (0.63, 0.41))
# A reach of more than this share of a map is one over the picture.
LARGEST_SHARE = 0.25


class MeasuredReach:
    """Measures how far maps of a graph reach; a `Reach`.

    Args:
        module: the graph.
        examples: inputs.

    Attributes:
        measured: map → places that it reaches beyond those that it is computed of.
    """

    def __init__(self, module: GraphModule, examples: Sequence[Tensor]) -> None:
        self._module, self._examples = module, examples
        self._values: dict[Node, Any] = {}
        self.measured: dict[Node, int] = {}

    def __call__(self, node: Node, maps: Sequence[Node]) -> int:
        """Return how many places further a map reaches than those that it is computed of.

        Raises:
            UnsupportedOp: it reaches over the picture.
        """
        if not self._values:
            interpreter = Interpreter(self._module, garbage_collect_values=False)
            with torch.inference_mode():
                interpreter.run(*self._examples)
            self._values = dict(interpreter.env)
        inner = self._between(node, maps)
        most = max(self._reach(node, item, inner) for item in maps)
        if most > LARGEST_SHARE * min(self._values[node].shape[2:]):
            raise UnsupportedOp(refusal(next(n for n in inner if operation_of(n) not in MOVING)))
        self.measured[node] = most
        return most

    def _between(self, node: Node, maps: Sequence[Node]) -> list[Node]:
        """Return the nodes between some maps and one computed of them, in order."""
        found, pending = {node}, [node]
        while pending:
            new = [n for n in pending.pop().all_input_nodes if n not in maps and n not in found]
            new = [n for n in new if n.op == "call_function"]
            found.update(new)
            pending += new
        return [n for n in self._module.graph.nodes if n in found]

    def _reach(self, node: Node, changed: Node, inner: Sequence[Node]) -> int:
        """Return how far a change of one map reaches."""
        value: Tensor = self._values[changed]
        height, width = value.shape[2:]
        before, most = self._values[node], 0
        for down, across in PLACES:
            row, column = int(down * height), int(across * width)
            other = value.clone()
            other[:, :, row, column] += 10 * value.abs().max() + 1
            after = self._computed(node, inner, {changed: other})
            places = (after != before).flatten(0, 1).any(0).nonzero()
            if len(places):
                most = max(most, int((places - torch.tensor([row, column])).abs().max()))
        return most

    def _computed(
        self, node: Node, inner: Sequence[Node], changed: Mapping[Node, Tensor]
    ) -> Tensor:
        """Return a node's value with some other ones changed."""
        known: dict[Node, Any] = dict(changed)

        def value_of(item: Node) -> Any:  # noqa: ANN401 - any value of a graph
            return known[item] if item in known else self._values[item]

        with torch.inference_mode():
            for item in inner:
                arguments = map_arg(item.args, value_of), map_arg(item.kwargs, value_of)
                assert callable(item.target)
                known[item] = item.target(*arguments[0], **arguments[1])
        return known[node]
