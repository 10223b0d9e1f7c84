"""Photo-like scenes besides landscapes, drawn at twice their size, as colours in 0..1."""

from __future__ import annotations

import numpy as np

from tools.demo_pictures.brushes import (
    Array,
    Noise,
    clouds,
    cumulus,
    f32,
    gradient,
    grid,
    mix,
    polygon,
    ramp,
    rgb,
    soften,
    stamp,
    water,
)
from tools.demo_pictures.landscapes import TALL, WIDE, beach, desert, hills, lake, night


def _mirror(picture: Array, mask: Array, base: float, noise: Noise, share: float) -> None:
    """Reflect what a mask covers, above a base row, in the rippled water below it."""
    shape = (picture.shape[0], picture.shape[1])
    rows, cols = grid(shape)
    tilt = noise.fbm(f32(cols / 50), f32(rows / 7), 3, 0.6)
    y = np.clip(2 * base - rows + tilt * 16, 0, base).astype(np.int32)
    x = np.clip(cols + tilt * 12, 0, shape[1] - 1).astype(np.int32)
    visible = mask[y, x] * share * ramp(base, base + 1, rows) * ramp(base + 330, base + 40, rows)
    picture[:] = mix(picture, f32(picture[y, x] * 0.85), f32(visible))


def harbour() -> Array:
    """Draw a lighthouse and a sailing boat under cumulus clouds."""
    noise = Noise(23)
    rows, cols = grid(WIDE)
    level = 450
    sky = [(0, "2f6fb5"), (0.5, "6fa6d8"), (1, "cfe3ec")]
    picture = gradient(f32(rows / level), sky)
    cumulus(picture, 0.53, noise, 2.6, 0.20)
    coast = level - 34 * ramp(560, 0, cols) - 10 * noise.fbm(f32(cols / 70), f32(rows * 0), 5)
    tone = noise.fbm(f32(cols / 22), f32(rows / 9), 4)
    land = gradient(f32(tone + 0.5), [(0, "5f7f86"), (0.6, "8ba294"), (1, "c0c5a4")])
    picture = mix(picture, land, f32(ramp(-1, 1, f32(rows - coast)) * ramp(640, 520, cols)))
    water(picture, level, noise, 0.16, "0f4a66")
    near = ramp(level, 768, rows)
    chop = noise.fbm(f32((cols - 512) / (6 + 40 * near)), f32(rows / (2 + 9 * near)), 4, 0.6)
    glint = ramp(0.28, 0.5, chop) * 0.55 * ramp(level, level + 60, rows)
    picture[:] = mix(picture, rgb("e8f4f6"), f32(glint * ramp(level, level + 4, rows)))
    _lighthouse(picture, noise)
    _boat(picture, noise, 300.0, 560.0, 1.0)
    _boat(picture, noise, 520.0, 468.0, 0.22)
    return picture


