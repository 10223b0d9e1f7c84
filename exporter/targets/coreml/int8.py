"""int8 Core ML packages: W8A8, integer convolutions on the Neural Engine of A17 Pro, M4 and later.

Convolutions read int8 weights and activations that a quantize and a dequantize hold in eight bits;
what lies between two of them (padding, nearest upsampling, max pooling) stands between such pairs
of one scale too, the form in which Core ML's own tools write an operation that only moves integers.
Statistics and transposed convolutions stay in float, and so do the recipe's float layers. What
computes in float reads the results of convolutions unrounded: the published networks keep up to
6 dB more than with a pair there, as coremltools' own pass would write it and ONNX Runtime needs it.
Only a device can tell whether that costs speed.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import coremltools as ct
import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import PassFact, QuantizationFact
from styleexport.core.quiet import quiet
from styleexport.core.recipe import Int8Recipe, Range
from styleexport.exporter.quantize.pairs import WIDENED, Pair, pair_of
from styleexport.exporter.targets._target import Source
from styleexport.exporter.targets.coreml.int8_region import Body
from styleexport.exporter.targets.coreml.int8_weights import store_integers
from styleexport.exporter.targets.coreml.qdq import add_pairs
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph
from styleexport.runtime_bench.runners._coreml_session import ReferencePackage


def quantize_body(
    model: ct.models.MLModel, source: Source, recipe: Int8Recipe
) -> tuple[ct.models.MLModel, QuantizationFact, PassFact]:
    """Return a float program with its body in int8, how, and what of the recipe was not applied.

    Args:
        model: float program for iOS 17 or later; it stays as it is.
        source: graph that it was made from; its calibration inputs give the ranges that the recipe
            does not have.
        recipe: recipe in the names of the graph.

    Raises:
        UnsupportedOp: no convolution could be computed in int8.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.mlpackage"
        with quiet():
            model.save(str(path))
        body = Body(CoremlGraph.of(read_package(path)), source.graph, recipe)
        if not body.convolutions:
            raise UnsupportedOp(
                "int8 would leave every convolution of the network in float: "
                "type --precision int8-weights"
            )
        ranges, missing = _known_ranges(body, recipe)
        if missing:
            ranges |= _measured(path, missing, source.inputs)
    pairs, refused = _pairs(body, ranges)
    per_channel = recipe.settings.weights == "per-channel"
    palettes = recipe.settings.weight_bits == 4
    integer = _integers(model, body, pairs, per_channel=per_channel, palettes=palettes)
    fact = QuantizationFact(
        scheme="static",
        weight_dtype="uint4" if palettes else "int8",
        activation_dtype="int8",
        per_channel=per_channel,
        calibration=recipe.calibration,
        float_islands=tuple(body.float_layers()),
    )
    why = "not in the recipe, ranges taken from calibration (min-max)"
    reasons = (
        *body.not_applied(),
        *_in_words(body, missing, why),
        *refused,
        *_unused(body, recipe),
    )
    applied = len(body.convolutions)
    return integer, fact, PassFact(name="int8-recipe", applied=applied, refused=reasons)


def _known_ranges(body: Body, recipe: Int8Recipe) -> tuple[dict[str, Range], tuple[str, ...]]:
    """Return tensor → the recipe's range, and the tensors that it has none for."""
    found = {
        name: recipe.ranges[layer]
        for name in body.origins
        for layer in body.called(name)
        if layer in recipe.ranges
    }
    return found, tuple(name for name in body.origins if name not in found)


def _unused(body: Body, recipe: Int8Recipe) -> Iterator[str]:
    """Yield whose ranges a recipe has in vain."""
    held = {layer for name in body.origins for layer in body.called(name)}
    blocks = (body.blocks.get(body.layers.get(x.outputs[0].name, "")) for x in body.convolutions)
    outputs = [block.output for block in blocks if block is not None]
    names = [name for name in outputs if name in recipe.ranges and name not in held]
    if names:
        yield f"{', '.join(names)}: what computes in float reads it unrounded"


def _measured(path: Path, names: Sequence[str], inputs: Sequence[Arrays]) -> dict[str, Range]:
    """Return tensor → the least and largest value of each over all inputs."""
    session = ReferencePackage(path, rounding=False)
    low, high = dict.fromkeys(names, math.inf), dict.fromkeys(names, -math.inf)
    for values in inputs:
        for name, value in session.layers(values, names).items():
            low[name] = min(low[name], float(value.min()))
            high[name] = max(high[name], float(value.max()))
    return {name: Range(low[name], high[name]) for name in names}


def _pairs(body: Body, ranges: Mapping[str, Range]) -> tuple[dict[str, Pair], tuple[str, ...]]:
    """Return tensor → how it is held, and what of the ranges could not be applied."""
    pairs: dict[str, Pair] = {}
    for name in body.reads:
        half = body.program.types[name].dtype == "fp16"
        pairs[name] = pair_of(ranges[body.origin(name)], half=half)
    widened = [name for name, held in ranges.items() if pairs[name].widens(held)]
    return pairs, tuple(_in_words(body, widened, WIDENED))


def _in_words(body: Body, names: Sequence[str], why: str) -> Iterator[str]:
    """Yield one message for some tensors, using graph names where they are known."""
    if names:
        yield f"{', '.join((body.called(name) or (name,))[-1] for name in names)}: {why}"


def _integers(
    model: ct.models.MLModel,
    body: Body,
    pairs: Mapping[str, Pair],
    *,
    per_channel: bool,
    palettes: bool,
) -> ct.models.MLModel:
    """Return the model with pairs, and with int8 weights in the convolutions of the body."""
    weights: dict[str, NDArray[np.generic]] = {}
    for item in body.convolutions:
        stored = body.program.constant(item, "weight")
        assert isinstance(stored, np.ndarray), item.name
        weights[str(item.inputs["weight"][0])] = stored
    spec = model.get_spec()
    add_pairs(spec, pairs, body.reads)
    with tempfile.TemporaryDirectory() as folder, quiet():
        source = Path(str(model.weights_dir))
        kind = {"per_channel": per_channel, "palettes": palettes}
        store_integers(spec, weights, source, Path(folder), **kind)
        return ct.models.MLModel(spec, weights_dir=folder, skip_model_load=True)
