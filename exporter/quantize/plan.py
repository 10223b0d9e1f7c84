"""From a graph and calibration pictures to what every target needs for an int8 file."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import torch
from msgspec import Struct
from torch import Tensor
from torch.fx import GraphModule

from styleexport.core.arrays import Arrays
from styleexport.core.cache import remembered
from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import (
    CalibrationFact,
    FloatIslandFact,
    PassFact,
    QuantizationFact,
    SizeFact,
)
from styleexport.core.recipe import Int8Recipe, Island, Range, Settings
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import add_weight
from styleexport.exporter.quantize.blocks import (
    Unit,
    default_islands,
    find_units,
    kind,
    nodes_by_name,
    quantized_units,
    ranged_layers,
)
from styleexport.exporter.quantize.equalize import equalized, gains_from_ranges
from styleexport.exporter.quantize.ranges import Seen, observe, ranges_of, seen_with_gains
from styleexport.exporter.quantize.simulate import leads_to, simulate
from styleexport.exporter.quantize.weight_rounding import Repaired, repaired

# What the fixed recipe does; on real networks it is the best that costs no speed
# (docs/decisions/0009).
DEFAULT = Settings(
    weights="per-channel",
    ranges="min-max",
    equalize=0.75,
    bias_correction=True,
    rounding="reconstructed",
)
STATISTICS = ("mean", "sub", "mul", "div", "add", "sqrt", "rsqrt", "instance_norm")


@dataclass(frozen=True)
class Int8Plan:
    """A recipe with the weights that it was made for.

    Attributes:
        recipe: ranges, islands, granularity, in the names of the source.
        source: the graph as it was.
        gains: layer → gain a channel.
        weights: convolution → weight and bias that take the place of its own.
        facts: the rewrites, for the manifest.
        equal: the equalized graphs that were proven, with norms written out and without.
    """

    recipe: Int8Recipe
    source: Graph
    gains: Mapping[str, Tensor]
    weights: Mapping[str, Repaired]
    facts: tuple[PassFact, ...]
    equal: dict[bool, Graph] = field(
        default_factory=dict[bool, Graph], init=False, repr=False, compare=False
    )

    def followed(
        self, *, expand_norms: bool = False, repair: bool = True
    ) -> tuple[Graph, Int8Recipe]:
        """Return the equalized graph that is to be written, and the recipe in its names.

        Args:
            expand_norms: see `equalized`.
            repair: whether it has the repaired weights, or float ones.
        """
        graph = self.source
        if self.gains:
            if expand_norms not in self.equal:
                self.equal[expand_norms], _ = equalized(
                    graph, self.gains, expand_norms=expand_norms
                )
            graph = self.equal[expand_norms]
        if repair:
            graph = with_weights(graph, self.weights)
        names = _names(find_units(self.source.module()), find_units(graph.module()))
        ranges = {names.get(name, name): limits for name, limits in self.recipe.ranges.items()}
        return graph, msgspec.structs.replace(self.recipe, ranges=ranges)


def _names(units: Sequence[Unit], rewritten: Sequence[Unit]) -> dict[str, str]:
    """Return the name of each source and output → its name in a rewritten graph.

    Convolutions keep their names, as no rewrite adds or removes one; what lies between may not.
    """
    named = {unit.layer: unit for unit in rewritten}
    pairs = [(unit, named[unit.layer]) for unit in units]
    return {
        before: after
        for old, new in pairs
        for before, after in ((old.source, new.source), (old.output, new.output))
    }


def with_weights(graph: Graph, weights: Mapping[str, Repaired]) -> Graph:
    """Return the graph with other weights and biases in some of its convolutions."""
    if not weights:
        return graph
    module = graph.module()
    by_name = nodes_by_name(module)
    with torch.no_grad():
        for layer, value in weights.items():
            node = by_name[layer]
            for position, new in ((1, value.weight), (2, value.bias)):
                if new is not None:
                    node.update_arg(position, add_weight(module, node, new))
    module.graph.eliminate_dead_code()
    module.recompile()
    return graph.with_module(module)


class _Calibrated(Struct, frozen=True):
    """What calibration tells of a graph: all that has to be kept of it."""

    gains: dict[str, list[float]]
    ranges: dict[str, Range]


def make_plan(
    graph: Graph,
    feeds: Sequence[Arrays],
    calibration: CalibrationFact,
    settings: Settings = DEFAULT,
    islands: Sequence[Island] = (),
    *,
    lifted: Collection[str] = (),
) -> Int8Plan:
    """Return how a graph is to be computed in int8.

    What calibration saw is kept by content, and taken from there the next time.

    Args:
        graph: float32, one size.
        feeds: calibration inputs.
        calibration: where they came from, for the record.
        settings: the choices.
        islands: units that stay in float, beside those that always do.
        lifted: units that are computed in int8 although they stay in float by default.
    """
    module = graph.module()
    units = find_units(module)
    always = [x for x in default_islands(module, units) if x.layer not in lifted]
    every = (*always, *(x for x in islands if x.layer not in {y.layer for y in always}))
    kept = quantized_units(units, every)
    if not kept:
        raise UnsupportedOp(
            "int8 would leave every convolution of the network in float: "
            "type --quantize int8-weights"
        )
    key = _key(graph, len(feeds), calibration, settings, every)
    calibrated = remembered(
        "calibration", key, _Calibrated, lambda: _calibrate(graph, feeds, kept, settings)
    )
    recipe = Int8Recipe(
        role=graph.role,
        size=SizeFact.of(graph.size),
        settings=settings,
        islands=every,
        ranges=calibrated.ranges,
        calibration=msgspec.structs.replace(calibration, method=settings.ranges),
    )
    return _repaired_plan(graph, recipe, calibrated, kept, feeds)


def _repaired_plan(
    graph: Graph,
    recipe: Int8Recipe,
    calibrated: _Calibrated,
    kept: Sequence[Unit],
    feeds: Sequence[Arrays],
) -> Int8Plan:
    """Return the plan of a recipe: equalized, its weights repaired for what they will meet."""
    gains = {name: torch.tensor(gain) for name, gain in calibrated.gains.items()}
    equal, fact = equalized(graph, gains) if gains else (graph, None)
    module, simulated = equal.module(), equal.module()
    inside = quantized_units(find_units(module), recipe.islands)
    names, per_channel = _names(kept, inside), recipe.settings.weights == "per-channel"
    ranges = {names[name]: limits for name, limits in calibrated.ranges.items()}
    simulate(simulated, inside, ranges, per_channel=per_channel)
    weights = repaired(module, simulated, inside, feeds, recipe.settings)
    plan = Int8Plan(recipe, graph, gains, weights, (fact,) if fact else ())
    plan.equal[False] = equal
    return plan


def _key(
    graph: Graph,
    count: int,
    calibration: CalibrationFact,
    settings: Settings,
    islands: Sequence[Island],
) -> str:
    """Return the digest of all that calibration depends on; a graph's own says nothing of sizes."""
    choices = msgspec.json.encode(settings).decode()
    parts = (graph.digest(), str(graph.size), str(count), calibration.sha256, choices)
    return hashlib.sha256(" ".join(("4", *parts, *(x.layer for x in islands))).encode()).hexdigest()


