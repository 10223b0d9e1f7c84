"""Multiples that widths are rounded to, as kernels compute channels in packs of 8 or 16.

Exact pruning rounds up: some empty channels stay, and the painting is still the same. Pruning by
importance rounds to the nearest multiple. Which multiple is best is measured: the network is cut
to each, written in int8 and timed, all in turns on this machine. A multiple of 1 rounds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress, Size
from styleexport.models.compress.prune.dependencies import ChannelDependencies
from styleexport.models.compress.prune.mirrors import MirroredLayer
from styleexport.models.network import LoadedNetwork

AUTO = "auto"
LARGEST = 64
CANDIDATES = (1, 8, 16)
# Times so near each other are equal; the smaller multiple leaves fewer channels.
NOISE = 1.01


class Int8Times(Protocol):
    """Times networks in int8, in turns."""

    runtime: str

    def __call__(
        self, networks: Sequence[LoadedNetwork], size: Size, progress: Progress
    ) -> list[tuple[float, float]]:
        """Return for each network its median time in ms, and the median of its time by the first's.

        Args:
            networks: networks of one kind; the first is what the others are compared with.
            size: size of the pictures.
            progress: receives progress lines.

        Raises:
            UsageError: networks of this kind cannot be timed.
        """
        ...


class MultipleTrial(msgspec.Struct, frozen=True, kw_only=True):
    """A network cut to widths that are multiples of a number, timed in int8.

    Attributes:
        multiple: multiple of the widths; 1 for widths as they come.
        macs_share: multiply-accumulates by the whole network's.
        int8_ms: median time of one run, in ms.
        time_share: median of its time by that of the whole network in the same round.
    """

    multiple: int
    macs_share: float
    int8_ms: float
    time_share: float


class MultipleChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The multiple that widths were rounded to, and why.

    Attributes:
        multiple: multiple of the widths that were cut; 1 for widths as they come.
        reason: reason in words.
        trials: candidates that were timed; () for a given multiple.
    """

    multiple: int
    reason: str
    trials: tuple[MultipleTrial, ...] = ()


@dataclass(frozen=True)
class ChosenLayout:
    """Widths to cut to.

    Attributes:
        widths: widths of the mirrored layers.
        multiple: multiple that they were rounded to; None for widths as they come.
    """

    widths: tuple[int, ...]
    multiple: MultipleChoice | None = None


def parse_multiple(text: str) -> int | str:
    """Return the multiple that was typed: 2 to 64, or ``auto``.

    Raises:
        UsageError: it is neither.
    """
    if text == AUTO:
        return AUTO
    if not text.isdecimal() or not 2 <= int(text) <= LARGEST:
        raise UsageError(
            f"--multiple {text!r}: expected a whole number from 2 to {LARGEST}, or {AUTO}; type "
            f"--multiple 8, or --multiple {AUTO} to measure which is fastest"
        )
    return int(text)


