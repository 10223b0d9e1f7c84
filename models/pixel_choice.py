"""Pixel formats and scale of a network of the user's: declared, or found by looking at it.

The network is run on photographs that ship with the package. What bounds its last operations (Tanh,
Sigmoid, Clip), what its first operations do to the picture, and the values that it gives decide;
where they contradict what is declared or would be assumed, the network is not exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from styleexport.models.network import Basis, LoadedNetwork, PixelBasis
from styleexport.models.pixel_ends import Affine, Bound, End, end_of, start_of
from styleexport.models.pixel_runs import (
    TOO_LITTLE_USED,
    TOO_MANY_CLIPPED,
    FirstRun,
    Fit,
    first_run,
    saturation,
)
from styleexport.models.pixels import STANDARD, PixelDeclaration, PixelFormat

UNIT, SIGNED, BYTES = (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)
RANGES = (UNIT, SIGNED, BYTES)
BOUND_RANGES = (*RANGES, (-0.5, 0.5), (-127.5, 127.5), (-128.0, 127.0))
MAX_EXCESS = 64
SATURATED = 0.5
DECLARED = Basis("declared")


def settle_pixels(loaded: LoadedNetwork, declared: PixelDeclaration) -> LoadedNetwork:
    """Return a network with its pixel formats and scale, how each is known, and an objection.

    Args:
        loaded: network of the user's.
        declared: what the user says of it.

    Raises:
        UsageError: the declaration contradicts itself.
    """
    taken, given = declared.input(), declared.output()
    with torch.random.fork_rng(devices=[]):
        look = first_run(loaded.module, taken)
        if look is None:  # it does not run, or gives no picture: capture says so
            network = replace(
                loaded.network,
                input_pixels=taken or STANDARD,
                output_pixels=given or STANDARD,
                scale=declared.scale or 1,
            )
            assumed = [DECLARED if x else Basis("assumed") for x in (taken, given, declared.scale)]
            return replace(loaded, network=network, basis=PixelBasis(*assumed))
        return _settled(loaded, declared, look)


def _settled(loaded: LoadedNetwork, declared: PixelDeclaration, look: FirstRun) -> LoadedNetwork:
    scale, scale_basis, objection = _scale(look, declared.scale)
    name = loaded.network.name
    given, given_basis, taken, taken_basis = _formats(look, declared)
    if objection:
        objection = f"{name}: {objection}"
    elif (named := declared.output()) and named.channels not in (3, look.output.channels):
        objection = (
            f"{name}: output pixels {named} are declared, and it gives {look.output.channels} "
            f"channels: type --output-pixels {given.typed}"
        )
    elif look.output.channels == 4 and (declared.output() or STANDARD).channels != 4:
        objection = (
            f"{name} gives four channels: if they are colours and alpha, type --output-pixels "
            f"{replace(given, channels=4).typed} (what is transparent is laid over white); if not, "
            "return three"
        )
    else:
        objection = _objection(name, look, (taken, taken_basis), (given, given_basis))
    network = replace(loaded.network, input_pixels=taken, output_pixels=given, scale=scale)
    basis = PixelBasis(taken_basis, given_basis, scale_basis)
    return replace(loaded, network=network, basis=basis, objection=objection)


def _scale(look: FirstRun, declared: int | None) -> tuple[int, Basis, str]:
    """Return the scale, how it is known, and an objection."""
    first, last = look.sizes[0], look.sizes[-1]
    out, out_last = look.shapes[0], look.shapes[-1]
    measured = " and ".join(f"{s} gives {o}" for s, o in zip(look.sizes, look.shapes, strict=True))
    if len(look.sizes) > 1:
        factors = [
            (out_last.height - out.height) / (last.height - first.height),
            (out_last.width - out.width) / (last.width - first.width)
            if last.width != first.width
            else out.width // first.width,
        ]
    else:
        factors = [out.height // first.height, out.width // first.width]
    scale = int(factors[0])
    excess = (out.height - scale * first.height, out.width - scale * first.width)
    if scale < 1 or min(excess) < 0:
        if declared or scale > 1:
            return declared or 1, Basis(), _no_scale(measured)
        return 1, Basis("assumed"), ""  # smaller than its input: capture says so
    if factors[0] != factors[1] or scale != factors[0] or max(excess) >= MAX_EXCESS * scale:
        return declared or 1, Basis(), _no_scale(measured)
    if len(look.sizes) == 1 and max(excess) >= min(first.height, first.width) / 4:
        return declared or 1, Basis(), _no_scale(measured)
    if declared not in (None, scale):
        objection = (
            f"scale {declared} is declared, and the output is {scale} times as large as the input "
            f"({measured}): type --scale {scale}"
        )
        return declared or 1, Basis(), objection
    basis = DECLARED if declared else Basis("found", measured) if scale > 1 else Basis("assumed")
    return scale, basis, ""


def _no_scale(measured: str) -> str:
    return (
        f"the output is no whole multiple of the input ({measured}): expected 1, 2, 3 … times its "
        "height and width; resize or crop inside the network"
    )


def _formats(
    look: FirstRun, declared: PixelDeclaration
) -> tuple[PixelFormat, Basis, PixelFormat, Basis]:
    """Return the format of the output and how it is known, and those of the input."""
    end, start = _end(look), _start(look)
    given, given_basis = _stated(declared.output(), look.output)
    taken, taken_basis = _stated(declared.input(), look.trial.pixels)
    if given_basis is None and end is not None and (matched := _range_of_bound(end.bound)):
        given, given_basis = look.output.with_range(matched), Basis("found", end.reason)
    if taken_basis is None and start is not None and (known := _format_of_start(start)):
        taken = replace(known, layout=taken.layout, channels=taken.channels, dtype=taken.dtype)
        mapped = _mapped(taken.range, start)
        taken_basis = Basis("found", f"begins by mapping {taken.low:g}..{taken.high:g} to {mapped}")
        if taken.order == "BGR" and given_basis is not None and declared.output() is None:
            given = replace(given, order="BGR")
    if taken_basis is None and taken.dtype == "uint8":
        taken, taken_basis = taken.with_range(BYTES), Basis("found", "takes uint8")
    if given_basis is None:
        given, given_basis, taken, taken_basis = _by_values(look, given, taken, taken_basis)
    elif taken_basis is None:
        taken, taken_basis = _input_as_output(look, given, given_basis, taken)
    assert given_basis is not None and taken_basis is not None
    return given, given_basis, taken, taken_basis


def _stated(declared: PixelFormat | None, seen: PixelFormat) -> tuple[PixelFormat, Basis | None]:
    """Return the declared format with the channels, layout and type that the network has."""
    if declared is None:
        return seen, None
    stated = replace(declared, layout=seen.layout, dtype=seen.dtype, channels=seen.channels)
    return stated, DECLARED


def _end(look: FirstRun) -> End | None:
    if look.output.dtype == "uint8":
        return End(BYTES, "gives uint8")
    return end_of(look.recording)


def _start(look: FirstRun) -> Affine | None:
    starts = [start_of(look.recording, picture) for picture in look.recording.pictures]
    return next((start for start in starts if start is not None), None)


def _near(bound: Bound, limits: Bound, share: float = 0.02) -> bool:
    width = limits[1] - limits[0]
    return all(abs(a - b) <= share * width for a, b in zip(bound, limits, strict=True))


def _range_of_bound(bound: Bound) -> Bound | None:
    """Return the range that the last operations were made for, None where it is unclear.

    A bound that is somewhat wider at both ends, such as 150·tanh + 127.5, is for the range inside.
    """
    if not all(abs(limit) < 1e6 for limit in bound):
        return None
    for limits in BOUND_RANGES:
        if _near(bound, limits):
            return limits
    for limits in RANGES:
        width = limits[1] - limits[0]
        centred = abs(sum(bound) - sum(limits)) <= 0.04 * width
        if centred and width < bound[1] - bound[0] <= 1.5 * width:
            return limits
    return None


def _format_of_start(start: Affine) -> PixelFormat | None:
    """Return the format of the input that the first operations were made for.

    They map it to -1..1, 0..1 or ±0.5, subtract a mean near the middle, or normalize it as for
    ImageNet. Means that rise are those of blue, green and red.
    """
    gain, offset = start
    middle = [-o / g if g else 0.0 for g, o in zip(gain, offset, strict=True)]
    order = "BGR" if len(middle) == 3 and middle[0] < middle[1] < middle[2] else "RGB"
    for limits in RANGES:
        low, high = limits
        mapped = [(low * g + o, high * g + o) for g, o in zip(gain, offset, strict=True)]
        known = (SIGNED, (-0.5, 0.5)) + ((UNIT,) if limits != UNIT else (BYTES, (-127.5, 127.5)))
        if any(all(_near(bound, target) for bound in mapped) for target in known):
            return PixelFormat(low, high)
        relative = [(m - low) / (high - low) for m in middle]
        centred = all(0.3 <= value <= 0.7 for value in relative)
        mean_alone = set(gain) == {1.0} and any(offset)
        normalized = len(gain) == 3 and all(
            0.18 <= 1 / (g * (high - low)) <= 0.3 for g in gain if g
        )  # std of ImageNet: 0.225 to 0.229
        if limits != SIGNED and centred and (mean_alone or normalized):
            return PixelFormat(low, high, order)
    return None


def _mapped(limits: Bound, start: Affine) -> str:
    gain, offset = start
    low = min(limits[0] * g + o for g, o in zip(gain, offset, strict=True))
    high = max(limits[1] * g + o for g, o in zip(gain, offset, strict=True))
    return f"{low:.3g}..{high:.3g}"


def _input_as_output(
    look: FirstRun, given: PixelFormat, basis: Basis, taken: PixelFormat
) -> tuple[PixelFormat, Basis]:
    """Return the output's range for the input, or 0..1 where the network saturates with it."""
    same = replace(taken, low=given.low, high=given.high, order=given.order)
    reason = "as the output"
    if given.range == UNIT or saturation(look, same, given) < SATURATED:
        return same, basis if basis.kind == "found" else Basis("assumed", reason)
    standard = replace(taken, low=0.0, high=1.0)
    if saturation(look, standard, given) < SATURATED / 2:
        return standard, Basis("found", f"the output saturates with {same.low:g}..{same.high:g}")
    return same, Basis("assumed", reason)


