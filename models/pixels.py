"""Pixel formats: the values, channels and layout that a network itself uses for pictures.

Artifacts take and give RGB in 0..1, [N, 3, H, W]; `models/pixel_modules.py` converts. PyTorch
is not imported here: the command line reads formats before it loads anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from styleexport.core.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NUMBER = r"[+-]?\d+(?:\.\d+)?"
EXPECTED = (
    "expected LOW..HIGH such as 0..1, -1..1 or 0..255, or imagenet, then any of :bgr :grey :rgba "
    ":nhwc :uint8 :clip"
)


@dataclass(frozen=True)
class PixelFormat:
    """Format of the pictures that a network takes or gives.

    A pixel of brightness p in 0..1 has the value (low + p·(high − low) − mean) / std.

    Attributes:
        low: value of black before normalization.
        high: value of full brightness before normalization.
        order: order of the colour channels.
        channels: 1 (grey), 3 (colours) or 4 (colours and alpha).
        mean: what is subtracted from each channel, in the network's order; () for nothing.
        std: what each channel is divided by then; () for 1.
        layout: order of the axes.
        dtype: element type; uint8 values are rounded.
        clips: whether values outside low..high are meant to be clipped.
    """

    low: float = 0.0
    high: float = 1.0
    order: Literal["RGB", "BGR"] = "RGB"
    channels: int = 3
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "uint8"] = "float32"
    clips: bool = False

    @classmethod
    def parse(cls, text: str) -> PixelFormat:
        """Return the format written as ``-1..1``, ``0..255:bgr``, ``imagenet`` or ``0..1:grey``.

        Raises:
            UsageError: the text is no format.
        """
        first, *words = text.strip().lower().split(":")
        match = re.fullmatch(rf"({NUMBER})\.\.({NUMBER})", first.replace(" ", ""))
        if first == "imagenet":
            parsed = cls(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        elif match is None or not float(match[1]) < float(match[2]):
            raise UsageError(f"{text!r} is not a pixel range: {EXPECTED}; type for example -1..1")
        else:
            parsed = cls(float(match[1]), float(match[2]))
        for word in words:
            if word not in WORDS:
                raise UsageError(f"unknown word {word!r} of the pixels {text!r}: {EXPECTED}")
            parsed = replace(parsed, **WORDS[word])
        return parsed

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value before normalization."""
        return self.low, self.high

    @property
    def is_standard(self) -> bool:
        """Whether the format is that of artifacts."""
        return replace(self, clips=False) == PixelFormat()

    def with_range(self, limits: tuple[float, float]) -> PixelFormat:
        """Return the format with other values for black and full brightness."""
        return replace(self, low=limits[0], high=limits[1])

    def gain_and_offset(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return what brightness is multiplied by and what is added: per colour, or for all."""
        count = max(len(self.mean), len(self.std), 1)
        mean = (self.mean or (0.0,)) * (count if len(self.mean) < 2 else 1)
        std = (self.std or (1.0,)) * (count if len(self.std) < 2 else 1)
        gains = tuple((self.high - self.low) / s for s in std)
        return gains, tuple((self.low - m) / s for m, s in zip(mean, std, strict=True))

    def limits(self) -> tuple[float, float]:
        """Return the lowest and highest value after normalization, over all channels."""
        gains, offsets = self.gain_and_offset()
        return min(offsets), max(g + o for g, o in zip(gains, offsets, strict=True))

    def __str__(self) -> str:
        words = [f"{self.low:g}..{self.high:g}"]
        words += [self.order] if self.order != "RGB" else []
        words += {1: ["grey"], 4: ["RGBA"]}.get(self.channels, [])
        if self.mean or self.std:
            if (self.mean, self.std) == (IMAGENET_MEAN, IMAGENET_STD):
                words.append("normalized as for ImageNet")
            else:
                named = (("mean", self.mean), ("std", self.std))
                words += [
                    f"{name} {'/'.join(f'{v:g}' for v in values)}"
                    for name, values in named
                    if values
                ]
        words += [self.layout] if self.layout != "NCHW" else []
        words += [self.dtype] if self.dtype != "float32" else []
        return " ".join(words)

    @property
    def typed(self) -> str:
        """The format as it is typed, apart from a mean and std of its own."""
        imagenet = (self.mean, self.std) == (IMAGENET_MEAN, IMAGENET_STD) and self.range == (0, 1)
        words = ["imagenet" if imagenet else f"{self.low:g}..{self.high:g}"]
        words += ["bgr"] if self.order == "BGR" else []
        words += {1: ["grey"], 4: ["rgba"]}.get(self.channels, [])
        words += ["nhwc"] if self.layout == "NHWC" else []
        words += ["uint8"] if self.dtype == "uint8" else []
        words += ["clip"] if self.clips else []
        return ":".join(words)


WORDS: dict[str, dict[str, object]] = {
    "rgb": {"order": "RGB"},
    "bgr": {"order": "BGR"},
    "grey": {"channels": 1},
    "gray": {"channels": 1},
    "rgba": {"channels": 4},
    "nchw": {"layout": "NCHW"},
    "nhwc": {"layout": "NHWC"},
    "uint8": {"dtype": "uint8"},
    "clip": {"clips": True},
}
STANDARD = PixelFormat()


@dataclass(frozen=True)
class PixelDeclaration:
    """What a user says of a network's pictures; None where nothing is said.

    Attributes:
        pixels: format of inputs and output.
        input_pixels: format of inputs, before ``pixels``.
        output_pixels: format of the output, before ``pixels``.
        mean: subtracted from each channel of inputs, in the network's order and range.
        std: each channel of inputs is divided by it.
        bgr: whether channels of inputs and output are in the order blue, green, red.
        scale: height and width of the output over those of the input.
    """

    pixels: PixelFormat | None = None
    input_pixels: PixelFormat | None = None
    output_pixels: PixelFormat | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    bgr: bool | None = None
    scale: int | None = None

    @classmethod
    def of_module(cls, module: nn.Module, who: str) -> PixelDeclaration:
        """Return what the attributes of a module declare: pixels, mean, scale and so on.

        Attributes that networks use for themselves are left alone: tensors, modules, and numbers
        that are no scale.

        Raises:
            UsageError: an attribute's text is no declaration.
        """
        declared = cls()
        for field in fields(cls):
            value = getattr(module, field.name, None)
            if field.name == "bgr":
                value = value if isinstance(value, bool) else None
            elif field.name == "scale":
                value = (
                    value if isinstance(value, int) and value is not True and value > 0 else None
                )
            elif field.name in ("mean", "std"):
                value = value if isinstance(value, (tuple, list)) else None
            elif not isinstance(value, str):
                value = None
            if value is not None:
                declared = declared.saying(field.name, value, f"{who}: attribute {field.name}: ")
        return declared

    def saying(self, key: str, value: object, who: str = "") -> PixelDeclaration:
        """Return the declaration with one more field, from its text or value.

        Args:
            key: name of the field.
            value: text as typed, or value of a module's attribute.
            who: opening of an error's message.

        Raises:
            UsageError: the value does not fit the field.
        """
        try:
            return replace(self, **{key: PARSERS[key](value)})
        except (UsageError, ValueError, TypeError) as error:
            raise UsageError(f"{who}{error}") from error

    def over(self, other: PixelDeclaration) -> PixelDeclaration:
        """Return what this declaration says, and what the other says where this one is silent."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.pixels is not None:  # both sides at once: what is closer counts
            other = replace(other, input_pixels=None, output_pixels=None)
        return replace(other, **{name: value for name, value in said.items() if value is not None})

    @property
    def is_silent(self) -> bool:
        """Whether nothing is declared."""
        return self == SILENT

    def input(self) -> PixelFormat | None:
        """Return the declared format of inputs.

        Raises:
            UsageError: the mean lies outside the range, or a number of values does not fit.
        """
        named = self.input_pixels or self.pixels
        if named is None and self.mean is None and self.std is None:
            return None
        pixels = self._ordered(named or STANDARD)
        if self.mean is not None or self.std is not None:
            pixels = replace(pixels, mean=self.mean or (), std=self.std or ())
        for name, values in (("mean", pixels.mean), ("std", pixels.std)):
            if len(values) not in (0, 1, min(pixels.channels, 3)):
                raise UsageError(
                    f"--{name} has {len(values)} values, expected 1 or {min(pixels.channels, 3)}: "
                    f"type for example --{name} 0.5,0.5,0.5"
                )
        if any(value <= 0 for value in pixels.std):
            raise UsageError("--std must be above 0: type for example --std 0.229,0.224,0.225")
        if any(not pixels.low <= value <= pixels.high for value in pixels.mean):
            raise UsageError(
                f"the mean {'/'.join(f'{v:g}' for v in pixels.mean)} lies outside the pixels "
                f"{pixels.low:g}..{pixels.high:g} that it is subtracted from: type the range too, "
                "for example --input-pixels 0..255"
            )
        return pixels

    def output(self) -> PixelFormat | None:
        """Return the declared format of the output."""
        named = self.output_pixels or self.pixels
        return self._ordered(named) if named is not None else None

    def _ordered(self, pixels: PixelFormat) -> PixelFormat:
        return replace(pixels, order="BGR") if self.bgr else pixels


SILENT = PixelDeclaration()


def _format(value: object) -> PixelFormat:
    return PixelFormat.parse(str(value))


def parse_numbers(value: object) -> tuple[float, ...]:
    """Return numbers from a text such as ``0.485,0.456,0.406``, or from a sequence.

    Raises:
        UsageError: the value holds none, or something else.
    """
    texts = re.split(r"[,/\s]+", value.strip()) if isinstance(value, str) else value
    assert isinstance(texts, Sequence)
    try:
        numbers = tuple(map(float, texts))
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or not all(abs(number) < 1e6 for number in numbers):
        raise UsageError(
            f"{value!r} is not a list of numbers: type one or three, such as 0.485,0.456,0.406"
        )
    return numbers


def _flag(value: object) -> bool:
    if str(value).lower() not in ("", "true", "false", "1", "0"):
        raise UsageError(f"bgr is {value!r}, expected true or false")
    return str(value).lower() not in ("false", "0")


def parse_scale(value: object) -> int:
    """Return a scale of 1 to 16.

    Raises:
        UsageError: the value is no such number.
    """
    text = str(value).removeprefix("x")
    if not re.fullmatch(r"\d{1,2}", text) or not 1 <= int(text) <= 16:
        raise UsageError(f"scale {value!r} is not a whole number of 1 to 16: type for example 2")
    return int(text)


PARSERS = {
    "pixels": _format,
    "input_pixels": _format,
    "output_pixels": _format,
    "mean": parse_numbers,
    "std": parse_numbers,
    "bgr": _flag,
    "scale": parse_scale,
}
