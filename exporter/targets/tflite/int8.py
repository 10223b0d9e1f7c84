"""int8 ``.tflite`` files: integer convolutions with the ranges of a recipe, statistics in float.

Convolutions take int8 activations, or int16 ones of symmetric ranges, and int8 weights; what lies
between two of them (padding, pooling, nearest upsampling, a ReLU on its own) passes the integers
on. Inputs and outputs of the file stay float32. LiteRT has an integer kernel for transposed
convolutions, and it is left alone: the published networks lose 5 dB to it for 7 % of their MACs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from styleexport.core.arrays import Arrays
from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import PassFact
from styleexport.core.recipe import Int8Recipe, Range
from styleexport.exporter.quantize.blocks import LEAST_LINEAR
from styleexport.exporter.targets.tflite.aeq import STATIC, STATIC_A16, quantize
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph, TfliteOperation
from styleexport.runtime_bench.runners._litert import feed, invoke, load

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
TRANSPOSED = "TRANSPOSE_CONV"
LINEAR = "FULLY_CONNECTED"
# A depth to space, and the cut behind it.
SPREAD = ("RESHAPE", "TRANSPOSE", "SLICE", "STRIDED_SLICE")
# Operations whose result holds values of what they read: they keep its scale.
MOVED = (
    "MIRROR_PAD",
    "PAD",
    "PADV2",
    "MAX_POOL_2D",
    "RESIZE_NEAREST_NEIGHBOR",
    "CONCATENATION",
    *SPREAD,
)
# What lies between two integer convolutions.
PASSED_ON = (*MOVED, "RELU")


def quantize_body(
    source: Path,
    target: Path,
    inputs: Sequence[Arrays],
    recipe: Int8Recipe,
    layers: Mapping[str, str],
) -> PassFact:
    """Write a float32 file with its body in int8; return what of the recipe it follows.

    Args:
        source: a float32 file.
        target: the file to write.
        inputs: calibration inputs, run where the recipe has no range for a tensor.
        recipe: what is quantized and how.
        layers: layer of the recipe → the tensor of the file that holds it; a convolution that is
            merged with what follows has the tensor of both.

    Raises:
        UnsupportedOp: no convolution could be computed in int8.
    """
    graph = read_graph(source)
    float_layers = _float_layers(graph, recipe, layers)
    inside = body(graph, float_layers.values())
    if not any(item.name in CONVOLUTIONS for item in inside):
        raise UnsupportedOp(
            "int8 would leave every convolution of the network in float, as what follows them "
            "multiplies their rounding: type --precision int8-weights"
        )
    named = {layers.get(layer, layer): limits for layer, limits in recipe.ranges.items()}
    ranges = _spread(graph, inside, named)
    missing = [name for name in _ranged(graph, inside) if name not in ranges]
    if missing:
        ranges = _spread(graph, inside, {**activation_ranges(source, inputs), **named})
    settings = recipe.settings
    scheme = STATIC if settings.activation_bits == 8 else STATIC_A16
    scheme = replace(scheme, per_channel=settings.weights == "per-channel")
    quantize(source, target, graph, inside, scheme, ranges, stored=_large_linear(graph))
    refused = _refused(graph, recipe, float_layers, missing if recipe.ranges else ())
    return PassFact(name="int8_recipe", applied=len(inside), refused=tuple(refused))


def _large_linear(graph: TfliteGraph) -> list[TfliteOperation]:
    """Return linear layers, computed in float, whose weights make a file large."""
    linear = [x for x in graph.operations if x.name == LINEAR and _is_constant(graph, x)]
    return [
        item for item in linear if math.prod(graph.tensors[item.inputs[1]].shape) >= LEAST_LINEAR
    ]


def _is_constant(graph: TfliteGraph, item: TfliteOperation) -> bool:
    return graph.tensors[item.inputs[1]].stored is not None


def body(graph: TfliteGraph, float_layers: Collection[str] = ()) -> list[TfliteOperation]:
    """Return the operations to be computed in int8, in order.

    A convolution is one unless the tensor it makes is named among the float layers; what only
    passes values on is one if all that read it are. A ReLU is one behind another alone: behind a
    float operation it is cheap in float, and rounding what it cuts off would make the steps wider.
    """
    readers: dict[int, list[TfliteOperation]] = {}
    for item in graph.operations:
        for index in item.inputs:
            readers.setdefault(index, []).append(item)
    found: set[TfliteOperation] = set()
    for item in reversed(graph.operations):
        after = readers.get(item.outputs[0], [])
        passes_on = _passes_on(graph, item) and after and found.issuperset(after)
        if passes_on or (item.name in CONVOLUTIONS and _name(graph, item) not in float_layers):
            found.add(item)
    makers = graph.producers()
    for item in graph.operations:  # moved as integers, and a quarter of the memory
        if item.name in SPREAD and makers.get(item.inputs[0]) in found:
            found.add(item)
    kept = {x for x in found if x.name != "RELU" or makers.get(x.inputs[0]) in found}
    return [item for item in graph.operations if item in kept]


def _passes_on(graph: TfliteGraph, item: TfliteOperation) -> bool:
    """Whether an operation adds no value to those that it reads; a padding may only add zeros."""
    if item.name == "PADV2":
        stored = graph.tensors[item.inputs[2]].stored
        return stored is not None and not stored.any()
    return item.name in PASSED_ON


def _name(graph: TfliteGraph, item: TfliteOperation) -> str:
    return graph.tensors[item.outputs[0]].name


def _float_layers(
    graph: TfliteGraph, recipe: Int8Recipe, layers: Mapping[str, str]
) -> dict[str, str]:
    """Return float layer → the tensor that its convolution makes, for those that the file has."""
    made = {
        _name(graph, item) for item in graph.operations if item.name in (*CONVOLUTIONS, TRANSPOSED)
    }
    tensors = {item.layer: layers.get(item.layer, item.layer) for item in recipe.float_layers}
    return {layer: tensor for layer, tensor in tensors.items() if tensor in made}


def _ranged(graph: TfliteGraph, inside: Sequence[TfliteOperation]) -> list[str]:
    """Return the activations that the body reads or makes, each once, in order."""
    indices = [i for item in inside for i in (*graph.activations(item), *item.outputs)]
    return [graph.tensors[index].name for index in dict.fromkeys(indices)]


def _spread(
    graph: TfliteGraph, inside: Sequence[TfliteOperation], known: Mapping[str, Range]
) -> dict[str, Range]:
    """Return the known ranges, and with them those of the tensors to which values are only moved.

    What is joined from values of several ranges keeps a range of its own.
    """
    found = dict(known)
    for item in inside:
        read = {found.get(graph.tensors[index].name) for index in graph.activations(item)}
        if item.name in MOVED and len(read) == 1 and (limits := read.pop()) is not None:
            found[_name(graph, item)] = limits
    return found


def _others_transposed(graph: TfliteGraph, float_layers: Mapping[str, str]) -> list[str]:
    """Return the tensors of transposed convolutions that the recipe would have in int8."""
    made = [_name(graph, item) for item in graph.operations if item.name == TRANSPOSED]
    return [name for name in made if name not in float_layers.values()]


def _refused(
    graph: TfliteGraph,
    recipe: Int8Recipe,
    float_layers: Mapping[str, str],
    missing: Sequence[str],
) -> list[str]:
    """Return what of the recipe the file does not follow, and why, a line each."""
    lost = [
        float_layer.layer
        for float_layer in recipe.float_layers
        if float_layer.layer not in float_layers
    ]
    return [
        *(
            f"{name} stays in float: int8 costs transposed convolutions 5 dB in LiteRT"
            for name in _others_transposed(graph, float_layers)
        ),
        *(f"{layer} is to stay in float, but the file has no such convolution" for layer in lost),
        *(f"{name} has no range in the recipe: its own, min-max, is taken" for name in missing),
    ]


def activation_ranges(path: Path, inputs: Sequence[Arrays]) -> dict[str, Range]:
    """Return tensor name → the least and largest value of each activation over all inputs."""
    graph = read_graph(path)
    interpreter = load(path, delegate=True, threads=os.cpu_count(), keep_all=True)
    watched = [index for item in graph.operations for index in item.outputs]
    watched += graph.inputs.values()
    low = dict.fromkeys(watched, math.inf)
    high = dict.fromkeys(watched, -math.inf)
    for values in inputs:
        feed(interpreter, path, graph, values)
        invoke(interpreter, path)
        for index in watched:
            value = interpreter.get_tensor(index)
            low[index] = min(low[index], float(value.min()))
            high[index] = max(high[index], float(value.max()))
    return {graph.tensors[index].name: Range(low[index], high[index]) for index in watched}
