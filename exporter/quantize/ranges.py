"""Calibration statistics of a graph's layers, and the ranges taken from them.

The graph runs on one calibration input after the other, and nothing but extremes and samples of its
layers is kept, so that memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.fx import GraphModule, Node

from styleexport.core.arrays import Arrays
from styleexport.core.counted import counted
from styleexport.core.quiet import quiet
from styleexport.core.recipe import Range, RangeMethod
from styleexport.core.shares import in_shares
from styleexport.core.types import Progress
from styleexport.exporter.graph.following_runs import FollowingRuns
from styleexport.exporter.quantize.blocks import limits_of, nodes_by_name

# Of each layer and input, so many values are kept for methods that look at their distribution.
SAMPLES = 1 << 16
# What the percentile method keeps of the values, in percent.
PERCENTILE = 99.99
BINS = 2048
# Of a channel's largest value, that one input must reach for its gain to be read off.
ENOUGH = 1 / 16


@dataclass
class LayerStatistics:
    """Statistics of one layer over all inputs.

    Attributes:
        low: least value of each channel, [C], at most 0.
        high: largest value of each channel, [C], at least 0.
        samples: values, evenly taken, one flat array for each input.
        sizes: largest absolute value of each channel, [C], one for each input.
    """

    low: Tensor
    high: Tensor
    samples: list[NDArray[np.float32]]
    sizes: list[Tensor] = field(default_factory=list[Tensor])


class _Watch(FollowingRuns):
    """Runs a module and shows the values of some of its nodes, where a run computes them."""

    def __init__(
        self, module: GraphModule, names: set[str], show: Callable[[str, Tensor], None]
    ) -> None:
        super().__init__(module)
        self.names = names
        self.show = show

    def run_node(self, n: Node) -> object:
        value = super().run_node(n)
        if n.name in self.names and isinstance(value, Tensor):
            self.show(n.name, value)
        return value


def watch(
    module: GraphModule,
    inputs: Iterable[Arrays],
    names: Sequence[str],
    show: Callable[[str, Tensor], None],
    done: Callable[[], None] = lambda: None,
) -> None:
    """Run a module on inputs, in order of its placeholders, and show values of nodes by name.

    Args:
        module: a captured module, float32.
        inputs: inputs by name; the same array in two that follow each other is the same picture.
        names: nodes to show.
        show: takes name and value, of those that are not as in the run before.
        done: called after each input.
    """
    watcher = _Watch(module, set(names), show)
    with torch.inference_mode():
        for values in inputs:
            arrays = tuple(values.values())
            watcher.follow(arrays, tuple(torch.from_numpy(np.asarray(x)) for x in arrays))
            done()


def observe(
    module: GraphModule,
    inputs: Sequence[Arrays],
    layers: Sequence[str],
    *,
    samples: bool = False,
    progress: Progress = lambda _: None,
) -> dict[str, LayerStatistics]:
    """Return layer → its statistics over all inputs.

    Args:
        module: a captured module, float32.
        inputs: inputs by name, in the module's order.
        layers: names of nodes; placeholders too.
        samples: whether values are kept, beside the extremes.
        progress: takes a line every second.
    """

    def share(some: Iterable[Arrays]) -> dict[str, LayerStatistics]:
        return _observed(module, some, layers, samples=samples)

    pixels = max(math.prod(x.shape[-2:]) for x in inputs[0].values())
    first, *others = in_shares(inputs, share, "calibration inputs", progress, pixels=pixels)
    for other in others:
        for name, item in other.items():
            known = first[name]
            known.low = torch.minimum(known.low, item.low)
            known.high = torch.maximum(known.high, item.high)
            known.samples += item.samples
            known.sizes += item.sizes
    return first


def _observed(
    module: GraphModule, inputs: Iterable[Arrays], layers: Sequence[str], *, samples: bool
) -> dict[str, LayerStatistics]:
    """Return layer → its statistics over a share of the inputs."""
    statistics: dict[str, LayerStatistics] = {}
    latest: dict[str, tuple[Tensor, NDArray[np.float32] | None]] = {}

    def show(name: str, value: Tensor) -> None:
        flat = value.transpose(0, 1).flatten(1) if value.dim() > 1 else value[None]
        least, most = flat.aminmax(dim=1)
        low, high = least.clamp_max(0), most.clamp_min(0)
        if name not in statistics:
            statistics[name] = LayerStatistics(low, high, [])
        else:
            statistics[name].low = torch.minimum(statistics[name].low, low)
            statistics[name].high = torch.maximum(statistics[name].high, high)
        every, taken = max(1, value.numel() // SAMPLES), None
        if samples:
            taken = value.flatten()[::every].numpy().copy()
        latest[name] = (torch.maximum(high, -low), taken)

    def done() -> None:
        for name, (size, taken) in latest.items():
            statistics[name].sizes.append(size)
            if taken is not None:
                statistics[name].samples.append(taken)

    watch(module, inputs, layers, show, done)
    return statistics


def equalized_statistics(
    statistics: Mapping[str, LayerStatistics],
    equal: GraphModule,
    names: Mapping[str, str],
    inputs: Sequence[Arrays],
    progress: Progress = lambda _: None,
) -> dict[str, LayerStatistics]:
    """Derive an equalized module's statistics from the plain one's, without running all inputs.

    Each channel of a layer is multiplied by a constant, which is read off the first input that
    makes the channel large enough.

    Args:
        statistics: layer of the plain module → its statistics over all inputs.
        equal: module with scales on its channels.
        names: layer of the plain module → the same layer of the equalized one.
        inputs: those that the statistics were taken on, in the module's order.
        progress: takes a line every second.
    """
    gains = {name: torch.full_like(item.high, torch.nan) for name, item in statistics.items()}
    for number, values in counted(list(enumerate(inputs)), "gains of channels", progress):
        sizes = {name: item.sizes[number] for name, item in statistics.items()}
        shown = {
            name: gains[name].isnan() & (size >= ENOUGH * _sizes(statistics[name])) & (size > 0)
            for name, size in sizes.items()
        }
        if not any(bool(channels.any()) for channels in shown.values()):
            continue  # it shows no channel that is looked for
        equalized = observe(equal, [values], tuple(names.values()))
        for name, known in shown.items():
            gain = _sizes(equalized[names[name]]) / sizes[name]
            gains[name] = torch.where(known, gain, gains[name])
        if not any(bool((g.isnan() & (_sizes(statistics[n]) > 0)).any()) for n, g in gains.items()):
            break
    return {
        names[name]: LayerStatistics(item.low * gain, item.high * gain, [])
        for name, item in statistics.items()
        for gain in (gains[name].nan_to_num(1.0),)
    }


def _sizes(statistics: LayerStatistics) -> Tensor:
    """Return the largest absolute value of each channel."""
    return torch.maximum(statistics.high, -statistics.low)


def ranges_of(
    module: GraphModule, statistics: Mapping[str, LayerStatistics], method: RangeMethod
) -> dict[str, Range]:
    """Return layer → range; every range holds 0, and a clamp's is what it clamps to."""
    by_name = nodes_by_name(module)
    found: dict[str, Range] = {}
    for name, item in statistics.items():
        low, high = float(item.low.min()), float(item.high.max())
        node = by_name[name]
        if limits := limits_of(node):
            low, high = limits
        elif node.op != "placeholder" and high > low:
            low, high = METHODS[method](item, low, high)
        found[name] = Range(min(low, 0.0), max(high, 0.0))
    return found


