"""Element types and the weights file of a Core ML package, ``weight.bin``.

A blob file starts with a 64-byte header (count, version 2). A constant names the offset of a
64-byte record: a sentinel, the element type, the size and the offset of the data. Types narrower
than a byte are packed without gaps, lowest bit first, across byte boundaries.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import BadArtifact
from styleexport.core.input_files import read_input

SENTINEL = 0xDEADBEEF
VERSION = 2
RECORD = struct.Struct("<IIQQQ")
AGAIN = "the file was cut or edited: export the network again"
COPY_WHOLE = "copy the whole .mlpackage folder or export the network again"


@dataclass(frozen=True)
class Element:
    """An element type.

    Attributes:
        bits: number of bits of an element.
        dtype: narrowest numpy type that holds it.
        blob_code: code of the type in a blob record; None where blobs do not hold it.
    """

    bits: int
    dtype: np.dtype[np.generic]
    blob_code: int | None = None


ELEMENTS = {
    "bool": Element(8, np.dtype(np.bool_)),
    "fp16": Element(16, np.dtype(np.float16), 1),
    "fp32": Element(32, np.dtype(np.float32), 2),
    "fp64": Element(64, np.dtype(np.float64)),
    "uint8": Element(8, np.dtype(np.uint8), 3),
    "int8": Element(8, np.dtype(np.int8), 4),
    "int16": Element(16, np.dtype(np.int16), 6),
    "uint16": Element(16, np.dtype(np.uint16), 7),
    "int4": Element(4, np.dtype(np.int8), 8),
    "uint1": Element(1, np.dtype(np.uint8), 9),
    "uint2": Element(2, np.dtype(np.uint8), 10),
    "uint4": Element(4, np.dtype(np.uint8), 11),
    "uint3": Element(3, np.dtype(np.uint8), 12),
    "uint6": Element(6, np.dtype(np.uint8), 13),
    "int32": Element(32, np.dtype(np.int32), 14),
    "uint32": Element(32, np.dtype(np.uint32), 15),
    "int64": Element(64, np.dtype(np.int64)),
    "uint64": Element(64, np.dtype(np.uint64)),
}


def packed_bytes(dtype: str, count: int) -> int:
    """Return the size in bytes of ``count`` packed elements of a type."""
    return math.ceil(count * ELEMENTS[dtype].bits / 8)


def unpack(raw: bytes | memoryview, dtype: str, count: int) -> NDArray[np.generic]:
    """Return ``count`` elements from their packed bytes, [count].

    Args:
        raw: `packed_bytes` of data.
        dtype: element type as MIL names it; narrow types become uint8 or int8.
        count: number of elements.
    """
    element = ELEMENTS[dtype]
    if element.bits >= 8:
        return np.frombuffer(raw, element.dtype, count)
    bits = np.unpackbits(
        np.frombuffer(raw, np.uint8), bitorder="little", count=count * element.bits
    )
    bit_values = (1 << np.arange(element.bits)).astype(np.uint8)
    values = (bits.reshape(count, element.bits) * bit_values).sum(1, dtype=np.uint8)
    if dtype.startswith("int"):
        top = 1 << (element.bits - 1)
        return (values.astype(np.int16) - 2 * top * (values >= top)).astype(element.dtype)
    return values


@dataclass(frozen=True)
class BlobFile:
    """A weights file, read into memory.

    Attributes:
        path: path of the file.
        data: its contents.
    """

    path: Path
    data: bytes

    @classmethod
    def open(cls, path: Path) -> BlobFile:
        """Return a weights file with its header checked.

        Raises:
            BadArtifact: the file is missing, too short, or of another format.
        """
        data = read_input(path, "weights file", error=BadArtifact, remedy=COPY_WHOLE)
        if len(data) < 64 or struct.unpack_from("<I", data, 4)[0] != VERSION:
            raise BadArtifact(
                f"{path} is no weights file: {len(data)} bytes without the header of version "
                f"{VERSION}; {AGAIN}"
            )
        return cls(path, data)

    def read(self, offset: int, dtype: str, count: int) -> NDArray[np.generic]:
        """Return the elements of the blob whose record is at byte ``offset``, [count].

        Raises:
            BadArtifact: there is no record, or it does not hold ``count`` elements of ``dtype``.
        """
        if offset + 64 > len(self.data):
            raise BadArtifact(
                f"{self.path} ends at byte {len(self.data)}, expected a constant at {offset}; "
                f"{AGAIN}"
            )
        sentinel, code, size, start, _ = RECORD.unpack_from(self.data, offset)
        if sentinel != SENTINEL:
            raise BadArtifact(f"{self.path} has no constant at byte {offset}; {AGAIN}")
        needed = packed_bytes(dtype, count)
        if code != ELEMENTS[dtype].blob_code or size != needed:
            raise BadArtifact(
                f"{self.path} holds {size} bytes of type {code} at {offset}, expected {needed} "
                f"of type {ELEMENTS[dtype].blob_code} ({dtype}); {AGAIN}"
            )
        if start + size > len(self.data):
            raise BadArtifact(
                f"{self.path} ends at byte {len(self.data)}, expected {start + size}; {AGAIN}"
            )
        return unpack(memoryview(self.data)[start : start + size], dtype, count)
