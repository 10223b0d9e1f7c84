"""int8 weights of an ML program: their operations, and the weights file that holds them.

Of 16 values at most in a group of output channels they are stored as indices of 4 bits (iOS 18):

    weight = constexpr_blockwise_shift_scale(constexpr_lut_to_dense(indices, table), scale)

with a table of int8 for each group and a scale for each channel.

Symmetric, one scale an output channel or one a convolution: scale = max|w| / 127. coremltools does
the same (`linear_quantize_weights`), but runs all of its passes on the program again, some of which
change or raise_over_budget a program that has been converted to float16.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from coremltools.proto import MIL_pb2
from numpy.typing import NDArray

from styleexport.exporter.quantize.weight_rounding import PALETTE, palette_groups
from styleexport.exporter.targets.coreml.proto import Proto, operation, typed, value_of
from styleexport.runtime_bench.coreml_program.blob import (
    ELEMENTS,
    RECORD,
    SENTINEL,
    VERSION,
    BlobFile,
)

FILE = "@model_path/weights/weight.bin"
BORDER = 64
# coremltools writes arrays of so many numbers into the weights file, and others into the program.
SMALLEST = 10
# The first specification whose operation is `constexpr_blockwise_shift_scale`.
BLOCKWISE = 9


class _Weights:
    """A weights file, being written."""

    def __init__(self) -> None:
        self.content = bytearray(BORDER)
        self.count = 0

    def add(self, code: int, numbers: bytes | memoryview, padding: int = 0) -> int:
        """Return where the record of some numbers is; the last bits of them may be padding."""
        self.content += bytes(-len(self.content) % BORDER)
        offset = len(self.content)
        start = offset + BORDER
        record = RECORD.pack(SENTINEL, code, len(numbers), start, padding)
        self.content += record.ljust(BORDER, b"\0") + bytes(numbers)
        self.count += 1
        return offset

    def finish(self) -> bytes:
        """Return the bytes of the file."""
        struct.pack_into("<II", self.content, 0, self.count, VERSION)
        return bytes(self.content)


def store_integers(
    spec: Proto,
    weights: Mapping[str, NDArray[np.generic]],
    source: Path,
    folder: Path,
    *,
    per_channel: bool,
    palettes: bool = False,
) -> None:
    """Make constants of a program int8 ones, and write its new weights file.

    Args:
        spec: changed in place.
        weights: constant → its numbers, the axis of output channels first.
        source: the folder of the present weights file.
        folder: folder for the new weights file.
        per_channel: whether there is one scale an output channel.
        palettes: whether integers of few values are stored as indices of them; iOS 18.
    """
    tables: dict[str, Proto] = {}
    old = BlobFile.open(source / "weight.bin") if (source / "weight.bin").exists() else None
    new, moved = _Weights(), dict[int, int]()
    blockwise = spec.specificationVersion >= BLOCKWISE
    for item in _operations(spec):
        name = item.outputs[0].name if item.outputs else ""
        if item.type == "const" and name in weights:
            integers, scale = quantized(weights[name], per_channel=per_channel)
            of = item.outputs[0].type
            if palettes and (palette := _palette(name, of, integers, new)):
                tables[name] = palette
                made = operation("constexpr_blockwise_shift_scale", name, of)
                made.inputs["data"].arguments.add().name = palette.outputs[0].name
                made.inputs["scale"].arguments.add().value.CopyFrom(_held(scale, new))
            else:
                made = _stored(name, of, integers, scale, new, blockwise=blockwise)
            item.CopyFrom(made)
            continue
        for value in _values(item):
            if value.WhichOneof("value") == "blobFileValue" and old is not None:
                offset = value.blobFileValue.offset
                if offset not in moved:
                    _, code, size, start, _ = RECORD.unpack_from(old.data, offset)
                    moved[offset] = new.add(code, old.data[start : start + size])
                value.blobFileValue.offset = moved[offset]
    _insert(spec, tables)
    (folder / "weight.bin").write_bytes(new.finish())


def _insert(spec: Proto, tables: Mapping[str, Proto]) -> None:
    """Write each palette's operation in front of the one that scales its values."""
    for function in spec.mlProgram.functions.values() if tables else ():
        for block in function.block_specializations.values():
            operations = [
                part
                for item in block.operations
                for name in (item.outputs[0].name if item.outputs else "",)
                for part in (*([tables[name]] if name in tables else []), _copied(item))
            ]
            del block.operations[:]
            block.operations.extend(operations)