def _min_max(statistics: LayerStatistics, low: float, high: float) -> tuple[float, float]:
    return low, high


def _histogram(name: str) -> Callable[[LayerStatistics, float, float], tuple[float, float]]:
    """Return a method of ONNX Runtime's calibration histograms."""

    def method(statistics: LayerStatistics, low: float, high: float) -> tuple[float, float]:
        from onnxruntime.quantization.calibrate import HistogramCollector

        collector = HistogramCollector(
            name,
            symmetric=False,
            num_bins=BINS,
            num_quantized_bins=256,
            percentile=PERCENTILE,
            scenario="same",
        )
        with quiet():
            collector.collect({"layer": [np.concatenate(statistics.samples)]})
            found = collector.compute_collection_result()["layer"]
        least, most = (float(np.asarray(value).reshape(-1)[0]) for value in found[:2])
        return max(low, least), min(high, most)

    return method


def _mse(statistics: LayerStatistics, low: float, high: float) -> tuple[float, float]:
    from torch.ao.quantization import HistogramObserver

    with quiet():
        observer = HistogramObserver(bins=BINS, dtype=torch.quint8)
        observer(torch.from_numpy(np.concatenate(statistics.samples)))
        scale, zero_point = observer.calculate_qparams()
    least, most = -float(zero_point) * float(scale), (255 - float(zero_point)) * float(scale)
    return max(low, least), min(high, most)


METHODS: dict[RangeMethod, Callable[[LayerStatistics, float, float], tuple[float, float]]] = {
    "min-max": _min_max,
    "percentile": _histogram("percentile"),
    "entropy": _histogram("entropy"),
    "mse": _mse,
}