def _lighthouse(picture: Array, noise: Noise) -> None:
    """Add a striped lighthouse on its rock, and their reflection."""
    rows, cols = grid(WIDE)
    middle, base = 800.0, 590.0
    profile = 95 * np.exp(-(((cols - middle - 40) / 190) ** 4))
    rough = noise.fbm(f32(cols / 42), f32(rows / 42), 6, 0.6)
    rock = ramp(-1.5, 1.5, f32(rows - base + profile + 46 * rough - 12)) * ramp(
        base, base - 2, rows
    )
    crags = noise.ridged(f32(cols / 60 + rows / 200), f32(rows / 46), 6)
    shade = np.clip(crags * 1.1 - 0.0011 * (cols - 700) + 0.1, 0, 1)
    stone = gradient(f32(shade), [(0, "2d2a2a"), (0.5, "7b6f63"), (1, "d8cbb4")])
    stone = mix(stone, rgb("2b3228"), ramp(base - 26, base, rows))
    down = (rows - 190) / 340
    half = 27 + 17 * down
    side = (cols - middle) / half
    tower = ramp(1.02, 0.98, f32(np.abs(side))) * ramp(212, 214, rows) * ramp(535, 533, rows)
    round_ = np.clip(0.95 - 0.45 * (side + 0.45) ** 2, 0.2, 1) * (0.97 + 0.08 * rough)
    bands = ramp(-0.04, 0.04, f32(np.sin(down * 15.5 + 0.6 + side**2 * 0.08)))
    paint = mix(rgb("f6f1e6"), rgb("bd2f2a"), bands) * round_[..., None]
    picture[:] = mix(picture, f32(paint), tower)
    whole = np.maximum(tower, rock)
    for y, tall, wide, code in (
        (196, 18, 40, "d9d4c8"),
        (150, 46, 20, "ffe9a6"),
        (128, 24, 26, "8f2420"),
    ):
        cone = wide * (ramp(128, 152, rows) if code == "8f2420" else 1.0)
        part = ramp(1, -1, f32(np.abs(cols - middle) - cone)) * (rows >= y) * (rows < y + tall)
        glow = np.clip(1.05 - 0.5 * ((cols - middle) / wide + 0.4) ** 2, 0.3, 1)
        bars = 1 - 0.6 * ((np.abs((cols - middle) % 13) < 2) & (code == "ffe9a6"))
        picture[:] = mix(picture, f32(rgb(code) * (glow * bars)[..., None]), f32(part))
        whole = np.maximum(whole, part)
    for y, x in ((300, 806), (400, 808)):
        part = (np.abs(cols - x) < 7) & (np.abs(rows - y) < 12)
        picture[:] = mix(picture, rgb("26303a"), f32(part))
    picture[:] = mix(picture, stone, f32(rock))
    _mirror(picture, f32(whole), base, noise, 0.7)
    foam = ramp(10, 0, f32(np.abs(rows - base - 2 - 12 * rough))) * ramp(
        250, 170, f32(np.abs(cols - middle - 40))
    )
    picture[:] = mix(picture, rgb("f4fafa"), f32(foam * 0.8))


def _boat(picture: Array, noise: Noise, x: float, y: float, size: float) -> None:
    """Add a sailing boat whose water line is at a row, and its reflection."""
    rows, cols = grid(WIDE)

    def shape(*points: tuple[float, float]) -> Array:
        return polygon(WIDE, [(x + px * size, y + py * size) for px, py in points])

    def arc(
        start: tuple[float, float], end: tuple[float, float], belly: float
    ) -> list[tuple[float, float]]:
        t = np.linspace(0, 1, 24)
        px = start[0] + (end[0] - start[0]) * t + belly * np.sin(np.pi * t)
        return list(zip(px.tolist(), (start[1] + (end[1] - start[1]) * t).tolist(), strict=True))

    hull = shape((-112, -34), (118, -42), *arc((118, -42), (78, 0), -6), (-88, 0))
    main = shape((6, -310), *arc((6, -310), (112, -64), 24), (8, -56))
    jib = shape((-4, -290), *arc((-4, -290), (-20, -60), 10), *arc((-108, -44), (-4, -290), -14))
    mast = shape((-2, -322), (4, -322), (6, -36), (-2, -36))
    u, v = (cols - x) / size, (rows - y) / size
    folds = 0.05 * np.sin(v / 13 + u / 40) + 0.04 * noise.fbm(f32(u / 30), f32(v / 60), 3)
    white = gradient(
        f32(0.92 - 0.0030 * np.abs(u - 20) + folds), [(0, "75808f"), (0.6, "d9d6cf"), (1, "fffaf0")]
    )
    orange = gradient(f32(0.8 + 0.004 * u + folds), [(0, "7a3320"), (0.6, "cf5f30"), (1, "f29a55")])
    wood = gradient(
        f32(ramp(-42, 0, f32(v))), [(0, "f3efe6"), (0.3, "e8e2d6"), (0.34, "1d3f63"), (1, "0e2238")]
    )
    for part, colour in ((mast, rgb("5a4630")), (main, white), (jib, orange), (hull, wood)):
        picture[:] = mix(picture, f32(colour), part)
    whole = np.maximum.reduce([hull, main, jib, mast])
    _mirror(picture, f32(whole), y, noise, 0.65)


