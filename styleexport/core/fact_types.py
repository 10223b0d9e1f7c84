"""Types of facts that several structs of the manifest share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from styleexport.core.types import MAX_SIDE, Size

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="sha256 in hexadecimal")]
RelativePath = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_.\-]*(/[A-Za-z0-9_.][A-Za-z0-9_.\-]*)*$",
        description="path below the artifact directory, with forward slashes",
    ),
]


class SizeFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Height and width in pixels."""

    height: Annotated[int, Meta(ge=1)]
    width: Annotated[int, Meta(ge=1)]

    def __post_init__(self) -> None:
        if max(self.height, self.width) > MAX_SIDE:
            raise ValueError(f"sides are at most {MAX_SIDE} pixels")

    @classmethod
    def of(cls, size: Size) -> SizeFact:
        """Return a size as a struct of the manifest."""
        return cls(height=size.height, width=size.width)

    def size(self) -> Size:
        """Return the size."""
        return Size(self.height, self.width)
