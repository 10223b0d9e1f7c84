"""Java class files that hold signatures and no code: what a compiler reads of a library.

The format is that of the Java Virtual Machine Specification, chapter 4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

MAGIC = 0xCAFEBABE
# Of Java 8: interfaces may have default and static methods.
VERSION = 52
PUBLIC, PROTECTED, STATIC, FINAL, SUPER = 0x1, 0x4, 0x8, 0x10, 0x20
VARARGS, INTERFACE, ABSTRACT, ANNOTATION, ENUM = 0x80, 0x200, 0x400, 0x2000, 0x4000
# The owner of a package-level class, and what its inner ones are called apart from it by.
INNER = "$"

Constant = int | float | str


@dataclass(frozen=True)
class Value:
    """A constant: its tag in the pool and what it is worth."""

    tag: int
    worth: Constant


@dataclass(frozen=True)
class Member:
    """A field or a method.

    Attributes:
        name: of it.
        flags: access and kind.
        descriptor: of its erased type.
        signature: of its type with type variables; empty where it has none.
        value: of a constant field.
    """

    name: str
    flags: int
    descriptor: str
    signature: str = ""
    value: Value | None = None


@dataclass(frozen=True)
class ClassFile:
    """A class: names are internal, such as ``android/view/View$OnClickListener``."""

    name: str
    flags: int
    parent: str
    interfaces: tuple[str, ...]
    signature: str = ""
    fields: tuple[Member, ...] = ()
    methods: tuple[Member, ...] = ()
    inner: tuple[tuple[str, int], ...] = ()


@dataclass
class _Pool:
    """The constant pool while it grows."""

    places: dict[tuple[int, Constant], int] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    count: int = 1

    def utf8(self, text: str) -> int:
        # Modified UTF-8 differs for NUL and beyond the basic plane, which no signature holds.
        raw = text.encode()
        return self._place(1, text, struct.pack(">BH", 1, len(raw)) + raw)

    def class_(self, name: str) -> int:
        return self._place(7, name, struct.pack(">BH", 7, self.utf8(name)))

    def value(self, value: Value) -> int:
        if value.tag == 8:
            text = str(value.worth)
            return self._place(8, text, struct.pack(">BH", 8, self.utf8(text)))
        form = {3: ">Bi", 4: ">Bf", 5: ">Bq", 6: ">Bd"}[value.tag]
        wide = value.tag in (5, 6)
        return self._place(value.tag, value.worth, struct.pack(form, value.tag, value.worth), wide)

    def _place(self, tag: int, key: Constant, part: bytes, wide: bool = False) -> int:
        if (tag, key) not in self.places:
            self.parts.append(part)
            self.places[(tag, key)] = self.count
            self.count += 2 if wide else 1
        return self.places[(tag, key)]


def encoded(one: ClassFile) -> bytes:
    """Return the bytes of a class."""
    pool = _Pool()
    this, parent = pool.class_(one.name), pool.class_(one.parent) if one.parent else 0
    body = struct.pack(">HHH", one.flags, this, parent)
    body += _listed(struct.pack(">H", pool.class_(name)) for name in one.interfaces)
    body += _listed(_member(pool, member) for member in one.fields)
    body += _listed(_member(pool, member) for member in one.methods)
    attributes = [_signature(pool, one.signature)] if one.signature else []
    if one.inner:
        entries = _listed(_inner(pool, name, flags) for name, flags in one.inner)
        attributes.append(_attribute(pool, "InnerClasses", entries))
    body += _listed(attributes)
    head = struct.pack(">IHHH", MAGIC, 0, VERSION, pool.count)
    return head + b"".join(pool.parts) + body


def _member(pool: _Pool, member: Member) -> bytes:
    attributes = [_signature(pool, member.signature)] if member.signature else []
    if member.value is not None:
        place = struct.pack(">H", pool.value(member.value))
        attributes.append(_attribute(pool, "ConstantValue", place))
    head = (member.flags, pool.utf8(member.name), pool.utf8(member.descriptor))
    return struct.pack(">HHH", *head) + _listed(attributes)


def _inner(pool: _Pool, name: str, flags: int) -> bytes:
    outer, _, simple = name.rpartition(INNER)
    return struct.pack(">HHHH", pool.class_(name), pool.class_(outer), pool.utf8(simple), flags)


def _signature(pool: _Pool, text: str) -> bytes:
    return _attribute(pool, "Signature", struct.pack(">H", pool.utf8(text)))


def _attribute(pool: _Pool, name: str, content: bytes) -> bytes:
    return struct.pack(">HI", pool.utf8(name), len(content)) + content


def _listed(parts: Iterable[bytes]) -> bytes:
    items = list(parts)
    return struct.pack(">H", len(items)) + b"".join(items)
