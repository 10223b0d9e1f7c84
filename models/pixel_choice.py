"""Pixel formats and scale of a network of the user's: declared, or found by looking at it.

The network is run on photographs that ship with the package. What bounds its last operations (Tanh,
Sigmoid, Clip), what its first operations do to the picture, and the values that it gives decide;
where they contradict what is declared or would be assumed, the network is not exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor, nn

from styleexport.core.assets import bundled
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.models.network import Basis, LoadedNetwork, PixelBasis, TwoImageModule
from styleexport.models.pixel_ends import Affine, Bound, End, Recording, end_of, record, start_of
from styleexport.models.pixel_modules import ToNetwork
from styleexport.models.pixels import STANDARD, PixelDeclaration, PixelFormat

UNIT, SIGNED, BYTES = (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)
RANGES = (UNIT, SIGNED, BYTES)
BOUND_RANGES = (*RANGES, (-0.5, 0.5), (-127.5, 127.5), (-128.0, 127.0))
# Sides that strides of up to 64 divide, of two proportions; larger ones for networks that need it.
SIZES = (
    (Size(64, 128), Size(128, 192)),
    (Size(256, 256), Size(512, 256)),
)
MAX_EXCESS = 64
# Share of values outside a range, by this share of its width, at which a picture is ruined.
TOO_MANY_CLIPPED, TOLERANCE = 0.4, 0.05
# Share of a range that a picture must use at least, and that a better range would use.
TOO_LITTLE_USED, WELL_USED = 0.02, 0.1
FEW_CLIPPED = 0.1
SATURATED = 0.5
DECLARED = Basis("declared")


@cache
def _photographs(kind: str, size: Size) -> tuple[Tensor, ...]:
    """Return three shipped pictures at a size, [1, 3, H, W] in 0..1."""
    pictures = bundled(kind)[::4][:3]
    return tuple(
        torch.from_numpy(array_from_image(centre_crop(read_image(p), size))) for p in pictures
    )


class _Trial:
    """A network and the formats under which it is run.

    Args:
        module: module of the network.
        pixels: format of its inputs.
    """

    def __init__(self, module: nn.Module, pixels: PixelFormat) -> None:
        self.module = module
        self.pixels = pixels

    def record(self, size: Size, index: int = 0) -> tuple[Tensor, Recording]:
        """Return the raw output for a photograph, and the record of the run."""
        convert = ToNetwork(self.pixels)
        content = convert(_photographs("content", size)[index]).contiguous()
        if not isinstance(self.module, TwoImageModule):
            return record(lambda: self.module(content), [content])
        module, style = self.module, convert(_photographs("style", size)[index % 2]).contiguous()
        return record(
            lambda: module.transfer(content, module.encode(style), torch.ones(1)), [content, style]
        )

    def values(self, size: Size, output: PixelFormat) -> Tensor:
        """Return the raw values of several photographs' outputs, flattened: colours alone."""
        outputs = [self.record(size, index)[0] for index in range(3)]
        colours = [_channels_first(x, output)[:, :3].reshape(-1).float() for x in outputs]
        values = torch.cat(colours)
        return values[torch.isfinite(values)]


def _channels_first(output: Tensor, pixels: PixelFormat) -> Tensor:
    return output.permute(0, 3, 1, 2) if pixels.layout == "NHWC" else output


@dataclass(frozen=True)
class _Look:
    """What a first run showed.

    Attributes:
        trial: network with the format of inputs under which it runs.
        sizes: sizes that it was run at, one or two.
        shapes: height and width of the output at each.
        output: channels, layout and type of the output, its range the standard one.
        recording: record of the first run.
    """

    trial: _Trial
    sizes: tuple[Size, ...]
    shapes: tuple[Size, ...]
    output: PixelFormat
    recording: Recording


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
        look = _look(loaded.module, taken)
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