def _calibrate(
    graph: Graph, feeds: Sequence[Arrays], units: Sequence[Unit], settings: Settings
) -> _Calibrated:
    module, samples = graph.module(), settings.ranges != "min-max"
    names = {name: name for name in ranged_layers(units)}
    if not settings.equalize:
        ranges = ranges_of(
            module, observe(module, feeds, tuple(names), samples=samples), settings.ranges
        )
        return _Calibrated({}, ranges)
    seen = observe(module, feeds, tuple(names))
    gains = _gains(module, units, seen, settings)
    equal = equalized(graph, gains)[0].module()
    names = _names(units, find_units(equal))
    if samples:
        seen = observe(equal, feeds, tuple(names.values()), samples=True)
    else:
        seen = seen_with_gains(seen, module, equal, names, feeds)
    ranges = ranges_of(equal, seen, settings.ranges)
    listed = {name: [float(x) for x in gain] for name, gain in gains.items()}
    return _Calibrated(listed, {name: ranges[after] for name, after in names.items()})


def _gains(
    module: GraphModule, units: Sequence[Unit], seen: Mapping[str, Seen], settings: Settings
) -> dict[str, Tensor]:
    """Return layer → gain a channel.

    What a float operation reads gets the same range in every channel, as that costs nothing; what
    only convolutions read gets it in part, as it makes their weights harder to round.
    """
    by_name = nodes_by_name(module)
    layers = {by_name[unit.layer] for unit in units}
    outputs = {unit.output: unit for unit in units}
    found: dict[str, Tensor] = {}
    for name, item in seen.items():
        node = by_name[name]
        if node.op != "call_function" or kind(node) in ("clamp", "hardtanh"):
            continue
        ahead = [r for x in node.users for r in (x.users if kind(x) == "relu" else (x,))]
        inside = all(leads_to(reader, layers) for reader in ahead)
        strength = settings.equalize if inside else 1.0
        key = outputs[name].layer if name in outputs else name
        found[key] = gains_from_ranges(item.low, item.high, strength)
    return found


def quantization_fact(
    module: GraphModule,
    recipe: Int8Recipe,
    scheme: Literal["qdq-static", "static"],
    activations: Literal["uint8", "int8"],
) -> QuantizationFact:
    """Return the record of a file that follows a recipe."""
    reasons: dict[str, list[str]] = {}
    for island in recipe.islands:
        reasons.setdefault(island.reason, []).append(island.layer)
    islands = [FloatIslandFact(ops=tuple(ops), reason=reason) for reason, ops in reasons.items()]
    present = {kind(node) for node in module.graph.nodes}
    if statistics := tuple(op for op in STATISTICS if op in present):
        islands.append(
            FloatIslandFact(ops=statistics, reason="instance statistics lose 5 to 13 dB in int8")
        )
    return QuantizationFact(
        scheme=scheme,
        weight_dtype="int8",
        activation_dtype=activations,
        per_channel=recipe.settings.weights == "per-channel",
        calibration=recipe.calibration,
        float_islands=tuple(islands),
    )
