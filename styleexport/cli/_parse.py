"""From what a user types to types, with errors that say what to type instead."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.core.errors import UsageError
from styleexport.core.types import Precision, Role, Size


def parse_precisions(texts: Sequence[str]) -> tuple[Precision, ...]:
    """Return the precisions that ``--quantize`` names; ``none`` is float32.

    ``all`` is every one but ``auto``, which takes minutes and is named when it is wanted.

    Raises:
        UsageError: no such precision.
    """
    if "all" in texts:
        every = [p.value for p in Precision if p is not Precision.AUTO]
        texts = [*every, *(text for text in texts if text != "all")]
    return tuple(dict.fromkeys(parse_precision(text, "--quantize int8") for text in texts))


def parse_precision(text: str, option: str) -> Precision:
    """Return the one precision that a text names; ``none`` is float32.

    Args:
        text: what was typed.
        option: the option and a value that it takes, to be typed instead.

    Raises:
        UsageError: no such precision.
    """
    names = {"none": Precision.FP32, **{p.value: p for p in Precision}}
    if text not in names:
        raise UsageError(
            f"unknown precision {text!r}: expected one of {', '.join(names)}; type {option}"
        )
    return names[text]


def parse_roles(texts: Sequence[str]) -> tuple[Role, ...] | None:
    """Return the roles named, None if none is.

    Raises:
        UsageError: no such role.
    """
    known = [role.value for role in Role]
    for text in texts:
        if text not in known:
            raise UsageError(
                f"unknown role {text!r}: expected one of {', '.join(known)}; type --role transform"
            )
    return tuple(dict.fromkeys(Role(text) for text in texts)) or None


def parse_sizes(texts: Sequence[str]) -> tuple[Size, ...]:
    """Return the sizes named.

    Raises:
        UsageError: not a size.
    """
    return tuple(Size.parse(text) for text in texts)
