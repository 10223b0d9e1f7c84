"""The levels at which a student is held to its teacher, and their weights.

``outputs``: the teacher's painting of the same pictures. ``features``: the values of the teacher's
layers. ``style``: channel statistics of the teacher's painting. ``logits``: the softened answers of
a classifier or segmenter. ``objective``: no teacher, but the AdaIN objective of `train`.
"""

from __future__ import annotations

import difflib
import enum
import math
from collections.abc import Iterable, Mapping, Sequence

from styleexport.core.errors import UsageError

DEFAULT_TEMPERATURE = 4.0
DEFAULT_FEATURES = 0.5


class Level(enum.StrEnum):
    """One level of distillation."""

    OUTPUTS = "outputs"
    FEATURES = "features"
    STYLE = "style"
    LOGITS = "logits"
    OBJECTIVE = "objective"


class Kind(enum.StrEnum):
    """What a network answers: a painting in a given style, one in its own style, or logits."""

    TWO_IMAGE = "two-image"
    FIXED_STYLE = "fixed-style"
    LOGITS = "logits"


ANSWERS = {
    Kind.TWO_IMAGE: "paints in the style of a picture",
    Kind.FIXED_STYLE: "paints in a style of its own",
    Kind.LOGITS: "returns logits",
}
MEANINGFUL = {
    Kind.TWO_IMAGE: (Level.OUTPUTS, Level.FEATURES, Level.STYLE, Level.OBJECTIVE),
    Kind.FIXED_STYLE: (Level.OUTPUTS, Level.FEATURES, Level.STYLE),
    Kind.LOGITS: (Level.LOGITS, Level.FEATURES),
}


def parse_levels(texts: Sequence[str]) -> dict[Level, float]:
    """Return the weight of each level that ``--level NAME=WEIGHT`` names; NAME alone weighs 1.

    Raises:
        UsageError: no such level, one named twice, or a weight that is not above 0.
    """
    found: dict[Level, float] = {}
    names = [level.value for level in Level]
    for text in texts:
        name, equals, weight = (part.strip() for part in text.partition("="))
        if name not in names:
            close = difflib.get_close_matches(name.lower(), names, n=1)
            raise UsageError(
                f"unknown level {name!r}: expected one of {', '.join(names)}; "
                + (f"did you mean {close[0]}?" if close else "type for example --level outputs=1")
            )
        if Level(name) in found:
            raise UsageError(f"level {name} is named twice: type --level {name}=WEIGHT once")
        found[Level(name)] = _weight(text, name, weight) if equals else 1.0
    return found


def _weight(text: str, name: str, weight: str) -> float:
    try:
        value = float(weight)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(
            f"--level {text}: {weight!r} is not a weight; type a number above 0, such as "
            f"--level {name}=0.5, or leave the level out"
        )
    return value


def parse_matches(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs of layers that ``--match TEACHER_LAYER=STUDENT_LAYER`` names.

    Raises:
        UsageError: not a pair.
    """
    found: list[tuple[str, str]] = []
    for text in texts:
        teacher, equals, student = (part.strip() for part in text.partition("="))
        if not (teacher and equals and student):
            raise UsageError(
                f"--match {text!r} is not a pair of layers: type TEACHER_LAYER=STUDENT_LAYER, such "
                "as --match encoder.features.17=encoder.deep"
            )
        found.append((teacher, student))
    return tuple(found)


def temperature_of(value: float | None, levels: Mapping[Level, float]) -> float:
    """Return the temperature of the logits; 4 without one.

    Raises:
        UsageError: there is nothing to soften, or it is not above 0.
    """
    if value is None:
        return DEFAULT_TEMPERATURE
    if not 0 < value < math.inf:
        raise UsageError(f"--temperature {value:g} is out of range: type a number above 0")
    if Level.LOGITS not in levels:
        raise UsageError("--temperature softens logits: add --level logits=1, or leave it out")
    return value


def default_levels(kind: Kind, *, matched: bool) -> dict[Level, float]:
    """Return the levels of networks of a kind.

    Args:
        kind: of both networks.
        matched: whether layers of theirs are matched.
    """
    if kind is Kind.LOGITS:
        return {Level.LOGITS: 1.0}
    features = {Level.FEATURES: DEFAULT_FEATURES} if matched else {}
    return {Level.OUTPUTS: 1.0, **features, Level.STYLE: 1.0}


def check_levels(levels: Mapping[Level, float], kind: Kind, teacher: str) -> None:
    """Refuse levels that mean nothing to networks of a kind.

    Raises:
        UsageError: there is one.
    """
    for level in levels:
        if level not in MEANINGFUL[kind]:
            raise UsageError(
                f"level {level} has no meaning for {teacher}, which {ANSWERS[kind]}: choose among "
                f"{', '.join(MEANINGFUL[kind])}"
            )
