"""Paintings in strokes, dots and ink: each drawn at twice its size, as colours in 0..1."""

from __future__ import annotations

import numpy as np

from tools.demo_pictures.brushes import (
    Array,
    Canvas,
    Noise,
    f32,
    gradient,
    grid,
    mix,
    polygon,
    ramp,
    rgb,
    slopes,
    soften,
)
from tools.demo_pictures.patterns import SIZE, Stops, cells, glass, gold, woodblock

Facet = list[tuple[float, float]]


# Row, column, width and strength of each whorl of the night sky, and how golden it is.
WHORLS = [
    (300, 420, 105, 3.4, 0.0),
    (215, 190, 70, -2.2, 0.0),
    (110, 620, 58, 2.4, 1.0),
    (90, 90, 34, 1.5, 0.8),
    (400, 110, 34, 1.6, 0.7),
    (80, 380, 38, 1.6, 0.8),
    (330, 655, 40, 1.7, 0.8),
    (470, 290, 26, 1.2, 0.6),
]


def _flow(stream: Array) -> Array:
    """Return the angle along the contours of a stream function."""
    down, right = slopes(stream)
    return f32(np.arctan2(-right, down))


def swirl() -> Array:
    """Paint a night sky of swirling strokes with glowing stars over dark hills."""
    noise = Noise(7)
    rows, cols = grid(SIZE)
    stream = rows / 150 + 0.5 * noise.fbm(f32(cols / 300), f32(rows / 220), 2)
    gold = np.zeros(SIZE, dtype=np.float32)
    for y, x, wide, strength, star in WHORLS:
        gap = np.hypot(rows - y, cols - x)
        stream += strength * np.exp(-((gap / wide) ** 2) / 2)
        gold = np.maximum(gold, f32(star * np.exp(-((gap / wide / 0.75) ** 2))))
    bands = 0.5 + 0.38 * np.sin(stream * 11) + 0.5 * noise.fbm(f32(cols / 60), f32(rows / 60), 3)
    blues: Stops = [
        (0, "0d1d52"),
        (0.35, "1f4a9a"),
        (0.6, "3f7fc4"),
        (0.85, "8fc0d8"),
        (1.1, "e6e6c0"),
    ]
    model = gradient(f32(bands), blues)
    glow = gradient(
        f32(gold + 0.22 * (bands - 0.5)),
        [(0.1, "5fa0b8"), (0.4, "d8c860"), (0.7, "f4c02c"), (1, "fff2b0")],
    )
    model = mix(model, glow, ramp(0.12, 0.4, gold))
    angle = _flow(f32(stream))
    model, angle = _slopes(noise, model, angle)
    canvas = Canvas(f32(model * 0.55), 3)
    canvas.cover(model, angle, 2600, (30, 6.5), 0.10)
    canvas.cover(model, angle, 4600, (20, 4.2), 0.13)
    canvas.cover(
        f32(model * 1.12), angle, 1500, (13, 3.0), 0.14, ramp(0.2, 0.7, f32(gold + bands * 0.4))
    )
    return canvas.lit(0.13)


def _slopes(noise: Noise, model: Array, angle: Array) -> tuple[Array, Array]:
    """Add dark hills below a sky, and the angle of their strokes."""
    rows, cols = grid(SIZE)
    for i, base in enumerate((560, 625, 695)):
        edge = base + 26 * np.sin(cols / (95 + 20 * i) + 2 * i) + 18 * np.sin(cols / 41 + i)
        depth = rows - edge
        wave = (
            0.45
            + 0.42 * np.sin(depth / 7.5 + cols / 60)
            + 0.2 * noise.fbm(f32(cols / 20), f32(rows / 20), 2)
        )
        tone: Stops = [
            (0, "0a1730"),
            (0.5, ("24506a", "1f5a4a", "3a5a2a")[i]),
            (1, ("7fb0b0", "9aa84a", "d0a83c")[i]),
        ]
        below = ramp(-2, 2, f32(depth))
        model = mix(model, gradient(f32(wave), tone), below)
        angle = f32(
            np.where(depth > 0, np.arctan(0.27 * np.cos(cols / (95 + 20 * i) + 2 * i)), angle)
        )
    return model, angle


