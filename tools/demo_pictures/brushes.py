"""Brushes shared by the drawn pictures: noise, light, masks, terrain, water and paint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageColor, ImageDraw

Array = NDArray[np.float32]
Shape = tuple[int, int]
Field = Callable[[Array, Array], Array]
STEPS = 1300  # along each ray that looks for the ground


def f32(values: ArrayLike) -> Array:
    """Return values as a float32 array."""
    return np.asarray(values, dtype=np.float32)


def rgb(code: str) -> Array:
    """Return the colour of a hexadecimal code, in 0..1."""
    return f32(ImageColor.getrgb("#" + code)[:3]) / np.float32(255)


def grid(shape: Shape) -> tuple[Array, Array]:
    """Return the row and the column of every pixel."""
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]]
    return f32(rows), f32(cols)


def ramp(low: float, high: float, values: Array) -> Array:
    """Rise smoothly from 0 at low to 1 at high (or fall, where high is below low)."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return f32(t * t * (3 - 2 * t))


def mix(first: Array, second: Array, share: Array) -> Array:
    """Blend two colours or pictures by a share for each pixel."""
    return f32(first + (second - first) * share[..., None])


def gradient(values: Array, stops: Sequence[tuple[float, str]]) -> Array:
    """Colour values by colour stops, each a position and a hexadecimal code."""
    places = [place for place, _ in stops]
    table = np.stack([rgb(code) for _, code in stops])
    return f32(np.stack([np.interp(values, places, table[:, i]) for i in range(3)], axis=-1))


def soften(picture: Array, radius: float) -> Array:
    """Blur a plane or a picture: three passes of a box that together look Gaussian."""
    size = max(1, round(radius))
    out = picture.astype(np.float64)
    for axis in (0, 1):
        for _ in range(3):
            pad = [(0, 0)] * out.ndim
            pad[axis] = (size + 1, size)
            total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis)
            length = total.shape[axis]
            ahead = np.take(total, range(2 * size + 1, length), axis=axis)
            behind = np.take(total, range(length - 2 * size - 1), axis=axis)
            out = (ahead - behind) / (2 * size + 1)
    return f32(out)


def slopes(plane: Array) -> tuple[Array, Array]:
    """Return how much a plane rises downwards and to the right."""
    return f32(np.gradient(plane, axis=0)), f32(np.gradient(plane, axis=1))


def polygon(shape: Shape, points: ArrayLike) -> Array:
    """Return the mask of a polygon whose points are (column, row)."""
    plane = Image.new("L", (shape[1], shape[0]))
    corners = [(float(x), float(y)) for x, y in np.asarray(points, dtype=np.float64)]
    ImageDraw.Draw(plane).polygon(corners, fill=255)
    return f32(np.frombuffer(plane.tobytes(), dtype=np.uint8).reshape(shape)) / np.float32(255)


def stamp(picture: Array, sprite: Array, mask: Array, top: int, left: int) -> None:
    """Lay a small picture over another one in place, clipped at its borders."""
    height, width = mask.shape
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(picture.shape[0], top + height), min(picture.shape[1], left + width)
    if y1 <= y0 or x1 <= x0:
        return
    cut = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    picture[y0:y1, x0:x1] = mix(picture[y0:y1, x0:x1], sprite[cut], mask[cut])