def choose_multiple(
    multiple: int | Int8Times,
    whole: LoadedNetwork,
    cut_to: Callable[[int], LoadedNetwork],
    size: Size,
    macs_share: Callable[[LoadedNetwork], float],
    progress: Progress,
    *,
    exact: bool,
) -> MultipleChoice:
    """Return the multiple to round to.

    Among exact cuts, which all paint the same, the fastest is chosen; among others, that of the
    least time for each multiply-accumulate left, as they differ in what they keep.

    Args:
        multiple: multiple that was asked for, or what times candidates.
        whole: network before the cut.
        cut_to: returns the network cut to a multiple.
        size: size of the pictures that candidates are timed at.
        macs_share: returns a cut network's multiply-accumulates by the whole's.
        progress: receives progress lines.
        exact: whether all cuts paint the same.

    Raises:
        UsageError: the network cannot be cut as asked, or not be timed in int8.
    """
    if isinstance(multiple, int):
        return MultipleChoice(multiple=multiple, reason="as asked")
    shares: dict[int, float] = {}
    networks: list[LoadedNetwork] = []
    for candidate in CANDIDATES:
        try:
            network = cut_to(candidate)
        except UsageError as error:
            if candidate == 1:
                raise
            progress(f"multiples of {candidate} are left out: {error}")
            continue
        share = macs_share(network)
        # Equal shares are the same widths; the whole network saves nothing.
        if share < 1 and share not in shares.values():
            shares[candidate] = share
            networks.append(network)
    if not networks:
        return MultipleChoice(multiple=1, reason="nothing is cut")
    progress(f"timing widths in multiples of {', '.join(map(str, shares))} in {multiple.runtime}")
    _, *times = multiple([whole, *networks], size, progress)
    trials = [
        MultipleTrial(multiple=candidate, macs_share=share, int8_ms=ms, time_share=by_whole)
        for (candidate, share), (ms, by_whole) in zip(shares.items(), times, strict=True)
    ]
    figures_of = {t.multiple: t.time_share / (1 if exact else t.macs_share) for t in trials}
    least = min(figures_of.values())
    best = next(m for m, figure in figures_of.items() if figure <= least * NOISE)
    ground = "least int8 time" if exact else "least int8 time a multiply-accumulate"
    figures = ", ".join(f"{t.multiple}: {t.time_share:.2f}" for t in trials)
    return MultipleChoice(
        multiple=best,
        reason=f"{ground} in {multiple.runtime} at {size}, by the whole network's: {figures}",
        trials=tuple(trials),
    )


def rounded_up(
    dependencies: ChannelDependencies, removed: Iterable[int], multiple: int
) -> frozenset[int]:
    """Return fewer groups to remove, so that every width that shrinks is a multiple.

    A layer of fewer channels than the multiple keeps them all.

    Args:
        dependencies: groups of the network's channels.
        removed: groups that may be removed.
        multiple: multiple of the widths.
    """
    left, before = set(removed), -1
    # What one layer keeps, others that compute the same channels keep too.
    while len(left) != before:
        before = len(left)
        for name in sorted(dependencies.mixing):
            outputs = dependencies.outputs[name]
            gone = [group for group in outputs if group in left]
            kept = len(outputs) - len(gone)
            most = math.ceil(kept / multiple) * multiple
            left.difference_update(gone[: most - kept])
    return frozenset(left)


def rounded_layout(
    layout: Sequence[int], layers: Sequence[MirroredLayer], multiple: int
) -> tuple[int, ...]:
    """Return the nearest multiples to the widths of a layout, one at least; whole layers stay.

    Raises:
        UsageError: a layer that is cut has fewer channels than the multiple, or no layer would be
            cut.
    """
    widths: list[int] = []
    for width, layer in zip(layout, layers, strict=True):
        if width < layer.width < multiple:
            raise UsageError(
                f"--multiple {multiple} does not fit: {layer.name} has {layer.width} channels; "
                f"{_smaller(multiple, layer.width)}leave that layer as it is with --layout"
            )
        nearest = max(1, math.floor(width / multiple + 0.5)) * multiple
        widths.append(width if width == layer.width else min(nearest, layer.width))
    whole = [layer.width for layer in layers]
    if widths == whole and list(layout) != whole:
        raise UsageError(
            f"--multiple {multiple} rounds every width back to the present one, "
            f"{','.join(map(str, whole))}: {_smaller(multiple, multiple - 1)}cut more"
        )
    return tuple(widths)


def _smaller(multiple: int, most: int) -> str:
    """Return advice to take a smaller multiple, if there is one that kernels pack."""
    fitting = [each for each in CANDIDATES if 1 < each < multiple and each <= most]
    return f"type --multiple {max(fitting)}, or " if fitting else "leave out --multiple, or "


def facts_of(choice: MultipleChoice | None) -> Mapping[str, str | int]:
    """Return what a network's history says of the multiple."""
    return {} if choice is None else {"multiple": choice.multiple, "multiple_reason": choice.reason}
