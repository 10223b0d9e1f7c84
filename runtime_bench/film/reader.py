"""Films read frame by frame, upright, with their sound beside them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from styleexport.core.errors import BadImage, first_line
from styleexport.core.input_files import check_input
from styleexport.core.plugins import needs
from styleexport.core.types import Size
from styleexport.runtime_bench.film.colours import rgb_of
from styleexport.runtime_bench.film.facts import FilmFacts, FilmFrame
from styleexport.runtime_bench.film.orientation import Orientation

if TYPE_CHECKING:
    from av import AudioStream, Packet, VideoFrame, VideoStream
    from av.container import InputContainer

DEFAULT_RATE = Fraction(30)
# A film ends early that lacks more than this share of its length, and more than these seconds.
LACKING, LACKING_S = 0.02, 0.5


class FilmReader:
    """A film that is open; a context manager that closes it.

    Iterating gives frames in the order in which they are shown, and packets of sound, in the order
    of the file.

    Args:
        path: file of the film.

    Attributes:
        facts: facts of the film.
        sounds: its streams of sound.
        damaged: number of packets that could not be decoded so far.
        end: seconds at which the last frame that was read ends.

    Raises:
        MissingExtra: PyAV is not installed.
        BadImage: the file is missing, no film, or has no pictures.
    """

    def __init__(self, path: Path) -> None:
        with needs("a film"):
            import av
        check_input(path, "film", error=BadImage, remedy="type the path of a film")
        self.path, self.damaged, self.end = path, 0, 0.0
        try:
            self._first = self._first_frame(av.open(str(path)))
            self._container = av.open(str(path))
            self._video = self._pictures(self._container)
        except BadImage:
            raise
        except Exception as error:  # what damaged bytes make a demuxer raise is no closed list
            raise BadImage(
                f"film {path} cannot be read: {_reason(error)}; save or download it again, or "
                "convert it to H.264 in MP4"
            ) from error
        self.sounds: tuple[AudioStream, ...] = tuple(self._container.streams.audio)
        self._orientation = Orientation.of(_display_matrix(self._first))
        self.facts = self._facts()

    def __enter__(self) -> FilmReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    def _pictures(self, container: InputContainer) -> VideoStream:
        """Return the stream of pictures, which a cover is not."""
        from av.stream import Disposition

        videos = container.streams.video
        moving = [one for one in videos if not one.disposition & Disposition.attached_pic]
        if not moving:
            raise BadImage(f"film {self.path} has no pictures: type the path of a film")
        moving[0].thread_type = "AUTO"
        return moving[0]

    def _first_frame(self, container: InputContainer) -> VideoFrame:
        """Return the first frame of a container, which is closed then.

        Not every file can be read from its start again.
        """
        from av.error import InvalidDataError

        with container:
            for packet in container.demux(self._pictures(container)):
                with contextlib.suppress(InvalidDataError):
                    for frame in packet.decode():
                        return frame  # pyright: ignore[reportReturnType]
        raise BadImage(
            f"film {self.path} holds no frame that can be decoded: save or download it again"
        )

    def _facts(self) -> FilmFacts:
        video, first = self._video, self._first
        base = video.time_base or Fraction(1, 1000)
        seconds = float(video.duration * base) if video.duration else None
        whole = (self._container.duration or 0) / 1e6
        rate = video.average_rate or video.guessed_rate or DEFAULT_RATE
        frames = video.frames or round((seconds or whole) * rate) or None
        aspect = video.sample_aspect_ratio or Fraction(1)
        sides = (first.height, first.width)
        if self._orientation.swaps:
            sides, aspect = sides[::-1], 1 / aspect
        return FilmFacts(
            path=self.path,
            size=Size(*sides),
            frames=frames,
            seconds=seconds,
            rate=Fraction(rate),
            time_base=base,
            pixel_aspect=aspect,
            primaries=first.color_primaries,
            transfer=first.color_trc,
        )

    def __iter__(self) -> Iterator[FilmFrame | Packet[Any]]:
        times = _Times(self.facts)
        try:
            for packet in self._container.demux(self._video, *self.sounds):
                if packet.stream.index != self._video.index:
                    if packet.dts is not None:
                        yield packet
                    continue
                for frame in self._decoded(packet):
                    shown = self._shown(frame, times)
                    self.end = shown.seconds + float(
                        shown.duration * self.facts.time_base or 1 / self.facts.rate
                    )
                    yield shown
        except _errors() as error:
            raise BadImage(
                f"film {self.path} is damaged {self.end:.1f} s from its start: {_reason(error)}"
            ) from error

    def _decoded(self, packet: Packet[Any]) -> list[VideoFrame]:
        """Return the frames of a packet; none of a damaged one."""
        from av.error import EOFError as EndOfFile
        from av.error import InvalidDataError

        try:
            return packet.decode()  # pyright: ignore[reportReturnType]
        except (InvalidDataError, EndOfFile):
            self.damaged += 1
            return []

    def _shown(self, frame: VideoFrame, times: _Times) -> FilmFrame:
        swaps, size = self._orientation.swaps, self.facts.size
        width, height = (size.height, size.width) if swaps else (size.width, size.height)
        pixels = self._orientation.upright(rgb_of(frame, width, height))
        time = times.next(frame.pts, frame.duration or 0)
        start = (self._video.start_time or 0) * self.facts.time_base
        seconds = float(time * self.facts.time_base - start)
        return FilmFrame(pixels, time, frame.duration or 0, seconds)

    @property
    def ends_early(self) -> bool:
        """Whether much of the length that the file claims has no frames, once all are read."""
        length = self.facts.seconds
        if length is None:
            return False
        return length - self.end > max(LACKING_S, LACKING * length)


class _Times:
    """Times that rise from frame to frame, where those of a film do not."""

    def __init__(self, film: FilmFacts) -> None:
        self._usual = max(1, round(1 / (film.rate * film.time_base)))
        self._next = 0
        self._last: int | None = None

    def next(self, time: int | None, duration: int) -> int:
        """Return the time of a frame, in units of the film's time base."""
        time = self._next if time is None else time
        if self._last is not None and time <= self._last:
            time = self._last + 1
        self._last, self._next = time, time + (duration or self._usual)
        return time


def _display_matrix(frame: VideoFrame) -> bytes | None:
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)  # pyright: ignore
    return None if found is None else bytes(found)


def _errors() -> type[Exception]:
    from av.error import FFmpegError

    return FFmpegError


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or first_line(error)