class Noise:
    """Gradient noise over the plane, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self._order = np.tile(rng.permutation(256), 2)
        turn = rng.uniform(0, 2 * np.pi, 256)
        self._dx, self._dy = f32(np.cos(turn)), f32(np.sin(turn))

    def at(self, x: Array, y: Array) -> Array:
        """Return the noise at points, about -0.7..0.7, with features of about unit size."""
        fx, fy = np.floor(x), np.floor(y)
        ix, iy = fx.astype(np.int32) & 255, fy.astype(np.int32) & 255
        x, y = f32(x - fx), f32(y - fy)
        corners: list[Array] = []
        for i, j in ((0, 0), (1, 0), (0, 1), (1, 1)):
            which = self._order[self._order[(ix + i) & 255] + ((iy + j) & 255)]
            corners.append(f32(self._dx[which] * (x - i) + self._dy[which] * (y - j)))
        u, v = x * x * x * (x * (x * 6 - 15) + 10), y * y * y * (y * (y * 6 - 15) + 10)
        above = corners[0] + (corners[1] - corners[0]) * u
        below = corners[2] + (corners[3] - corners[2]) * u
        return f32(above + (below - above) * v)

    def fbm(self, x: Array, y: Array, octaves: int = 6, gain: float = 0.5) -> Array:
        """Return 1/f noise: octaves of the noise, each finer and weaker."""
        total, scale = np.zeros_like(x), 1.0
        for octave in range(octaves):
            step = 2.03**octave
            total += np.float32(scale) * self.at(f32(x * step + 17 * octave), f32(y * step))
            scale *= gain
        return f32(total)

    def ridged(self, x: Array, y: Array, octaves: int = 8, gain: float = 0.5) -> Array:
        """Return noise with sharp crests, as of mountains, about 0..1."""
        total, weight = np.zeros_like(x), np.ones_like(x)
        scale = 0.5
        for octave in range(octaves):
            step = 2.03**octave
            crest = 1 - np.abs(self.at(f32(x * step + 31 * octave), f32(y * step))) * 1.7
            crest = np.clip(crest, 0, 1) ** 2 * weight
            weight = f32(np.clip(crest * 1.6, 0, 1))
            total += np.float32(scale) * f32(crest)
            scale *= gain
        return f32(total)


class View:
    """A landscape seen in perspective: for each pixel, where its ray meets the ground."""

    def __init__(self, ground: Field, shape: Shape, eye: float, horizon: float, far: float) -> None:
        """Cast a ray through each pixel.

        Args:
            ground: height of the ground at points (across, away).
            shape: rows and columns of the picture.
            eye: height of the eye above the ground's zero.
            horizon: the row of eye height, as a share of the rows.
            far: how far away the ground ends.
        """
        self.ground, self.eye, self.shape = ground, eye, shape
        self.level, self.focal = shape[0] * horizon, 1.05 * max(shape)
        steps = f32(np.geomspace(0.02 * far, far, STEPS))[:, None]
        side = ((np.arange(shape[1]) - shape[1] / 2) / self.focal)[None]
        away = f32(np.broadcast_to(steps, (STEPS, shape[1])))
        rows = self.level - (ground(f32(away * side), away) - eye) / away * self.focal
        top = -np.minimum.accumulate(rows, axis=0)
        heights = -np.arange(shape[0], dtype=np.float64)
        hits = [np.searchsorted(top[:, i], heights) for i in range(shape[1])]
        hit = np.stack(hits, axis=1)
        self.sky = hit == STEPS
        after = np.clip(hit, 1, STEPS - 1)
        cols = np.arange(shape[1])[None]
        high, low = rows[after, cols], rows[after - 1, cols]
        share = np.clip((low + heights[:, None]) / np.maximum(low - high, 1e-6), 0, 1)
        start = steps[:, 0][after - 1]
        self.z = f32(start + share * (steps[:, 0][after] - start))
        self.x = f32(self.z * side)

    def slope(self, detail: float = 0.002) -> tuple[Array, Array]:
        """Return the ground's slopes across and away, finer where it is nearer."""
        step = f32(self.z * detail)
        here = self.ground(self.x, self.z)
        across = (self.ground(f32(self.x + step), self.z) - here) / step
        away = (self.ground(self.x, f32(self.z + step)) - here) / step
        return f32(across), f32(away)

    def light(self, sun: tuple[float, float, float], detail: float = 0.002) -> Array:
        """Return how much sunlight falls on the ground, 0..1."""
        across, away = self.slope(detail)
        length = np.sqrt(across**2 + away**2 + 1)
        lit = (-across * sun[0] + sun[1] - away * sun[2]) / length / np.linalg.norm(sun)
        return f32(np.clip(lit, 0, 1))

    def project(self, x: float, z: float) -> tuple[float, float, float]:
        """Return row, column and pixels a unit of length, for a point on the ground."""
        high = float(self.ground(f32([x]), f32([z]))[0])
        scale = self.focal / z
        return self.level - (high - self.eye) * scale, self.shape[1] / 2 + x * scale, scale


