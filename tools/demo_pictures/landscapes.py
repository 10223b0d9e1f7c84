"""Landscapes: each function draws one at twice its size, as colours in 0..1."""

from __future__ import annotations

import numpy as np

from tools.demo_pictures.brushes import (
    Array,
    Noise,
    Shape,
    View,
    clouds,
    cumulus,
    f32,
    gradient,
    grid,
    mix,
    polygon,
    ramp,
    rgb,
    stamp,
    water,
)

WIDE = (768, 1024)
TALL = (1024, 768)


def _tree(noise: Noise, size: int, leaf: tuple[str, str, str], squat: float) -> tuple[Array, Array]:
    """Return a broad-leaved tree, lit from the upper left, and its mask."""
    rows, cols = grid((size, size))
    y, x = rows / size * 2 - 1, cols / size * 2 - 1
    off = float(noise.rng.uniform(0, 200))
    lobes = noise.fbm(f32(x * 1.8 + off), f32(y * 1.8), 5, 0.6)
    crown = 0.80 - np.hypot(x, (y + 0.12) * squat) + lobes * 0.75
    trunk = ramp(0.09, 0.05, f32(np.abs(x + 0.05 * y))) * ramp(-0.1, 0.1, f32(y))
    clumps = noise.fbm(f32(x * 5 + off), f32(y * 5 + 7), 4, 0.65)
    sun = np.clip(0.48 - 0.34 * x - 0.42 * y + clumps * 0.75 + lobes * 0.3, 0, 1)
    mask = ramp(0.0, 0.06, f32(crown))
    colour = mix(
        rgb("3a2c20"), gradient(f32(sun), list(zip((0, 0.55, 1), leaf, strict=True))), mask
    )
    return colour, f32(np.maximum(mask, trunk))


def _pine(
    picture: Array, noise: Noise, foot: tuple[float, float], tall: float, dark: Array
) -> None:
    """Draw a dark pine from its foot (row, column) up."""
    rng = noise.rng
    points: list[tuple[float, float]] = []
    tiers = max(6, int(tall / 7))
    for side in (-1, 1):
        edge: list[tuple[float, float]] = []
        for i in range(tiers):
            t = i / tiers
            out = side * tall * (0.025 + 0.17 * t) * rng.uniform(0.7, 1.2)
            edge.append((foot[1] + out, foot[0] - tall * (1 - t) + tall * 0.06))
            edge.append((foot[1] + out * 0.45, foot[0] - tall * (1 - t) + tall * 0.055))
        points += edge if side < 0 else edge[::-1]
    shape = (picture.shape[0], picture.shape[1])
    x0, x1 = int(foot[1] - tall * 0.3), int(foot[1] + tall * 0.3) + 1
    y0, y1 = int(foot[0] - tall * 1.1), int(foot[0] + tall * 0.1) + 1
    local = [(x - x0, y - y0) for x, y in [(foot[1], foot[0] - tall), *points]]
    mask = polygon((y1 - y0, x1 - x0), local)
    rows, cols = grid(mask.shape)
    tone = 0.8 + 0.9 * noise.fbm(f32(cols / 9 + x0), f32(rows / 5), 3)
    tone += 0.5 * ramp(0, tall * 0.3, f32(cols - tall * 0.3))
    if y0 < shape[0] and x0 < shape[1]:
        stamp(picture, f32(dark * tone[..., None]), mask, y0, x0)


def _peaks(noise: Noise, shape: Shape, pass_x: float, high: float) -> tuple[View, Array]:
    """Cast a mountain range behind a valley; return it and its heights."""

    def ground(x: Array, z: Array) -> Array:
        warp = 0.35 * noise.fbm(f32(x * 0.5), f32(z * 0.5), 3)
        crest = noise.ridged(f32(x * 0.36 + warp + 3.1), f32(z * 0.36 + warp), 8, 0.43)
        wall = 0.20 + 0.80 * ramp(0.08, 0.42, f32(np.abs(x / z - pass_x)))
        rise = ramp(3.6, 11, z) * wall + 0.05 * ramp(3.0, 4.2, z)
        shore = 0.06 * noise.fbm(f32(x * 1.3), f32(z * 1.3), 4)
        return f32(high * rise * crest**1.25 - 0.05 + shore * ramp(5, 3, z))

    view = View(ground, shape, 0.22, 0.56, 26)
    return view, ground(view.x, view.z)


