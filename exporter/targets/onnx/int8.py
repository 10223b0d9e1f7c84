"""int8 ONNX files: integer convolutions between QuantizeLinear and DequantizeLinear.

A block reads uint8 and gives uint8; its weights are int8, its bias int32. Between two blocks the
values stay uint8: padding, pooling and upsampling stand directly behind the QuantizeLinear and
before the DequantizeLinear of the next convolution. With a pair around each of them, as quantizers
write it, ONNX Runtime computes the padding in float. A ReLU or clamp behind a convolution is the
quantization's own clamp, and is left out.

How the nodes are laid out follows what ONNX Runtime 1.31 runs fastest, and is exact
(docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from styleexport.core.recipe import Int8Recipe, Range
from styleexport.exporter.quantize.blocks import LEAST_LINEAR, QuantizedBlock
from styleexport.exporter.quantize.simulate import scale_and_zero_point, weight_scales
from styleexport.exporter.targets.onnx.int8_layout import faster_layout

MOVES = ("Pad", "MaxPool", "Resize", "DepthToSpace", "Slice")
# Moved as integers for float readers too: it costs less, and nothing is added.
MOVED_FIRST = ("DepthToSpace", "Slice")
PRODUCTS = ("Conv", "ConvTranspose", "Gemm")
BIAS_LIMIT = 2**31 - 1


FUSED = (
    "Add", "AveragePool", "Concat", "GlobalAveragePool", "LeakyRelu", "Mul", "ReduceMean",
    "Sigmoid", "Softmax", "Where",
)  # fmt: skip


@dataclass(frozen=True)
class Stored:
    """The integer form of a tensor: its name, scale and zero point."""

    name: str
    scale: float
    zero_point: int


def quantize_blocks(
    model: onnx.ModelProto,
    blocks: Sequence[QuantizedBlock],
    recipe: Int8Recipe,
    names: Mapping[str, str],
    *,
    rounds_results: bool = True,
) -> None:
    """Compute blocks of a float32 model in int8, in place.

    Args:
        model: float32 model; its tensors bear the names of the graph's layers.
        blocks: blocks outside the recipe's float layers.
        recipe: ranges and granularity.
        names: layer → tensor where the two differ: inputs and outputs.
        rounds_results: whether what a convolution gives to a float operation is rounded to uint8.
            ONNX Runtime computes a convolution in integers only if it is; others give floats.
    """
    writer = BlockWriter(model, blocks, recipe, names, rounds_results=rounds_results)
    write_blocks(model, writer)
    if rounds_results:
        faster_layout(model)


def write_blocks(model: onnx.ModelProto, writer: BlockWriter) -> None:
    """Write a model's nodes again, in place."""
    for value in model.graph.input:
        if value.name in writer.ranges:
            writer.quantize(value.name, value.name)
    for node in list(model.graph.node):
        writer.write(node)
    for value in model.graph.output:
        writer.as_float(value.name)
    del model.graph.node[:]
    model.graph.node.extend(writer.nodes)
    read = {name for node in writer.nodes for name in node.input}
    kept = [item for item in model.graph.initializer if item.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.value_info[:]


def _unmoved(tensor: str, makers: Mapping[str, onnx.NodeProto]) -> str:
    """Return the tensor whose values another one holds, moved but not changed.

    The exporter names what it puts together from several nodes, such as an adaptive pooling, anew.
    """
    while tensor in makers and makers[tensor].op_type in MOVES:
        tensor = makers[tensor].input[0]
    return tensor


class BlockWriter:
    """Writes the nodes of one model again, in their order."""

    integer: type[np.uint8 | np.uint16] = np.uint8

    def __init__(
        self,
        model: onnx.ModelProto,
        blocks: Sequence[QuantizedBlock],
        recipe: Int8Recipe,
        names: Mapping[str, str],
        *,
        rounds_results: bool,
    ) -> None:
        self.graph = model.graph
        self.per_channel = recipe.settings.weights == "per-channel"
        self.weights = {item.name: item for item in self.graph.initializer}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        makers = {node.output[0]: node for node in self.graph.node}
        present = {*makers, *(value.name for value in self.graph.input)}
        self.results = {value.name for value in self.graph.output}
        named = {layer: names.get(layer, layer) for u in blocks for layer in (u.source, u.output)}
        for u in blocks:
            if named[u.source] not in present and u.layer in makers:
                named[u.source] = _unmoved(makers[u.layer].input[0], makers)
        self.blocks = {u.layer: named[u.output] for u in blocks if u.layer in present}
        self.blocks |= {named[u.layer]: named[u.output] for u in blocks if u.layer in named}
        self.ranges: dict[str, Range] = {
            tensor: recipe.ranges[layer] for layer, tensor in named.items()
        }
        read = {named[u.source] for u in blocks}
        # Of blocks whose output stays in float: their convolutions.
        self.unrounded = {
            conv for conv, output in self.blocks.items() if not (rounds_results or output in read)
        }
        self.blocks |= {conv: conv for conv in self.unrounded}
        self.merged = {tensor for conv, tensor in self.blocks.items() if conv != tensor}
        self.stored: dict[str, Stored] = {}
        self.floats: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []

    def write(self, node: onnx.NodeProto) -> None:
        """Write one node as integers or floats."""
        name = node.output[0]
        if name in self.merged:  # the quantization's clamp does it
            return
        data = node.input[0] if node.input else ""
        if name in self.blocks and data in self.stored:
            self._convolution(node)
        elif self._moves(node) and data in self.stored and self._moves_early(node):
            self.move(node)
        elif node.op_type == "Mul" and self._is_gain(node):
            self._dequantize_by_channel(node)
        else:
            table = node.op_type == "Relu" and self.integer is np.uint8
            if table and data in self.stored and name in self.ranges:
                # ONNX Runtime computes this one on uint8 by a table, and a Relu in float.
                node.op_type = "LeakyRelu"
                node.attribute.append(helper.make_attribute("alpha", 0.0))
            inputs = [self.as_float(x) for x in node.input]
            del node.input[:]
            node.input.extend(inputs)
            if node.op_type == "Gemm":
                self._round_linear(node)
            self.nodes.append(node)
            if node.op_type in PRODUCTS and data in self.stored and self._is_quantized(node):
                self._keep_float(node)
            if name in self.ranges and name not in self.blocks.values():
                self.quantize(name, name)

    def _keep_float(self, node: onnx.NodeProto) -> None:
        """Put an identity behind a product in float, between what is dequantized and quantized.

        Without it ONNX Runtime rounds the product's weights to int8, with one scale for all
        channels. A leaky ReLU of slope 1 is one that it fuses with a convolution and leaves alone.
        """
        name = node.output[0]
        node.output[0] = f"{name}_product"
        self.add("LeakyRelu", [node.output[0]], name, alpha=1.0)

    def _round_linear(self, node: onnx.NodeProto) -> None:
        """Store the weight of a linear layer, computed in float, as int8 with a scale an output."""
        stored = self.weights.get(node.input[1])
        transposed = any(a.name == "transB" and a.i == 1 for a in node.attribute)
        if stored is None or not transposed or np.prod(stored.dims) < LEAST_LINEAR:
            return
        value = numpy_helper.to_array(stored)
        scales = np.maximum(np.abs(value).max(1), 1e-30) / 127
        rounded = np.round(value / scales[:, None]).astype(np.int8)
        node.input[1] = self._constant(f"{stored.name}_int8", rounded, scales.astype(np.float32))

    def quantize(self, tensor: str, source: str) -> None:
        """Quantize a tensor's values, found in another one."""
        levels = np.iinfo(self.integer).max
        scale, zero_point = scale_and_zero_point(self.ranges[tensor], levels)
        stored = Stored(f"{tensor}_{self.integer.__name__}", scale, zero_point)
        inputs = [source, *self.parameters(stored)]
        self.add("QuantizeLinear", inputs, stored.name)
        self.stored[tensor] = stored

    def as_float(self, tensor: str) -> str:
        """Return the float form of a tensor, dequantized where it has no other."""
        made_in_float = tensor not in self.merged and tensor not in self.blocks.values()
        if tensor not in self.stored or (made_in_float and not self._moved(tensor)):
            return tensor
        if tensor not in self.floats:
            result = tensor if tensor in self.results else f"{tensor}_DequantizeLinear_Output"
            self._dequantize(self.stored[tensor], result)
            self.floats[tensor] = result
        return self.floats[tensor]

    def _moved(self, tensor: str) -> bool:
        return tensor not in self.ranges

    def _dequantize(self, stored: Stored, result: str) -> None:
        self.add("DequantizeLinear", [stored.name, *self.parameters(stored)], result)

    def dequantized(self, stored: Stored) -> str:
        """Return the dequantized form of a tensor for operations of integers."""
        data = f"{stored.name}_float"
        if data not in self.floats:
            self._dequantize(stored, data)
            self.floats[data] = data
        return data

    def _moves(self, node: onnx.NodeProto) -> bool:
        """Whether a node only moves values; one whose result has a range of its own does not."""
        return node.op_type in MOVES and node.output[0] not in self.ranges

    def _moves_early(self, node: onnx.NodeProto) -> bool:
        """Whether what a node moves is still integers there."""
        return node.op_type in MOVED_FIRST or self._reaches_block(node)

    def _reaches_block(self, node: onnx.NodeProto) -> bool:
        """Whether an integer convolution reads what a node moves."""
        return any(
            reader.output[0] in self.blocks or (self._moves(reader) and self._reaches_block(reader))
            for reader in self.readers.get(node.output[0], ())
        )

    def move(self, node: onnx.NodeProto) -> None:
        """Write a node that moves values, on integers."""
        stored, tensor = self.stored[node.input[0]], node.output[0]
        moved = Stored(f"{tensor}_{self.integer.__name__}", stored.scale, stored.zero_point)
        node.input[0], node.output[0] = stored.name, moved.name
        if node.op_type == "Pad":
            self._pad_with_zero(node, stored)
        self.nodes.append(node)
        self.stored[tensor] = moved

    def _pad_with_zero(self, node: onnx.NodeProto, stored: Stored) -> None:
        """A constant padding's zero is the zero point."""
        mode = next((a.s for a in node.attribute if a.name == "mode"), b"constant")
        if mode == b"constant":
            rest = list(node.input[3:])
            del node.input[2:]
            node.input.extend([self.parameters(stored)[1], *rest])

    def _convolution(self, node: onnx.NodeProto) -> None:
        stored = self.stored[node.input[0]]
        data = self.dequantized(stored)
        weight = self._integer_weight(node, stored.scale)
        del node.input[:]
        node.input.extend([data, *weight])
        tensor = self.blocks[node.output[0]]
        if tensor in self.unrounded:
            self.nodes.append(node)
            return
        made = f"{tensor}_float" if tensor == node.output[0] else node.output[0]
        node.output[0] = made
        self.nodes.append(node)
        self.quantize(tensor, made)

    def _integer_weight(self, node: onnx.NodeProto, input_scale: float) -> list[str]:
        """Return the names of a convolution's dequantized weight and bias."""
        name = node.input[1]
        value = torch.from_numpy(numpy_helper.to_array(self.weights[name]).copy()).double()
        scales = weight_scales(value, transposed=False, per_channel=self.per_channel)
        scales = scales.float().double()
        stored = (value / scales).round().clamp(-127, 127)
        channels = np.broadcast_to(scales.reshape(-1).numpy(), (len(value),)).astype(np.float32)
        names = [self._constant(f"{name}_int8", stored.numpy().astype(np.int8), channels)]
        if len(node.input) > 2:
            bias = numpy_helper.to_array(self.weights[node.input[2]]).astype(np.float64)
            steps = (channels * np.float32(input_scale)).astype(np.float32)
            whole = np.round(bias / steps).clip(-BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)
            names.append(self._constant(f"{node.input[2]}_{input_scale.hex()}_int32", whole, steps))
        return names

    def _constant(self, name: str, value: NDArray[np.generic], scales: NDArray[np.float32]) -> str:
        """Store integers with one scale an output channel; return their dequantized name."""
        result = f"{name}_float"
        if result not in self.floats:
            zeros = np.zeros(len(scales), value.dtype)
            parts = ((name, value), (f"{name}_scale", scales), (f"{name}_zero", zeros))
            self.graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in parts)
            self.add("DequantizeLinear", [n for n, _ in parts], result, axis=0)
            self.floats[result] = result
        return result

    def _is_gain(self, node: onnx.NodeProto) -> bool:
        """Whether a node multiplies a block's output, or its channels, by constants.

        One whose reader's result is quantized is left: ONNX Runtime takes the two for an integer
        addition or multiplication, and then refuses it for its scales, one a channel.
        """
        tensor, factor = node.input[:2]
        shape = list(self.weights[factor].dims) if factor in self.weights else []
        made = tensor in self.blocks.values() or self._moved(tensor)
        whole = made and tensor in self.stored
        by_channel = len(shape) == 4 and shape[0] == shape[2] == shape[3] == 1
        by_channel = by_channel or (factor in self.weights and shape in ([], [1]))
        fused = any(
            reader.op_type in FUSED and self._is_quantized(reader)
            for reader in self.readers.get(node.output[0], ())
        )
        return whole and by_channel and not fused

    def _is_quantized(self, node: onnx.NodeProto) -> bool:
        """Whether a node's result is quantized, at once or behind a limit that the range does."""
        limits = (r for r in self.readers.get(node.output[0], ()) if r.op_type in ("Relu", "Clip"))
        return any(item.output[0] in self.ranges for item in (node, *limits))

    def _dequantize_by_channel(self, node: onnx.NodeProto) -> None:
        """Multiply while dequantizing, by a scale a channel or one in all, at no cost."""
        stored = self.stored[node.input[0]]
        factors = numpy_helper.to_array(self.weights[node.input[1]]).reshape(-1)
        if len(factors) == 1:
            scale = float(np.float32(stored.scale) * np.float32(factors[0]))
            scaled = Stored(stored.name, scale, stored.zero_point)
            self._dequantize(scaled, node.output[0])
            return
        name = f"{node.output[0]}_scale"
        zeros = np.full(len(factors), stored.zero_point, self.integer)
        self.graph.initializer.extend(
            [
                numpy_helper.from_array((factors * np.float32(stored.scale)).astype("f4"), name),
                numpy_helper.from_array(zeros, f"{name}_zero"),
            ]
        )
        self.add("DequantizeLinear", [stored.name, name, f"{name}_zero"], node.output[0], axis=1)

    def parameters(self, stored: Stored) -> tuple[str, str]:
        """Return the names of a scale and a zero point, stored once for all that share them."""
        names = (f"scale_{stored.scale.hex()}", f"zero_point_{stored.zero_point}")
        values = (np.float32(stored.scale), self.integer(stored.zero_point))
        for name, value in zip(names, values, strict=True):
            if name not in self.weights:
                self.weights[name] = numpy_helper.from_array(np.asarray(value), name)
                self.graph.initializer.append(self.weights[name])
        return names

    def add(self, operation: str, inputs: Sequence[str], output: str, **attributes: float) -> None:
        """Write a node that makes one tensor."""
        node = helper.make_node(operation, list(inputs), [output], name=output)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