def clouds(shape: Shape, horizon: float, noise: Noise, scale: float, drift: float = 0) -> Array:
    """Return 1/f noise on a flat layer of cloud above, in perspective."""
    rows, cols = grid(shape)
    up = np.maximum(shape[0] * horizon - rows, 0) / shape[0] + 0.09
    x = (cols / shape[1] - 0.5) / up
    return noise.fbm(f32(x * scale + drift), f32(scale * 0.8 / up), 8, 0.55)


def cumulus(picture: Array, base: float, noise: Noise, scale: float, cover: float) -> None:
    """Pile lit white clouds over the sky of a picture, above a base row."""
    rows, cols = grid((picture.shape[0], picture.shape[1]))
    y, x = rows / picture.shape[0], cols / picture.shape[0]
    wobble = noise.fbm(f32(x * 9), f32(y * 9), 5, 0.6) * 0.035

    def body(dx: float, dy: float) -> Array:
        u, v = x + dx + wobble, y + dy + wobble
        heap = noise.fbm(f32(u * scale), f32(v * scale * 1.5 + 40), 2)
        puffs = np.abs(noise.at(f32(u * scale * 3), f32(v * scale * 3)))
        puffs += 0.5 * np.abs(noise.at(f32(u * scale * 7), f32(v * scale * 7)))
        return f32(heap + 0.45 - puffs * 0.55 - cover)

    dense = body(0, 0)
    mask = ramp(0.0, 0.10, dense) * ramp(base, base - 0.10, y)
    lit = np.clip(0.62 + (dense - body(-0.012, -0.02)) * 2.6 - dense * 0.35, 0, 1)
    lit = f32(np.clip(lit + 0.22 * ramp(base, base - 0.4, y), 0, 1))
    shade = gradient(lit, [(0, "8494ad"), (0.5, "c3cad6"), (0.75, "f3efe9"), (1, "fffdf8")])
    picture[:] = mix(picture, shade, f32(mask * (0.35 + 0.65 * ramp(0, 0.25, dense))))


def water(picture: Array, level: int, noise: Noise, rough: float, tint: str) -> None:
    """Fill the rows below the level with a rippled reflection of the rows above."""
    height, width = picture.shape[:2]
    rows, cols = grid((height - level, width))
    near = (rows + 2) / (height - level)
    away = 1 / (near + 0.04)
    x = (cols / width - 0.5) * away * 9
    swell = noise.fbm(f32(x), f32(away * 22), 4, 0.6)
    chop = noise.fbm(f32(x * 3 + 9), f32(away * 70), 3, 0.6)
    tilt = (swell + 0.5 * chop) * ramp(0, 0.12, near) + 0.15 * swell
    source = np.abs(level - 1 - rows * 0.97 + tilt * rough * height)
    shift = cols + tilt * rough * width * 0.12
    y = np.clip(source, 0, level - 1).astype(np.int32)
    mirrored = picture[y, np.clip(shift, 0, width - 1).astype(np.int32)]
    deep = np.clip(0.08 + 0.42 * near + tilt * 0.25, 0, 0.8)
    picture[level:] = mix(f32(mirrored * 0.95), rgb(tint), f32(deep))