def _by_values(
    look: FirstRun, given: PixelFormat, taken: PixelFormat, taken_basis: Basis | None
) -> tuple[PixelFormat, Basis, PixelFormat, Basis]:
    """Return formats where nothing bounds the output: its values on photographs decide."""
    seen = look.values(taken)
    first = taken.range if taken_basis is not None else UNIT
    high = float(seen.abs().sort().values[-1 - len(seen) // 100]) if len(seen) else 0.0
    reason = f"its values reach {high:.3g} on photographs"
    end = _end(look)
    bounded = end is not None and all(abs(limit) < 1e6 for limit in end.bound)
    if high > 4 and not bounded:
        chosen, basis = BYTES, Basis("found", reason)
    elif first != UNIT and _fits_unit_better(seen, given, first):
        chosen, basis = UNIT, Basis("found", reason)
    else:
        chosen, basis = first, Basis("assumed")
    given = replace(given, low=chosen[0], high=chosen[1])
    if taken_basis is None:
        taken, taken_basis = taken.with_range(chosen), basis
    elif taken.order == "BGR":
        given = replace(given, order="BGR")
    return given, basis, taken, taken_basis


def _fits_unit_better(values: Tensor, given: PixelFormat, first: Bound) -> bool:
    """Whether an output fits 0..1, and does not fit the input's range or is never negative."""
    if Fit.of(values, given.with_range(UNIT)).ruins:
        return False
    negative = float((values < -0.02).float().mean())
    return negative < 0.02 or Fit.of(values, given.with_range(first)).ruins


def _input_objection(look: FirstRun, into: PixelFormat) -> str:
    """Return why the first operations contradict a declared input format; "" where they do not."""
    start = _start(look)
    known = _format_of_start(start) if start is not None else None
    if start is None or known is None:
        return ""
    mapped = (
        f"the network begins by mapping {known.low:g}..{known.high:g} to "
        f"{_mapped(known.range, start)}"
    )
    if into.mean:
        return (
            f"a mean and std are declared, and {mapped} itself: leave out --mean and --std and "
            f"type --input-pixels {known.typed}"
        )
    if known.range != into.range:
        return f"input pixels {into} are declared, and {mapped}: type --input-pixels {known.typed}"
    return ""


def _objection(
    name: str, look: FirstRun, taken: tuple[PixelFormat, Basis], given: tuple[PixelFormat, Basis]
) -> str:
    """Return why the evidence contradicts the formats, and what to type; "" where it does not."""
    (into, into_basis), (out, out_basis) = taken, given
    end = _end(look)
    if into_basis.kind == "declared" and (against := _input_objection(look, into)):
        return f"{name}: {against}"
    if out.clips or out.mean or out.std:
        return ""
    values = look.values(into)
    fit, better = Fit.of(values, out), _better(values, out)
    against = ""
    if end is not None and out_basis.kind != "found" and (against := _against(end, out)):
        bound = _range_of_bound(end.bound) or end.bound
        better = better or out.with_range(bound)
    elif fit.clipped >= TOO_MANY_CLIPPED:
        against = f"{fit.clipped:.0%} of the output is clipped"
    elif fit.used < TOO_LITTLE_USED and better is not None:
        against = f"the output uses {fit.used:.1%} of the range"
    if not against:
        return ""
    low, high = (float(values.min()), float(values.max())) if values.numel() else (0.0, 0.0)
    suggested = better.typed if better is not None else "LOW..HIGH"
    if into_basis.kind == "declared" and into.range != out.range:
        remedy = f"type --output-pixels {suggested}"
    else:
        remedy = f"type --pixels {suggested} (--output-pixels for the output alone)"
    return (
        f"{name}: with output pixels {out} ({out_basis}) {against}; on photographs its values are "
        f"{low:.3g}..{high:.3g}: {remedy}, or --output-pixels {out.typed}:clip if that is meant"
    )


def _against(end: End, out: PixelFormat) -> str:
    """Return what the bound of the last operations says against a range; "" for nothing."""
    low, high = end.bound
    if not all(abs(limit) < 1e6 for limit in end.bound) or high <= low:
        return ""
    common = max(0.0, min(high, out.high) - max(low, out.low))
    if common / (high - low) <= 0.5:
        return f"half of what it can give is clipped (the network {end.reason})"
    if common / (out.high - out.low) <= 0.5:
        return f"half of the range is out of reach (the network {end.reason})"
    return ""


def _better(values: Tensor, out: PixelFormat) -> PixelFormat | None:
    """Return a usual range that fits values well, None where none does."""
    options: Sequence[PixelFormat] = [out.with_range(limits) for limits in RANGES]
    return next((x for x in options if x.range != out.range and Fit.of(values, x).is_good), None)
