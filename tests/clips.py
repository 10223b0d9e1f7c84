"""Short films for tests, written with PyAV."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RATE = 25
# Of each corner: red, blue, green and grey, clockwise from the top left.
CORNERS = ((220, 30, 30), (30, 40, 220), (120, 120, 120), (30, 200, 40))


def need_av() -> None:
    """Skip a module of tests where PyAV is missing, which CI installs."""
    if importlib.util.find_spec("av") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no PyAV: pip install 'styleexport[film]'", pytrace=False)
        pytest.skip("no PyAV: pip install 'styleexport[film]'", allow_module_level=True)


def corners(width: int, height: int) -> np.ndarray:
    """A picture whose quarters have the colours of `CORNERS`."""
    top = np.repeat([CORNERS[:2]], [height // 2], 0)
    bottom = np.repeat([CORNERS[:1:-1]], [height - height // 2], 0)
    half = [width // 2, width - width // 2]
    return np.repeat(np.concatenate([top, bottom]), half, 1).astype(np.uint8)


def colours_of(pixels: np.ndarray) -> list[int]:
    """The numbers in `CORNERS` of the four corners, clockwise from the top left."""
    places = [(4, 4), (4, -5), (-5, -5), (-5, 4)]
    known = np.array(CORNERS, float)
    return [int(np.abs(known - pixels[place]).sum(1).argmin()) for place in places]


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray] | int = 8,
    *,
    size: tuple[int, int] = (96, 64),
    times: Sequence[int] | None = None,
    sound: str | None = "aac",
    codec: str = "libx264",
    matrix: Sequence[int] | None = None,
    pixels: str = "yuv420p",
    colours: tuple[int, int] | None = None,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
) -> Path:
    """Write a film of 25 frames a second, or with times in milliseconds, and a tone of a second.

    Args:
        path: file, whose suffix names the container.
        frames: pictures [H, W, 3], or how many of `corners`.
        size: width and height of those.
        times: time of each frame in milliseconds; None for even ones.
        sound: codec of the tone; None for none.
        codec: codec of the pictures.
        matrix: display matrix.
        pixels: pixel format.
        colours: swscale's matrix and the range, converted to and tagged; None for neither.
        options: of the codec.
        container: of the container.
    """
    import av

    pictures = [corners(*size)] * frames if isinstance(frames, int) else list(frames)
    steps = times or [round(1000 * n / RATE) for n in range(len(pictures))]
    with av.open(str(path), "w", options=container or {}) as film:
        video: Any = film.add_stream(codec, rate=RATE, options=options or {})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = pixels
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        if colours:
            video.codec_context.colorspace, video.codec_context.color_range = colours
        if matrix:
            video.set_display_matrix(matrix)
        audio: Any = film.add_stream(sound, rate=44100) if sound else None
        for picture, time in zip(pictures, steps, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if colours:
                frame = frame.reformat(
                    format=pixels,
                    src_colorspace=colours[0],
                    dst_colorspace=colours[0],
                    src_color_range=2,
                    dst_color_range=colours[1],
                )
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        if audio is not None:
            _tone(film, audio)
    return path


def _tone(film: Any, audio: Any) -> None:
    import av

    wave = (0.3 * np.sin(np.arange(44100) * 2 * np.pi * 440 / 44100)).astype(np.float32)
    for start in range(0, 44100 - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "fltp", "mono")
        frame.sample_rate, frame.pts = 44100, start
        film.mux(audio.encode(frame))
    film.mux(audio.encode(None))


def sound_of(path: Path) -> tuple[str | None, bytes]:
    """Codec of a film's sound, and its packets."""
    import av

    with av.open(str(path)) as film:
        if not film.streams.audio:
            return None, b""
        packets = b"".join(bytes(p) for p in film.demux(film.streams.audio[0]) if p.size)
        return film.streams.audio[0].codec_context.name, packets
