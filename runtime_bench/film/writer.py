"""Films written as H.264, with the times and the sound of the film that they were made from."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from styleexport.core.errors import UsageError
from styleexport.core.files import Product, check_replaceable
from styleexport.core.input_files import check_input
from styleexport.core.plugins import needs
from styleexport.runtime_bench.film.colours import BT709, LIMITED, frame_of, tags
from styleexport.runtime_bench.film.facts import (
    WRITTEN,
    FilmFacts,
    FilmFrame,
    Pixels,
    check_film_suffix,
)

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoStream

# In the metadata of every film written, by which the next run knows it for one of ours.
MARK = "styleexport"
# x264's constant rate factor; grain of brush strokes is lost from 20 on.
QUALITY = "18"
FALLBACK_SOUND = "aac"
# What players expect in MP4, whatever else the format could hold.
MP4_SOUND = {"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"}


class FilmWriter:
    """A film that is being written; a context manager that ends the file, so that it plays.

    The file is begun with the first frame, whose size is the film's. A side of an odd number of
    pixels gets its last row or column twice, as yuv420p has a colour for every two.

    Args:
        part: file to write.
        suffix: suffix of its name, once it is in its place.
        film: film that it is made from.
        sounds: streams of sound of that film.

    Attributes:
        frames: number of frames written.
        converted: names of sound codecs that the container does not take, converted to AAC.
    """

    def __init__(
        self, part: Path, suffix: str, film: FilmFacts, sounds: tuple[AudioStream, ...]
    ) -> None:
        with needs("a film"):
            import av
        kind = WRITTEN[suffix.lower()]
        options = {} if kind == "matroska" else {"movflags": "+faststart"}
        self._container = av.open(str(part), "w", format=kind, options=options)
        self._container.metadata["comment"] = MARK
        self.film, self.frames, self.converted = film, 0, list[str]()
        self._sounds = sounds
        self._video: VideoStream | None = None
        self._early: list[Packet[Any]] = []
        self._copied: dict[int, AudioStream] = {}
        self._encoded: dict[int, AudioStream] = {}

    def __enter__(self) -> FilmWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, pixels: Pixels, shown: FilmFrame) -> None:
        """Write a frame.

        Args:
            pixels: its picture, as large as those before it.
            shown: the frame that it is made from, for its time.
        """
        pixels = _even(pixels)
        video = self._video or self._begun(pixels)
        frame = frame_of(pixels, self.film)
        frame.pts, frame.time_base = shown.time, self.film.time_base
        if shown.duration:
            frame.duration = shown.duration
        self._container.mux(video.encode(frame))
        self.frames += 1

    def _begun(self, pixels: Pixels) -> VideoStream:
        """Return the stream of pictures of a new file, with those of sound beside it."""
        video: VideoStream = self._container.add_stream(
            "libx264", rate=self.film.rate, options={"crf": QUALITY}
        )
        height, width = pixels.shape[:2]
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.time_base = video.codec_context.time_base = self.film.time_base
        video.codec_context.sample_aspect_ratio = self.film.pixel_aspect
        context = video.codec_context
        context.colorspace, context.color_range = BT709, LIMITED
        context.color_primaries, context.color_trc = tags(self.film)
        for sound in self._sounds:
            self._add_sound(sound)
        self._video = video
        for packet in self._early:
            self.sound(packet)
        self._early.clear()
        return video

    def _add_sound(self, sound: AudioStream) -> None:
        codec, known = sound.codec_context.codec.canonical_name, self._container.supported_codecs
        if codec in (known & MP4_SOUND if self._container.format.name == "mp4" else known):
            self._copied[sound.index] = self._container.add_stream_from_template(sound)
            return
        self.converted.append(codec)
        rate = sound.codec_context.sample_rate
        self._encoded[sound.index] = self._container.add_stream(FALLBACK_SOUND, rate=rate)

    def sound(self, packet: Packet[Any]) -> None:
        """Write a packet of sound, as it is where the container takes its codec."""
        from av.error import InvalidDataError

        if self._video is None:
            self._early.append(packet)
            return
        index = packet.stream.index
        if index in self._copied:
            packet.stream = self._copied[index]
            self._container.mux(packet)
            return
        encoder = self._encoded[index]
        try:
            heard = packet.decode()
        except InvalidDataError:
            return
        for frame in heard:
            self._container.mux(encoder.encode(frame))  # pyright: ignore[reportArgumentType]

    def close(self) -> None:
        """End the file."""
        if self._video is not None:
            for stream in (self._video, *self._encoded.values()):
                self._container.mux(stream.encode(None))
        self._container.close()


def _even(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(pixels)
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _is_ours(path: Path) -> bool:
    import av

    check_input(path)
    with av.open(str(path)) as container:
        metadata = {key.lower(): value for key, value in container.metadata.items()}
    return metadata.get("comment") == MARK


FILM = Product("a film that styleexport wrote", _is_ours)


def check_film_out(path: Path, source: Path) -> None:
    """Check that a film can be written to a path, before it is made.

    Raises:
        UsageError: the suffix is not one of a film, it is the film itself, or something that is
            not a film of ours is there.
    """
    check_film_suffix(path)
    if path.resolve() == source.resolve():
        raise UsageError(f"{path} is one of the inputs: choose another place with -o")
    check_replaceable(path, FILM)