def city() -> Array:
    """Draw a city skyline at dusk with lit windows over a river."""
    noise = Noise(47)
    rows, cols = grid(WIDE)
    level, rng = 540, noise.rng
    sky = [(0, "1a2450"), (0.4, "4b4a86"), (0.7, "b8688c"), (0.9, "f2a072"), (1, "ffcf91")]
    picture = gradient(f32(rows / level), sky)
    veil = clouds(WIDE, 0.72, noise, 0.36, 3)
    tint = gradient(f32(rows / level), [(0, "3a3a70"), (0.6, "d9748a"), (1, "ffd0a0")])
    picture = mix(picture, tint, f32(ramp(0, 0.4, veil) * 0.75 * ramp(level, 400, rows)))
    for depth, (count, low, high) in enumerate(((34, 70, 240), (26, 60, 330), (22, 40, 210))):
        fog = (0.62, 0.28, 0.06)[depth]
        for i in range(count):
            x = (i + rng.uniform(-0.3, 0.3)) * WIDE[1] / count
            middle = float(np.exp(-(((x - (640 - 120 * depth)) / 300) ** 2)))
            tall = low + (high - low) * rng.uniform(0.25, 1) * (0.35 + 0.75 * middle)
            wide = rng.uniform(26, 58)
            _tower(picture, noise, (level - tall, x), (tall, wide), fog)
    lamps = ramp(level - 12, level - 8, rows) * ramp(level, level - 3, rows)
    picture = mix(picture, rgb("1b1a26"), f32(lamps))
    for x in np.arange(12, 1024, 31).tolist():
        spot = np.exp(-(((cols - x) / 3.2) ** 2) - ((rows - level + 14) / 3.2) ** 2)
        picture = mix(picture, rgb("ffe3a0"), f32(np.clip(spot * 1.6, 0, 1)))
    water(picture, level, noise, 0.10, "141a36")
    return picture


