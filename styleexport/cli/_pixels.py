"""Options that say what the pictures of a network of the user's are like."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from styleexport.cli._types import NUMBERS, PIXELS, SCALE

if TYPE_CHECKING:
    from styleexport.models.network_spec import NetworkSpec

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option(
        "--pixels",
        type=PIXELS,
        help="Pixel values of your network: 0..1, -1..1, 0..255, LOW..HIGH or imagenet; then any "
        "of :bgr :grey :rgba :nhwc :uint8.  [default: found by looking at the network]",
    ),
    click.option("--input-pixels", type=PIXELS, help="The same, of its inputs alone."),
    click.option("--output-pixels", type=PIXELS, help="The same, of its output alone."),
    click.option("--mean", type=NUMBERS, help="Mean to subtract from inputs: one number or three."),
    click.option("--std", type=NUMBERS, help="Then divide by these: one number or three."),
    click.option("--bgr", is_flag=True, default=None, help="Channels are blue, green, red."),
    click.option(
        "--scale", type=SCALE, help="Size of the output over that of the input: 2 for an upscaler."
    ),
)
FIELDS = ("pixels", "input_pixels", "output_pixels", "mean", "std", "bgr", "scale")


def pixel_options(command: F) -> F:
    """Add the options to a command; its argument ``network`` then holds what they say."""

    @functools.wraps(command)
    def with_pixels(**values: Any) -> Any:  # noqa: ANN401
        said = {name: value for name in FIELDS if (value := values.pop(name)) is not None}
        if said:
            values["network"] = _declare(values["network"], said)
        return command(**values)

    wrapped: Callable[..., Any] = with_pixels
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return cast("F", wrapped)


def _declare(network: NetworkSpec, said: dict[str, Any]) -> NetworkSpec:
    """Return a network specification that says this of its pictures, over what it says already."""
    from styleexport.models.pixels import PixelDeclaration

    return replace(network, declared=PixelDeclaration(**said).over(network.declared))