def _copied(item: Proto) -> Proto:
    copy = type(item)()
    copy.CopyFrom(item)
    return copy


def quantized(
    weight: NDArray[np.generic], *, per_channel: bool
) -> tuple[NDArray[np.int8], NDArray[np.generic]]:
    """Return a weight's integers and its scales, in its own type, one an output channel or one."""
    exact = weight.astype(np.float64)
    axes = tuple(range(1, weight.ndim)) if per_channel else None
    scale = (np.abs(exact).max(axes, keepdims=True) / 127).astype(weight.dtype)
    steps = np.where(scale == 0, 1, scale).astype(weight.dtype)
    integers = np.clip(np.rint(exact / steps.astype(np.float64)), -127, 127)
    return integers.astype(np.int8), steps


def _stored(
    name: str,
    of: Proto,
    integers: NDArray[np.int8],
    scale: NDArray[np.generic],
    new: _Weights,
    *,
    blockwise: bool,
) -> Proto:
    """Return the operation that makes a weight from its integers."""
    if blockwise:
        made = operation("constexpr_blockwise_shift_scale", name, of)
        made.inputs["data"].arguments.add().value.CopyFrom(_held(integers, new))
        made.inputs["scale"].arguments.add().value.CopyFrom(_held(scale, new))
        return made
    made = operation("constexpr_affine_dequantize", name, of)
    flat = scale.reshape(-1) if scale.size > 1 else scale.reshape(())
    parts = {"quantized_data": integers, "scale": flat, "zero_point": np.zeros_like(flat, np.int8)}
    for key, part in parts.items():
        made.attributes[key].CopyFrom(_held(part, new))
    made.attributes["axis"].CopyFrom(value_of(np.array(0, np.int32)))
    return made


def _palette(name: str, of: Proto, integers: NDArray[np.int8], new: _Weights) -> Proto | None:
    """Return the operation that looks integers up; None where a group has more than 16 values."""
    groups = np.split(integers, palette_groups(len(integers)))
    values = [np.unique(group) for group in groups]
    if max(map(len, values)) > PALETTE:
        return None
    table = np.stack([np.pad(each, (0, PALETTE - len(each)), mode="edge") for each in values])
    indices = np.concatenate(
        [np.searchsorted(each, group) for each, group in zip(values, groups, strict=True)]
    ).astype(np.uint8)
    held: Proto = type(of)()
    held.CopyFrom(of)
    held.tensorType.dataType = typed(integers).type.tensorType.dataType
    made = operation("constexpr_lut_to_dense", f"{name}_palette", held)
    made.inputs["indices"].arguments.add().value.CopyFrom(_held_in_4_bits(indices, new))
    shape = (len(table), *(1,) * (integers.ndim - 1), PALETTE, 1)
    made.inputs["lut"].arguments.add().value.CopyFrom(_held(table.reshape(shape), new))
    return made


def _held_in_4_bits(content: NDArray[np.uint8], new: _Weights) -> Proto:
    """Return values of 0..15 as a value of two to a byte, the first in the lower half."""
    flat = content.reshape(-1)
    padding = 4 * (len(flat) % 2)
    pairs = np.pad(flat, (0, len(flat) % 2)).reshape(-1, 2)
    code = ELEMENTS["uint4"].blob_code
    assert code is not None
    value = typed(content)
    value.type.tensorType.dataType = MIL_pb2.DataType.Value("UINT4")
    value.blobFileValue.fileName = FILE
    value.blobFileValue.offset = new.add(
        code, (pairs[:, 0] | pairs[:, 1] << 4).astype(np.uint8).tobytes(), padding
    )
    return value


def _held(content: NDArray[np.generic], new: _Weights) -> Proto:
    """Return an array as a value, in the weights file unless it is small."""
    if content.size < SMALLEST:
        return value_of(content)
    names = {element.dtype: element for element in ELEMENTS.values() if element.bits >= 8}
    code = names[content.dtype].blob_code
    assert code is not None, content.dtype
    value = typed(content)
    value.blobFileValue.fileName = FILE
    value.blobFileValue.offset = new.add(code, np.ascontiguousarray(content).tobytes())
    return value


def _operations(spec: Proto) -> Iterator[Proto]:
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            yield from block.operations


def _values(item: Proto) -> Iterator[Proto]:
    """Yield the constants that an operation holds."""
    yield from item.attributes.values()
    for argument in item.inputs.values():
        for binding in argument.arguments:
            if binding.WhichOneof("binding") == "value":
                yield binding.value