def _look(module: nn.Module, taken: PixelFormat | None) -> _Look | None:
    """Return what the first run that works shows, None where none works or gives a picture."""
    facts = getattr(module, "takes", None)
    if isinstance(facts, PixelFormat):
        base = taken or STANDARD
        options = [replace(base, channels=facts.channels, layout=facts.layout, dtype=facts.dtype)]
    elif taken is not None:
        options = [taken]
    else:
        colours = [STANDARD, replace(STANDARD, layout="NHWC")]
        options = [*colours, *(replace(option, channels=1) for option in colours)]
    fixed = getattr(module, "fixed_size", None)
    for sizes in ((Size(*fixed),),) if fixed is not None else SIZES:
        for option in options:
            trial = _Trial(module, option)
            try:
                output, recording = trial.record(sizes[0])
            except Exception:  # noqa: BLE001 - what users' networks raise is not a closed list
                continue
            pixels = _output_format(output)
            if pixels is None:
                return None
            shapes = [_sides(output, pixels)]
            try:
                shapes += [_sides(trial.record(size)[0], pixels) for size in sizes[1:]]
            except Exception:  # noqa: BLE001 - one size is enough to go on
                sizes = sizes[:1]
            return _Look(trial, sizes, tuple(shapes), pixels, recording)
    return None


def _output_format(output: object) -> PixelFormat | None:
    """Return channels, layout and type of a raw output, None where it is no picture."""
    if not isinstance(output, Tensor) or output.dim() != 4:
        return None
    last = output.shape[3] in (1, 3, 4) and output.shape[1] not in (1, 3, 4)
    channels = output.shape[3 if last else 1]
    if channels not in (1, 3, 4):
        return None
    return replace(
        STANDARD,
        channels=int(channels),
        layout="NHWC" if last else "NCHW",
        dtype="uint8" if output.dtype == torch.uint8 else "float32",
    )


def _sides(output: Tensor, pixels: PixelFormat) -> Size:
    return Size(*(int(side) for side in _channels_first(output, pixels).shape[2:]))


def _settled(loaded: LoadedNetwork, declared: PixelDeclaration, look: _Look) -> LoadedNetwork:
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


def _scale(look: _Look, declared: int | None) -> tuple[int, Basis, str]:
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
        return declared or 1, Basis(), (
            f"scale {declared} is declared, and the output is {scale} times as large as the input "
            f"({measured}): type --scale {scale}"
        )  # fmt: skip
    basis = DECLARED if declared else Basis("found", measured) if scale > 1 else Basis("assumed")
    return scale, basis, ""


def _no_scale(measured: str) -> str:
    return (
        f"the output is no whole multiple of the input ({measured}): expected 1, 2, 3 … times its "
        "height and width; resize or crop inside the network"
    )


def _formats(
    look: _Look, declared: PixelDeclaration
) -> tuple[PixelFormat, Basis, PixelFormat, Basis]:
    """Return the format of the output and how it is known, and those of the input."""
    end, start = _end(look), _start(look)
    given, given_basis = _stated(declared.output(), look.output)
    taken, taken_basis = _stated(declared.input(), look.trial.pixels)
    if given_basis is None and end is not None and (matched := _range_of_bound(end.bound)):
        given, given_basis = look.output.with_range(matched), Basis("found", end.reason)
    if taken_basis is None and start is not None and (known := _format_of_start(start)):
        taken = replace(known, layout=taken.layout, channels=taken.channels, dtype=taken.dtype)
        taken_basis = Basis("found", f"begins by mapping {taken.low:g}..{taken.high:g} to "
                            f"{_mapped(taken.range, start)}")  # fmt: skip
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


def _end(look: _Look) -> End | None:
    if look.output.dtype == "uint8":
        return End(BYTES, "gives uint8")
    return end_of(look.recording)


def _start(look: _Look) -> Affine | None:
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
    look: _Look, given: PixelFormat, basis: Basis, taken: PixelFormat
) -> tuple[PixelFormat, Basis]:
    """Return the output's range for the input, or 0..1 where the network saturates with it."""
    same = replace(taken, low=given.low, high=given.high, order=given.order)
    reason = "as the output"
    if given.range == UNIT or _saturation(look, same, given) < SATURATED:
        return same, basis if basis.kind == "found" else Basis("assumed", reason)
    standard = replace(taken, low=0.0, high=1.0)
    if _saturation(look, standard, given) < SATURATED / 2:
        return standard, Basis("found", f"the output saturates with {same.low:g}..{same.high:g}")
    return same, Basis("assumed", reason)