def _riverside(noise: Noise) -> Array:
    """Return a summer's riverside in flat light, to be painted in dots."""
    rows, cols = grid(SIZE)
    model = gradient(f32(rows / 300), [(0, "6fa8dc"), (0.6, "b8d4e8"), (1, "f8e4c0")])
    sun = np.exp(-((np.hypot(rows - 150, cols - 560) / 130) ** 2))
    model = mix(model, rgb("fff0a8"), f32(sun))
    hills = 300 - 40 * noise.fbm(f32(cols / 160), f32(rows * 0), 4) - 22
    model = mix(
        model,
        gradient(f32((rows - hills) / 60), [(0, "8a8cc8"), (1, "7fb08f")]),
        ramp(-2, 2, f32(rows - hills)),
    )
    stream = gradient(f32((rows - 330) / 260), [(0, "a8d4e0"), (0.5, "4f8fc8"), (1, "3a6fb0")])
    stream = mix(
        stream,
        rgb("fff0b8"),
        f32(0.8 * np.exp(-(((cols - 560) / (40 + rows * 0.06)) ** 2)) * (np.sin(rows / 5) > -0.2)),
    )
    model = mix(model, stream, ramp(328, 332, rows))
    model = _sails(model)
    bank = 590 - 120 * ramp(460, 0, cols) + 60 * ramp(400, 768, cols)
    grass = gradient(
        f32(
            0.4
            + 0.5 * noise.fbm(f32(cols / 70), f32(rows / 30), 3)
            + 0.35 * np.sin(cols / 75 + rows / 60)
        ),
        [(0, "2f5a3c"), (0.5, "7aa83c"), (1, "e0d860")],
    )
    model = mix(model, grass, ramp(-3, 3, f32(rows - bank)))
    return _trees(model, noise)


def _sails(model: Array) -> Array:
    """Add sailing boats and the reflections of their sails."""
    for x, size in ((300, 1.0), (410, 0.55), (660, 0.75)):
        foot = 372 + 30 * size
        sail = polygon(
            SIZE, [(x, foot - 120 * size), (x + 52 * size, foot - 14), (x - 6, foot - 14)]
        )
        model = mix(model, rgb("fff6e4"), sail)
        model = mix(
            model, rgb("e8d4c8"), f32(0.5 * np.roll(sail[::-1], int(2 * foot - 768), axis=0))
        )
        hull = polygon(
            SIZE,
            [
                (x - 40 * size, foot - 12),
                (x + 60 * size, foot - 12),
                (x + 44 * size, foot + 6),
                (x - 28 * size, foot + 6),
            ],
        )
        model = mix(model, rgb("a83a2c"), hull)
    return model


def _trees(model: Array, noise: Noise) -> Array:
    """Add trees on the bank."""
    rows, cols = grid(SIZE)
    for y, x, wide in ((210, 110, 150), (330, 20, 120), (300, 215, 80)):
        lobes = noise.fbm(f32(cols / 60 + x), f32(rows / 60), 3)
        crown = 1 - np.hypot(rows - y, cols - x) / wide + 0.5 * lobes
        light = 0.45 + 0.003 * (cols - x) - 0.003 * (rows - y) + 0.7 * lobes
        trunk = ramp(13, 10, f32(np.abs(cols - x))) * ramp(y, y + 5, rows) * ramp(560, 550, rows)
        model = mix(model, rgb("5a3a5a"), trunk)
        model = mix(
            model,
            gradient(f32(light), [(0, "1f3f5a"), (0.5, "3f8a3c"), (1, "d8d84a")]),
            ramp(0, 0.06, f32(crown)),
        )
    return model