def lake() -> Array:
    """Draw mountains over a lake at sunset, with their reflection and pines."""
    noise = Noise(11)
    rows, cols = grid(WIDE)
    view, height = _peaks(noise, WIDE, 0.10, 3.9)
    level = int(view.level) + 22
    sun_y, sun_x = view.level - 60, 612.0
    near = np.hypot((cols - sun_x) * 0.8, (rows - sun_y) * 1.25) / WIDE[1]
    base = gradient(
        f32(rows / view.level),
        [(0, "35508a"), (0.35, "6f83b4"), (0.6, "c9a5ae"), (0.82, "f3b785"), (1, "ffd9a0")],
    )
    picture = mix(base, rgb("ffe2a6"), f32(0.9 * np.exp(-((near * 5.0) ** 1.2))))
    veil = clouds(WIDE, 0.56, noise, 0.42, 5)
    lift = veil - np.roll(veil, -5, axis=0)
    fire = gradient(
        f32(np.clip(0.55 + lift * 4 - veil * 0.5 + 0.35 * np.exp(-near * 5), 0, 1)),
        [(0, "5a5484"), (0.4, "a9769a"), (0.7, "f0926f"), (1, "ffe0a8")],
    )
    picture = mix(picture, fire, f32(ramp(-0.08, 0.34, veil) * 0.9 * ramp(430, 330, rows)))
    rock = view.light((0.75, 0.62, 0.35), 0.003)
    across, away = view.slope(0.012)
    flat = ramp(1.5, 0.7, f32(np.hypot(across, away)))
    grit = noise.fbm(f32(view.x * 6), f32(view.z * 6), 4)
    stone = gradient(
        f32(rock + 0.15 * grit), [(0, "2a2c46"), (0.4, "6b5a62"), (0.8, "d89a76"), (1, "ffd0a0")]
    )
    snow = gradient(rock, [(0, "5b6a9c"), (0.4, "a9a4c4"), (0.75, "ffc9a8"), (1, "fff0da")])
    wood = gradient(f32(rock + 0.5 * grit), [(0, "141f26"), (0.5, "2c3a30"), (1, "6a6040")])
    land = mix(stone, snow, f32(ramp(0.75, 1.45, f32(height + grit * 0.5)) * (0.25 + 0.75 * flat)))
    land = mix(land, wood, ramp(0.75, 0.35, f32(height + grit * 0.4)))
    haze = mix(rgb("8f86ae"), rgb("ffc48c"), f32(np.exp(-near * 5.5)))
    thick = (1 - np.exp(-view.z / 22)) * (0.55 + 0.6 * ramp(1.6, 0.0, height))
    land = mix(land, haze, f32(np.clip(thick, 0, 0.93)))
    picture = mix(land, picture, f32(view.sky))
    water(picture, level, noise, 0.05, "16263f")
    return f32(_lake_shore(picture, noise) * 1.09)


def _lake_shore(picture: Array, noise: Noise) -> Array:
    """Add the near shore of the lake: pines, stones and reeds."""
    rows, cols = grid(WIDE)
    dark = rgb("18211f")
    rough = noise.fbm(f32(cols / 60), f32(rows / 24), 6, 0.6)
    bank = 690 + 90 * ramp(40, 420, cols) - 50 * ramp(650, 1024, cols) + 34 * rough
    stones = noise.ridged(f32(cols / 46), f32(rows / 20), 4)
    soil = gradient(
        f32(0.2 + 0.7 * stones * ramp(0, 40, f32(rows - bank))),
        [(0, "10161a"), (0.5, "2b2b2a"), (1, "85715c")],
    )
    picture = mix(picture, soil, ramp(-1, 2, f32(rows - bank)))
    for x, tall in (
        (40, 420),
        (118, 300),
        (-10, 330),
        (176, 190),
        (236, 120),
        (985, 250),
        (1022, 330),
        (925, 130),
    ):
        foot = 705 + 40 * float(ramp(40, 420, f32(x))) - 10
        _pine(picture, noise, (foot + noise.rng.uniform(-8, 8), x), tall, dark)
    return picture


