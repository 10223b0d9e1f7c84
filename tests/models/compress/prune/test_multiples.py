"""Widths in multiples: rounded up where nothing may change, to the nearest, or by time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress, Role, Size
from styleexport.models.architecture import layers, widths_of
from styleexport.models.compress.prune.channels import dependencies_of, remove_channels
from styleexport.models.compress.prune.dependencies import ChannelDependencies
from styleexport.models.compress.prune.mirrors import MirroredLayer
from styleexport.models.compress.prune.multiples import (
    choose_multiple,
    facts_of,
    parse_multiple,
    rounded_layout,
    rounded_up,
)
from styleexport.models.network import LoadedNetwork
from tests.conftest import load_random

SIZE = Size(64, 64)


class Times:
    """A timer with a table in place of a clock: channels left → share of the whole's time."""

    runtime = "a table"

    def __init__(self, *shares: float) -> None:
        self.shares = shares

    def __call__(
        self, networks: Sequence[LoadedNetwork], size: Size, progress: Progress
    ) -> list[tuple[float, float]]:
        assert (len(networks), size) == (len(self.shares) + 1, SIZE)
        return [(10.0, 1.0), *((10 * share, share) for share in self.shares)]


def silence(_: str) -> None:
    pass


def chain(*widths: int) -> ChannelDependencies:
    """Layers a, b, … one after the other; groups are numbered through."""
    ends = [sum(widths[: index + 1]) for index in range(len(widths))]
    groups = [tuple(range(end - width, end)) for width, end in zip(widths, ends, strict=True)]
    names = "abcdefgh"[: len(widths) - 1]
    return ChannelDependencies(
        inputs=dict(zip(names, groups, strict=False)),
        outputs=dict(zip(names, groups[1:], strict=True)),
        mixing=frozenset(names),
        pinned=frozenset(),
    )


def test_widths_are_rounded_up_and_never_above_the_present():
    dependencies = chain(3, 20, 12, 16)
    a, b, c = (dependencies.outputs[name] for name in "abc")
    removed = rounded_up(dependencies, [*a[:7], *b[:3], *c[:8]], 8)
    kept = {name: 20 - len(removed & set(a)) for name in "a"}
    assert kept == {"a": 16}  # 13 of 20 answer
    assert not removed & set(b)  # 9 of 12: there are no 16
    assert len(removed & set(c)) == 8
    assert rounded_up(dependencies, [*a[:7], *c[:8]], 1) == {*a[:7], *c[:8]}


def test_layers_of_the_same_channels_are_rounded_together():
    both = tuple(range(3, 19))
    dependencies = ChannelDependencies(
        inputs={"a": (0, 1, 2), "b": (0, 1, 2), "c": both},
        outputs={"a": both, "b": (*both, 19, 20), "c": (21, 22, 23)},
        mixing=frozenset("abc"),
        pinned=frozenset(),
    )
    removed = rounded_up(dependencies, {*both[:9], 19, 20}, 8)
    # b keeps 7 of 18, so 8; the channel that it takes back is one of a's too, or its own.
    assert (16 - len(removed & set(both))) % 8 == 0
    assert (18 - len(removed)) in (8, 16, 18)


