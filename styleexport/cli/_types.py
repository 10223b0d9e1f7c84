"""Parameter types: what a user types becomes a value, or an error that says what to type instead.

A type parses with the function of the package that owns the notation, imported when it is used, so
that `--help` imports nothing heavy.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click
from click.shell_completion import CompletionItem

from styleexport.core.errors import UsageError
from styleexport.core.types import Precision, Role, Size

if TYPE_CHECKING:
    from styleexport.models.compress.distill.levels import Level
    from styleexport.models.compress.prune.budget import PruneBudget
    from styleexport.models.compress.prune.mirrors import LayerPair
    from styleexport.models.network_spec import NetworkSpec
    from styleexport.models.pixels import PixelFormat
    from styleexport.runtime_bench.contract.latency import Doubt
    from styleexport.runtime_bench.quality.budget import Budget
    from styleexport.runtime_bench.runners._choice import RunnerChoice

T = TypeVar("T")

ALL = "all"
MAX_PROCESSORS = 4_096
TARGETS = "styleexport.exporter.targets"
CONVERTERS = f"{TARGETS}.tflite.converters"
PRECISIONS = {"none": Precision.FP32, **{p.value: p for p in Precision}}


# Click before 8.4 has no type arguments.
class Parsed(click.ParamType, Generic[T]):  # pyright: ignore[reportMissingTypeArgument]
    """A type whose values a function parses.

    Args:
        name: shown in the help in place of a value.
        parse: returns the value of a text; raises a UsageError that says what to type.
        choices: returns values that a shell completes, where there are few.
    """

    def __init__(
        self,
        name: str,
        parse: Callable[[str], T],
        choices: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self.name = name
        self._parse = parse
        self._choices = choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:  # noqa: ANN401
        """Return the value of what was typed."""
        return self._parse(value) if isinstance(value, str) else value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what the help shows in place of a value."""
        return self.name

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the choices that begin with what was typed; without choices, files."""
        choices = tuple(self._choices())
        if not choices:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(x) for x in choices if x.startswith(incomplete)]


def _parse_role(text: str) -> Role:
    known = [role.value for role in Role]
    if text not in known:
        raise UsageError(
            f"unknown role {text!r}: expected one of {', '.join(known)}; type --role transform"
        )
    return Role(text)


def precision_type(example: str) -> Parsed[Precision]:
    """Return the type of one precision; ``none`` is float32.

    Args:
        example: the option and a value that it takes, to be typed instead: ``--precision fp16``.
    """

    def parse(text: str) -> Precision:
        if text not in PRECISIONS:
            raise UsageError(
                f"unknown precision {text!r}: expected one of {', '.join(PRECISIONS)}; "
                f"type {example}"
            )
        return PRECISIONS[text]

    return Parsed("PRECISION", parse, lambda: PRECISIONS)


def _parse_precisions(text: str) -> tuple[Precision, ...]:
    if text == ALL:
        return tuple(p for p in Precision if p is not Precision.AUTO)
    return (precision_type("--precision int8").convert(text, None, None),)


def merge_precisions(values: Iterable[tuple[Precision, ...]]) -> tuple[Precision, ...]:
    """Return the precisions that several ``--precision`` name, each once; ``all`` goes first.

    ``all`` is every one but ``auto``, which takes minutes and is named when it is wanted.
    """
    ordered = sorted(values, key=len, reverse=True)
    return tuple(dict.fromkeys(precision for value in ordered for precision in value))


def _parse_processors(text: str) -> tuple[int, ...]:
    processors: set[int] = set()
    for part in text.split(",")[: MAX_PROCESSORS + 1]:
        match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", part.strip(), re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < MAX_PROCESSORS:
            raise UsageError(
                f"--affinity {text!r} is no list of processors, 0 to {MAX_PROCESSORS - 1}: type "
                "for example --affinity 0,1 or --affinity 0-3"
            )
        processors |= set(range(first, last + 1))
    return tuple(sorted(processors))


def _parse_share(text: str) -> float:
    """Return ``10%`` and ``0.1`` as 0.1."""
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 10:
        raise UsageError(
            f"--fail-above {text!r} is not a share: expected 0 % to 1000 %, written 10% or 0.1; "
            "type --fail-above 10%"
        )
    return value


def _parse_doubts(text: str) -> tuple[Doubt, ...]:
    from styleexport.runtime_bench.contract.doubts import parse_doubts

    return parse_doubts(text)


def _parse_runner(text: str) -> RunnerChoice:
    from styleexport.runtime_bench.runners._choice import parse_runner

    return parse_runner(text)


def _parse_budget(text: str) -> Budget:
    from styleexport.runtime_bench.quality.budget import Budget

    return Budget.parse(text)


def _parse_prune_budget(text: str) -> PruneBudget:
    from styleexport.models.compress.prune.budget import PruneBudget

    return PruneBudget.parse(text)


def _parse_mirror(text: str) -> LayerPair:
    from styleexport.models.compress.prune.mirrors import LayerPair

    return LayerPair.parse(text)


def _parse_multiple(text: str) -> int | str:
    from styleexport.models.compress.prune.multiples import parse_multiple

    return parse_multiple(text)


def _parse_network(text: str) -> NetworkSpec:
    from styleexport.models.network_spec import NetworkSpec

    spec = NetworkSpec.parse(text)
    spec.check()
    return spec


def _parse_target(text: str) -> str:
    from styleexport.core import plugins

    plugins.check_name(TARGETS, text, "target")
    return text


def _parse_converter(text: str) -> str:
    from styleexport.core import plugins

    plugins.check_name(CONVERTERS, text, "converter")
    return text


class Number(click.FloatRange):
    """Type of a number that is neither NaN nor infinite, with a range as click's."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number to compute with.", param, ctx)
        return number

    def _describe_range(self) -> str:
        """Return the range for the help text; empty for any number."""
        return "" if self.min is self.max is None else super()._describe_range()


