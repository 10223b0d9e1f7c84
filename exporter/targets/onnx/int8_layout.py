"""An int8 ONNX file laid out for ONNX Runtime's kernels on the CPU: the same numbers, sooner.

*Upsampling.* The runtime's Resize of uint8 goes element by element, on one thread. With the
channels last, repeating columns and then rows copies whole pixels:

    Resize(x) = Tᵀ(Gather(Gather(T(x), 0 0 1 1 2 2 …), 0 0 1 1 2 2 …)),   T: NCHW → NHWC

*Depth to space.* The runtime's own goes element by element too. With the channels of the
convolution before it in the order (row, column, channel), and last in memory, it is one
transposition of whole rows of channels:

    DepthToSpace(x) = Tᵀ([H, W, s, s·C] → [H, s, W, s·C]),   x: [H, W, s·s·C]

*Narrow convolutions.* The kernel of the integer product is 16 channels wide, and three leave most
of it idle; and for every pixel all k² neighbours are copied, which takes longer than to multiply
them. A convolution of M channels gives a block of r·c neighbouring pixels at once, as r·c·M
channels at strides r and c:

    W'[(i·c + j)·M + m, ch, y + i, x + j] = W[m, ch, y, x] for i < r, j < c, and 0 elsewhere

Channels last, one row of blocks is [W/c, r, c·M] in memory: depth to space again, and for r = 1 a
Reshape. The zeros add nothing to the int32 sums.

The runtime computes integer convolutions channels last, and its own transpositions cancel those
that stand here (onnxruntime 1.31; docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

from styleexport.exporter.quantize.blocks import KERNEL, NARROW
from styleexport.runtime_bench.formats._onnx_macs import BLOCK

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
LARGE = 5  # lines of a kernel
FOLLOWED = ("Pad", "MaxPool", "Resize", "DequantizeLinear")
EXACT_RESIZE = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


def faster_layout(model: onnx.ModelProto) -> None:
    """Lay an int8 model out for speed, in place; its results stay the same to the last bit.

    Convolutions keep the names of their nodes, and dequantized tensors theirs. What has no fixed
    size, or would not be exact, stays as it is.
    """
    layout = _Layout(model)
    for node in list(model.graph.node):
        layout.write(node)
    del model.graph.node[:]
    model.graph.node.extend(layout.read_nodes())
    read = {name for node in model.graph.node for name in node.input}
    kept = [item for item in model.graph.initializer if item.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _blocks(channels_out: int, channels_in: int, lines: int) -> tuple[tuple[int, int], ...]:
    """Return the blocks of rows and columns that measured fastest, the best first."""
    if channels_out <= NARROW:
        return (2, 4), (2, 2), (1, 4), (1, 2)
    if channels_in <= NARROW:
        return ((1, 4), (1, 2)) if channels_out <= KERNEL or lines >= LARGE else ((1, 2),)
    if channels_out > KERNEL:
        return ()
    return ((1, 4), (1, 2)) if channels_out <= KERNEL // 2 or lines >= LARGE else ((1, 2),)


class _Layout:
    """Writes the nodes of one model again, in their order."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        inferred = shape_inference.infer_shapes(model).graph
        values = (*inferred.value_info, *inferred.input, *inferred.output)
        self.types = {value.name: value.type.tensor_type for value in values}
        self.constants = {item.name: item for item in self.graph.initializer}
        self.makers = {name: node for node in self.graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.results = {value.name for value in self.graph.output}
        self.written: set[str] = set()
        self.nodes: list[onnx.NodeProto] = []

    def write(self, node: onnx.NodeProto) -> None:
        """Write one node, in another layout where that is faster."""
        if node.output[0] in self.written:
            return
        if repeats := self._repeats(node):
            self._repeat(node, repeats)
        elif scale := self._shuffles(node):
            self._shuffle(node, scale)
        elif block := self._block(node):
            self._widen(node, *block)
        else:
            self.nodes.append(node)

    def read_nodes(self) -> list[onnx.NodeProto]:
        """Return the written nodes without dequantizations that nothing reads any more."""
        read = self.results | {name for node in self.nodes for name in node.input}
        return [x for x in self.nodes if x.op_type != "DequantizeLinear" or x.output[0] in read]

    def _repeats(self, node: onnx.NodeProto) -> tuple[int, int] | None:
        """Return how often a node repeats rows and columns of uint8 maps for convolutions."""
        if node.op_type != "Resize" or not self._only_for_convolutions(node.output[0]):
            return None
        small, large = self._shape(node.input[0]), self._shape(node.output[0])
        settings = {item.name: item.s.decode() for item in node.attribute}
        exact = EXACT_RESIZE.items() <= settings.items()
        if not (small and large and exact and self._is_uint8(node.input[0])):
            return None
        repeats = [b // a for a, b in zip(small, large, strict=True)]
        asked = [self._constant(name) for name in node.input[2:] if name]
        if len(asked) != 1 or asked[0] is None:
            return None
        whole = [a * n for a, n in zip(small, repeats, strict=True)] == large
        by_scale = list(asked[0]) in (repeats, large)  # scales, or sizes
        return (repeats[2], repeats[3]) if whole and by_scale and repeats[:2] == [1, 1] else None

    def _repeat(self, node: onnx.NodeProto, repeats: tuple[int, int]) -> None:
        """Upsample pixel by pixel, columns before rows: rows are then copied whole."""
        result = node.output[0]
        _, _, *sides = self._shape(node.input[0])
        name = self._transposed(node.input[0], CHANNELS_LAST, f"{result}_channels_last")
        for axis, word in ((2, "columns"), (1, "rows")):
            side, times = sides[axis - 1], repeats[axis - 1]
            order = self._stored(f"repeat_{side}_by_{times}", np.arange(side).repeat(times))
            name = self._add("Gather", [name, order], f"{result}_{word}", axis=axis)
        self._transposed(name, CHANNELS_FIRST, result)

    def _shuffles(self, node: onnx.NodeProto) -> int | None:
        """Return by what a node spreads the channels of an integer convolution over the map."""
        settings = {item.name: item for item in node.attribute}
        if node.op_type != "DepthToSpace" or not self._is_uint8(node.input[0]):
            return None
        quantize = self.makers[node.input[0]]
        conv = self.makers.get(quantize.input[0])
        if conv is None or conv.op_type != "Conv" or not self._is_integer(conv):
            return None
        alone = len(self.readers[node.input[0]]) == 1 and self._shape(node.input[0])[:1] == [1]
        return settings["blocksize"].i if alone and settings["mode"].s == b"CRD" else None

    def _shuffle(self, node: onnx.NodeProto, scale: int) -> None:
        """Transpose whole pixels, behind a convolution with its channels in another order."""
        result, conv = node.output[0], self.makers[self.makers[node.input[0]].input[0]]
        _, channels, height, width = self._shape(node.input[0])
        order = np.arange(channels).reshape(-1, scale * scale).T.reshape(-1)
        names = [
            self._chosen(name, order, f"{result}_{place}")
            for place, name in enumerate(conv.input[1:])
        ]
        del conv.input[1:]
        conv.input.extend(names)
        name = self._transposed(node.input[0], CHANNELS_LAST, f"{result}_phases")
        sides = (scale * height, scale * width, channels // scale**2)
        self._spread(name, (height, width, scale, channels // scale), sides, result)

    def _chosen(self, name: str, order: NDArray[np.int64], result: str) -> str:
        """Store the channels of a weight or bias in another order; return its dequantized name."""
        parts = self._integers(name)
        assert parts is not None
        names = (f"{result}_integers", f"{result}_scale", f"{result}_zero")
        inputs = [self._stored(n, x[order]) for n, x in zip(names, parts, strict=True)]
        self._add("DequantizeLinear", inputs, result, axis=0)
        self.nodes.insert(0, self.nodes.pop())  # the convolution is written already
        return result

    def _block(self, node: onnx.NodeProto) -> tuple[int, int] | None:
        """Return the rows and columns that a narrow integer convolution had better give at once."""
        if node.op_type != "Conv" or not self._is_plain(node) or not self._is_integer(node):
            return None
        shape, weight = self._shape(node.output[0]), self._integers(node.input[1])
        if not shape or weight is None or weight[0].ndim != 4 or weight[0].shape[3] == 1:
            return None  # of 1x1, wide ones measure no faster
        blocks = _blocks(*weight[0].shape[:3]) if shape[0] == 1 else ()
        fits = (x for x in blocks if shape[2] % x[0] == 0 and shape[3] % x[1] == 0)
        return next(fits, None)

    def _is_plain(self, node: onnx.NodeProto) -> bool:
        """Whether a convolution reads every pixel of its input for every pixel of its output."""
        lists = {item.name: list(item.ints) for item in node.attribute}
        words = {item.name: item.s for item in node.attribute}
        groups = [item.i for item in node.attribute if item.name == "group"]
        steps = [lists.get(name, [1, 1]) for name in ("strides", "dilations")]
        unpadded = words.get("auto_pad", b"NOTSET") == b"NOTSET"
        return steps == [[1, 1], [1, 1]] and groups in ([], [1]) and unpadded

    def _is_integer(self, node: onnx.NodeProto) -> bool:
        """Whether a convolution stands between a dequantization and one quantization."""
        data, result = self.makers.get(node.input[0]), node.output[0]
        readers = [reader.op_type for reader in self.readers.get(result, ())]
        dequantized = data is not None and data.op_type == "DequantizeLinear"
        stored = all(self._integers(name) is not None for name in node.input[1:])
        if readers != ["QuantizeLinear"] or result in self.results:
            return False
        quantize = self.readers[result][0]
        scale = self._constant(quantize.input[1])
        one_scale = scale is not None and scale.ndim == 0
        return dequantized and stored and one_scale and quantize.output[0] not in self.results

    def _widen(self, node: onnx.NodeProto, rows: int, columns: int) -> None:
        quantize = self.readers[node.output[0]][0]
        (_, channels, height, width), result = self._shape(node.output[0]), quantize.output[0]
        wide = f"{result}_wide"
        for position, name in enumerate(node.input[1:], 1):
            node.input[position] = self._widened(name, (rows, columns), f"{wide}_{position}")
        kept = [x for x in node.attribute if x.name not in ("strides", "kernel_shape")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("strides", [rows, columns])])
        node.metadata_props.add(key=BLOCK, value=f"{rows}x{columns}")
        node.output[0] = quantize.input[0] = f"{wide}_float"
        quantize.output[0] = quantize.name = wide
        self.nodes.extend([node, quantize])
        name = self._transposed(wide, CHANNELS_LAST, f"{wide}_channels_last")
        blocks = (height // rows, width // columns, rows, columns * channels)
        self._spread(name, blocks, (height, width, channels), result)
        self.written |= {wide}

    def _spread(
        self, name: str, blocks: Sequence[int], sides: tuple[int, int, int], result: str
    ) -> None:
        """Put the pixels of blocks in their places, and channels first.

        Args:
            name: [1, rows of blocks, blocks a row, pixels of a block · channels].
            blocks: rows of blocks, blocks a row, rows of a block, and values of one such row.
            sides: height, width and channels of the result.
            result: name of the result, [1, channels, height, width].
        """
        height, width, channels = sides
        if blocks[2] > 1:
            name = self._reshaped(name, (-1, *blocks[1:]), f"{result}_blocks")
            name = self._transposed(name, (0, 2, 1, 3), f"{result}_rows")
        if self._only_for_convolutions(result):
            name = self._reshaped(name, (-1, height, width, channels), f"{result}_channels_last")
            self._transposed(name, CHANNELS_FIRST, result)
            return
        # Statistics of a map with its channels last take several times as long, and the runtime
        # moves a transposition of images behind them: this one it does not know as such.
        name = self._reshaped(name, (-1, height * width, channels), f"{result}_pixels")
        name = self._transposed(name, (0, 2, 1), f"{result}_channels")
        self._reshaped(name, (-1, channels, height, width), result)

    def _reshaped(self, name: str, sides: Sequence[int], result: str) -> str:
        shape = self._stored("shape_" + "_".join(map(str, sides)), np.array(sides))
        return self._add("Reshape", [name, shape], result)

    def _widened(self, name: str, block: tuple[int, int], result: str) -> str:
        """Store a weight or bias once a pixel of a block; return its dequantized name."""
        parts = self._integers(name)
        assert parts is not None
        value, scales, zeros = parts
        rows, columns = block
        if value.ndim == 4:
            room = [(0, 0), (0, 0)]
            value = np.concatenate(
                [
                    np.pad(value, [*room, (i, rows - 1 - i), (j, columns - 1 - j)])
                    for i in range(rows)
                    for j in range(columns)
                ]
            )
        else:
            value = np.tile(value, rows * columns)
        stored = (value, np.tile(scales, rows * columns), np.tile(zeros, rows * columns))
        names = (f"{result}_integers", f"{result}_scale", f"{result}_zero")
        inputs = [self._stored(part, array) for part, array in zip(names, stored, strict=True)]
        return self._add("DequantizeLinear", inputs, result, axis=0)

    def _integers(self, name: str) -> tuple[NDArray[np.generic], ...] | None:
        """Return integers, scales and zero points of a constant with one scale a channel."""
        maker = self.makers.get(name)
        if maker is None or maker.op_type != "DequantizeLinear" or len(maker.input) != 3:
            return None
        parts = [self._constant(part) for part in maker.input]
        value, scales, zeros = parts
        if value is None or scales is None or zeros is None or value.ndim == 0:
            return None
        by_channel = scales.shape == zeros.shape == value.shape[:1]
        first = any(item.name == "axis" and item.i == 0 for item in maker.attribute)
        return (value, scales, zeros) if by_channel and first else None

    def _only_for_convolutions(self, name: str) -> bool:
        """Whether nothing but convolutions reads a tensor, through what only moves values.

        For anything else the runtime would transpose the map back.
        """
        readers = self.readers.get(name, [])
        return (
            bool(readers)
            and name not in self.results
            and all(
                x.op_type == "Conv"
                or (x.op_type in FOLLOWED and self._only_for_convolutions(x.output[0]))
                for x in readers
            )
        )

    def _shape(self, name: str) -> list[int]:
        """Return the shape of a map; [] where a size is open or unknown, or it is no map."""
        found = self.types.get(name)
        sizes = [axis.dim_value for axis in found.shape.dim] if found is not None else []
        return sizes if len(sizes) == 4 and all(sizes) else []

    def _is_uint8(self, name: str) -> bool:
        found = self.types.get(name)
        return found is not None and found.elem_type == onnx.TensorProto.UINT8

    def _constant(self, name: str) -> NDArray[np.generic] | None:
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def _stored(self, name: str, value: NDArray[np.generic]) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(value, name)
            self.graph.initializer.append(self.constants[name])
        return name

    def _transposed(self, name: str, order: Sequence[int], result: str) -> str:
        return self._add("Transpose", [name], result, perm=order)

    def _add(
        self,
        operation: Literal["DequantizeLinear", "Gather", "Reshape", "Transpose"],
        inputs: Sequence[str],
        output: str,
        **attributes: int | Sequence[int],
    ) -> str:
        node = helper.make_node(operation, list(inputs), [output], name=output)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
        return output
