"""Layout of a network's style codes: named parts with shapes, and whether codes blend.

A code is one tensor [N, K] in every file, so that a runtime needs nothing new: its parts are
flattened and joined in order. A network declares the layout, the manifest keeps it, and whatever
blends codes asks it first.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from styleexport.core.types import MAX_SIDE

# Values of the largest style code: three channels of the largest picture.
MAX_VALUES = 3 * MAX_SIDE**2


class Blending(enum.StrEnum):
    """Meaning of the weighted mean of style codes.

    ``exact``: the network's interpolation of the styles, because whatever reads the code is linear
    in it.
    ``approximate``: near an interpolation, or not known to be one.
    ``none``: meaningless.
    """

    EXACT = "exact"
    APPROXIMATE = "approximate"
    NONE = "none"


class CodePartFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a style code.

    Attributes:
        name: name of the part, such as ``mean`` or ``relu1.deviation``.
        shape: axis lengths; the code holds the part flattened, the last axis fastest.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")]
    shape: Annotated[tuple[Annotated[int, Meta(ge=1, le=MAX_VALUES)], ...], Meta(min_length=1)]

    @property
    def length(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(map(str, self.shape))}]"


class CodeLayoutFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Layout of a network's style codes [N, K], and whether they can be blended.

    Attributes:
        parts: parts of a code, in order; their lengths sum to K.
        blending: whether the weighted mean of codes is an interpolation of the styles.
        reason: why they blend approximately or not at all, as part of a sentence; "" where exact.
    """

    parts: Annotated[tuple[CodePartFact, ...], Meta(min_length=1)]
    blending: Blending
    reason: str = ""

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise ValueError(f"parts of a style code have different names, got {', '.join(names)}")
        if self.length > MAX_VALUES:
            raise ValueError(f"a style code has 1 to {MAX_VALUES} values")
        if self.blending is not Blending.EXACT and not self.reason:
            raise ValueError(f"blending {self.blending.value} needs a reason")

    @classmethod
    def of(
        cls, parts: Mapping[str, tuple[int, ...]], blending: Blending, reason: str = ""
    ) -> CodeLayoutFact:
        """Return the layout of parts by their names, in order."""
        facts = tuple(CodePartFact(name=name, shape=shape) for name, shape in parts.items())
        return cls(parts=facts, blending=blending, reason=reason)

    @property
    def length(self) -> int:
        """Number of values of a code, K."""
        return sum(part.length for part in self.parts)

    def blending_line(self) -> str:
        """Return whether codes blend, in words."""
        words = {
            Blending.EXACT: "codes blend exactly",
            Blending.APPROXIMATE: "codes blend approximately",
            Blending.NONE: "codes cannot be blended",
        }
        return words[self.blending] + (f": {self.reason}" if self.reason else "")

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.parts))}; {self.blending_line()}"
