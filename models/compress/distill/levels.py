"""Levels of distillation: the quantities in which a student imitates its teacher, with weights.

``outputs``: the teacher's painting of the same pictures. ``features``: outputs of the teacher's
layers. ``style``: channel statistics of the teacher's painting. ``logits``: softened logits of a
classifier or segmenter. ``objective``: no teacher, but the AdaIN objective of `train`.
"""

from __future__ import annotations

import difflib
import enum
import math
from collections.abc import Iterable, Mapping

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


class OutputKind(enum.StrEnum):
    """Kind of a network's output: a painting in a given style, in a fixed style, or logits."""

    TWO_IMAGE = "two-image"
    FIXED_STYLE = "fixed-style"
    LOGITS = "logits"


OUTPUTS = {
    OutputKind.TWO_IMAGE: "paints in the style of a picture",
    OutputKind.FIXED_STYLE: "paints in a style of its own",
    OutputKind.LOGITS: "returns logits",
}
MEANINGFUL = {
    OutputKind.TWO_IMAGE: (Level.OUTPUTS, Level.FEATURES, Level.STYLE, Level.OBJECTIVE),
    OutputKind.FIXED_STYLE: (Level.OUTPUTS, Level.FEATURES, Level.STYLE),
    OutputKind.LOGITS: (Level.LOGITS, Level.FEATURES),
}


def parse_level(text: str) -> tuple[Level, float]:
    """Return the level and the weight that ``NAME=WEIGHT`` names; NAME alone weighs 1.

    Raises:
        UsageError: no such level, or a weight that is not above 0.
    """
    names = [level.value for level in Level]
    name, equals, weight = (part.strip() for part in text.partition("="))
    if name not in names:
        close = difflib.get_close_matches(name.lower(), names, n=1)
        raise UsageError(
            f"unknown level {name!r}: expected one of {', '.join(names)}; "
            + (f"did you mean {close[0]}?" if close else "type for example --level outputs=1")
        )
    return Level(name), _weight(text, name, weight) if equals else 1.0


def level_weights(levels: Iterable[tuple[Level, float]]) -> dict[Level, float]:
    """Return the weight of each level.

    Raises:
        UsageError: a level is named twice.
    """
    weights: dict[Level, float] = {}
    for level, weight in levels:
        if level in weights:
            raise UsageError(f"level {level} is named twice: type --level {level}=WEIGHT once")
        weights[level] = weight
    return weights


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


def parse_match(text: str) -> tuple[str, str]:
    """Return the pair of layers that ``TEACHER_LAYER=STUDENT_LAYER`` names.

    Raises:
        UsageError: not a pair.
    """
    teacher, equals, student = (part.strip() for part in text.partition("="))
    if not (teacher and equals and student):
        raise UsageError(
            f"--match {text!r} is not a pair of layers: type TEACHER_LAYER=STUDENT_LAYER, such "
            "as --match encoder.features.17=encoder.deep"
        )
    return teacher, student


def temperature_of(value: float | None, levels: Mapping[Level, float]) -> float:
    """Return the temperature of the logits; 4 without one.

    Raises:
        UsageError: there are no logits, or the temperature is not above 0.
    """
    if value is None:
        return DEFAULT_TEMPERATURE
    if not 0 < value < math.inf:
        raise UsageError(f"--temperature {value:g} is out of range: type a number above 0")
    if Level.LOGITS not in levels:
        raise UsageError("--temperature softens logits: add --level logits=1, or leave it out")
    return value


def default_levels(kind: OutputKind, *, matched: bool) -> dict[Level, float]:
    """Return the default levels for a kind of networks, with weights.

    Args:
        kind: kind of output of both networks.
        matched: whether layers of theirs are matched.
    """
    if kind is OutputKind.LOGITS:
        return {Level.LOGITS: 1.0}
    features = {Level.FEATURES: DEFAULT_FEATURES} if matched else {}
    return {Level.OUTPUTS: 1.0, **features, Level.STYLE: 1.0}


def check_levels(levels: Mapping[Level, float], kind: OutputKind, teacher: str) -> None:
    """Check that levels apply to a kind of networks.

    Raises:
        UsageError: one does not.
    """
    for level in levels:
        if level not in MEANINGFUL[kind]:
            raise UsageError(
                f"level {level} has no meaning for {teacher}, which {OUTPUTS[kind]}: choose among "
                f"{', '.join(MEANINGFUL[kind])}"
            )