def _saturation(look: _Look, taken: PixelFormat, given: PixelFormat) -> float:
    """Return the share of values within a hundredth of the ends of the output's range."""
    values = _scaled(_Trial(look.trial.module, taken).values(look.sizes[0], given), given)
    return float(((values < 0.01) | (values > 0.99)).float().mean()) if values.numel() else 0.0


def _scaled(values: Tensor, pixels: PixelFormat) -> Tensor:
    return (values - pixels.low) / (pixels.high - pixels.low)


@dataclass(frozen=True)
class _Fit:
    """How well values fit a range.

    Attributes:
        clipped: share of the values outside, beyond a tolerance.
        used: share of the range between the first and the last hundredth of the values.
    """

    clipped: float
    used: float

    @classmethod
    def of(cls, values: Tensor, pixels: PixelFormat) -> _Fit:
        """Return the fit of raw values."""
        if not values.numel():
            return cls(0.0, 1.0)
        scaled = _scaled(values, pixels)
        outside = (scaled < -TOLERANCE) | (scaled > 1 + TOLERANCE)
        ordered = scaled.sort().values
        low, high = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
        return cls(float(outside.float().mean()), float(high - low))

    @property
    def ruins(self) -> bool:
        """Whether too much is clipped, or next to nothing of the range is used."""
        return self.clipped >= TOO_MANY_CLIPPED or self.used < TOO_LITTLE_USED

    @property
    def is_good(self) -> bool:
        """Whether little is clipped and a good part of the range is used."""
        return self.clipped <= FEW_CLIPPED and self.used >= WELL_USED


def _by_values(
    look: _Look, given: PixelFormat, taken: PixelFormat, taken_basis: Basis | None
) -> tuple[PixelFormat, Basis, PixelFormat, Basis]:
    """Return formats where nothing bounds the output: its values on photographs decide."""
    values = look.trial.values if taken_basis is None else _Trial(look.trial.module, taken).values
    seen = values(look.sizes[0], given)
    first = taken.range if taken_basis is not None else UNIT
    high = float(seen.abs().sort().values[-1 - len(seen) // 100]) if len(seen) else 0.0
    reason = f"its values reach {high:.3g} on photographs"
    end = _end(look)
    bounded = end is not None and all(abs(limit) < 1e6 for limit in end.bound)
    if high > 4 and not bounded:
        chosen, basis = BYTES, Basis("found", reason)
    elif first != UNIT and not _Fit.of(seen, given.with_range(UNIT)).ruins and (
        _Fit.of(seen, given.with_range(first)).ruins or float((seen < -0.02).float().mean()) < 0.02
    ):  # fmt: skip
        chosen, basis = UNIT, Basis("found", reason)
    else:
        chosen, basis = first, Basis("assumed")
    given = replace(given, low=chosen[0], high=chosen[1])
    if taken_basis is None:
        taken, taken_basis = taken.with_range(chosen), basis
    elif taken.order == "BGR":
        given = replace(given, order="BGR")
    return given, basis, taken, taken_basis


def _objection(
    name: str, look: _Look, taken: tuple[PixelFormat, Basis], given: tuple[PixelFormat, Basis]
) -> str:
    """Return why the evidence contradicts the formats, and what to type; "" where it does not."""
    (into, into_basis), (out, out_basis) = taken, given
    start, end = _start(look), _end(look)
    if start is not None and (known := _format_of_start(start)) and into_basis.kind == "declared":
        mapped = f"the network begins by mapping {known.low:g}..{known.high:g} to " + _mapped(
            known.range, start
        )
        if into.mean:
            return (
                f"{name}: a mean and std are declared, and {mapped} itself: leave out --mean and "
                f"--std and type --input-pixels {known.typed}"
            )
        if known.range != into.range:
            return (
                f"{name}: input pixels {into} are declared, and {mapped}: type --input-pixels "
                f"{known.typed}"
            )
    if out.clips or out.mean or out.std:
        return ""
    values = _Trial(look.trial.module, into).values(look.sizes[0], out)
    fit, better = _Fit.of(values, out), _better(values, out)
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
    return next((x for x in options if x.range != out.range and _Fit.of(values, x).is_good), None)
