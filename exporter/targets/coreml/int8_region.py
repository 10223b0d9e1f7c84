"""int8 region of an ML program: its convolutions, and what moves values to them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from styleexport.core.manifest import FloatIslandFact
from styleexport.core.recipe import Int8Recipe
from styleexport.core.thresholds import CHOICES
from styleexport.exporter.graph.graph import CHOSEN_BY, Graph
from styleexport.exporter.graph.rewrite import tensor_of
from styleexport.exporter.quantize.blocks import QuantizedBlock, find_blocks, nodes_by_name
from styleexport.runtime_bench.coreml_program.program import Operation
from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph

# Operations whose values are among those that they read.
MOVING = ("concat", "max_pool", "pad", "slice_by_index", "upsample_nearest_neighbor")
STATISTICS = ("reduce_mean", "sub", "mul", "sqrt", "rsqrt", "real_div", "add", "instance_norm")
TRANSPOSED = "Core ML's own tools write no integer transposed convolution"
# Weights of the program against the graph's: they were rounded to float16.
TOLERANCE = 4e-3


class Body:
    """The part of a float program that is to be computed in int8.

    A convolution belongs to it if its weight is stored and it is no float layer of the recipe, and
    an operation that only moves values if everything that reads it does.

    Args:
        program: read from disk.
        graph: graph that it was made from.
        recipe: recipe that tells which convolutions stay in float.
    """

    def __init__(self, program: CoremlGraph, graph: Graph, recipe: Int8Recipe) -> None:
        module = graph.reading
        self.program = program
        self.recipe = recipe
        self.blocks = {block.layer: block for block in find_blocks(module)}
        self.layers = _layers(program, graph, self.blocks)
        places = (node.name for node in module.graph.nodes if node.op == "placeholder")
        self.inputs = dict(zip(places, (fact.name for fact in graph.inputs), strict=True))

    @cached_property
    def convolutions(self) -> tuple[Operation, ...]:
        """The convolutions, in order."""
        floats = {item.layer for item in self.recipe.float_layers}
        return tuple(
            item
            for item in self.program.steps
            if item.kind == "conv"
            and item.inputs["weight"][0] in self.program.weights
            and self.layers.get(item.outputs[0].name) not in floats
        )

    @cached_property
    def moving(self) -> dict[str, Operation]:
        """Tensor → the operation that moves its values there from one other tensor."""
        several: set[str] = set()
        while True:
            found = self._movers(several)
            # A concat of several tensors has a range of its own.
            more = {k for k, v in found.items() if len(set(self._origins(v, found))) > 1}
            if not more:
                return found
            several |= more

    def _movers(self, without: set[str]) -> dict[str, Operation]:
        """Return the operations that move values to the body alone, by what they make."""
        inside = {item.outputs[0].name for item in self.convolutions}
        readers: dict[str, list[str]] = {}
        for item in self.program.steps:
            for name in item.reads():
                readers.setdefault(name, []).append(item.outputs[0].name)
        returned = {feature.name for feature in self.program.package.outputs}
        found: dict[str, Operation] = {}
        for item in reversed(self.program.steps):
            name = item.outputs[0].name
            after = readers.get(name, [])
            if name in without | returned or not after or not self._moves(item):
                continue
            if inside.issuperset(after):
                inside.add(name)
                found[name] = item
        return found

    def _moves(self, item: Operation) -> bool:
        if item.kind == "pad" and self.program.constant(item, "mode") == "constant":
            return not np.any(np.asarray(self.program.constant(item, "constant_val"), np.float32))
        return item.kind in MOVING

    def activations(self, item: Operation) -> tuple[str, ...]:
        """Return the tensors that an operation of the body reads, without constants."""
        return tuple(name for name in item.reads() if name not in self.program.weights)

    def _origins(self, item: Operation, moving: dict[str, Operation]) -> Iterator[str]:
        for name in self.activations(item):
            if name in moving:
                yield from self._origins(moving[name], moving)
            else:
                yield name

    def origin(self, name: str) -> str:
        """Return the tensor whose values a tensor of the body holds."""
        if name not in self.moving:
            return name
        return next(self._origins(self.moving[name], self.moving))

    @cached_property
    def origins(self) -> dict[str, QuantizedBlock | None]:
        """Tensor that needs a range → a block that reads it, if the program tells which."""
        found: dict[str, QuantizedBlock | None] = {}
        for item in self.convolutions:
            (name,) = self.activations(item)
            block = self.blocks.get(self.layers.get(item.outputs[0].name, ""))
            found[self.origin(name)] = found.get(self.origin(name)) or block
        return found

    def called(self, name: str) -> tuple[str, ...]:
        """Return the names that a recipe may have for a tensor that needs a range."""
        block = self.origins[name]
        if block is None:
            return ()
        return (block.source, *([self.inputs[block.source]] if block.source in self.inputs else []))

    @cached_property
    def reads(self) -> dict[str, frozenset[str]]:
        """Tensor to be held in int8 → outputs of the operations of the body that read it.

        Slices are left out: they go into a concat, and its result is held.
        """
        found: dict[str, set[str]] = {}
        for item in (*self.convolutions, *self.moving.values()):
            for name in self.activations(item):
                if name not in self.moving or self.moving[name].kind != "slice_by_index":
                    found.setdefault(name, set()).add(item.outputs[0].name)
        return {name: frozenset(outputs) for name, outputs in found.items()}

    def float_layers(self) -> Iterator[FloatIslandFact]:
        """Yield what stays in float, and why."""
        transposed = tuple(block.layer for block in self.blocks.values() if block.transposed)
        for float_layer in self.recipe.float_layers:
            if float_layer.layer not in transposed:
                yield FloatIslandFact(ops=(float_layer.layer,), reason=float_layer.reason)
        found = dict.fromkeys(item.kind for item in self.program.steps)
        computed = tuple(
            item.name
            for item in self.program.steps
            if item.kind == "conv" and item.inputs["weight"][0] not in self.program.weights
        )
        for ops, reason in (
            (transposed, TRANSPOSED),
            (computed, "its weight is computed from the inputs"),
            (tuple(op for op in ("linear", "matmul") if op in found), "not a convolution"),
            (tuple(op for op in CHOICES if op in found), CHOSEN_BY),
            (
                tuple(op for op in STATISTICS if op in found),
                "instance statistics lose 5 to 13 dB in int8",
            ),
        ):
            if ops:
                yield FloatIslandFact(ops=ops, reason=reason)

    def not_applied(self) -> Iterator[str]:
        """Yield why parts of the recipe do not apply to this program."""
        named = {item.layer for item in self.recipe.float_layers}
        for layer, block in self.blocks.items():
            if block.transposed and layer not in named:
                yield f"{layer} stays in float: {TRANSPOSED}"
        for layer in named:
            if layer not in self.blocks:
                yield f"{layer}, an island, is no convolution of the graph"
            elif not self.blocks[layer].transposed and layer not in self.layers.values():
                yield f"{layer}, an island, was merged by the converter: computed in int8"


def _layers(
    program: CoremlGraph, graph: Graph, blocks: dict[str, QuantizedBlock]
) -> dict[str, str]:
    """Return output of each convolution of a program → convolution of the graph.

    Weights tell which is which. Names and values do not: the converter multiplies the scale that
    follows a convolution into its weights, and names it after the product. Convolutions of equal
    weights are taken in order.
    """
    module = graph.reading
    nodes, weights = nodes_by_name(module), dict[str, NDArray[np.float64]]()
    for layer, block in blocks.items():
        weight = tensor_of(module, nodes[layer].args[1])
        if weight is not None and not block.transposed:
            weights[layer] = _normalised(weight.detach().numpy())
    found: dict[str, str] = {}
    for item in program.steps:
        stored = program.constant(item, "weight") if item.kind == "conv" else None
        if isinstance(stored, np.ndarray):
            normalised = _normalised(stored)
            layer = next((key for key, value in weights.items() if _agree(value, normalised)), None)
            if layer is not None:
                found[item.outputs[0].name] = layer
                del weights[layer]
    return found


def _normalised(weight: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the magnitudes of a weight, the largest of each output channel as 1."""
    size = np.abs(weight.astype(np.float64))
    return size / np.maximum(size.max(tuple(range(1, size.ndim)), keepdims=True), 1e-30)


def _agree(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return one.shape == other.shape and float(np.abs(one - other).max()) < TOLERANCE