def dots() -> Array:
    """Paint a riverside in thousands of dots of divided colour."""
    noise = Noise(19)
    model = _riverside(noise)
    rows, cols = grid(SIZE)
    picture = mix(f32(model * 0.8), rgb("e8dcc0"), f32(np.full(SIZE, 0.45)))
    shifts = f32(
        [
            (0, 0, 0),
            (0.12, 0.03, -0.16),
            (-0.12, -0.02, 0.16),
            (0.16, -0.10, 0.06),
            (-0.08, 0.12, -0.08),
        ]
    )
    for layer, (size, radius) in enumerate(((13.0, 6.8), (11.5, 5.2), (10.5, 4.4), (12.0, 3.8))):
        first, _, near_y, near_x = cells(noise.rng, size, 0.42)
        y, x = near_y.astype(int), near_x.astype(int)
        kind = noise.rng.integers(0, 5, SIZE)[y, x]
        own = 1 + noise.rng.normal(0, 0.07, SIZE)[y, x]
        colour = f32(model[y, x] * own[..., None] + shifts[kind] * (1.1 if layer else 0.5))
        wide = radius * noise.rng.uniform(0.8, 1.12, SIZE)[y, x]
        mask = ramp(0.6, -0.6, f32(first - wide))
        dome = np.clip(1 - (first / wide) ** 2, 0, 1)
        slant = ((near_y - rows) + (near_x - cols)) / wide
        colour = f32(colour * (0.96 + 0.09 * dome + 0.07 * slant)[..., None])
        picture = mix(picture, colour, mask)
    return picture


def _split(rng: np.random.Generator, facet: Facet, depth: int) -> list[Facet]:
    """Split a convex facet again and again by slanted lines."""
    corners = np.array(facet)
    area = 0.5 * abs(
        float(
            np.sum(
                corners[:, 0] * np.roll(corners[:, 1], 1)
                - corners[:, 1] * np.roll(corners[:, 0], 1)
            )
        )
    )
    if depth == 0 or area < 5200 or (depth < 4 and rng.uniform() < 0.12):
        return [facet]
    centre = corners.mean(axis=0) + rng.normal(0, 0.10 * np.sqrt(area), 2)
    angle = float(rng.choice([0.35, 1.15, 1.9, 2.7])) + rng.normal(0, 0.16)
    sides = (corners - centre) @ np.array([-np.sin(angle), np.cos(angle)])
    parts: tuple[Facet, Facet] = ([], [])
    for i, (side, point) in enumerate(zip(sides, corners, strict=True)):
        j = (i + 1) % len(facet)
        parts[int(side > 0)].append((float(point[0]), float(point[1])))
        if (side > 0) != (sides[j] > 0):
            cut = point + (corners[j] - point) * side / (side - sides[j])
            for part in parts:
                part.append((float(cut[0]), float(cut[1])))
    good = [part for part in parts if len(part) > 2]
    return [piece for part in good for piece in _split(rng, part, depth - 1)]


def cubist() -> Array:
    """Paint shaded planes in ochre, umber and grey, broken across each other."""
    noise = Noise(37)
    rng = noise.rng
    rows, cols = grid(SIZE)
    model = f32(np.zeros((*SIZE, 3)) + rgb("8a7a60"))
    angle = np.zeros(SIZE, dtype=np.float32)
    warm = ["c89a56", "e0c088", "9a6a3a", "f0e0bc", "b8763c", "7a4a2a"]
    cold = ["8a9690", "5f6a66", "c4c4b4", "46524e", "6a7a74", "9a8c74"]
    lines = np.zeros(SIZE, dtype=np.float32)
    for facet in _split(rng, [(0.0, 0.0), (768.0, 0.0), (768.0, 768.0), (0.0, 768.0)], 8):
        mask = polygon(SIZE, facet)
        middle = np.mean(facet, axis=0)
        figure = np.exp(-(((middle[0] - 384) / 190) ** 2) - ((middle[1] - 400) / 300) ** 2)
        codes = warm if rng.uniform() < 0.12 + 0.85 * figure else cold
        colour = rgb(codes[int(rng.integers(6))])
        way = float(rng.choice([0.35, 1.15, 1.9, 2.7])) + np.pi * int(rng.integers(2))
        along = (cols - middle[0]) * np.cos(way) + (rows - middle[1]) * np.sin(way)
        reach = max(float(np.max(np.abs(along * mask))), 1.0)
        tone = 0.98 + 0.42 * along / reach - 0.25 * ramp(-0.5, -1.0, f32(along / reach))
        model = mix(model, f32(colour * tone[..., None]), mask)
        angle = f32(np.where(mask > 0.5, way + np.pi / 2 + 0.2, angle))
        rim = np.clip(mask - soften(mask, 2), 0, 1) * ramp(0.55, -0.4, f32(along / reach))
        lines = np.maximum(lines, f32(rim * 2.0))
    model = _arcs(model, rng)
    model = mix(model, rgb("1c1814"), f32(np.clip(lines, 0, 1) * 0.85))
    canvas = Canvas(model, 5)
    canvas.cover(model, angle, 5200, (13, 4.5), 0.07)
    canvas.colour = mix(canvas.colour, model, f32(np.full(SIZE, 0.45)))
    canvas.colour = mix(canvas.colour, rgb("17130f"), f32(np.clip(lines * 1.1, 0, 1) * 0.8))
    return canvas.lit(0.10)


