"""Pictures made of patterns: stained glass, woodblock and gold, as colours in 0..1."""

from __future__ import annotations

import numpy as np

from tools.demo_pictures.brushes import (
    Array,
    Noise,
    f32,
    gradient,
    grid,
    mix,
    ramp,
    rgb,
    slopes,
    soften,
)

SIZE = (768, 768)
Stops = list[tuple[float, str]]
# The rings of the rosette: inner and outer radius, number of panes, their colours.
RINGS = (
    (0, 62, 1, ["f6c93a"]),
    (62, 150, 8, ["c8201f", "e8741c"]),
    (150, 222, 16, ["f2b52a", "1f5fb4"]),
    (222, 300, 12, ["8f1f2f", "1f8a6a", "d8901c"]),
)


def cells(
    rng: np.random.Generator, size: float, jitter: float
) -> tuple[Array, Array, Array, Array]:
    """Return distances to the nearest and next point of a jittered grid, and the nearest point."""
    rows, cols = grid(SIZE)
    count = int(SIZE[0] / size) + 3
    shift = rng.uniform(-jitter, jitter, (count, count, 2))
    first = np.full(SIZE, 1e9, dtype=np.float32)
    second, near_y, near_x = first.copy(), np.zeros_like(first), np.zeros_like(first)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            iy, ix = (rows // size).astype(int) + i + 1, (cols // size).astype(int) + j + 1
            y = f32((iy - 0.5 + shift[iy, ix, 0]) * size)
            x = f32((ix - 0.5 + shift[iy, ix, 1]) * size)
            gap = f32(np.hypot(rows - y, cols - x))
            closer = gap < first
            second = np.where(closer, first, np.minimum(second, gap))
            near_y, near_x = np.where(closer, y, near_y), np.where(closer, x, near_x)
            first = np.where(closer, gap, first)
    return first, second, f32(np.clip(near_y, 0, 767)), f32(np.clip(near_x, 0, 767))


def glass() -> Array:
    """Paint a window of stained glass: a rosette, rays and leaded panes."""
    noise = Noise(29)
    rng = noise.rng
    rows, cols = grid(SIZE)
    first, second, near_y, near_x = cells(rng, 84, 0.42)
    lead = f32(second - first)
    dy, dx = rows - 370, cols - 384
    radius, angle = np.hypot(dy, dx), np.arctan2(dy, dx)
    outer = np.hypot(near_y - 370, near_x - 384)
    pick = rng.uniform(0, 1, SIZE)[near_y.astype(int), near_x.astype(int)]
    hue = f32(pick * 0.5 + outer / 1100)
    colour = gradient(
        hue,
        [
            (0.3, "2a9ab8"),
            (0.45, "1f56c0"),
            (0.58, "3a35b0"),
            (0.72, "2a9a70"),
            (0.88, "8a3a9a"),
            (1.05, "d04a4a"),
        ],
    )
    colour, lead, own = _rosette(colour, lead, f32(radius), f32(angle))
    lead = f32(np.minimum(lead, np.abs(radius - 300) * 1.4))
    ripple = noise.fbm(f32(cols / 26 + pick * 40), f32(rows / 46), 5, 0.62)
    streak = noise.fbm(f32(cols / 9), f32(rows / 90 + pick * 9), 3)
    lamp = (
        1.32
        - radius / 1500
        + own
        + 0.30 * ripple
        + 0.16 * streak
        + 0.25 * (pick - 0.5) * (radius > 300)
    )
    pane = f32(colour * lamp[..., None] + (0.16 * np.clip(ripple + 0.1, 0, 1))[..., None])
    pane = f32(pane * (0.72 + 0.28 * ramp(4, 26, lead))[..., None])
    return _leaded(pane, lead, noise)


def _rosette(colour: Array, lead: Array, radius: Array, angle: Array) -> tuple[Array, Array, Array]:
    """Set the rings of a rosette into panes; return colour, distance to the lead, own light."""
    own = np.zeros(SIZE, dtype=np.float32)
    for low, high, count, codes in RINGS:
        inside = (radius >= low) & (radius < high)
        turn = (angle / (2 * np.pi) + 0.5) * count + (0.5 if low == 150 else 0)
        part = np.floor(turn).astype(int)
        wave = np.abs(turn - part - 0.5)
        gap = (
            np.minimum(
                np.minimum(radius - low, high - radius), radius * 2 * np.pi / count * (0.5 - wave)
            )
            * 2
        )
        gap = (high - radius) * 2 if count == 1 else gap
        palette = np.stack([rgb(code) for code in codes])
        petal = ramp(
            0.0,
            0.04,
            f32(
                0.46 * np.sqrt(np.clip(np.sin(np.pi * (radius - low) / (high - low)), 0, 1)) - wave
            ),
        )
        tone = palette[part % len(codes)]
        if low in (62, 222):
            tone = mix(rgb("153f9a") if low == 62 else rgb("e8c860"), tone, petal)
            gap = np.minimum(gap, np.abs(petal - 0.5) * 60 + 2)
        colour = np.where(inside[..., None], tone, colour).astype(np.float32)
        own = np.where(inside, np.sin(part * 12.9 + low) * 0.14, own).astype(np.float32)
        lead = np.where(inside, gap, lead).astype(np.float32)
    return colour, lead, own


def _leaded(pane: Array, lead: Array, noise: Noise) -> Array:
    """Lay rounded lead lines between panes of glass."""
    rows, cols = grid(SIZE)
    rough = noise.fbm(f32(cols / 7), f32(rows / 7), 3)
    width = f32(lead + rough * 1.6)
    mask = ramp(9.5, 7.5, width)
    height = soften(np.sqrt(np.clip(1 - width / 9.5, 0, 1)), 1)
    down, right = slopes(height)
    tone = 0.15 + 0.8 * np.clip(down + right, -0.1, 0.4) + 0.05 * rough
    metal = f32(tone[..., None] * f32((1.0, 1.02, 1.1)))
    glow = soften(pane, 9)
    return f32(mix(pane, metal, mask) + 0.12 * glow)


def woodblock() -> Array:
    """Print rolling waves in flat indigo, with foam, contour lines and a red sun."""
    noise = Noise(43)
    rows, cols = grid(SIZE)
    picture = gradient(
        f32(rows / 600), [(0, "c2a878"), (0.18, "e4d3a8"), (0.6, "f0e2c0"), (1, "ecc9a0")]
    )
    disc = ramp(1, -1, f32(np.hypot(rows - 205, cols - 545) - 92))
    picture = mix(picture, mix(rgb("c8402c"), rgb("e07a4a"), ramp(120, 300, rows)), disc)
    for y, left, right in ((250, 430, 768), (276, 380, 690), (120, 0, 250), (146, 0, 330)):
        bar = np.maximum(np.abs(rows - y) - 7, np.maximum(left - cols, cols - right) + 6)
        picture = mix(picture, rgb("f6ead0"), ramp(6, 4, f32(bar)))
        picture = mix(picture, rgb("2f3f5a"), ramp(2.2, 1.0, f32(np.abs(bar - 6))))
    layers = (
        (400, 46, 150, 0.4, 0),
        (455, 150, 470, 2.55, 1),
        (560, 70, 250, 0.9, 2),
        (640, 58, 205, 2.4, 3),
        (715, 48, 170, 4.2, 4),
    )
    for base, tall, length, phase, index in layers:
        picture = _wave(picture, noise, (float(base), float(tall), float(length), phase), index)
    grain = noise.fbm(
        f32(cols / 160), f32(rows / 3.2 + 6 * noise.fbm(f32(cols / 300), f32(rows / 90), 2)), 4, 0.6
    )
    paper = noise.fbm(f32(cols / 4), f32(rows / 4), 3)
    return f32(picture * (1 + 0.085 * grain + 0.035 * paper)[..., None])


def _wave(
    picture: Array, noise: Noise, form: tuple[float, float, float, float], index: int
) -> Array:
    """Print one row of waves: (base row, height, length, phase)."""
    rows, cols = grid(SIZE)
    base, tall, length, phase = form
    lift = np.clip(base + tall * 0.3 - rows, -80, 3 * tall) / tall
    lean = cols + 0.30 * tall * np.sign(lift) * lift**2
    turn = lean / length * 2 * np.pi + phase
    crest = (
        base
        - tall * (np.exp(1.4 * (np.cos(turn) - 1)) * 2 - 0.6)
        - 0.1 * tall * np.cos(2 * turn + 1)
    )
    depth = f32(rows - crest)
    steep = np.clip(np.cos(turn), 0, 1)
    step = 15.0 + 9 * (tall > 100)
    bent = depth + 9 * np.sin(turn * 2.1 + depth / 60)
    stripe = np.floor(bent / step).astype(int)
    codes = np.stack(
        [rgb(code) for code in ("1f3f74", "3f6f9f", "e6e0c8", "2a5488", "8fb4c0", "1a3260")]
    )
    body = codes[np.clip(stripe, 0, 200) % 6]
    inner = np.abs(bent - np.round(bent / step) * step)
    body = mix(body, rgb("14233f"), ramp(2.4, 1.2, f32(inner)))
    scallop = 17 * np.abs(np.sin(turn * length / 38)) + 9 * np.abs(np.sin(turn * length / 17))
    foam_edge = f32(depth - (6 + (0.35 + steep) * scallop * (1.5 if tall > 100 else 0.8)))
    body = mix(body, rgb("f8f2e0"), ramp(1, -1, foam_edge))
    body = mix(body, rgb("1a2c4c"), ramp(2.4, 1.2, f32(np.abs(foam_edge))))
    picture = mix(picture, f32(body), ramp(-1, 1, depth))
    picture = mix(picture, rgb("14233f"), ramp(3.2, 1.8, f32(np.abs(depth))))
    if index == 1:
        for _ in range(70):
            x, up = noise.rng.uniform(0, 768), noise.rng.uniform(4, 60)
            y, size = crest[int(base - tall), int(x)] - up, noise.rng.uniform(2, 6)
            gap = np.hypot(rows - y, cols - x)
            picture = mix(picture, rgb("f8f2e0"), ramp(size + 1, size - 1, f32(gap)))
            picture = mix(
                picture, rgb("1a2c4c"), f32(ramp(1.6, 0.8, f32(np.abs(gap - size))) * 0.8)
            )
    return picture


def gold() -> Array:
    """Lay gold leaf with spirals, tesserae and a meadow of small flowers."""
    noise = Noise(79)
    rng = noise.rng
    rows, cols = grid(SIZE)
    foil = noise.fbm(f32(cols / 80), f32(rows / 80), 6, 0.6)
    leaf_y, leaf_x = (rows // 96).astype(int), (cols // 96).astype(int)
    sheet = rng.normal(0, 0.05, (8, 8))[leaf_y, leaf_x]
    tone = f32(0.52 + 0.35 * foil + sheet)
    golds: Stops = [(0, "6a4516"), (0.4, "b8862c"), (0.65, "dcb24a"), (1, "fff0b0")]
    picture, height = gradient(tone, golds), 0.3 * foil
    picture, height = _spirals(picture, f32(height), rng)
    waist = 384 + 70 * np.sin(rows / 130) - 20
    width = 90 + 75 * np.sin(rows / 210 + 0.5) ** 2 + 60 * ramp(400, 768, rows)
    side = (cols - waist) / width
    robe = ramp(1.01, 0.99, f32(np.abs(side))) * ramp(60, 64, f32(rows - 70 * side**2))
    tiles, bump = _tiles(rng, golds)
    picture = mix(picture, tiles, f32(robe))
    height = f32(height * (1 - robe) + bump * robe)
    rim = ramp(0.06, 0.04, f32(np.abs(np.abs(side) - 1.0))) * ramp(60, 64, f32(rows - 70 * side**2))
    picture = mix(picture, gradient(f32(tone + 0.25), golds), f32(rim))
    height = f32(height + rim * 1.6)
    picture, height = _meadow(picture, height, rng)
    down, right = slopes(soften(height, 1))
    lamp = np.clip((down + right) * 0.55, -0.4, 0.5)
    return f32(
        picture * (1 + lamp)[..., None]
        + (np.clip(lamp - 0.12, 0, 1) * 0.8)[..., None] * rgb("fff0c0")
    )


def _spirals(picture: Array, height: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Raise spirals of gold thread on a ground."""
    rows, cols = grid(SIZE)
    placed: list[tuple[float, float, float]] = []
    for _ in range(900):
        y, x, size = rng.uniform(-10, 778), rng.uniform(-10, 778), rng.uniform(18, 74)
        if any(np.hypot(y - b, x - a) < size + c + 3 for b, a, c in placed):
            continue
        placed.append((y, x, size))
        gap, angle = np.hypot(rows - y, cols - x), np.arctan2(rows - y, cols - x)
        pitch = size / max(2.0, round(size / 13))
        hand = 1 if rng.uniform() < 0.5 else -1
        arm = np.abs((gap / pitch - hand * angle / (2 * np.pi)) % 1 - 0.5) * pitch
        inside = ramp(size, size - 1.5, f32(gap))
        line = ramp(pitch * 0.27, pitch * 0.13, f32(arm)) * inside
        dark = ("5a3410", "3f2a18", "7a4a14", "2f3f3a")[int(rng.integers(4))]
        picture = mix(picture, rgb(dark), f32(inside * 0.55))
        picture = mix(picture, rgb("f4d272"), f32(line))
        height = f32(height + 1.8 * line - 0.4 * inside)
    return picture, height


def _tiles(rng: np.random.Generator, golds: Stops) -> tuple[Array, Array]:
    """Return a patchwork of upright tesserae, and its height."""
    rows, cols = grid(SIZE)
    picture, height = np.zeros((*SIZE, 3), dtype=np.float32), np.zeros(SIZE, dtype=np.float32)
    codes = ["17140f", "f2ead8", "8a8f94", "1f5f6a", "b0341f", "2f3f7a"]
    y = 0
    while y < 768:
        tall, x = int(rng.integers(20, 62)), 0
        while x < 768:
            wide = int(rng.integers(13, 38))
            cut = (slice(y, y + tall), slice(x, x + wide))
            v, u = rows[cut] - y, cols[cut] - x
            edge = np.minimum(np.minimum(u, wide - 1 - u), np.minimum(v, tall - 1 - v))
            base = gradient(f32(np.full(u.shape, rng.uniform(0.35, 0.95))), golds)
            if rng.uniform() < 0.62:
                base = f32(np.zeros((*u.shape, 3)) + rgb(codes[int(rng.integers(6))]))
            kind = rng.uniform()
            if kind < 0.45:
                ring = (
                    np.maximum(np.abs(u - wide / 2) / wide, np.abs(v - tall / 2) / tall)
                    if kind < 0.25
                    else np.hypot(u - wide / 2, (v - tall / 2) * 0.7) / wide
                )
                base = mix(
                    base, rgb("f0cc66" if kind < 0.3 else "17140f"), f32((ring * 9 % 2 < 0.9) * 0.9)
                )
            picture[cut] = mix(rgb("3a240c"), base, ramp(0.5, 2.5, f32(edge)))
            height[cut] = ramp(0, 4, f32(edge)) * rng.uniform(0.8, 2.0)
            x += wide
        y += tall
    return picture, height


def _meadow(picture: Array, height: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Scatter small enamel flowers over the lower corners."""
    rows, cols = grid(SIZE)
    codes = ["b8342c", "f4ecd8", "2f5fa0", "8a4a9a", "e0862c", "f2d24a"]
    edge = 640 + 60 * np.sin(cols / 70) - 70 * np.abs(cols - 384) / 384
    ground = ramp(0, 6, f32(rows - edge))
    picture = mix(picture, rgb("2f4f22"), f32(ground * 0.92))
    for _ in range(330):
        y, x, size = rng.uniform(540, 775), rng.uniform(0, 768), rng.uniform(6, 15)
        if y < edge[min(767, int(y)), int(x)] + 6:
            continue
        y0, x0 = max(0, int(y - size - 2)), max(0, int(x - size - 2))
        cut = (slice(y0, int(y + size + 3)), slice(x0, int(x + size + 3)))
        gap, angle = (
            np.hypot(rows[cut] - y, cols[cut] - x),
            np.arctan2(rows[cut] - y, cols[cut] - x),
        )
        petals = ramp(0.8, -0.8, f32(gap - size * (0.72 + 0.28 * np.cos(angle * 5 + x))))
        hue = rgb(codes[int(rng.integers(6))]) if rng.uniform() < 0.72 else rgb("5f8a3a")
        picture[cut] = mix(picture[cut], hue, petals)
        picture[cut] = mix(picture[cut], rgb("f0cc5a"), ramp(size * 0.36, size * 0.22, f32(gap)))
        height[cut] = np.maximum(height[cut], f32(petals * (2 - gap / size)))
    return picture, height
