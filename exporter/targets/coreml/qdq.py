"""Quantize and dequantize, written behind tensors of an ML program.

The pair is what Core ML computes integer convolutions from: one that reads a dequantized tensor and
int8 weights is one integer operation to the Neural Engine, and so is an operation between a
dequantize and a quantize of one scale. MIL has no integer pad, upsampling or pool to write instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from coremltools.proto import MIL_pb2

from styleexport.exporter.quantize.pairs import Pair
from styleexport.exporter.targets.coreml.proto import Proto, constant, operation


def add_pairs(spec: Proto, pairs: Mapping[str, Pair], reads: Mapping[str, frozenset[str]]) -> None:
    """Write a pair behind each of some tensors.

    Args:
        spec: a float program of iOS 17 or later, changed in place.
        pairs: tensor → how it is held.
        reads: tensor → the outputs of the operations that are to read its dequantized form; others
            keep reading the tensor itself.
    """
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            types = {item.name: item.type for item in function.inputs}
            # A pair of an input comes before all operations.
            kept = [part for name in types if name in pairs for part in _pair(name, types, pairs)]
            for item in block.operations:
                _redirect(item, pairs, reads)
                kept.append(item)
                types |= {made.name: made.type for made in item.outputs}
                for made in item.outputs:
                    kept += _pair(made.name, types, pairs) if made.name in pairs else []
            copies = [_copy(item) for item in kept]
            del block.operations[:]
            block.operations.extend(copies)


def _copy(item: Proto) -> Proto:
    copy: Proto = MIL_pb2.Operation()
    copy.CopyFrom(item)
    return copy


def _redirect(item: Proto, pairs: Mapping[str, Pair], reads: Mapping[str, frozenset[str]]) -> None:
    """Make an operation read dequantized tensors where it is to."""
    made = {output.name for output in item.outputs}
    for argument in item.inputs.values():
        for binding in argument.arguments:
            if binding.name in pairs and made & reads[binding.name]:
                binding.name = f"{binding.name}_dequantized"


def _pair(name: str, types: Mapping[str, Proto], pairs: Mapping[str, Pair]) -> list[Proto]:
    """Return the quantize and the dequantize of a tensor, their constants before them."""
    pair, of = pairs[name], types[name]
    half = of.tensorType.dataType == MIL_pb2.DataType.Value("FLOAT16")
    settings = {"scale": np.array(pair.scale, np.float16 if half else np.float32)}
    if pair.zero_point:
        settings["zero_point"] = np.array(pair.zero_point, pair.dtype)
    held: Proto = MIL_pb2.ValueType()
    held.CopyFrom(of)
    held.tensorType.dataType = MIL_pb2.DataType.Value(pair.dtype.upper())
    down = operation("quantize", f"{name}_quantized", held)
    up = operation("dequantize", f"{name}_dequantized", of)
    down.inputs["input"].arguments.add().name = name
    up.inputs["input"].arguments.add().name = f"{name}_quantized"
    down.inputs["output_dtype"].arguments.add().name = f"{name}_integer"
    for key in settings:
        for part in (down, up):
            part.inputs[key].arguments.add().name = f"{name}_{key}"
    constants = [constant(f"{name}_{key}", value) for key, value in settings.items()]
    return [*constants, constant(f"{name}_integer", pair.dtype), down, up]