def _arcs(model: Array, rng: np.random.Generator) -> Array:
    """Lay see-through curved planes and parallel strings across the facets."""
    rows, cols = grid(SIZE)
    for y, x, radius, code in (
        (500, 330, 150, "3a2416"),
        (330, 430, 120, "f2e4c4"),
        (560, 480, 110, "5a3a22"),
    ):
        gap = np.hypot(rows - y, (cols - x) * 1.15) - radius
        half = (cols - x) * np.cos(radius) + (rows - y) * np.sin(radius) > 0
        shade = ramp(1, -1, f32(gap)) * ramp(-150, 0, f32(gap)) * half
        model = mix(model, rgb(code), f32(shade * 0.6))
        model = mix(model, rgb("1c1814"), f32(ramp(3.0, 1.6, f32(np.abs(gap))) * half * 0.85))
    model = mix(
        model, rgb("17120e"), f32(ramp(47, 45, f32(np.hypot(rows - 455, cols - 405))) * 0.9)
    )
    for i in range(6):
        off = (cols - 385 - 10 * i) + 0.32 * (rows - 400) + rng.uniform(-1, 1)
        span = ramp(150, 180, rows) * ramp(650, 620, rows)
        model = mix(
            model,
            rgb("f4e6c4" if i % 2 else "1c1612"),
            f32(ramp(1.8, 0.9, f32(np.abs(off))) * span * 0.8),
        )
    return model


def impasto() -> Array:
    """Paint a sunset over the sea in thick daubs of oil."""
    noise = Noise(59)
    rows, cols = grid(SIZE)
    level = 450
    gap = np.hypot(rows - 372, cols - 455)
    blur = noise.fbm(f32(cols / 150), f32(rows / 50), 4) * 0.5
    sky: Stops = [
        (0, "fff0a0"),
        (0.10, "ffc93c"),
        (0.25, "f5872a"),
        (0.42, "d8483a"),
        (0.62, "8f2f6a"),
        (0.85, "3a2a78"),
        (1, "1f2f7a"),
    ]
    model = gradient(f32(gap / 620 + blur * 0.5), sky)
    model = mix(model, rgb("fff8d0"), ramp(64, 58, f32(gap)))
    veil = noise.fbm(f32(cols / 210 + 3), f32(rows / 44), 4)
    model = mix(
        model,
        gradient(f32(gap / 600), [(0, "ffe070"), (0.3, "f06a5a"), (0.7, "6a3f9a"), (1, "4a5ac0")]),
        ramp(0.05, 0.3, veil),
    )
    model = _sunlit_sea(model, noise, level)
    shore = level + 160 + 110 * ramp(380, 0, cols) * -1 + 170 * ramp(150, 560, cols)
    rock = gradient(
        f32(0.5 + noise.fbm(f32(cols / 40), f32(rows / 30), 3)),
        [(0, "1a1230"), (0.6, "5a2a4a"), (1, "d86a3a")],
    )
    model = mix(model, rock, ramp(-2, 2, f32(rows - shore)))
    ring = np.arctan2(rows - 372, cols - 455) + np.pi / 2
    angle = f32(np.where(rows < level, ring * 1.0, 0.10 * np.sin(cols / 50 + rows / 23)))
    angle = f32(np.where(rows > shore, 0.9 + 0.8 * noise.at(f32(cols / 90), f32(rows / 90)), angle))
    canvas = Canvas(model, 9)
    canvas.cover(model, angle, 900, (46, 13), 0.10)
    canvas.cover(model, angle, 2300, (27, 8.5), 0.12)
    canvas.cover(f32(model * 1.08), angle, 800, (19, 6.0), 0.16)
    return canvas.lit(0.27)


