"""The mechanism of passes: each applies or refuses with a reason, and is proven in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node

from styleexport.core import plugins
from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph, example_inputs
from styleexport.exporter.graph.modules import copied
from styleexport.exporter.graph.proof import in_float64, retype, run_exactly

PACKAGE = "styleexport.exporter.passes"
TOLERANCE = 1e-10
# Of two float32 programs of one graph at full size, of which the float64 ones agree on small ones.
FLOAT32_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Outcome:
    """Result of a pass: number of places rewritten, and reasons for the others and for these."""

    applied: int
    refused: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pass:
    """An exact rewrite.

    Attributes:
        name: the file's.
        stage: passes run in rising order.
        rewrite: changes the module in place and says what it did.
    """

    name: str
    stage: int
    rewrite: Callable[[GraphModule], Outcome]


def all_passes() -> tuple[Pass, ...]:
    """Return every pass of the directory, in the order they run."""
    found = [plugins.load(PACKAGE, name, "PASS") for name in plugins.names(PACKAGE)]
    passes = [item for item in found if isinstance(item, Pass)]
    return tuple(sorted(passes, key=lambda item: (item.stage, item.name)))


def apply_passes(
    graph: Graph,
    passes: tuple[Pass, ...] | None = None,
    example: Sequence[Tensor] | None = None,
    *,
    proven: bool = True,
) -> tuple[Graph, tuple[PassFact, ...]]:
    """Return the rewritten graph and what each pass did.

    Weights are rewritten in float64 and rounded to float32 once, at the end. A pass whose rewrite
    changes the float64 output by more than 1e-10 of its largest value is undone and reported as
    refused. All are proven together, and one by one where that fails. A graph that takes smaller
    pictures is proven on those, and compared in float32 at its own size; if either fails, it is
    proven in float64 at its own size.

    Args:
        graph: float32.
        passes: passes to apply; None for every pass of the directory.
        example: inputs of the proof, in the order of the graph's; None for random ones.
        proven: False for a graph that is only looked at, whose rewrite is proven before it counts.
    """
    chosen = passes if passes is not None else all_passes()
    module = in_float64(graph.module())
    rewritten, outcomes = _all_together(module, chosen)
    applied = any(outcome.applied for outcome in outcomes)
    if not (proven and applied):
        return _in_float32(graph, rewritten), _facts(chosen, outcomes)
    if example is None and _is_exact_in_small(graph, rewritten):
        result = _in_float32(graph, copied(rewritten))
        if _relative_difference(result.float_outputs, graph.float_outputs) <= FLOAT32_TOLERANCE:
            return result, _facts(chosen, outcomes)
    inputs = tuple(x.double() for x in example or example_inputs(graph.inputs, graph.size))
    expected = graph.exact_outputs if example is None else run_exactly(module, inputs)
    if _difference(rewritten, inputs, expected) > TOLERANCE:
        rewritten, outcomes = _one_by_one(module, chosen, inputs, expected)
    return _in_float32(graph, rewritten), _facts(chosen, outcomes)


def _in_float32(graph: Graph, rewritten: nn.Module) -> Graph:
    """Return a graph as a module in float64, changed in place, was rewritten."""
    assert isinstance(rewritten, GraphModule)
    retype(rewritten, torch.float64, torch.float32)
    return graph.with_module(rewritten.float())


def _facts(passes: Sequence[Pass], outcomes: Sequence[Outcome]) -> tuple[PassFact, ...]:
    return tuple(
        PassFact(
            name=item.name,
            applied=outcome.applied,
            refused=outcome.refused,
            reasons=outcome.reasons,
        )
        for item, outcome in zip(passes, outcomes, strict=True)
    )


def _is_exact_in_small(graph: Graph, rewritten: GraphModule) -> bool:
    """Whether a rewrite, in float64, changes nothing for smaller pictures, which both take."""
    small = graph.small_run
    if small is None:
        return False
    try:
        return _difference(rewritten, small.inputs, small.outputs) <= TOLERANCE
    except Exception:  # noqa: BLE001 - whatever an operation says of a size
        return False


def _all_together(module: GraphModule, passes: Sequence[Pass]) -> tuple[GraphModule, list[Outcome]]:
    """Return a copy after all passes, and what each did."""
    candidate, outcomes = copied(module), list[Outcome]()
    assert isinstance(candidate, GraphModule)
    for item in passes:
        before = _operations(candidate)
        outcome = item.rewrite(candidate)
        if not outcome.applied and _operations(candidate) != before:
            return _in_turn(module, passes)
        outcomes.append(outcome)
    candidate.graph.lint()
    candidate.recompile()
    return candidate, outcomes


def _operations(module: GraphModule) -> list[str]:
    return [f"{n.name} {n.op} {n.target} {n.args} {n.kwargs}" for n in module.graph.nodes]


def _in_turn(module: GraphModule, passes: Sequence[Pass]) -> tuple[GraphModule, list[Outcome]]:
    """Return a module after all passes, each on a copy: one that gave up may have left traces."""
    outcomes: list[Outcome] = []
    for item in passes:
        module, outcome = _rewritten(module, item)
        outcomes.append(outcome)
    return module, outcomes


def _rewritten(module: GraphModule, item: Pass) -> tuple[GraphModule, Outcome]:
    """Return a rewritten copy, or the module itself where the pass found nothing to do."""
    candidate = copied(module)
    assert isinstance(candidate, GraphModule)
    outcome = item.rewrite(candidate)
    if not outcome.applied:
        return module, outcome
    candidate.graph.lint()
    candidate.recompile()
    return candidate, outcome


def _one_by_one(
    module: GraphModule,
    passes: tuple[Pass, ...],
    inputs: tuple[Tensor, ...],
    expected: tuple[Tensor, ...],
) -> tuple[GraphModule, list[Outcome]]:
    """Return the module after those passes that are exact, and what became of each."""
    outcomes: list[Outcome] = []
    for item in passes:
        candidate, outcome = _rewritten(module, item)
        difference = _difference(candidate, inputs, expected) if outcome.applied else 0.0
        if difference > TOLERANCE:
            reason = f"not exact here: changed the output by {difference:.1e} of its largest value"
            outcome = Outcome(0, (*outcome.refused, reason))
        else:
            module = candidate
        outcomes.append(outcome)
    return module, outcomes


def _difference(
    module: GraphModule, inputs: tuple[Tensor, ...], expected: tuple[Tensor, ...]
) -> float:
    """Return the largest difference of an output from what is expected, of its largest value."""
    return _relative_difference(run_exactly(module, inputs), expected)


def _relative_difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest difference of an output, of its largest value; infinite for NaN."""
    return max(
        float(((x - y).abs().max() / y.abs().max().clamp_min(1e-30)).nan_to_num(math.inf))
        for x, y in zip(found, expected, strict=True)
    )


def tensor_of(module: GraphModule, node: object) -> Tensor | None:
    """Return the weight or constant that a ``get_attr`` node reads, or None."""
    if not isinstance(node, Node) or node.op != "get_attr":
        return None
    value: object = module
    for part in str(node.target).split("."):
        value = getattr(value, part)
    return value if isinstance(value, Tensor) else None


def add_weight(module: GraphModule, like: Node, value: Tensor) -> Node:
    """Add a new weight to the module and return the node that reads it, placed before ``like``."""
    number = sum(name.startswith("folded_") for name, _ in module.named_buffers())
    name = f"folded_{number}"
    module.register_buffer(name, value.detach())
    with module.graph.inserting_before(like):
        node = module.graph.get_attr(name)
    node.meta["val"] = value
    return node


def argument(node: Node, position: int, name: str, default: object = None) -> object:
    """Return an operator's argument whether it was given by position or by name."""
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name, default)
