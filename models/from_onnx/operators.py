"""Reference table of the ONNX operators that are read: generated from the code."""

from __future__ import annotations

from styleexport.models.from_onnx.folding import FOLDABLE
from styleexport.models.from_onnx.graph import operations

# What of an operator is not read.
LIMITS = {
    "ArgMax": "the first of equal values",
    "ArgMin": "the first of equal values",
    "AveragePool": "of [N, C, H, W]; not dilated",
    "BatchNormalization": "in inference",
    "Cast": "to float, double (computed in float32), int64, int32, uint8, bool",
    "Conv": "of [N, C, H, W] or [N, C, L]",
    "ConvTranspose": "of [N, C, H, W]",
    "Gather": "rows that do not depend on the picture, or the style's index",
    "GatherND": "without batch_dims",
    "GroupNormalization": "from opset 21",
    "MaxPool": "of [N, C, H, W]; the values, not their places",
    "Pad": "constant; reflect, edge and wrap of rows and columns",
    "Reshape": "to a shape that does not depend on the picture's values",
    "Resize": "of rows and columns; nearest, linear, cubic; not antialiased",
    "ScatterElements": "without reduction",
    "ScatterND": "without reduction",
    "Upsample": "of rows and columns",
}
HEAD = """# ONNX operators that are read

`styleexport` reads `.onnx` files of opset 7 and later. Operators on values that depend on the
picture are computed in PyTorch, and compared with ONNX Runtime on random inputs whenever a file is
read. A file with any other operator is refused with the name of its node; export such a network
from PyTorch. Of quantized files, `--dequantize` takes the float network back out.

This page is generated from the code by `python -m tools.onnx_operators`.

| operator | limits |
|---|---|
"""
FOLDED = """
On values that do not depend on pixels (weights, constants, shapes) these are computed too, when the
file is read: {names}.
"""
COUNTED = ("Shape", "Size")


def reference_page() -> str:
    """Return the page of the reference in Markdown."""
    rows = [f"| {name} | {LIMITS.get(name, '')} |" for name in sorted(operations())]
    others = sorted((FOLDABLE | set(COUNTED)) - set(operations()))
    return HEAD + "\n".join(rows) + "\n" + FOLDED.format(names=", ".join(others))
