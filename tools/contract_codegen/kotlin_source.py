"""Layout of Kotlin source: calls, comments and literals."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence

COLUMNS = 100


def call(name: str, *arguments: str | tuple[str, object] | None) -> str:
    """Return a call with the arguments that are set."""
    parts: list[str] = []
    for argument in arguments:
        if isinstance(argument, str):
            parts.append(argument)
        elif argument is not None and argument[1] is not None:
            parts.append(f"{argument[0]} = {_number(argument[1])}")
    return f"{name}({', '.join(parts)})"


def _number(value: object) -> str:
    return f"{value:_}" if isinstance(value, int) else str(value)


def literal(text: str) -> str:
    """Return a string literal."""
    return json.dumps(text, ensure_ascii=False).replace("$", "\\$")


def enum_constant(value: str) -> str:
    """Return ``int8-weights`` as ``INT8_WEIGHTS``."""
    return re.sub(r"\W", "_", value).upper()


def wrapped(call: str, indent: int, end: str = ",") -> Iterator[str]:
    """Yield a call on one line, or with its arguments below it, each wrapped in turn."""
    space = " " * indent
    if len(space + call + end) <= COLUMNS:
        yield f"{space}{call}{end}"
        return
    begin, _, rest = call.partition("(")
    arguments = _split(rest.removesuffix(")"))
    yield f"{space}{begin}("
    together = f"{space}    {', '.join(arguments)},"
    if len(together) <= COLUMNS:
        yield together
    else:
        for argument in arguments:
            yield from wrapped(argument, indent + 4)
    yield f"{space}){end}"


def _split(arguments: str) -> list[str]:
    """Return the arguments of a call; commas in brackets and strings part none."""
    parts, depth, is_string = [""], 0, False
    for letter in arguments:
        is_string ^= letter == '"'
        depth += 0 if is_string else (letter == "(") - (letter == ")")
        if letter == "," and depth == 0 and not is_string:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def kdoc(text: str, tags: Sequence[str]) -> list[str]:
    """Return a KDoc comment at the margin."""
    text = _markdown(text)
    if not tags and len(text) + 8 <= COLUMNS and "\n" not in text:
        return [f"/** {text} */"]
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += ["", *textwrap.wrap(paragraph, COLUMNS - 4)]
    if tags:
        lines.append("")
    for tag in tags:
        lines += textwrap.wrap(_markdown(tag), COLUMNS - 4, subsequent_indent="  ")
    return ["/**", *(f" * {line}".rstrip() for line in lines[1:]), " */"]


def _markdown(text: str) -> str:
    return re.sub(r"\bNone\b", "null", text.replace("``", "`"))
