"""Mutations of documents and files, drawn by hypothesis."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

Json = Any
DEEP: Json = []
for _ in range(200):
    DEEP = [DEEP]
# Values at which readers break: limits, other types, paths that lead outside, controls, nesting.
ODD: tuple[Json, ...] = (
    *(None, True, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e308, 1e-320),
    *("", "x", "0" * 64, "\x1b[2J", "\u202e", "\ud83d", "x" * 5000, "../../outside", "/etc/passwd"),
    *("a/../../b", "C:\\x", "nan", "onnx", "fp32", "transform", "NCHW", "float32"),
    *([], {}, [[]], [None], {"": None}, DEEP),
)


def paths_of(value: Json, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a JSON value."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    inner = value.items() if isinstance(value, dict) else ()
    return [at, *(path for key, item in inner for path in paths_of(item, (*at, key)))]


@st.composite
def documents(draw: st.DrawFn, document: Json) -> bytes:
    """A JSON document with some of its values replaced, removed, repeated or renamed."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        paths = [path for path in paths_of(changed) if path]
        if not paths:
            break
        *parents, key = draw(st.sampled_from(paths))
        owner = changed
        for parent in parents:
            owner = owner[parent]
        match draw(st.sampled_from(("replace", "replace", "remove", "repeat", "rename"))):
            case "replace":
                owner[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
            case "remove":
                del owner[key]
            case "repeat" if isinstance(owner, list):
                owner += [copy.deepcopy(owner[key]) for _ in range(draw(st.integers(1, 50)))]
            case "rename" if isinstance(owner, dict):
                owner[draw(st.sampled_from(("", "x", "\x1b", "../x")))] = owner.pop(key)
            case _:
                pass
    text = json.dumps(changed, ensure_ascii=draw(st.booleans()))
    return text.encode(errors="surrogatepass")


@st.composite
def files(draw: st.DrawFn, content: bytes) -> bytes:
    """A file with bytes of it changed, removed, inserted or repeated."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(changed) - 1, 0)))
        length = draw(st.sampled_from((1, 2, 4, 8, 64)))
        match draw(st.sampled_from(("change", "flip", "cut", "insert", "remove", "repeat"))):
            case "change":
                changed[place : place + length] = draw(st.binary(min_size=length, max_size=length))
            case "flip" if changed:
                changed[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del changed[place:]
            case "insert":
                changed[place:place] = draw(st.binary(max_size=64))
            case "remove":
                del changed[place : place + length]
            case _:
                changed[place:place] = changed[place : place + length]
    return bytes(changed)