def _grove(
    view: View,
    picture: Array,
    noise: Noise,
    spots: list[tuple[float, float, float]],
    haze: Array,
    leaf: tuple[str, str, str],
) -> None:
    """Stand trees (across, away, height) on the ground of a view, far ones first."""
    sprites = [_tree(noise, 150, leaf, 1.0 + 0.25 * (i % 3)) for i in range(7)]
    for i, (x, z, tall) in enumerate(sorted(spots, key=lambda spot: -spot[1])):
        row, col, scale = view.project(x, z)
        size = int(tall * scale)
        r, c = int(row) - 2, int(col)
        inside = 0 <= r < view.shape[0] and 0 <= c < view.shape[1]
        if size < 3 or not inside or view.sky[r, c] or abs(view.z[r, c] - z) > 0.15 * z:
            continue
        colour, mask = sprites[i % 7]
        pick = (np.arange(size) + 0.5) * 150 / size
        at = np.ix_(pick.astype(int), pick.astype(int))
        fog = f32(np.full((size, size), 1 - np.exp(-z / 34)))
        rows, cols = grid((max(2, size // 5), size * 2))
        off = np.hypot((cols - size) / size, (rows * 10 / size - 1))
        shade = f32(0.55 * ramp(1.0, 0.2, f32(off)))
        stamp(
            picture,
            f32(picture[r, c] * 0.35 + np.zeros((*off.shape, 3))),
            shade,
            r - size // 10,
            c - size // 2,
        )
        stamp(picture, mix(colour[at], haze, fog), mask[at], r - int(size * 0.94), c - size // 2)


def hills() -> Array:
    """Draw rolling hills with fields, trees and a road."""
    noise = Noise(31)
    rows, _ = grid(WIDE)

    def ground(x: Array, z: Array) -> Array:
        roll = noise.fbm(f32(x * 0.17 + 2), f32(z * 0.17), 3, 0.32) * 1.9
        return f32(roll + 0.028 * z)

    view = View(ground, WIDE, 1.25, 0.40, 46)
    sky = [(0, "4585c8"), (0.6, "9cc4e4"), (1, "e8ead8")]
    picture = gradient(f32(rows / 330), sky)
    cumulus(picture, 0.44, noise, 2.9, 0.24)
    light = view.light((-0.75, 0.62, -0.15), 0.004)
    land = _fields(view, noise)
    land = f32(land * (0.36 + 0.95 * light[..., None]) * (1.06, 1.0, 0.86))
    haze = rgb("c8d8e0")
    land = mix(land, haze, f32(np.clip(1 - np.exp(-view.z / 40), 0, 0.9)))
    picture = mix(land, picture, f32(view.sky))
    rng = noise.rng
    spots = [(rng.uniform(-14, 14), rng.uniform(3, 32), rng.uniform(0.25, 0.5)) for _ in range(320)]
    spots = [s for s in spots if abs(s[0] - float(_lane(f32(s[1])))) > 0.6]
    spots += [(float(_lane(f32(z))) + 0.42, z, 0.62) for z in np.arange(2.6, 14, 0.9).tolist()]
    _grove(view, picture, noise, spots, haze, ("1d3a1c", "4f7a2c", "b9c860"))
    return picture


def _fields(view: View, noise: Noise) -> Array:
    """Return the colours of fields, their hedges and the road."""
    warp = noise.fbm(f32(view.x * 0.2), f32(view.z * 0.2), 2)
    u = f32((view.x * 0.9 + view.z * 0.35) * 0.42 + warp)
    v = f32((view.z * 0.8 - view.x * 0.3) * 0.30 + warp)
    cell = (np.floor(u).astype(int) * 7 + np.floor(v).astype(int) * 13) % 6
    codes = ["6f9a3a", "8fb045", "c9b758", "557f35", "a3a84a", "dcc66a"]
    land = np.stack([rgb(code) for code in codes])[cell]
    rill = 0.5 + 0.5 * np.sin(u * 75 + cell)
    grass = 0.8 * noise.fbm(f32(view.x * 40), f32(view.z * 24), 6, 0.8)
    edge = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v)))
    land = land * (0.92 + 0.10 * (rill * np.exp(-view.z / 9))[..., None] + 0.30 * grass[..., None])
    land = mix(f32(land), rgb("2f4a24"), f32(ramp(0.03, 0.012, f32(edge)) * 0.8))
    path = np.abs(view.x - _lane(view.z)) / 0.15
    land = mix(f32(land), rgb("5f7a35"), ramp(1.9, 1.2, f32(path)))
    dust = gradient(
        f32(0.6 + 0.5 * grass - 0.3 * ramp(0.3, 0.0, f32(np.abs(path - 0.5)))),
        [(0, "9a8465"), (1, "f0e2c0")],
    )
    return mix(land, dust, ramp(1.1, 0.9, f32(path)))


def _lane(z: Array) -> Array:
    """Return where the road of the hills runs at a distance."""
    return f32(0.55 * np.sin(z * 0.55 + 0.4) + 0.05 * z - 0.2)


def desert() -> Array:
    """Draw dunes in low light, each with a lit and a shaded side."""
    noise = Noise(97)
    rows, cols = grid(WIDE)

    def ground(x: Array, z: Array) -> Array:
        warp = noise.fbm(f32(x * 0.16 + 4), f32(z * 0.16), 3, 0.4)
        phase = x * 0.26 + z * 0.17 + warp * 1.5
        part = phase - np.floor(phase)
        lee, wind = (1 - part) / 0.30, part / 0.70
        ridge = (lee + wind - np.sqrt((lee - wind) ** 2 + 0.004)) / 2
        ridge = np.maximum(ridge, 0) ** 1.2
        swell = 0.55 + 1.1 * noise.at(f32(x * 0.09 + 7), f32(z * 0.09))
        return f32(1.5 * ridge * np.clip(swell, 0.1, 1.2) + 0.03 * z)

    view = View(ground, WIDE, 2.2, 0.36, 60)
    glow = np.exp(-np.hypot(cols - 150, (rows - 270) * 1.4) / 330)
    picture = gradient(f32(rows / 290), [(0, "3f78b8"), (0.55, "a3c3d6"), (1, "f6ddb4")])
    picture = mix(picture, rgb("fff0c8"), f32(glow * 0.8))
    veil = clouds(WIDE, 0.42, noise, 0.5, 2)
    picture = mix(picture, rgb("fff4e2"), f32(ramp(0.0, 0.5, veil) * 0.6))
    light = view.light((-0.9, 0.42, 0.25), 0.003)
    fine = noise.fbm(f32(view.x * 1.5), f32(view.z * 1.5), 2)
    ripple = np.sin((view.x * 0.6 + view.z) * 46 + fine * 9) * np.exp(-view.z / 6)
    grit = noise.fbm(f32(view.x * 50), f32(view.z * 30), 4, 0.8)
    tone = f32(light * 1.05 + 0.07 * ripple * (0.3 + light) + 0.10 * grit * (0.3 + light))
    land = gradient(
        tone, [(0, "4f2f33"), (0.22, "96573a"), (0.5, "d08e4e"), (0.8, "f2c27c"), (1, "ffe6b4")]
    )
    land = mix(
        land,
        mix(rgb("d9c0ae"), rgb("ffe6b8"), f32(glow)),
        f32(np.clip(1 - np.exp(-view.z / 48), 0, 0.9)),
    )
    return mix(land, picture, f32(view.sky))


def _stars(picture: Array, noise: Noise, level: int) -> Array:
    """Add the milky band, the stars and the moon to a sky above a level."""
    rows, cols = grid(TALL)
    rng = noise.rng
    across = (cols - 380 + (rows - 300) * 0.75) / 150
    dust = noise.fbm(f32(cols / 130), f32(rows / 130), 7, 0.6)
    band = np.exp(-((across + 0.8 * dust) ** 2)) * (0.55 + 0.8 * dust) * ramp(level, 250, rows)
    picture = f32(picture + np.clip(band, 0, 1)[..., None] * (rgb("8f8fc8") * 0.42))
    stars = np.zeros(TALL, dtype=np.float32)
    for _ in range(1500):
        y, x = rng.integers(2, level), rng.integers(2, 766)
        if rng.uniform() < 0.45 + 0.8 * band[y, x]:
            stars[y : y + 2, x : x + 2] = rng.uniform(0.2, 0.9) ** 2
    for _ in range(34):
        y, x, size = rng.uniform(0, level), rng.uniform(0, 768), rng.uniform(1.6, 2.8)
        stars += 1.1 * np.exp(-((rows - y) ** 2 + (cols - x) ** 2) / size**2)
    picture = f32(picture + stars[..., None] * rgb("e8f0ff"))
    radius = np.hypot(cols - 560, rows - 200)
    seas = noise.fbm(f32(cols / 34), f32(rows / 34), 5)
    moon = gradient(f32(0.7 + 0.7 * seas - 0.003 * (cols - 560)), [(0, "b4b09f"), (1, "fffbe8")])
    picture = f32(
        picture
        + (0.75 * np.exp(-radius / 60) + 0.22 * np.exp(-radius / 190))[..., None] * rgb("cfdcf4")
    )
    return mix(picture, moon, ramp(47, 44, f32(radius)))


def night() -> Array:
    """Draw a night sky: the moon, stars and a milky band over snowy mountains."""
    noise = Noise(101)
    rng = noise.rng
    rows, cols = grid(TALL)
    view, height = _peaks(noise, TALL, -0.05, 3.4)
    level = int(view.level) + 26
    picture = gradient(
        f32(rows / level), [(0, "070b20"), (0.5, "13234f"), (0.85, "2f4f86"), (1, "6f8fb4")]
    )
    picture = _stars(picture, noise, level)
    light = view.light((0.45, 0.7, -0.2), 0.003)
    rock = gradient(light, [(0, "0a1024"), (0.5, "2c3a5e"), (1, "7f94b8")])
    snow = gradient(light, [(0, "1c2a52"), (0.5, "6f88b8"), (1, "e4eefa")])
    grit = noise.fbm(f32(view.x * 5), f32(view.z * 5), 5)
    land = mix(rock, snow, ramp(0.35, 0.9, f32(height + grit * 0.7)))
    land = mix(land, rgb("58779f"), f32(np.clip(1 - np.exp(-view.z / 40), 0, 0.8)))
    picture = mix(land, picture, f32(view.sky))
    water(picture, level, noise, 0.05, "060c1e")
    bank = 925 - 30 * np.cos((cols - 384) / 150) + 24 * noise.fbm(f32(cols / 50), f32(rows / 30), 5)
    picture = mix(picture, rgb("05080f"), ramp(-1, 2, f32(rows - bank)))
    for x in np.linspace(-10, 780, 15).tolist():
        _pine(
            picture,
            noise,
            (930.0, x + rng.uniform(-20, 20)),
            rng.uniform(90, 150 + 0.45 * abs(x - 384)),
            rgb("070c14"),
        )
    return picture


def beach() -> Array:
    """Draw a beach with breaking waves and a green headland."""
    noise = Noise(83)
    rows, cols = grid(WIDE)
    level = 310
    picture = gradient(f32(rows / level), [(0, "2b74bd"), (0.6, "84bce4"), (1, "e4eee8")])
    cumulus(picture, 0.39, noise, 2.3, 0.27)
    near = f32(np.maximum(rows - level, 0.5) / (768 - level))
    picture = _headland(picture, noise, level)
    away = 1 / (near + 0.03)
    x = f32((cols / 1024 - 0.5) * away)
    wave = noise.fbm(f32(x * 5), f32(away * 16), 5, 0.6)
    sea = gradient(
        f32(near * 1.6 + 0.10 * wave),
        [(0, "1d5f8f"), (0.25, "1f86a8"), (0.6, "3fb5ba"), (1, "9fdccb")],
    )
    sea = f32(sea * (1 + 0.42 * wave[..., None]))
    shore = (
        0.62
        - 0.20 * cols / 1024
        + 0.035 * np.sin(cols / 130)
        + 0.02 * noise.fbm(f32(cols / 90), f32(rows * 0), 4)
    )
    lace = noise.ridged(f32(x * 9), f32(away * 26), 5)
    sea = _breakers(sea, noise, f32(near - shore), lace)
    sand = _sand(noise, picture, near, f32(near - shore))
    sea = mix(sea, sand, ramp(-0.004, 0.008, f32(near - shore)))
    return mix(picture, sea, ramp(level - 1, level + 1, rows))


def _headland(picture: Array, noise: Noise, level: int) -> Array:
    """Add a green headland with cliffs on the left of the horizon."""
    rows, cols = grid(WIDE)
    hill = (
        level
        - 150 * ramp(430, 20, cols) ** 1.2
        - 34 * noise.fbm(f32(cols / 120), f32(rows * 0 + 3), 6)
    )
    lush = noise.fbm(f32(cols / 30), f32(rows / 20), 6, 0.7)
    shade = f32(0.5 + 0.8 * lush - 0.002 * (rows - hill) + 0.25 * (cols < 0))
    green = gradient(shade, [(0, "263f33"), (0.5, "4f7350"), (1, "a9b878")])
    cliff = gradient(
        f32(0.5 + 0.9 * noise.fbm(f32(cols / 9), f32(rows / 40), 5)), [(0, "6f5f52"), (1, "d8c4a0")]
    )
    green = mix(green, cliff, f32(ramp(level - 36, level - 14, f32(rows + 30 * lush))))
    return mix(
        picture,
        mix(green, rgb("b4cddc"), f32(np.full(WIDE, 0.25))),
        ramp(-1, 1, f32(rows - hill)) * ramp(450, 420, cols),
    )


def _breakers(sea: Array, noise: Noise, inland: Array, lace: Array) -> Array:
    """Add breaking waves: foam along the shore, and lace behind it."""
    rows, cols = grid(WIDE)
    foam = np.zeros(WIDE, dtype=np.float32)
    for back, width in ((0.0, 0.035), (0.13, 0.05), (0.27, 0.03), (0.37, 0.016), (0.44, 0.008)):
        crest = (
            inland
            + back
            + 0.03 * noise.fbm(f32(cols / 110 + 30 * back), f32(rows * 0 + back * 60), 4)
        )
        gaps = (
            ramp(-0.3, 0.1, noise.at(f32(cols / 210 + 9 * back), f32(rows * 0 + 50 * back)))
            if back
            else 1.0
        )
        trail = ramp(-width * 3, 0, f32(crest)) * (crest < 0) * ramp(0.45, 0.8, lace)
        bright = ramp(-width, -width * 0.3, f32(crest)) * ramp(0.006, -0.003, f32(crest))
        foam = np.maximum(foam, f32(np.maximum(trail * 0.7, bright) * gaps))
        dark = (
            ramp(0.0, width * 0.2, f32(crest)) * ramp(width * 0.9, width * 0.2, f32(crest)) * gaps
        )
        sea = f32(sea * (1 - 0.33 * dark[..., None] * (back > 0)))
    return mix(sea, rgb("fbfdfb"), foam)


def _sand(noise: Noise, picture: Array, near: Array, inland: Array) -> Array:
    """Return sand: wet and shining by the water, rippled and trodden further up."""
    rows, cols = grid(WIDE)
    away = f32(1 / (near + 0.03))
    x = f32((cols / 1024 - 0.5) * away)
    grit = noise.fbm(f32(x * 30), f32(away * 60), 6, 0.8)
    dunes = noise.fbm(f32(x * 7), f32(away * 18), 5, 0.6)
    lit = f32(0.62 + 0.5 * (dunes - np.roll(dunes, 6, axis=1)) * 3 + 0.22 * grit)
    dry = gradient(lit, [(0, "a3845c"), (0.6, "e2c898"), (1, "fdeccb")])
    mirror = picture[np.clip(310 - (rows - 310) * 0.55, 0, 300).astype(int), cols.astype(int)]
    wet = mix(f32(dry * 0.62), mirror, f32(np.full(WIDE, 0.34)))
    return mix(wet, dry, ramp(0.03, 0.13, f32(inland + 0.03 * dunes)))
