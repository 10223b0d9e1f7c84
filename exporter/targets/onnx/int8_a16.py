"""int8-a16 ONNX files: int8 weights and 16-bit activations, as Qualcomm's runtime takes them.

Every operation of a block stands between a DequantizeLinear and a QuantizeLinear of uint16, and so
does each padding, pooling and upsampling between two blocks: no operator moves uint16. The two
operators take 16 bits from opset 21 on. ONNX Runtime's CPU has no kernel that multiplies them: it
computes such a file in float, between roundings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from styleexport.core.recipe import Int8Recipe
from styleexport.exporter.quantize.blocks import QuantizedBlock
from styleexport.exporter.targets.onnx.int8 import BlockWriter, Stored, write_blocks

# The first with 16 bits, and the format that belongs to it.
OPSET, IR_VERSION = 21, 10


def quantize_blocks_a16(
    model: onnx.ModelProto,
    blocks: Sequence[QuantizedBlock],
    recipe: Int8Recipe,
    names: Mapping[str, str],
) -> None:
    """Compute blocks of a float32 model with activations of 16 bits, in place.

    Args:
        model: float32 model, of an opset whose operators are the same in opset 21.
        blocks: blocks outside the recipe's float layers.
        recipe: ranges and granularity.
        names: layer → tensor where the two differ: inputs and outputs.
    """
    write_blocks(model, _Writer(model, blocks, recipe, names, rounds_results=True))
    for item in model.opset_import:
        if item.domain in ("", "ai.onnx"):
            item.version = max(item.version, OPSET)
    model.ir_version = max(model.ir_version, IR_VERSION)


class _Writer(BlockWriter):
    """Writes uint16, and moves values between pairs of their own."""

    integer = np.uint16

    def move(self, node: onnx.NodeProto) -> None:
        """Write a node that moves values, between a pair of one scale."""
        stored, tensor = self.stored[node.input[0]], node.output[0]
        moved = Stored(f"{tensor}_uint16", stored.scale, stored.zero_point)
        node.input[0], node.output[0] = self.dequantized(stored), f"{tensor}_float"
        self.nodes.append(node)
        self.add("QuantizeLinear", [node.output[0], *self.parameters(moved)], moved.name)
        self.stored[tensor] = moved
