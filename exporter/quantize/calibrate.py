"""Calibration of a graph: the scales that equalize its channels, and the ranges of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct
from torch import Tensor
from torch.fx import GraphModule

from styleexport.core.arrays import Arrays
from styleexport.core.recipe import Range, Settings
from styleexport.core.types import Progress
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.quantize.blocks import (
    LIMITING,
    QuantizedBlock,
    find_blocks,
    nodes_by_name,
    phases_of,
    ranged_layers,
)
from styleexport.exporter.quantize.equalize import equalization_scales, equalized
from styleexport.exporter.quantize.ranges import (
    LayerStatistics,
    equalized_statistics,
    observe,
    ranges_of,
)
from styleexport.exporter.quantize.simulate import leads_to


def block_names(
    blocks: Sequence[QuantizedBlock], rewritten: Sequence[QuantizedBlock]
) -> dict[str, str]:
    """Return the name of each source and output → its name in a rewritten graph.

    Convolutions keep their names, as no rewrite adds or removes one; what lies between may not.
    """
    named = {block.layer: block for block in rewritten}
    pairs = [(block, named[block.layer]) for block in blocks]
    return {
        before: after
        for old, new in pairs
        for before, after in ((old.source, new.source), (old.output, new.output))
    }


def torn(blocks: Sequence[QuantizedBlock], rewritten: Sequence[QuantizedBlock]) -> set[str]:
    """Return the layers whose values two blocks shared, and no longer do in a rewritten graph.

    One of them reads the values with their gains, another without: no one range fits both.
    """
    named = {block.layer: block for block in rewritten}
    after: dict[str, set[str]] = {}
    for block in blocks:
        after.setdefault(block.source, set()).add(named[block.layer].source)
        after.setdefault(block.output, set()).add(named[block.layer].output)
    outputs = {block.output: block.layer for block in blocks}
    return {outputs.get(name, name) for name, names in after.items() if len(names) > 1}


class Calibrated(Struct, frozen=True):
    """Result of a calibration: equalization scales and ranges, by layer."""

    scales: dict[str, list[float]] = msgspec.field(name="gains")
    ranges: dict[str, Range]


def calibrate(
    graph: Graph,
    inputs: Sequence[Arrays],
    blocks: Sequence[QuantizedBlock],
    settings: Settings,
    progress: Progress,
) -> Calibrated:
    """Return the ranges and equalization scales of blocks, from calibration inputs.

    Whether the graph with those scales is exact is left to whoever applies them.
    """
    module, samples = graph.reading, settings.ranges != "min-max"
    names = {name: name for name in ranged_layers(blocks)}
    if not settings.equalize:
        ranges = ranges_of(
            module,
            observe(module, inputs, tuple(names), samples=samples, progress=progress),
            settings.ranges,
        )
        return Calibrated({}, ranges)
    statistics = observe(module, inputs, tuple(names), progress=progress)
    scales = _scales(module, blocks, statistics, settings)
    equal = equalized(graph, scales, proven=False)[0].reading
    while torn_layers := torn(blocks, find_blocks(equal)) & scales.keys():
        scales = {layer: scale for layer, scale in scales.items() if layer not in torn_layers}
        equal = equalized(graph, scales, proven=False)[0].reading
    names = block_names(blocks, find_blocks(equal))
    if samples:
        layers = tuple(names.values())
        statistics = observe(equal, inputs, layers, samples=True, progress=progress)
    else:
        statistics = equalized_statistics(statistics, equal, names, inputs, progress)
    ranges = ranges_of(equal, statistics, settings.ranges)
    listed = {name: [float(x) for x in scale] for name, scale in scales.items()}
    return Calibrated(listed, {name: ranges[after] for name, after in names.items()})


def _scales(
    module: GraphModule,
    blocks: Sequence[QuantizedBlock],
    statistics: Mapping[str, LayerStatistics],
    settings: Settings,
) -> dict[str, Tensor]:
    """Return layer → equalization scale of each channel.

    What a float operation reads gets the same range in every channel, as that costs nothing; what
    only convolutions read gets it in part, as it makes their weights harder to round.
    """
    by_name = nodes_by_name(module)
    layers = {by_name[block.layer] for block in blocks}
    outputs = {block.output: block for block in blocks}
    found: dict[str, Tensor] = {}
    for name, item in statistics.items():
        node = by_name[name]
        if node.op != "call_function" or operation_of(node) in LIMITING:
            continue
        ahead = [r for x in node.users for r in (x.users if operation_of(x) == "relu" else (x,))]
        inside = all(leads_to(reader, layers) for reader in ahead)
        strength = settings.equalize if inside else 1.0
        key = outputs[name].layer if name in outputs else name
        phases = phases_of(by_name[key])
        low, high = item.low.reshape(-1, phases).amin(1), item.high.reshape(-1, phases).amax(1)
        found[key] = equalization_scales(low, high, strength).repeat_interleave(phases)
    return found
