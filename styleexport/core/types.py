"""Types shared by all rooms: roles, precisions, sizes and the progress callback."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

from styleexport.core.errors import UsageError

MAX_SIDE = 16_384

# Called with one line of progress at a time.
Progress = Callable[[str], None]


class Role(enum.StrEnum):
    """Function of an exported graph.

    ``stylize``: (content, style) → image, or content → image for a fixed-style network.
    ``encode``: style → style code.
    ``transform``: (content, style code, strength) → image.
    ``content``: content → content target, of a network that paints by optimization.
    ``step``: (image, content target, style code, strength) → loss and its gradient by the image.
    ``features``: one pass over the tiles of a picture, whatever the style.
    ``render``: one pass that depends on the style; the last one gives the image.
    """

    STYLIZE = "stylize"
    ENCODE = "encode"
    TRANSFORM = "transform"
    CONTENT = "content"
    STEP = "step"
    FEATURES = "features"
    RENDER = "render"


# Roles of files that paint pictures of any size in passes over tiles.
PASSES = (Role.FEATURES, Role.RENDER)


class Precision(enum.StrEnum):
    """Storage and arithmetic of a file's convolutions.

    ``int8`` computes them in integers; so does ``auto``, which leaves as many in float as a quality
    budget requires, and ``int8-a16``, whose activations have 16 bits. ``int8-weights`` stores
    weights as int8; ``palette4``, ``palette6`` and ``palette8`` store indices of that many bits
    into a table of values; both compute in float. ``palette4-int8`` computes in integers with
    weights of 16 values each.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    AUTO = "auto"
    INT8_A16 = "int8-a16"
    PALETTE4_INT8 = "palette4-int8"
    INT8_WEIGHTS = "int8-weights"
    PALETTE4 = "palette4"
    PALETTE6 = "palette6"
    PALETTE8 = "palette8"


class Sizing(enum.StrEnum):
    """Sizes that a file takes: one (``fixed``), a list (``enumerated``), or ``any``."""

    FIXED = "fixed"
    ENUMERATED = "enumerated"
    ANY = "any"


@dataclass(frozen=True, order=True)
class Size:
    """Height and width of an image in pixels."""

    height: int
    width: int

    def __post_init__(self) -> None:
        if not (0 < self.height <= MAX_SIDE and 0 < self.width <= MAX_SIDE):
            raise UsageError(
                f"size {self.height}x{self.width} is out of range: each side must be "
                f"1 to {MAX_SIDE} pixels; type for example --size 256 or --size 384x512"
            )

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Return the size written as ``256`` (square) or ``384x512`` (height x width).

        Raises:
            UsageError: the text is neither, or a side is outside 1 to 16384.
        """
        match = re.fullmatch(r"\s*(-?\d{1,9})(?:[xX×](-?\d{1,9}))?\s*", text)
        if match is None:
            raise UsageError(
                f"size {text!r} is not a size: expected N or HEIGHTxWIDTH in pixels; "
                "type for example --size 256 or --size 384x512"
            )
        height = int(match[1])
        return cls(height, int(match[2]) if match[2] else height)
