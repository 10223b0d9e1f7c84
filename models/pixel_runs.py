"""Runs of a user's network on photographs that ship with the package, and how its values fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import torch
from torch import Tensor, nn

from styleexport.core.assets import bundled
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.models.network import TwoImageModule
from styleexport.models.pixel_ends import Recording, record
from styleexport.models.pixel_modules import ToNetwork
from styleexport.models.pixels import STANDARD, PixelFormat

# Sides that strides of up to 64 divide, of two proportions; larger ones for networks that need it.
SIZES = (
    (Size(64, 128), Size(128, 192)),
    (Size(256, 256), Size(512, 256)),
)
# Share of values outside a range, by this share of its width, at which a picture is ruined.
TOO_MANY_CLIPPED, TOLERANCE = 0.4, 0.05
# Share of a range that a picture must use at least, and that a better range would use.
TOO_LITTLE_USED, WELL_USED = 0.02, 0.1
FEW_CLIPPED = 0.1


@cache
def _photographs(kind: str, size: Size) -> tuple[Tensor, ...]:
    """Return three shipped pictures at a size, [1, 3, H, W] in 0..1."""
    pictures = bundled(kind)[::4][:3]
    return tuple(
        torch.from_numpy(array_from_image(centre_crop(read_image(p), size))) for p in pictures
    )


class Trial:
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

        def convert(picture: Tensor) -> Tensor:
            # A copy: networks may change their input in place.
            fed = ToNetwork(self.pixels)(picture)
            return fed.clone(memory_format=torch.contiguous_format)

        content = convert(_photographs("content", size)[index])
        if not isinstance(self.module, TwoImageModule):
            return record(lambda: self.module(content), [content])
        module, style = self.module, convert(_photographs("style", size)[index % 2])
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
class FirstRun:
    """Result of running a network on photographs for the first time.

    Attributes:
        trial: network with the format of inputs under which it runs.
        sizes: sizes that it was run at, one or two.
        shapes: height and width of the output at each.
        output: channels, layout and type of the output, its range the standard one.
        recording: record of the first run.
        known: raw values of outputs, by the format of the inputs.
    """

    trial: Trial
    sizes: tuple[Size, ...]
    shapes: tuple[Size, ...]
    output: PixelFormat
    recording: Recording
    known: dict[PixelFormat, Tensor] = field(default_factory=dict)

    def values(self, pixels: PixelFormat) -> Tensor:
        """Return the raw values of the outputs for several photographs, fed in a format."""
        if pixels not in self.known:
            trial = Trial(self.trial.module, pixels)
            self.known[pixels] = trial.values(self.sizes[0], self.output)
        return self.known[pixels]


def first_run(module: nn.Module, taken: PixelFormat | None) -> FirstRun | None:
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
            trial = Trial(module, option)
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
            return FirstRun(trial, sizes, tuple(shapes), pixels, recording)
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


def saturation(look: FirstRun, taken: PixelFormat, given: PixelFormat) -> float:
    """Return the share of values within a hundredth of the ends of the output's range."""
    values = _scaled(look.values(taken), given)
    return float(((values < 0.01) | (values > 0.99)).float().mean()) if values.numel() else 0.0


def _scaled(values: Tensor, pixels: PixelFormat) -> Tensor:
    return (values - pixels.low) / (pixels.high - pixels.low)


@dataclass(frozen=True)
class Fit:
    """How well values fit a range.

    Attributes:
        clipped: share of the values outside, beyond a tolerance.
        used: share of the range between the first and the last hundredth of the values.
    """

    clipped: float
    used: float

    @classmethod
    def of(cls, values: Tensor, pixels: PixelFormat) -> Fit:
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
