"""int8 plan of a graph: ranges, equalization and rounded weights, for every target alike."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from styleexport.core.arrays import Arrays
from styleexport.core.cache import remembered
from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import (
    PassFact,
    SizeFact,
)
from styleexport.core.recipe import FloatLayer, Int8Recipe, Settings
from styleexport.core.types import Progress
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.graph.rewrite import tensor_of
from styleexport.exporter.quantize.blocks import (
    AMPLIFIED,
    QuantizedBlock,
    amplified_layers,
    default_float_layers,
    find_blocks,
    float_layer,
    nodes_by_name,
    quantized_blocks,
)
from styleexport.exporter.quantize.calibrate import Calibrated, block_names, calibrate
from styleexport.exporter.quantize.calibration_inputs import CalibrationInputs
from styleexport.exporter.quantize.equalize import equalized
from styleexport.exporter.quantize.fine_outputs import choose_segments, rounding_costs, too_coarse
from styleexport.exporter.quantize.segments import SEGMENT, segmented
from styleexport.exporter.quantize.simulate import simulate
from styleexport.exporter.quantize.weight_rounding import (
    RoundedWeights,
    round_weights,
    with_weights,
)
from styleexport.exporter.recipes import FIRST


@dataclass(frozen=True)
class Int8Plan:
    """A recipe with the weights that it was made for.

    Attributes:
        recipe: ranges, float layers, granularity, in the names of ``source``.
        source: graph as it was captured.
        equalized: ``source`` with its channels brought to one range; itself without scales.
        scales: layer → equalization scale of each channel, [C].
        weights: convolution → weight and bias that take the place of its own.
        facts: rewrites, for the manifest.
    """

    recipe: Int8Recipe
    source: Graph
    equalized: Graph
    scales: Mapping[str, Tensor]
    weights: Mapping[str, RoundedWeights]
    facts: tuple[PassFact, ...]

    def applied(self, *, expand_norms: bool = False) -> AppliedPlan:
        """Return the graph to write; see `equalized` for ``expand_norms``."""
        exact = self.equalized
        if self.scales and expand_norms:
            exact, _ = equalized(self.source, self.scales, expand_norms=True)
        graph = with_weights(exact, self.weights)
        recipe, renamed = self.recipe_for(graph), None
        if self.recipe.segments:
            graph, renamed = segmented(graph, self.recipe.segments, recipe.ranges)
            recipe = self.recipe_for(graph)
        return AppliedPlan(graph, exact, recipe, renamed)

    def with_float_layers(self, float_layers: Sequence[FloatLayer]) -> Int8Plan:
        """Return the plan with more blocks in float; the others keep ranges and weights."""
        every = (*self.recipe.float_layers, *float_layers)
        names = {item.layer for item in every}
        weights = {layer: value for layer, value in self.weights.items() if layer not in names}
        segments = {x: y for x, y in self.recipe.segments.items() if x not in names}
        recipe = msgspec.structs.replace(self.recipe, float_layers=every, segments=segments)
        return dataclasses.replace(self, recipe=recipe, weights=weights)

    def recipe_for(self, graph: Graph) -> Int8Recipe:
        """Return the recipe in the names of a rewritten graph."""
        blocks, rewritten = (
            quantized_blocks(find_blocks(item.reading), self.recipe.float_layers)
            for item in (self.source, graph)
        )
        names = block_names(blocks, rewritten)
        ranges = {names.get(name, name): limits for name, limits in self.recipe.ranges.items()}
        segmented = {x.output for x in rewritten if x.layer in self.recipe.segments}
        ranges |= {
            name: SEGMENT
            for name in segmented
            if operation_of(nodes_by_name(graph.reading)[name]) == "relu6"
        }
        return msgspec.structs.replace(self.recipe, ranges=ranges)


@dataclass(frozen=True)
class AppliedPlan:
    """A plan as a graph.

    Attributes:
        graph: equalized, with rounded weights and outputs in segments: what is written.
        exact: equalized, with float weights: computes what the source computes.
        recipe: recipe in the names of ``graph``.
        renamed: layer of ``exact`` → the same layer of ``graph``; None where they share names.
    """

    graph: Graph
    exact: Graph
    recipe: Int8Recipe
    renamed: Mapping[str, str] | None = None


def make_plan(
    graph: Graph,
    calibration: CalibrationInputs,
    settings: Settings = FIRST,
    float_layers: Sequence[FloatLayer] = (),
    *,
    forced_int8: Collection[str] = (),
    share_phase_scales: bool = False,
    progress: Progress = lambda _: None,
) -> Int8Plan:
    """Return how a graph is to be computed in int8.

    Ranges, scales, segments and rounded weights are cached by content.

    Args:
        graph: float32.
        calibration: inputs that ranges are taken from, of several sizes where the graph takes any.
        settings: how ranges, scales and weights are chosen.
        float_layers: blocks that stay in float, beside those that always do.
        forced_int8: blocks that are computed in int8 although they stay in float by default.
        share_phase_scales: whether channels that depth to space joins have one weight scale.
        progress: takes a line every few seconds.

    Raises:
        UnsupportedOp: every convolution would stay in float.
    """
    module = graph.reading
    blocks = find_blocks(module)
    default = default_float_layers(module, blocks, segments=settings.segments)
    always = [x for x in default if x.layer not in forced_int8]
    every = (*always, *(x for x in float_layers if x.layer not in {y.layer for y in always}))
    kept = quantized_blocks(blocks, every)
    if not kept:
        raise UnsupportedOp(
            "int8 would leave every convolution of the network in float: "
            "type --precision int8-weights"
        )
    inputs = calibration.inputs
    key = _key(graph, calibration, settings, every)
    calibrated = remembered(
        "calibration", key, Calibrated, lambda: calibrate(graph, inputs, kept, settings, progress)
    )
    recipe = Int8Recipe(
        role=graph.role,
        size=SizeFact.of(graph.size),
        settings=settings,
        float_layers=every,
        ranges=calibrated.ranges,
        calibration=msgspec.structs.replace(calibration.fact, method=settings.ranges),
    )
    scales = {name: torch.tensor(values) for name, values in calibrated.scales.items()}
    equal, fact = equalized(graph, scales) if scales else (graph, None)
    if fact is not None and not fact.applied:
        settings = msgspec.structs.replace(settings, equalize=0.0)
        plan = make_plan(
            graph,
            calibration,
            settings,
            float_layers,
            forced_int8=forced_int8,
            share_phase_scales=share_phase_scales,
            progress=progress,
        )
        return dataclasses.replace(plan, facts=(*plan.facts, fact))
    rounding = remembered(
        "rounding",
        _digest(
            key,
            msgspec.json.encode(settings).decode(),
            str(share_phase_scales),
            *sorted(forced_int8),
        ),
        Rounding,
        lambda: _rounding(equal, recipe, kept, inputs, forced_int8, share_phase_scales, progress),
    )
    recipe = msgspec.structs.replace(
        recipe, float_layers=(*every, *rounding.float_layers), segments=rounding.segments
    )
    facts = (fact,) if fact else ()
    return Int8Plan(recipe, graph, equal, scales, rounding.restored(equal), facts)


class Rounding(Struct, frozen=True):
    """Segments, float layers and rounded weights of a recipe, in a form that can be cached.

    Attributes:
        float_layers: blocks that rounding spoils, which stay in float.
        segments: as a recipe has them.
        weights: convolution → bytes of its rounded weight and of its bias, float32.
    """

    float_layers: tuple[FloatLayer, ...]
    segments: dict[str, tuple[float, ...]]
    weights: dict[str, tuple[bytes, bytes]]

    def restored(self, graph: Graph) -> dict[str, RoundedWeights]:
        """Return the weights in the shapes that a graph's have."""
        nodes, restored = nodes_by_name(graph.reading), dict[str, RoundedWeights]()
        for layer, (weight, bias) in self.weights.items():
            own = tensor_of(graph.reading, nodes[layer].args[1])
            assert own is not None
            restored[layer] = RoundedWeights(
                _tensor(weight).reshape(own.shape), _tensor(bias) if bias else None
            )
        return restored