def _sunlit_sea(model: Array, noise: Noise, level: int) -> Array:
    """Add a sea below a level, with the sky and the sun in it."""
    rows, cols = grid(SIZE)
    mirror = model[np.clip(2 * level - rows, 0, level).astype(int), cols.astype(int)]
    sparkle = noise.fbm(f32(cols / 60), f32(rows / 9), 3)
    sea = mix(
        f32(mirror * 0.72),
        rgb("1a3a7a"),
        f32(np.clip(0.25 + (rows - level) / 500 - sparkle * 0.9, 0, 0.85)),
    )
    path = np.exp(-(((cols - 455) / (40 + 0.28 * (rows - level))) ** 2)) * ramp(-0.2, 0.15, sparkle)
    sea = mix(sea, rgb("ffd45a"), f32(path * 0.9))
    sea = mix(sea, rgb("2a9a9a"), f32(ramp(0.18, 0.35, sparkle) * ramp(level, 700, rows) * 0.7))
    return mix(model, sea, ramp(level - 1, level + 1, rows))


def ink() -> Array:
    """Brush misty mountains and bamboo in grey ink, with a red seal."""
    noise = Noise(67)
    rows, cols = grid(SIZE)
    fibre = noise.fbm(f32(cols / 5), f32(rows / 5), 4, 0.7)
    paper = mix(
        rgb("efe8d8"),
        rgb("d8ccb4"),
        f32(0.4 + 0.5 * noise.fbm(f32(cols / 240), f32(rows / 240), 4)),
    )
    density = np.zeros(SIZE, dtype=np.float32)
    density += 0.10 * ramp(0.1, 0.5, noise.fbm(f32(cols / 260 + 5), f32(rows / 90), 4))
    for i, (base, tall, dark) in enumerate(
        ((330, 120, 0.22), (420, 190, 0.36), (520, 150, 0.50), (610, 90, 0.72))
    ):
        crest = noise.ridged(f32(cols / (300 - 30 * i) + 7 * i + 1), f32(rows * 0 + i), 7, 0.46)
        top = (
            base
            + 40
            - tall * 1.6 * crest
            - tall * 0.6 * np.exp(-(((cols - (560, 250, 620, 160)[i]) / 130) ** 2))
        )
        depth = f32(rows - top)
        bleed = noise.fbm(f32(cols / 30), f32(rows / 60 + i), 5, 0.65)
        hatch = noise.ridged(f32((cols + depth * 0.5) / 34 + i), f32(depth / 120 + cols / 300), 5)
        wash = np.exp(-depth / (46 + 26 * i)) * 0.75 + 0.6 * ramp(0.40, 0.70, f32(hatch)) * np.exp(
            -depth / 130
        )
        rim = np.exp(-((depth - 2) ** 2) / 14) * 0.5 * ramp(-0.3, 0.3, bleed)
        layer = dark * (wash * (1 + bleed) + rim) * ramp(-1.5, 1.5, depth)
        fade = ramp(-1.5, 1.5, depth) * 0.85
        density = f32(density * (1 - fade * np.exp(-depth / 300)) + np.clip(layer, 0, 1))
    density = np.maximum(density, _bamboo(noise))
    density = np.maximum(density, _birds())
    grainy = np.clip(density * (1 + 0.30 * fibre), 0, 1)
    tone = gradient(f32(grainy), [(0, "ffffff"), (0.35, "a6a6a4"), (0.7, "55565a"), (1, "17181c")])
    picture = f32(paper * tone * (1 + 0.05 * fibre[..., None]))
    return _seal(picture, noise)


