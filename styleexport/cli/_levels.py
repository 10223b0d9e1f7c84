"""Option that names the levels of a network that has several."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import click

from styleexport.cli._types import LEVELS
from styleexport.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def levels_option(command: F) -> F:
    """Add ``--levels`` to a command; its argument ``network`` then holds what it says."""

    @functools.wraps(command)
    def with_levels(**values: Any) -> Any:  # noqa: ANN401
        if (levels := values.pop("kept_levels")) is not None:
            network = values["network"]
            if network.levels not in ("", levels):
                raise UsageError(f"--levels {','.join(levels)} and {network}: name the levels once")
            network = replace(network, levels=levels)
            network.check()
            values["network"] = network
        return command(**values)

    option = click.option(
        "--levels",
        "kept_levels",
        type=LEVELS,
        help="Levels to keep of a network that has several, the deepest first: 5,4,3.  [default: "
        "all that the weights have]",
    )
    return cast("F", option(with_levels))
