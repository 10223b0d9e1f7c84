"""Calls of commands from Python: keywords become what would be typed, and results are returned."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from styleexport.cli import PACKAGE, cli
from styleexport.cli._common import Caller, called_by
from styleexport.cli._group import DefaultGroup
from styleexport.core import plugins
from styleexport.core.errors import UsageError
from styleexport.core.plugins import suggestion
from styleexport.core.types import Progress

F = TypeVar("F", bound=Callable[..., Any])
# Options of what is printed, and how: nothing is.
NOT_KEYWORDS = ("as_json", "help", "verbose", "quiet", "color")


@dataclass(frozen=True)
class Operand:
    """Operand of a command that is no text.

    Attributes:
        parameter: name of the command's parameter.
        value: its parsed value.
    """

    parameter: str
    value: object


def command_of(name: str) -> click.Command:
    """Return a command; of a group, the one that runs without a name of its own."""
    command = plugins.load(PACKAGE, name, "COMMAND")
    assert isinstance(command, click.Command)
    return command.default if isinstance(command, DefaultGroup) else command


def keywords(name: str) -> dict[str, click.Option]:
    """Return keyword → option of a command, in the order of its help."""
    return {
        _flag(parameter).removeprefix("--").replace("-", "_"): parameter
        for parameter in command_of(name).params
        if isinstance(parameter, click.Option) and parameter.name not in NOT_KEYWORDS
    }


def call(
    name: str,
    progress: Progress,
    operands: Sequence[object],
    options: Mapping[str, Any],
) -> Any:  # noqa: ANN401 - whatever the command returns
    """Return the result of a command.

    Args:
        name: the command.
        progress: receives lines of progress.
        operands: what is typed without an option: paths, names, or an `Operand`.
        options: keyword → value; None for the command's default.

    Raises:
        UsageError: there is no such option, or a value that it does not take.
        KeyboardInterrupt: it was interrupted, and wrote what there was.
        StyleExportError: what the command fails with.
    """
    typed = [*_typed(name, options), "--"]
    typed += [str(item) for item in operands if not isinstance(item, Operand)]
    command = command_of(name)
    parent = click.Context(cli, info_name="styleexport")
    group = click.Context(command, info_name=name, parent=parent)  # a default command asks for it
    try:
        with (
            called_by(Caller(progress, (name, *(text for text in typed if text != "--")))),
            command.make_context(name, typed, parent=group) as context,
        ):
            found = {item.parameter: item.value for item in operands if isinstance(item, Operand)}
            context.params.update(found)
            return command.invoke(context)
    except click.ClickException as error:
        raise UsageError(f"{name}: {error.format_message().rstrip('.')}") from error
    except click.exceptions.Exit as error:
        raise KeyboardInterrupt from error


def _typed(name: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield what would be typed for keywords.

    Raises:
        UsageError: there is no such option.
    """
    known = keywords(name)
    for keyword, value in options.items():
        if keyword not in known:
            raise UsageError(
                f"{name} has no option {keyword!r}: expected some of {', '.join(known)}"
                + suggestion(keyword, tuple(known))
            )
        option = known[keyword]
        flag = _flag(option)
        if value is None:
            continue
        if isinstance(value, bool) and option.is_flag:
            if value:
                yield flag
            elif option.secondary_opts:
                yield option.secondary_opts[0]
            continue
        texts = _texts(value)
        for text in texts if option.multiple else [",".join(texts)]:
            yield f"{flag}={text}"


def _texts(value: object) -> list[str]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(item) for item in value]
    return [str(value)]


def _flag(option: click.Option) -> str:
    return next(text for text in option.opts if text.startswith("--"))


def documented(name: str) -> Callable[[F], F]:
    """Return a decorator that gives a function the signature and the help of a command's options.

    Args:
        name: the command.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = {k: o for k, o in keywords(name).items() if k not in signature.parameters}
        if len(own) == len(signature.parameters):
            return function
        added = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=_default(option))
            for key, option in options.items()
        ]
        lines = [f"    {key}: {option.help}" for key, option in options.items()]
        function.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        doc = inspect.cleandoc(function.__doc__ or "")
        function.__doc__ = "\n".join([doc, "", f"Options of `styleexport {name}`:", *lines, ""])
        return function

    return decorate


def _default(option: click.Option) -> object:
    """Return the value of an option that is not given, as Python shows it."""
    if option.is_flag:
        return None if option.secondary_opts or option.default is None else False
    default = option.default
    shown = isinstance(default, bool | int | float | str)
    return default if shown else (default[0] if isinstance(default, tuple) and default else None)