def _tower(
    picture: Array, noise: Noise, top: tuple[float, float], size: tuple[float, float], fog: float
) -> None:
    """Add a building: its top row and middle column, its height and width, its haze."""
    rng = noise.rng
    tall, wide = int(size[0]), int(size[1])
    rows, cols = grid((tall, wide))
    wall = mix(rgb("2a2740"), rgb("4a3a52"), f32(np.full((tall, wide), rng.uniform(0, 1))))
    wall = f32(wall * (1.15 - 0.5 * cols / wide)[..., None])
    wall = mix(wall, rgb("d98a70"), f32(0.35 * ramp(wide * 0.82, wide, cols)))
    step_y, step_x = int(rng.integers(9, 13)), int(rng.integers(7, 11))
    iy, ix = (rows // step_y).astype(int), (cols // step_x).astype(int)
    lit = rng.uniform(0, 1, (tall // step_y + 1, wide // step_x + 1))
    lit *= 0.7 + 0.6 * rng.uniform(0, 1, (tall // step_y + 1, 1))
    pane = (
        (rows % step_y > 3) & (rows % step_y < step_y - 1) & (cols % step_x > 2) & (cols < wide - 3)
    )
    glow = gradient(
        f32(lit[iy, ix]),
        [(0, "20233c"), (0.5, "2b2d4a"), (0.56, "c98a4a"), (0.8, "ffd483"), (1, "fff2c8")],
    )
    wall = mix(wall, glow, f32(pane * 0.92))
    wall = mix(wall, rgb("c47f86"), f32(fog * (0.55 + 0.45 * rows / tall)))
    mask = np.ones((tall, wide), dtype=np.float32)
    crown = rng.uniform()
    if crown < 0.35:
        inset = np.abs(cols - wide / 2) > wide * (0.2 + 0.14 * (rows // 12))
        mask[(rows < 30) & inset] = 0
    elif crown < 0.5:
        mask[(rows < 34) & (np.abs(cols - wide / 2) > rows * wide / 68)] = 0
    left = int(top[1]) - wide // 2
    stamp(picture, wall, mask, int(top[0]), left)
    if crown < 0.5 and tall > 150:
        stamp(
            picture,
            f32(wall[:60, :2]),
            np.ones((60, 2), dtype=np.float32),
            int(top[0]) - 50,
            left + wide // 2,
        )


def _spheres() -> list[tuple[float, float, float, float, str, str]]:
    """Return the fruit: across, up, away, radius, and two colours of the skin."""
    return [
        (-0.95, 0.62, 5.2, 0.62, "c2241c", "f0b23a"),
        (0.30, 0.70, 5.6, 0.70, "e8801a", "f29a28"),
        (-0.28, 0.52, 4.45, 0.52, "7fa328", "c9c84a"),
        (1.42, 0.58, 4.9, 0.58, "d8442a", "f2c24e"),
        (0.72, 0.40, 4.15, 0.40, "5a1f4e", "7d3a72"),
        (-1.45, 0.34, 4.2, 0.34, "e9c52c", "f5dc5c"),
        (1.25, 0.26, 3.85, 0.26, "3c1640", "6a2c62"),
        (0.05, 0.24, 3.75, 0.24, "a31522", "d2473c"),
    ]


def _shade(x: Array, y: Array, z: Array, skip: int, sun: Array) -> Array:
    """Return the share of a soft lamp that the fruit leave to points."""
    rng = np.random.default_rng(5)
    total = np.zeros_like(x)
    for _ in range(20):
        way = sun + f32(rng.normal(0, 0.13, 3))
        way = way / np.linalg.norm(way)
        free = np.ones_like(x)
        for i, (sx, sy, sz, radius, _, _) in enumerate(_spheres()):
            if i == skip:
                continue
            along = (sx - x) * way[0] + (sy - y) * way[1] + (sz - z) * way[2]
            near = (sx - x) ** 2 + (sy - y) ** 2 + (sz - z) ** 2 - along**2
            free *= (along < 0) | (near > radius**2)
        total += free / np.float32(20)
    return f32(total)


def fruit() -> Array:
    """Draw a still life: fruit on a table cloth, in soft light from the left."""
    noise, sun = Noise(53), f32((-0.66, 0.62, -0.43))
    rows, cols = grid(WIDE)
    eye, focal, level = 2.0, 1150.0, 90.0
    u, v = (cols - 512) / focal, (rows - level) / focal
    z = f32(eye / np.maximum(v, 1e-3))
    x = f32(u * z)
    wall = gradient(
        f32(0.75 - cols / 1300 + 0.16 * noise.fbm(f32(cols / 260), f32(rows / 260), 6)),
        [(0, "2c2a2a"), (1, "8d7a62")],
    )
    warp = 0.05 * noise.fbm(f32(x * 0.8), f32(z * 0.8), 3)
    check = ((np.floor((x + warp) * 2.2) + np.floor((z + warp) * 2.2)) % 2) * 0.5
    check += 0.5 * (np.floor((x + warp) * 2.2) % 2)
    cloth = gradient(f32(check), [(0, "efe8da"), (0.5, "9fb4cc"), (1, "4d6f9c")])
    folds = noise.fbm(f32(x * 0.9 + 3), f32(z * 0.55), 3)
    weave = 0.04 * noise.at(f32(x * 90), f32(z * 90))
    light = (
        0.30
        + 0.62 * _shade(x, np.zeros_like(x), z, -1, sun)
        + 0.35 * (folds - np.roll(folds, 9, axis=1))
        + weave
    )
    for sx, sy, sz, radius, _, _ in _spheres():
        light *= 1 - 0.55 * np.exp(-((x - sx) ** 2 + (z - sz) ** 2) / (0.45 * radius * sy))
    picture = mix(wall, f32(cloth * light[..., None] * (1.03, 1.0, 0.94)), ramp(5.9, 5.86, z))
    depth = np.where(z < 5.88, z, 90.0).astype(np.float32)
    for i in np.argsort([-sphere[2] for sphere in _spheres()]).tolist():
        _fruit(picture, depth, noise, i, (u, f32(-v), sun))
    return picture


def _fruit(
    picture: Array, depth: Array, noise: Noise, index: int, rays: tuple[Array, Array, Array]
) -> None:
    """Trace one fruit, with its skin, its stalk and its shine."""
    sx, sy, sz, radius, dark, pale = _spheres()[index]
    u, v, sun = rays
    norm = u**2 + v**2 + 1
    reach = (u * sx + v * (sy - 2.0) + sz) / norm
    gap = radius**2 - (sx**2 + (sy - 2.0) ** 2 + sz**2 - reach**2 * norm)
    hit = ramp(0, 0.012, f32(gap))
    t = reach - np.sqrt(np.maximum(gap, 0) / norm)
    px, py, pz = f32(u * t), f32(2.0 + v * t), f32(t)
    nx, ny, nz = (px - sx) / radius, (py - sy) / radius, (pz - sz) / radius
    turn = f32(np.arctan2(nz, nx))
    streak = noise.fbm(f32(turn * 7 + index * 9), f32(ny * 1.6), 4, 0.6)
    blush = noise.fbm(f32(nx * 1.4 + index * 7), f32(ny * 1.4), 3)
    skin = mix(rgb(dark), rgb(pale), f32(np.clip(0.45 + streak * 0.8 + blush + 0.35 * ny, 0, 1)))
    pores = noise.at(f32(turn * 46), f32(ny * 46)) * (0.35 if index == 1 else 0.06)
    skin = skin * (1 + 0.4 * pores[..., None])
    pit = np.exp(-(((nx + 0.05) ** 2 + (nz + 0.25) ** 2) / 0.035)) * (ny > 0)
    skin = skin * (1 - 0.6 * pit[..., None])
    facing = np.clip(nx * sun[0] + ny * sun[1] + nz * sun[2] + 0.12 * pores, 0, 1)
    lamp = facing * _shade(px, py, pz, index, sun)
    bounce = 0.16 + 0.16 * np.clip(-ny, 0, 1) + 0.10 * np.clip(nx, 0, 1)
    half = sun + f32((0, 0.25, -1))
    half = half / np.linalg.norm(half)
    shine = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1)
    colour = skin * (bounce + 1.05 * lamp)[..., None] * (1.05, 1.0, 0.92)
    colour = (
        colour
        + (0.55 * shine**70 + 0.12 * shine**12)[..., None] * ramp(0, 0.3, f32(lamp))[..., None]
    )
    picture[:] = mix(picture, f32(colour), hit)
    if radius > 0.3:
        focal, level = 1150.0, 90.0
        c, r = 512 + focal * sx / sz, level + focal * (2.0 - sy - radius * 0.9) / sz
        lean = 10 * (index % 3 - 1)
        stalk = [(c - 3, r), (c - 2 + lean, r - 34), (c + 5 + lean, r - 36), (c + 4, r)]
        picture[:] = mix(picture, rgb("4a3520"), polygon(WIDE, stalk))


def tulips() -> Array:
    """Draw rows of tulips that run to the horizon, under a wide sky."""
    noise = Noise(61)
    rows, cols = grid(WIDE)
    level, focal, eye = 300, 900.0, 1.0
    picture = gradient(f32(rows / level), [(0, "3f7fc6"), (0.6, "98c4e8"), (1, "f0ead8")])
    cumulus(picture, 0.385, noise, 2.4, 0.26)
    line = level - 14 - 18 * noise.fbm(f32(cols / 46), f32(rows * 0), 6, 0.6)
    trees = gradient(
        f32(0.5 + noise.fbm(f32(cols / 14), f32(rows / 8), 4)), [(0, "4f6b62"), (1, "93a78a")]
    )
    picture = mix(picture, trees, ramp(-1, 1.5, f32(rows - line)))
    z = f32(eye * focal / np.maximum(rows - level, 0.5))
    x = f32((cols - 560) / focal * z)
    soil = gradient(
        f32(0.5 + 0.7 * noise.fbm(f32(x * 16), f32(z * 10), 5, 0.7)),
        [(0, "2f4a1c"), (0.6, "5d8030"), (1, "8fae50")],
    )
    picture = mix(picture, soil, ramp(level - 1, level + 1, rows))
    codes = ["d8232f", "f2c21c", "e8588f", "f4efe2", "e8641e", "7a2c86"]
    palette = np.stack([rgb(code) for code in codes])
    bed = palette[(np.floor(x / 0.62).astype(int)) % 6]
    speck = 0.75 + 0.8 * noise.fbm(f32(x * 20), f32(z * 5), 4, 0.7)
    inside = ramp(0.5, 0.40, f32(np.abs(x / 0.62 - np.floor(x / 0.62) - 0.5)))
    far = ramp(9, 20, z) * inside * ramp(level + 1, level + 4, rows)
    picture = mix(picture, f32(bed * speck[..., None]), far)
    haze = ramp(14, 90, z) * ramp(level - 1, level + 1, rows) * 0.5
    picture = mix(picture, rgb("d8dcd6"), haze)
    _mill(picture, 238.0, float(level - 4))
    rng = noise.rng
    for away in np.geomspace(17, 1.15, 90).tolist():
        wide = 600 / focal * away
        for lane in range(int(-wide / 0.62) - 1, int(wide / 0.62) + 1):
            for spot in np.linspace(0.1, 0.9, 4 if away > 2 else 5).tolist():
                place = (lane + spot + rng.uniform(-0.1, 0.1)) * 0.62
                deep = away * rng.uniform(0.97, 1.03)
                foot = (level + eye * focal / deep, 560 + place * focal / deep)
                _tulip(picture, rng, foot, focal / deep, palette[lane % 6])
    return picture


def _tulip(
    picture: Array, rng: np.random.Generator, foot: tuple[float, float], scale: float, hue: Array
) -> None:
    """Add one tulip on its stem: its foot, the pixels of a unit of length, its colour."""
    tall, wide = int(scale * 0.15), max(3, int(scale * 0.088))
    if not -wide < foot[1] < WIDE[1] + wide or tall < 3:
        return
    rows, cols = grid((tall, wide))
    v, u = (rows + 0.5) / tall, (cols + 0.5) / wide * 2 - 1
    bulge = 0.92 * np.sin(np.pi * np.clip(v * 0.72 + 0.26, 0, 1)) ** 0.6
    rim = 0.10 + 0.09 * np.cos(u * 9.4)
    mask = (
        ramp(1.02, 0.9, f32(np.abs(u) / np.maximum(bulge, 0.05))) * (v > rim) * ramp(1, 0.9, f32(v))
    )
    petal = 0.82 + 0.2 * np.cos(u * 5.2 + 0.6) - 0.30 * u - 0.35 * v + 0.2 * (1 - v)
    tone = (
        hue * rng.uniform(0.82, 1.1) * petal[..., None]
        + 0.10 * np.exp(-((u + 0.35) ** 2) * 9)[..., None]
    )
    top = int(foot[0] - scale * rng.uniform(0.30, 0.38))
    left = int(foot[1]) - wide // 2
    stem = max(1, int(scale * 0.012))
    length = max(1, int(scale * 0.26))
    for lean, breadth in ((-2, 3), (2, 3), (0, 1)):
        leaf_w = stem * breadth
        green = f32(rgb("5b8a38") * rng.uniform(0.6, 1.05) + np.zeros((length, leaf_w, 3)))
        green *= np.linspace(1.1, 0.5, length, dtype=np.float32)[:, None, None]
        reach = np.linspace(0.25, 1, length)[:, None] * leaf_w if breadth > 1 else leaf_w + 0.0
        blade = f32(
            np.broadcast_to(np.abs(np.arange(leaf_w)[None] - leaf_w / 2) <= reach, (length, leaf_w))
        )
        drop = int(tall * 0.8) + (length // 3 if breadth > 1 else 0)
        stamp(picture, green, blade, top + drop, left + wide // 2 + lean * stem)
    stamp(picture, f32(tone), f32(mask), top, left)


def _mill(picture: Array, x: float, foot: float) -> None:
    """Add a windmill whose foot stands at a row."""
    body = [(x - 24, foot), (x - 14, foot - 84), (x + 14, foot - 84), (x + 24, foot)]
    rows, cols = grid(WIDE)
    tone = gradient(f32((cols - x) / 48 + 0.5), [(0, "a58a70"), (0.6, "6f5a4c"), (1, "4a3f3c")])
    picture[:] = mix(picture, tone, polygon(WIDE, body))
    cap = [(x - 17, foot - 82), (x - 10, foot - 102), (x + 10, foot - 102), (x + 17, foot - 82)]
    picture[:] = mix(picture, rgb("4f4540"), polygon(WIDE, cap))
    picture[:] = mix(
        picture,
        rgb("e8e2d2"),
        polygon(
            WIDE,
            [(x - 30, foot - 30), (x + 30, foot - 30), (x + 31, foot - 25), (x - 31, foot - 25)],
        ),
    )
    for angle in np.arange(0.35, 6.5, np.pi / 2).tolist()[:4]:
        way, side = (
            np.array([np.cos(angle), np.sin(angle)]),
            np.array([-np.sin(angle), np.cos(angle)]),
        )
        hub = np.array([x, foot - 92])
        sail = [
            hub + way * 12,
            hub + way * 88,
            hub + way * 88 + side * 15,
            hub + way * 12 + side * 15,
        ]
        arm = [
            hub - side * 1.5,
            hub + way * 90 - side * 1.5,
            hub + way * 90 + side * 1.5,
            hub + side * 1.5,
        ]
        picture[:] = mix(
            picture,
            rgb("efe6d4"),
            f32(polygon(WIDE, sail) * (0.55 + 0.35 * ((rows + cols) % 8 < 4))),
        )
        picture[:] = mix(picture, rgb("3f3530"), polygon(WIDE, arm))


def forest() -> Array:
    """Draw a forest in the morning, with shafts of light through the mist."""
    noise = Noise(71)
    rows, cols = grid(TALL)
    rng = noise.rng
    sun = np.exp(-np.hypot(cols - 470, (rows - 250) * 0.8) / 260)
    mist = mix(rgb("8aa88a"), rgb("fff3c4"), f32(sun))
    leaves = noise.fbm(f32(cols / 40), f32(rows / 40), 7, 0.7)
    picture = mix(mist, rgb("6f9a5a"), f32(ramp(0.0, 0.4, leaves) * 0.5 * ramp(700, 200, rows)))
    for depth in range(6):
        near = (depth + 1) / 6
        thick = (1 - near) ** 1.3
        fog = mix(rgb("8fae90"), rgb("fbeec0"), f32(sun))
        floor = 640 + 330 * near**1.8
        bumps = noise.fbm(f32(cols / 120 + 9 * depth), f32(rows * 0), 5) * 40
        tuft = noise.fbm(
            f32(cols / (8 + 18 * near) + 5 * depth), f32(rows / (6 + 12 * near)), 6, 0.75
        )
        green = gradient(
            f32(0.42 + 0.7 * tuft + 0.2 * sun),
            [(0, "16240f"), (0.5, "4a6b23"), (0.85, "9fb84a"), (1, "e0e08a")],
        )
        ground = ramp(-3, 3, f32(rows - floor + 60 - bumps - 26 * tuft))
        for _ in range(9 - depth):
            x, wide = rng.uniform(-20, 790), 5 + 34 * near**1.6 * rng.uniform(0.7, 1.2)
            if depth >= 4 and abs(x - 440) < 190:
                continue
            _trunk(picture, noise, (x, wide, floor + rng.uniform(-20, 20)), fog, thick)
        picture = mix(picture, mix(green, fog, f32(np.full(TALL, thick * 0.85))), ground)
        crown = noise.fbm(
            f32(cols / (30 + 60 * near) + 13 * depth), f32(rows / (30 + 60 * near)), 7, 0.72
        )
        hang = ramp(0.10, 0.17, f32(crown + 0.42 - rows / (620 - 40 * depth) - 0.3 * sun))
        leaf = gradient(
            f32(0.42 + 0.6 * leaves + 0.5 * sun), [(0, "1c3312"), (0.5, "4f7f26"), (1, "d8e070")]
        )
        picture = mix(picture, mix(leaf, fog, f32(np.full(TALL, thick))), f32(hang * 0.92))
    return _shafts(picture, noise)


def _trunk(
    picture: Array, noise: Noise, place: tuple[float, float, float], fog: Array, thick: float
) -> None:
    """Add a tree trunk: (column, half width, foot row), in mist of a thickness."""
    x, wide, foot = place
    left, right = max(0, int(x - 3 * wide - 20)), min(TALL[1], int(x + 3 * wide + 20))
    if right <= left:
        return
    rows, cols = grid(TALL)
    rows, cols, fog = rows[:, left:right], cols[:, left:right], fog[:, left:right]
    bend = 14 * noise.fbm(f32(rows / 400 + x), f32(rows * 0 + x), 2)
    flare = 1 + 0.9 * np.exp((rows - foot) / 45) - 0.12 * (foot - rows) / 900
    side = (cols - x - bend) / (wide * flare)
    bark = noise.fbm(f32(cols / (2 + wide * 0.16)), f32(rows / (14 + wide)), 5, 0.65)
    light = np.clip(0.40 + 0.8 * bark - 0.42 * side * np.sign(x - 470), 0, 1)
    tone = gradient(f32(light), [(0, "120f0b"), (0.5, "43352a"), (0.85, "8a7454"), (1, "d8c090")])
    tone = mix(tone, rgb("55702c"), f32(ramp(0.0, 0.4, bark) * ramp(foot - 240, foot, rows) * 0.7))
    mask = ramp(1.04, 0.94, f32(np.abs(side))) * ramp(foot + 10, foot - 4, rows)
    strip = picture[:, left:right]
    strip[:] = mix(strip, mix(tone, fog, f32(np.full(mask.shape, thick))), f32(mask))


def _shafts(picture: Array, noise: Noise) -> Array:
    """Add shafts of light that fan out from behind the leaves."""
    rows, cols = grid(TALL)
    dy, dx = rows + 160, cols - 520
    angle = f32(np.arctan2(dx, dy))
    beam = ramp(0.05, 0.5, noise.fbm(f32(angle * 13), f32(angle * 0 + 3), 3, 0.6))
    reach = np.exp(-(((np.hypot(dx, dy) - 560) / 420) ** 2)) * ramp(
        0.75, 0.1, f32(np.abs(angle + 0.1))
    )
    dust = 0.85 + 0.4 * noise.fbm(f32(cols / 90), f32(rows / 90), 4)
    glow = soften(f32(beam * reach * dust), 3)
    return f32(picture + 0.46 * glow[..., None] * rgb("fff0b4") * (1.15 - picture))


SCENES = {
    "lake": lake,
    "harbour": harbour,
    "hills": hills,
    "city": city,
    "fruit": fruit,
    "tulips": tulips,
    "forest": forest,
    "beach": beach,
    "desert": desert,
    "night": night,
}
