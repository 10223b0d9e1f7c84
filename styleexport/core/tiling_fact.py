"""Passes over the tiles of a picture, as the manifest describes them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from styleexport.core.fact_types import RelativePath, SizeFact
from styleexport.core.types import Precision, Role

Count = Annotated[int, Meta(ge=1)]
Pixels = Annotated[int, Meta(ge=0)]


class MapFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Feature map of a window of the picture.

    Element i of a side lies at pixel i·``stride``/``scale``. A picture whose sides are ``grid``
    multiples H x W has a map of ``height`` + (H - window height)·``scale``/``stride`` rows, and
    columns likewise.

    Attributes:
        name: name of the tensor in files.
        channels: number of channels.
        height: rows of the map of a window.
        width: columns of the map of a window.
        stride: pixels of the picture per element, where that is a whole number; 1 otherwise.
        scale: elements per pixel of the picture, where that is a whole number; 1 otherwise.
    """

    name: str
    channels: Count
    height: Count
    width: Count
    stride: Count
    scale: Count = 1


class StatisticFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Statistic of a feature map over all its places.

    A tile's values are those of its own places. ``moments`` are the mean of each channel, then the
    mean square of its differences from that mean; ``mean`` are means. Tiles merge by their numbers
    of places, moments by the pairwise formula of Chan, Golub and LeVeque (1979). What files take is
    a mean as it is, and a centred second moment, or any value of ``mean``, times
    (1 - c/m)/(1 - c/n): c is ``correction``, m the number of places of the map of a window and n
    that of the picture.

    Attributes:
        name: name of the tensor in files.
        kind: how tiles merge.
        length: number of values.
        correction: 1 where the network divides by one place less than there are; 0 otherwise.
        height: rows of the map of a window.
        width: columns of the map of a window.
        stride: see `MapFact`.
        scale: see `MapFact`.
    """

    name: str
    kind: Literal["moments", "mean"]
    length: Count
    correction: Annotated[int, Meta(ge=0, le=1)]
    height: Count
    width: Count
    stride: Count
    scale: Count = 1


class TilePassFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pass over all tiles of a picture.

    Its file takes a window of the picture (``content``), windows of maps, statistics, and the
    inputs of the painting, by name; and in ``region`` where the tile lies in the window. A tile is
    what a window has inside the margins below, which only lead to it; at the edge of the picture it
    reaches the edge.

    Attributes:
        path: path of the file.
        top: pixels above the tile.
        bottom: pixels below the tile.
        left: pixels left of the tile.
        right: pixels right of the tile.
    """

    path: RelativePath
    top: Pixels
    bottom: Pixels
    left: Pixels
    right: Pixels


class TilingFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How files of one target and precision paint pictures of any size, tile by tile.

    Attributes:
        role: role that they compute: ``transform`` or ``stylize``.
        target: file format.
        precision: precision of the files.
        window: size of a window of the picture, and smallest size of a picture.
        grid: windows and tiles begin, and pictures end, at multiples of it, in pixels; the last
            rows and columns of a picture are mirrored past its edge.
        passes: passes, in order.
        maps: maps that passes give to later ones.
        statistics: statistics that passes give to later ones.
        tiled_db: PSNR of a picture painted in tiles against the float network on the whole
            picture, both computed in PyTorch in float32.
        largest_difference: largest difference of a value in 0..1 of the same.
    """

    role: Role
    target: str
    precision: Precision
    window: SizeFact
    grid: Count
    passes: Annotated[tuple[TilePassFact, ...], Meta(min_length=1)]
    maps: tuple[MapFact, ...]
    statistics: tuple[StatisticFact, ...]
    tiled_db: float
    largest_difference: float
