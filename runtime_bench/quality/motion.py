"""Clips with known motion, made from photographs: a pan, a zoom, a turn, noise and exposure.

Every frame samples the photograph through a similarity transform, so that where each pixel of a
frame lies in the next one is known exactly, and no optical flow has to be estimated. A second
photograph may pass in front, where nothing is compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styleexport.core.arrays import Array
from styleexport.core.images import array_from_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Size
from styleexport.runtime_bench.quality.flicker import Matrix, translation, warping_error

# Size of the photograph that frames sample, relative to theirs: room to turn by 20 degrees.
ROOM = 1.5
# Exponent of display values: light is their power.
GAMMA = 2.2


@dataclass(frozen=True)
class Motion:
    """What changes from one frame to the next.

    Frames go back and forth: ``half`` frames forward, and as many back.

    Attributes:
        name: name of the clip.
        shift: pixels to the right per frame.
        zoom: relative growth per frame.
        turn: degrees per frame, counter-clockwise.
        noise: standard deviation of noise that differs in each frame but the first, in steps of
            8 bits.
        exposure: gain of light while the exposure is raised, in every second half.
        passing: pixels per frame by which a second photograph moves to the right.
    """

    name: str
    shift: float = 0.0
    zoom: float = 0.0
    turn: float = 0.0
    noise: float = 0.0
    exposure: float = 1.0
    passing: float = 0.0

    def view(self, position: int, size: Size, room: Size) -> Matrix:
        """Return where pixels of a frame lie in the photograph.

        Args:
            position: frames from the start of the motion.
            size: size of the frame.
            room: size of the photograph.
        """
        scale, angle = (1 + self.zoom) ** -position, math.radians(self.turn * position)
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        turned = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1.0]])
        middle = translation((room.width - size.width) // 2, (room.height - size.height) // 2)
        centre = translation((size.width - 1) / 2, (size.height - 1) / 2)
        return (
            middle @ translation(self.shift * position, 0) @ centre @ turned @ np.linalg.inv(centre)
        )


MOTIONS = (
    Motion("pan", shift=2.0),
    Motion("zoom", zoom=0.01),
    Motion("turn", turn=0.4),
    Motion("noise", noise=3.0),
    Motion("exposure", exposure=1.2),
)
# Size of a photograph that passes in front, relative to the frame.
FRONT = (0.7, 0.4)
# What is nearer to it than this share of the frame's height is not compared: networks see as far.
NEAR = 1 / 16


@dataclass(frozen=True)
class Clip:
    """A photograph in motion.

    Attributes:
        motion: what changes.
        photograph: what frames sample.
        size: size of the frames.
        frames: number of frames.
        half: frames until the motion turns back.
        front: what passes in front; None for nothing.
    """

    motion: Motion
    photograph: Image.Image
    size: Size
    frames: int
    half: int
    front: Image.Image | None = None

    @classmethod
    def of(
        cls,
        motion: Motion,
        photograph: Image.Image,
        size: Size,
        frames: int,
        half: int,
        front: Image.Image | None = None,
    ) -> Clip:
        """Return a clip of the middle of a photograph; see `Clip`."""
        travel = 2 * math.ceil(abs(motion.shift) * half)
        width = max(math.ceil(ROOM * size.width), size.width + travel)
        room = Size(math.ceil(ROOM * size.height), width)
        if front is not None:
            sides = Size(round(FRONT[0] * size.height), round(FRONT[1] * size.width))
            front = centre_crop(front, sides)
        return cls(motion, centre_crop(photograph, room), size, frames, half, front)

    def view(self, frame: int) -> Matrix:
        """Return where pixels of a frame lie in the photograph."""
        room = Size(self.photograph.height, self.photograph.width)
        return self.motion.view(swing(frame, self.half), self.size, room)

    def step(self, frame: int) -> Matrix:
        """Return where pixels of the frame after this one lie in this one."""
        return np.linalg.inv(self.view(frame)) @ self.view(frame + 1)

    def picture(self, frame: int) -> Array:
        """Return a frame, [1, 3, H, W] in 0..1, all values multiples of 1/255."""
        # Pillow's coordinates are those of corners of pixels.
        corner = translation(0.5, 0.5) @ self.view(frame) @ translation(-0.5, -0.5)
        image = self.photograph.transform(
            (self.size.width, self.size.height),
            Image.Transform.AFFINE,
            tuple(corner[:2].ravel().tolist()),
            Image.Resampling.BICUBIC,
        )
        if self.front is not None:
            image.paste(
                self.front, (self._left(frame), (self.size.height - self.front.height) // 2)
            )
        pixels = array_from_image(image).astype(np.float64)
        if self.motion.exposure != 1.0 and (frame + self.half // 2) // self.half % 2:
            pixels *= self.motion.exposure ** (1 / GAMMA)
        if self.motion.noise and frame:
            generator = np.random.default_rng(frame)
            pixels += generator.normal(0, self.motion.noise / 255, pixels.shape)
        return (np.clip(pixels * 255, 0, 255).round() / 255).astype(np.float32)

    def _left(self, frame: int) -> int:
        """Return the first column of what passes, which comes in from the left again and again."""
        assert self.front is not None
        way = self.size.width + self.front.width
        return round(self.motion.passing * frame) % way - self.front.width

    def behind(self, frame: int) -> NDArray[np.bool_]:
        """Return where a frame shows the photograph and not what passes, or near to it, [H, W]."""
        shown = np.ones((self.size.height, self.size.width), bool)
        if self.front is not None:
            near = math.ceil(NEAR * self.size.height)
            top, left = (self.size.height - self.front.height) // 2, self._left(frame)
            rows = slice(max(0, top - near), top + self.front.height + near)
            columns = slice(max(0, left - near), max(0, left + self.front.width + near))
            shown[rows, columns] = False
        return shown

    def error(self, frame: int, before: Array, after: Array) -> float:
        """Return the `warping_error` of paintings of a frame and of the one after it."""
        scale = after.shape[2] // self.size.height
        where = self.behind(frame) & self.behind(frame + 1) if self.front is not None else None
        return warping_error(before, after, self.step(frame), scale, where)

    def __iter__(self) -> Iterator[Array]:
        return map(self.picture, range(self.frames))


def swing(frame: int, half: int) -> int:
    """Return how far a motion is that turns back every ``half`` frames, in frames."""
    return half - abs(frame % (2 * half) - half)
