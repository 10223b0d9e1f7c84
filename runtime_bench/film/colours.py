"""Colours of films: YCbCr of any matrix and range to RGB, and RGB to BT.709 in the limited range.

What a film does not say is taken as players take it: BT.709 for high definition and BT.601 below,
and the limited range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from styleexport.runtime_bench.film.facts import FilmFacts, Pixels

if TYPE_CHECKING:
    from av import VideoFrame

# FFmpeg's number of a frame's matrix → swscale's, where it is none that the size decides.
SCALER_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
BT709, BT601 = 1, 5
LIMITED, FULL = 1, 2
UNKNOWN = 2
# Pictures above this height, or this width, are high definition.
HD = (576, 1279)
# Bicubic (4), with chroma interpolated at full size (0x2000, 0x4000) and exact rounding (0x40000).
SCALING = 0x4 | 0x2000 | 0x4000 | 0x40000


def rgb_of(frame: VideoFrame, width: int, height: int) -> Pixels:
    """Return a decoded frame as RGB, not turned.

    Args:
        frame: frame of any pixel format.
        width: width to scale it to, where it differs from its own.
        height: height likewise.
    """
    is_hd = frame.height > HD[0] or frame.width > HD[1]
    matrix = SCALER_MATRICES.get(frame.colorspace, BT709 if is_hd else BT601)
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    converted = frame.reformat(
        width,
        height,
        "rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=FULL if full or frame.format.is_rgb else LIMITED,
        dst_color_range=FULL,
        interpolation=SCALING,
    )
    return converted.to_ndarray()  # pyright: ignore[reportReturnType] - of rgb24


def frame_of(pixels: Pixels, film: FilmFacts) -> VideoFrame:
    """Return an RGB picture as yuv420p with BT.709's matrix in the limited range.

    Args:
        pixels: picture of even sides.
        film: film whose primaries and transfer function are kept.
    """
    from av import VideoFrame

    frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p",
        src_colorspace=BT709,
        dst_colorspace=BT709,
        src_color_range=FULL,
        dst_color_range=LIMITED,
        interpolation=SCALING,
    )
    frame.colorspace, frame.color_range = BT709, LIMITED
    frame.color_primaries, frame.color_trc = tags(film)
    return frame


def tags(film: FilmFacts) -> tuple[int, int]:
    """Return the primaries and the transfer function that are written: BT.709 for unknown ones."""
    known = (film.primaries, film.transfer)
    return tuple(BT709 if value in (0, UNKNOWN) else value for value in known)  # pyright: ignore[reportReturnType]
