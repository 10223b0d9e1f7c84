"""Reader of FlatBuffers by field number, every reference checked against the file's end.

A table holds, in front of its values, the distance to a list of where each field lies; a field of
number 0 distance is absent. References are distances from where they stand. See "FlatBuffer
internals" of the FlatBuffers documentation.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of a FlatBuffer.

    All readers raise struct.error, IndexError or ValueError where the data point outside.

    Attributes:
        data: the whole buffer.
        start: where the table stands.
    """

    data: bytes
    start: int

    @classmethod
    def root(cls, data: bytes) -> Table:
        """Return the root table of a buffer."""
        return cls(data, _number(data, "<I", 0))

    def number(self, field: int, kind: str = "<I", default: float = 0) -> int:
        """Return a number; ``kind`` is that of `struct`."""
        place = self._place(field)
        return int(_number(self.data, kind, place)) if place else int(default)

    def real(self, field: int, default: float = 0.0) -> float:
        """Return a float32."""
        place = self._place(field)
        return float(_number(self.data, "<f", place)) if place else default

    def table(self, field: int) -> Table | None:
        """Return a table, also one of a union; None where it is absent."""
        place = self._place(field)
        return Table(self.data, self._follow(place)) if place else None

    def numbers(self, field: int, kind: str = "<I") -> tuple[int, ...]:
        """Return a vector of numbers."""
        first, length = self._vector(field, struct.calcsize(kind))
        return struct.unpack_from(f"<{length}{kind[-1]}", self.data, first) if length else ()

    def tables(self, field: int) -> tuple[Table, ...]:
        """Return a vector of tables."""
        first, length = self._vector(field, 4)
        places = range(first, first + 4 * length, 4)
        return tuple(Table(self.data, self._follow(place)) for place in places)

    def text(self, field: int) -> str:
        """Return a string, "" where it is absent."""
        return self.raw(field).decode()

    def raw(self, field: int) -> bytes:
        """Return the bytes of a vector of bytes."""
        first, length = self._vector(field, 1)
        return self.data[first : first + length]

    def _place(self, field: int) -> int:
        """Return where a field's value stands, 0 where it is absent."""
        fields = self.start - _number(self.data, "<i", self.start)
        at = 4 + 2 * field
        if at + 2 > _number(self.data, "<H", fields):
            return 0
        distance = _number(self.data, "<H", fields + at)
        return self.start + distance if distance else 0

    def _follow(self, place: int) -> int:
        return place + _number(self.data, "<I", place)

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """Return where a vector's elements start, and their number."""
        place = self._place(field)
        if not place:
            return 0, 0
        start = self._follow(place)
        length = _number(self.data, "<I", start)
        if start + 4 + size * length > len(self.data):
            raise ValueError(f"a vector of {length} ends behind the file")
        return start + 4, length


def _number(data: bytes, kind: str, place: int) -> int:
    if place < 0:
        raise IndexError(f"a reference to {place}")
    return struct.unpack_from(kind, data, place)[0]