def _rounding(
    equal: Graph,
    recipe: Int8Recipe,
    kept: Sequence[QuantizedBlock],
    inputs: Sequence[Arrays],
    forced_int8: Collection[str],
    share_phase_scales: bool,
    progress: Progress,
) -> Rounding:
    """Return the segments of an equalized graph, and weights rounded for what they will meet."""
    module, simulated, others = equal.reading, equal.module(), ()
    inside = quantized_blocks(find_blocks(module), recipe.float_layers)
    names, settings = block_names(kept, inside), recipe.settings
    ranges = {names[name]: limits for name, limits in recipe.ranges.items()}
    segments: dict[str, tuple[float, ...]] = {}
    if settings.segments:
        costs = rounding_costs(equal.module(), ranges, inputs, progress)
        coarse = too_coarse(costs, inside, amplified_layers(module) - set(forced_int8))
        others = tuple(float_layer(x, AMPLIFIED) for x in kept if x.layer in coarse)
        inside = quantized_blocks(inside, (*recipe.float_layers, *others))
        segments = choose_segments(module, inside, costs)
    simulate(
        simulated,
        inside,
        ranges,
        per_channel=settings.weights == "per-channel",
        levels=settings.levels,
        segmented=segments,
        share_phase_scales=share_phase_scales,
    )
    rounded = round_weights(
        module,
        simulated,
        inside,
        inputs,
        settings,
        share_phase_scales=share_phase_scales,
        progress=progress,
    )
    weights = {layer: (_bytes(x.weight), _bytes(x.bias)) for layer, x in rounded.items()}
    return Rounding(others, segments, weights)


def _bytes(value: Tensor | None) -> bytes:
    return b"" if value is None else value.detach().numpy().tobytes()


def _tensor(stored: bytes) -> Tensor:
    return torch.frombuffer(bytearray(stored), dtype=torch.float32)


def _key(
    graph: Graph,
    calibration: CalibrationInputs,
    settings: Settings,
    float_layers: Sequence[FloatLayer],
) -> str:
    """Return the digest of all that calibration depends on; a graph's own says nothing of sizes."""
    sizes = [f"{size.height}x{size.width}" for size in calibration.fact.sizes]
    chosen = msgspec.to_builtins(settings)
    del chosen["activation_bits"], chosen["weight_bits"]  # ranges do not depend on them
    choices = msgspec.json.encode(chosen).decode()
    count, sha256 = len(calibration.inputs), calibration.fact.sha256
    parts = (graph.digest(), str(graph.size), str(count), sha256, calibration.encoder, choices)
    return _digest(*parts, *sizes, *(x.layer for x in float_layers))


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join((_code(), *parts)).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Return the digest of this folder's code: what another version computed is not reused."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
