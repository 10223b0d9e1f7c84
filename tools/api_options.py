"""Writes styleexport/api_options.py: the types of the commands' options as keywords.

Type checkers and editors read types and not signatures made at run time. Run it after an option was
added or changed: ``python -m tools.api_options``.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from styleexport import api
from styleexport.cli._called import keywords

COMMANDS = ("export", "bench", "compare", "stylize", "quantize", "prune", "train", "distill")
FILE = Path(__file__).parents[1] / "styleexport" / "api_options.py"
HEAD = '''"""Types of the commands' options, as keywords of the functions of `styleexport.api`.

Written by ``python -m tools.api_options`` from the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TypedDict

from styleexport.core.types import Size
'''
LISTS = ("affinity", "mean", "std", "levels")  # one option that holds several values


def source() -> str:
    """Return the text of the file."""
    return HEAD + "".join(f"\n\n{_options(name)}" for name in COMMANDS)


def _options(name: str) -> str:
    """Return the class of a command's options, without the function's own parameters."""
    function = inspect.unwrap(getattr(api, name))
    own = function.__code__.co_varnames[: function.__code__.co_argcount]
    own += (function.__kwdefaults__ and tuple(function.__kwdefaults__)) or ()
    lines = [
        f"    {keyword}: {_type(keyword, option)} | None"
        for keyword, option in keywords(name).items()
        if keyword not in own
    ]
    head = (
        f'class {name.title()}Options(TypedDict, total=False):\n    """`styleexport {name}`."""\n\n'
    )
    return head + "\n".join(lines) + "\n"


def _type(keyword: str, option: click.Option) -> str:
    """Return the type of an option's values, as Python code writes them."""
    if option.is_flag:
        return "bool"
    if isinstance(option.type, click.Path):
        one = "str | PathLike[str]"
    elif keyword == "size":
        one = "int | str | Size"
    elif isinstance(option.type, click.FloatRange):
        one = "float"
    elif isinstance(option.type, click.IntRange) or option.type is click.INT:
        one = "int"
    else:
        one = "int | str" if keyword in ("multiple", "scale") else "str"
    if keyword in LISTS:
        return f"{one} | Sequence[float]"
    return f"{one} | Sequence[{one}]" if option.multiple else one


if __name__ == "__main__":
    FILE.write_text(source(), encoding="utf-8")