@torch.no_grad()
def test_a_network_with_rounded_widths_has_those_multiples():
    loaded = load_random("adain-cd16x")
    dependencies = dependencies_of(loaded)
    wide = "encoder.features.7"
    removed = rounded_up(dependencies, dependencies.outputs[wide][:5], 8)
    cut = remove_channels(loaded, dependencies.kept_without(removed))
    before, after = (widths_of(dict(layers(n.module))[wide]).outputs for n in (loaded, cut))
    assert after == -(-(before - 5) // 8) * 8
    image = torch.rand(1, 3, 64, 64)
    assert cut.role_module(Role.STYLIZE)(image, image, torch.ones(1)).shape == image.shape


def mirrored(*widths: int) -> list[MirroredLayer]:
    return [
        MirroredLayer(f"conv{number}", f"e.{number}", None, width)
        for number, width in enumerate(widths, 1)
    ]


def test_a_layout_is_rounded_to_the_nearest():
    layers_ = mirrored(64, 64, 100, 12)
    assert rounded_layout((45, 3, 99, 12), layers_, 8) == (48, 8, 96, 12)
    assert rounded_layout((45, 3, 99, 12), layers_, 16) == (48, 16, 96, 12)
    assert rounded_layout((45, 3, 99, 11), layers_, 1) == (45, 3, 99, 11)
    assert rounded_layout((64, 63, 100, 12), mirrored(64, 64, 100, 12), 1) == (64, 63, 100, 12)


def test_a_layout_that_cannot_be_rounded_is_refused():
    with pytest.raises(UsageError, match="conv2 has 12 channels; type --multiple 8, or leave that"):
        rounded_layout((45, 9), mirrored(64, 12), 16)
    with pytest.raises(UsageError, match="conv2 has 5 channels; leave out --multiple, or"):
        rounded_layout((45, 3), mirrored(64, 5), 8)
    with pytest.raises(UsageError, match=r"rounds every width back.*64,64: type --multiple 8, or"):
        rounded_layout((60, 60), mirrored(64, 64), 16)


@pytest.mark.parametrize("text", ["0", "1", "65", "-8", "7.5", "fastest", ""])
def test_what_is_no_multiple_is_refused(text):
    with pytest.raises(UsageError, match="expected a whole number from 2 to 64, or auto; type"):
        parse_multiple(text)


def test_multiples_are_read():
    assert [parse_multiple(text) for text in ("8", "16", "auto")] == [8, 16, "auto"]


def chosen(
    times: Times | int, shares: dict[int, float], *, exact: bool, refused: Sequence[int] = ()
) -> tuple[int, str]:
    """Return multiple and reason where multiples leave some shares of the multiplications."""
    loaded = load_random("adain-lite")
    cuts: dict[int, float] = {}

    def cut_to(multiple: int) -> LoadedNetwork:
        if multiple in refused:
            raise UsageError(f"--multiple {multiple} does not fit")
        other = LoadedNetwork(loaded.network, loaded.module, ("x",), "0" * 64)
        cuts[id(other)] = shares[multiple]
        kept.append(other)
        return other

    kept: list[LoadedNetwork] = []
    choice = choose_multiple(
        times, loaded, cut_to, SIZE, lambda n: cuts[id(n)], silence, exact=exact
    )
    assert facts_of(choice) == {"multiple": choice.multiple, "multiple_reason": choice.reason}
    return choice.multiple, choice.reason


def test_the_fastest_exact_cut_is_chosen():
    multiple, reason = chosen(Times(1.03, 0.88, 0.95), {1: 0.7, 8: 0.8, 16: 0.9}, exact=True)
    assert multiple == 8
    assert reason == (
        "least int8 time in a table at 64x64, by the whole network's: 1: 1.03, 8: 0.88, 16: 0.95"
    )


def test_of_equal_times_the_smaller_multiple_is_chosen():
    assert chosen(Times(0.99, 0.903, 0.9), {1: 0.7, 8: 0.8, 16: 0.9}, exact=True)[0] == 8


def test_cuts_that_paint_otherwise_are_compared_by_the_multiplication():
    shares = {1: 0.5, 8: 0.55, 16: 0.6}
    assert chosen(Times(0.5, 0.51, 0.53), shares, exact=True)[0] == 1
    assert chosen(Times(0.5, 0.51, 0.53), shares, exact=False)[0] == 16


def test_equal_cuts_are_timed_once_and_whole_ones_not_at_all():
    assert chosen(Times(0.9), {1: 0.8, 8: 0.8, 16: 1.0}, exact=True)[0] == 1
    assert chosen(Times(), {1: 1.0, 8: 1.0, 16: 1.0}, exact=True) == (1, "nothing is cut")


def test_multiples_that_do_not_fit_are_left_out():
    shares = {1: 0.5, 8: 0.6, 16: 0.6}
    assert chosen(Times(0.9, 0.8), shares, exact=True, refused=[16])[0] == 8
    with pytest.raises(UsageError):
        chosen(Times(), shares, exact=True, refused=[1])


def test_a_given_multiple_is_taken():
    assert chosen(16, {}, exact=True) == (16, "as asked")
