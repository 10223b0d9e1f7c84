"""Storage of a Core ML program's constants: encodings and their bytes."""

from __future__ import annotations

import math
from collections import Counter

from styleexport.runtime_bench.coreml_program.program import (
    Constant,
    Operation,
    Package,
    TensorType,
)

LONG_NAMES = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}
# Pads, strides, axes, names of modes: parameters that were not trained.
SETTINGS = "settings"
CONSTEXPR_SETTINGS = frozenset({"axis", "shape"})


def long_name(dtype: str) -> str:
    """Return an element type in numpy's spelling."""
    return LONG_NAMES.get(dtype, dtype)


def bytes_by_storage(package: Package) -> Counter[str]:
    """Return encoding, such as ``int8 (per channel)`` → bytes of constants.

    Scales, tables and masks count with the weights that they belong to.
    """
    constants = package.constants()
    types = {name: variable.type for name, variable in package.variables().items()}
    labels: dict[str, str] = {}
    stored: Counter[str] = Counter()
    for operation in package.operations:
        compressed = operation.kind.startswith("constexpr_")
        label = _encoding(operation, types) if compressed else ""
        for parameter, items in operation.inputs.items():
            part = "" if parameter in CONSTEXPR_SETTINGS else label
            for item in items:
                if isinstance(item, str):
                    labels.setdefault(item, part) if part else None
                elif operation.kind != "const":
                    stored[part or _plain(item)] += item.stored_bytes
    for name, constant in constants.items():
        stored[labels.get(name) or _plain(constant)] += constant.stored_bytes
    return stored


def _plain(constant: Constant) -> str:
    trained = constant.in_blob or constant.type.dtype.startswith("fp")
    return long_name(constant.type.dtype) if trained else SETTINGS


def _encoding(operation: Operation, types: dict[str, TensorType]) -> str:
    """Return the encoding of a compressed constant."""

    def of(parameter: str) -> TensorType:
        item = operation.inputs[parameter][0]
        return types[item] if isinstance(item, str) else item.type

    match operation.kind.removeprefix("constexpr_"):
        case "affine_dequantize":
            spread = "per tensor" if of("scale").count == 1 else "per channel"
            return f"{of('quantized_data').dtype} ({spread})"
        case "blockwise_shift_scale":
            data = of("data")
            return f"{data.dtype} ({_granularity(data.shape, of('scale').shape)})"
        case "lut_to_dense":
            return _palette(of("lut").shape)
        case "sparse_to_dense":
            return f"sparse {long_name(of('nonzero_data').dtype)}"
        case "lut_to_sparse":
            return f"sparse {_palette(of('lut').shape)}"
        case "sparse_blockwise_shift_scale":
            return f"sparse {of('nonzero_data').dtype}"
        case "cast":
            return long_name(of("source_val").dtype)
        case other:
            return other


def _palette(shape: tuple[int | None, ...]) -> str:
    """Return the encoding of a palette with a table [N] or [groups ..., N, vector]."""
    entries = shape[-2:][0]
    grouped = math.prod(side or 1 for side in shape[:-2]) > 1
    return f"palette {int(math.log2(entries or 1))}-bit{' (grouped)' if grouped else ''}"


def _granularity(data: tuple[int | None, ...], scale: tuple[int | None, ...]) -> str:
    """Return the granularity of scales: per tensor, per channel or in blocks."""
    blocks = [d // s for d, s in zip(data, scale, strict=True) if d and s and 1 < s < d]
    if blocks:
        return f"blocks of {'x'.join(map(str, blocks))}"
    return "per tensor" if math.prod(side or 1 for side in scale) == 1 else "per channel"