def _birds() -> Array:
    """Return the ink of a few birds far off."""
    rows, cols = grid(SIZE)
    density = np.zeros(SIZE, dtype=np.float32)
    for x, y, size in ((420, 130, 16), (470, 112, 12), (500, 146, 10), (390, 168, 9)):
        wing = (
            np.abs(rows - y + size * 0.5 * np.sin(np.abs(cols - x) / size * 2.4))
            + np.abs(cols - x) * 0.05
        )
        density = np.maximum(
            density,
            f32(0.75 * ramp(3, 1, f32(wing)) * ramp(size * 1.6, size * 1.4, f32(np.abs(cols - x)))),
        )
    return density


def _bamboo(noise: Noise) -> Array:
    """Return the ink of bamboo: jointed stalks and pointed leaves."""
    rows, cols = grid(SIZE)
    rng = noise.rng
    total = np.zeros(SIZE, dtype=np.float32)
    for x, wide, dark, lean in (
        (640, 15, 0.80, -0.10),
        (708, 11, 0.55, 0.05),
        (585, 7, 0.40, -0.16),
    ):
        joint = (rows + x) % 150
        bent = cols - x - lean * (768 - rows) - 5 * np.sin(rows / 160)
        half = wide * (1 + 0.13 * np.exp(-joint / 9) + 0.13 * np.exp(-(150 - joint) / 9))
        dry = noise.fbm(f32(bent / 3.2), f32(rows / 110), 4, 0.7)
        body = (0.62 + 0.38 * (np.abs(bent) / half) ** 3 + 0.6 * dry - 0.2 * bent / half) * dark
        mask = (
            ramp(1.03, 0.93, f32(np.abs(bent) / half))
            * ramp(1, 5, f32(joint))
            * ramp(149, 145, f32(joint))
        )
        total = np.maximum(total, f32(np.clip(body, 0.1, 1) * mask))
        for knot in range(-x % 150, 768, 150):
            middle = x + lean * (768 - knot) + 5 * np.sin(knot / 160)
            for _ in range(6 if knot < 520 else 2):
                way = float(rng.choice([0.55, 0.9, 2.2, 2.6, 1.3])) + rng.normal(0, 0.18)
                tall = rng.uniform(70, 140) * (0.6 + wide / 30)
                start = rng.uniform(4, 46)
                u = (cols - middle) * np.cos(way) + (rows - knot) * np.sin(way) - start
                v = (rows - knot) * np.cos(way) - (cols - middle) * np.sin(way) + 0.0016 * u**2
                t = np.clip(u / tall, 0, 1)
                edge = wide * 0.95 * np.sin(np.pi * t**0.6) * (1 - t * 0.35)
                leaf = ramp(0.8, -0.8, f32(np.abs(v) - edge)) * (u > 0) * (u < tall)
                total = np.maximum(total, f32(leaf * min(0.95, dark * rng.uniform(0.8, 1.35))))
    return total


def _seal(picture: Array, noise: Noise) -> Array:
    """Press a red seal with a carved pattern."""
    rows, cols = grid(SIZE)
    y, x = rows - 640, cols - 92
    rough = 4 * noise.fbm(f32(cols / 9), f32(rows / 9), 3)
    block = ramp(1.5, -1.5, f32(np.maximum(np.abs(y), np.abs(x)) - 44 + rough))
    rim = np.abs(np.maximum(np.abs(y), np.abs(x)) - 36)
    bars = np.minimum(
        np.abs(np.abs(x) - 16) + 6 * (np.abs(y) > 26), np.abs(np.abs(y) - 14) + 6 * (np.abs(x) > 26)
    )
    carved = np.minimum(np.minimum(rim, bars), np.abs(np.hypot(x, y) - 9))
    mask = block * ramp(1.6, 3.2, f32(carved + rough * 0.3)) * (0.86 + 0.12 * rough / 4)
    return mix(picture, f32(picture * rgb("c8281e") * 1.05), f32(np.clip(mask, 0, 1)))


PAINTINGS = {
    "swirl": swirl,
    "dots": dots,
    "glass": glass,
    "cubist": cubist,
    "woodblock": woodblock,
    "impasto": impasto,
    "ink": ink,
    "gold": gold,
}