class Existing(click.Path):
    """Type of a file or folder that must be there: a missing one is refused before any work.

    Args:
        what: what it is, as an error names it.
        kind: what to type the path of.
    """

    def __init__(self, what: str, kind: str) -> None:
        super().__init__(path_type=Path)
        self.what, self.kind = what, kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Return the path."""
        path = Path(value)
        if not os.path.lexists(path):  # links that lead nowhere are refused when they are read
            fault = "is not a folder" if self.what == "folder" else "does not exist"
            raise UsageError(f"{self.what} {path} {fault}; type the path of {self.kind}")
        return path


def _parse_pixels(text: str) -> PixelFormat:
    from styleexport.models.pixels import PixelFormat

    return PixelFormat.parse(text)


def _parse_numbers(text: str) -> tuple[float, ...]:
    from styleexport.models.pixels import parse_numbers

    return parse_numbers(text)


def _parse_scale(text: str) -> int:
    from styleexport.models.pixels import parse_scale

    return parse_scale(text)


def _parse_levels(text: str) -> str:
    levels = text.replace(",", "")
    if not re.fullmatch("5?4?3?2?1?", levels) or not levels:
        raise UsageError(
            f"--levels {text!r}: expected some of 5,4,3,2,1, each once, the deepest first; type "
            "for example --levels 5,4,3"
        )
    return levels


def _parse_level(text: str) -> tuple[Level, float]:
    from styleexport.models.compress.distill.levels import parse_level

    return parse_level(text)


def _parse_match(text: str) -> tuple[str, str]:
    from styleexport.models.compress.distill.levels import parse_match

    return parse_match(text)


def _names(package: str) -> tuple[str, ...]:
    from styleexport.core import plugins

    return plugins.names(package)


PIXELS = Parsed("LOW..HIGH", _parse_pixels)
NUMBERS = Parsed("NUMBERS", _parse_numbers)
SCALE = Parsed("N", _parse_scale)
NETWORK = Parsed("NETWORK", _parse_network, lambda: _names("styleexport.models.networks"))
LEVELS = Parsed("LIST", _parse_levels)
NUMBER = Number()
POSITIVE = Number(0, min_open=True)
TARGET = Parsed("TARGET", _parse_target, lambda: _names(TARGETS))
CONVERTER = Parsed("CONVERTER", _parse_converter, lambda: _names(CONVERTERS))
WEIGHTS = Existing(
    "checkpoint", "a weights file; `styleexport networks` lists what each network takes"
)
FOLDER = Existing("folder", "a folder of pictures")
RECIPE = Existing("recipe", "a recipe, which lies in an artifact's recipes/")
KEY_FILE = Existing("file", "a PEM file")
SIZE = Parsed("HxW", Size.parse)
ROLE = Parsed("ROLE", _parse_role, lambda: Role)
PRECISION = Parsed("PRECISION", _parse_precisions, lambda: (*PRECISIONS, ALL))
PROCESSORS = Parsed("LIST", _parse_processors)
DOUBTS = Parsed("NAMES", _parse_doubts)
SHARE = Parsed("SHARE", _parse_share)
RUNNER = Parsed(
    "NAME[:SETTING=VALUE,...]", _parse_runner, lambda: _names("styleexport.runtime_bench.runners")
)
BUDGET = Parsed("BUDGET", _parse_budget)
PRUNE_BUDGET = Parsed("BUDGET", _parse_prune_budget)
LEVEL = Parsed("NAME=WEIGHT", _parse_level)
MATCH = Parsed("TEACHER_LAYER=STUDENT_LAYER", _parse_match)
MULTIPLE = Parsed("8|16|auto", _parse_multiple)
MIRROR = Parsed("LAYER=LAYER", _parse_mirror)