class Canvas:
    """Wet paint: a colour and a height for each pixel, laid on in daubs."""

    def __init__(self, ground: Array, seed: int) -> None:
        self.colour = ground.copy()
        self.relief: Array = np.zeros(ground.shape[:2], dtype=np.float32)
        self.rng = np.random.default_rng(seed)

    def daub(
        self,
        place: tuple[float, float],
        turn: tuple[float, float],
        size: tuple[float, float],
        colour: Array,
    ) -> None:
        """Lay one brush stroke.

        Args:
            place: row and column of its middle.
            turn: its angle, and its bend (radians a pixel).
            size: half its length and half its width.
            colour: its colour.
        """
        reach = int(np.hypot(*size)) + 2
        top, left = int(place[0]) - reach, int(place[1]) - reach
        y0, x0 = max(0, top), max(0, left)
        y1 = min(self.relief.shape[0], top + 2 * reach + 1)
        x1 = min(self.relief.shape[1], left + 2 * reach + 1)
        if y1 <= y0 or x1 <= x0:
            return
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - place[0]
        dx = np.arange(x0, x1, dtype=np.float32)[None] - place[1]
        cos, sin = np.cos(turn[0]), np.sin(turn[0])
        along = dx * cos + dy * sin
        across = (dy * cos - dx * sin - 0.5 * turn[1] * along**2) / size[1]
        hairs = self.rng.uniform(0, 1, 14)
        hair = np.interp(across, np.linspace(-1.1, 1.1, 14), hairs)
        ends = 1 - np.abs(along) / (size[0] * (0.78 + 0.22 * hair))
        mask = f32(np.clip(ends * size[0] * 0.6, 0, 1) * np.clip((1 - np.abs(across)) * 4, 0, 1))
        paint = f32(colour * (0.93 + 0.14 * hair[..., None]))
        cut = (slice(y0, y1), slice(x0, x1))
        self.colour[cut] = mix(self.colour[cut], paint, f32(mask * 0.94))
        body = (0.5 + 0.5 * hair) * (1 - 0.5 * across**2) + 0.3 * along / size[0]
        self.relief[cut] += f32(mask * (body * size[1] ** 0.5 - self.relief[cut] * 0.75))

    def cover(
        self,
        model: Array,
        turn: Array,
        count: int,
        size: tuple[float, float],
        spread: float,
        where: Array | None = None,
    ) -> None:
        """Paint a model picture with many daubs along a field of angles.

        Args:
            model: the colours to paint.
            turn: the angle of the strokes at each pixel.
            count: how many daubs.
            size: half the length and half the width of a daub.
            spread: how far colours stray from the model's.
            where: how likely each pixel is to be painted.
        """
        rng, (height, width) = self.rng, self.relief.shape
        for _ in range(count):
            y, x = rng.uniform(0, height - 1), rng.uniform(0, width - 1)
            row, col = int(y), int(x)
            if where is not None and rng.uniform() > where[row, col]:
                continue
            angle = float(turn[row, col])
            length, breadth = size[0] * rng.uniform(0.7, 1.25), size[1] * rng.uniform(0.7, 1.25)
            ends: list[float] = []
            for sign in (-0.7, 0.7):
                r = int(np.clip(y + sign * length * np.sin(angle), 0, height - 1))
                c = int(np.clip(x + sign * length * np.cos(angle), 0, width - 1))
                ends.append(float(turn[r, c]))
            bend = float(np.sin(ends[1] - ends[0])) / (1.4 * length)
            tone = model[row, col] * (1 + spread * rng.normal()) + spread * 0.4 * rng.normal(size=3)
            wander = angle + 0.12 * rng.normal()
            self.daub((y, x), (wander, bend), (length, breadth), f32(np.clip(tone, 0, 1)))

    def lit(self, strength: float = 0.14) -> Array:
        """Return the picture with light from the upper left over its relief."""
        rise_y, rise_x = slopes(self.relief)
        lamp = np.clip((rise_y + rise_x) * strength, -0.3, 0.35)
        shine = np.clip(lamp - 0.1, 0, 1) * 0.7
        return f32(self.colour * (1 + lamp[..., None]) + shine[..., None])


def develop(picture: Array, seed: int, bloom: float = 0.18) -> Image.Image:
    """Finish a scene as a photograph: glow, vignette, half the size, and film grain."""
    height, width = picture.shape[:2]
    picture = np.clip(picture, 0, 1.2)
    glow = soften(f32(np.clip(picture - 0.62, 0, 1)), width / 45)
    rows, cols = grid((height, width))
    off = (rows / height - 0.5) ** 2 + (cols / width - 0.5) ** 2
    picture = (picture + glow * bloom * 3) * (1 - 0.32 * off[..., None])
    small = picture.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    curve = small * 0.86 + 0.14 * (small**2 * (3 - 2 * np.clip(small, 0, 1)))
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, 0.010, curve.shape[:2])[..., None] + rng.normal(0, 0.003, curve.shape)
    return to_image(f32(curve + grain))


def to_image(picture: Array) -> Image.Image:
    """Return colours in 0..1 as an 8-bit picture."""
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))


def shrink(picture: Array) -> Image.Image:
    """Return a painting at half its size."""
    height, width = picture.shape[:2]
    return to_image(f32(picture.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))))
