"""Which layers a file has rewritten, from a stored table of what runtimes are fast at.

A rewrite trades multiplications for memory moved, and float layers for integer ones. The table says
how many multiplications a runtime makes in the time in which it moves one value of a map, and what
share of the rate of its convolutions its transposed convolutions reach. A layer is rewritten where
that promises less time. The figures are measured by ``docs/benchmarks/rewrites.py``; with a table,
the same file comes out on every machine. Core ML is not in it for float files: nobody has measured
them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from styleexport.core.errors import UsageError
from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import Pass, all_passes, apply_passes
from styleexport.exporter.rewrites.half_outputs import NAME as SCALED_OUTPUTS
from styleexport.exporter.rewrites.phase_convs import rewrite_transposed, rewrite_upsampled
from styleexport.exporter.rewrites.phase_layers import Choice, Choose, Layer

TRANSPOSED, UPSAMPLED = "phase-transposed-convs", "phase-upsampled-convs"
PHASES = (TRANSPOSED, UPSAMPLED)
# A graph, and what was rewritten in it.
Form = tuple[Graph, tuple[PassFact, ...]]
# A layer is rewritten where it is to take at most this share of its time: estimates are rough.
WORTH = 0.95


@dataclass(frozen=True)
class Rates:
    """What a runtime is fast at.

    Attributes:
        macs_a_value: multiplications in the time in which one value of a map is moved.
        transposed: rate of transposed convolutions, as a share of that of convolutions.
        shuffle: times that moving a value takes in depth to space.
    """

    macs_a_value: float
    transposed: float = 1.0
    shuffle: float = 1.0

    def share(self, layer: Layer) -> float:
        """Return the time of a layer's phase convolution by that of the layer, as estimated."""
        rate = self.transposed if layer.transposed else 1.0
        before = layer.before.macs / rate + self.macs_a_value * layer.before.values
        moved = layer.after.values + self.shuffle * layer.after.shuffled
        return (layer.after.macs + self.macs_a_value * moved) / before


# LiteRT upsamples integers faster than it transposes them. ExecuTorch's files hold no depth to
# space: it becomes a transposed convolution again, which writes no map of its own.
INTEGERS = {
    "onnx": Rates(macs_a_value=150),
    "tflite": Rates(macs_a_value=150, shuffle=12),
    "executorch": Rates(macs_a_value=150, shuffle=0),
}
FLOATS = {
    "onnx": Rates(macs_a_value=100, transposed=0.7),
    "executorch": Rates(macs_a_value=100, shuffle=0),
}


def check_rewrites(names: Collection[str]) -> None:
    """Refuse names of rewrites that do not exist.

    Raises:
        UsageError: a name that is neither a pass nor a rewrite.
    """
    known = (*(item.name for item in all_passes()), *PHASES, SCALED_OUTPUTS)
    for name in names:
        if name not in known:
            raise UsageError(f"--no-rewrite {name}: no such rewrite; expected {', '.join(known)}")


def for_integers(graph: Graph, without: Collection[str] = (), target: str = "onnx") -> Form:
    """Return the graph that a target's int8 files are planned on, and what was rewritten.

    Transposed convolutions become integer ones, whatever they cost: most runtimes have no integer
    kernel for them.

    Args:
        graph: float32.
        without: names of rewrites that are turned off.
        target: target; one that nobody has measured is taken for ONNX.
    """

    def transposed(layer: Layer) -> Choice:
        return Choice(taken=True, reason=f"{layer.name}: as integers, it stays in float otherwise")

    rates = INTEGERS.get(target, INTEGERS["onnx"])
    return _rewritten(graph, without, rates, transposed)


def for_floats(graph: Graph, target: str, without: Collection[str] = ()) -> Form:
    """Return the graph that a target's float files are made of, and what was rewritten."""
    rates = FLOATS.get(target)
    if rates is None:
        return graph, ()
    return _rewritten(graph, without, rates, lambda layer: _estimated(layer, rates))


def _rewritten(graph: Graph, without: Collection[str], rates: Rates, transposed: Choose) -> Form:
    def upsampled(layer: Layer) -> Choice:
        return _estimated(layer, rates)

    passes = (
        Pass(TRANSPOSED, 0, lambda module: rewrite_transposed(module, transposed)),
        Pass(UPSAMPLED, 0, lambda module: rewrite_upsampled(module, upsampled)),
    )
    graph, facts = apply_passes(graph, tuple(x for x in passes if x.name not in without))
    return graph, tuple(fact for fact in facts if fact.applied or fact.refused)


def _estimated(layer: Layer, rates: Rates) -> Choice:
    """Return whether a layer is to be rewritten, by the time that is estimated for both forms."""
    share = rates.share(layer)
    reason = (
        f"{layer.name}: {layer.after.macs / layer.before.macs:.2f} of its multiplications, "
        f"an estimated {share:.2f} of its time"
    )
    return Choice(taken=share <= WORTH, reason=reason)
