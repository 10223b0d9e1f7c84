"""Films: flicker of paintings on known motion, by smoothed statistics and frame by frame.

Run: python docs/benchmarks/film.py WORK [--threads N]

WORK keeps the exported artifact: adain-lite with the files of --full, 512x512, fp32 and int8. The
film has 301 frames at 25 a second, seven scenes of 43: five with the motions of
`runtime_bench.quality.motion` and two in which a second photograph passes in front, in 2.4 and in
0.7 seconds. A scene's flicker is its mean warping error between neighbouring frames, beside that of
the photographs themselves. Before, what `stability.py` fixes is measured: distances of statistics
between neighbouring frames and between scenes, and flicker by the time constant of the average.
After, the nearest way to less flicker of a moving camera: averages of paintings along the known
motion. Writes film.json, the tables of film.md, and film.jpg, the frames around a cut.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
import torch
from msgspec import Struct
from PIL import Image

from styleexport.core import assets
from styleexport.core.arrays import Array
from styleexport.core.contact_sheet import picture_grid
from styleexport.core.images import array_from_image, image_from_array, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Precision, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.film.facts import FilmFacts, FilmFrame
from styleexport.runtime_bench.film.reader import FilmReader
from styleexport.runtime_bench.film.writer import FilmWriter
from styleexport.runtime_bench.quality.flicker import warped
from styleexport.runtime_bench.quality.motion import MOTIONS, Clip, Motion
from styleexport.runtime_bench.quality.style import StyleFeatures
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.stylize import stability
from styleexport.runtime_bench.stylize.film import paint_film
from styleexport.runtime_bench.stylize.film_painter import (
    FramePainter,
    SingleFramePainter,
    StableFramePainter,
)
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

HERE = Path(__file__).parent
SIZE = Size(512, 512)
SCENE, RATE, HALF = 43, 25, 21
STYLE = "style_swirl.jpg"
PASSING = Motion("passing", passing=40.0)
SLOWLY = Motion("passing slowly", passing=12.0)
# Photograph of each motion; the passing one takes the second as its front.
SCENES = {
    "pan": ("harbour",),
    "zoom": ("lake",),
    "turn": ("fruit",),
    "noise": ("desert",),
    "exposure": ("city",),
    "passing slowly": ("beach", "fruit"),
    "passing": ("hills", "tulips"),
}
FAST = (Motion("pan", shift=24.0), Motion("zoom", zoom=0.05), Motion("turn", turn=3.0))
# Scenes of the film that is painted from file to file.
TIMED = 3
STABILITIES = (0.0, 0.25, 1.0)
CONSTANTS_S = (0.1, 0.25, 0.5, 1.0, 2.0)
KEPT = (0.5, 0.3)
START, END = "<!-- tables -->", "<!-- end of tables -->"


class Scene(Struct, frozen=True, kw_only=True):
    """A scene of the film painted in one way.

    Attributes:
        precision: precision of the files.
        stability: stability.
        motion: what moves.
        source: flicker of the photographs.
        flicker: flicker of the paintings.
        style: mean style distance of every fifth painting.
        reset: whether the painter took its first frame for a cut.
    """

    precision: Precision
    stability: float
    motion: str
    source: float
    flicker: float
    style: float
    reset: bool


class Distance(Struct, frozen=True, kw_only=True):
    """Distance of the statistics of two frames; see `stability.distance`."""

    kind: str
    least: float
    most: float
    pairs: int


class Constant(Struct, frozen=True, kw_only=True):
    """Flicker and style distance by the time constant of the average, over frame by frame's."""

    seconds: float
    motion: str
    flicker: float
    style: float


class Kept(Struct, frozen=True, kw_only=True):
    """Averages along the known motion: weight of the new frame, and ratios to frame by frame.

    With ``restored``, the average's deviations of bands of one to eight pixels are raised to those
    of the new painting.
    """

    weight: float
    restored: bool
    motion: str
    flicker: float
    style: float


class Speed(Struct, frozen=True, kw_only=True):
    """Frames a second from file to file over three scenes, the codec included."""

    precision: Precision
    how: str
    frames_per_second: float


class Results(Struct, frozen=True, kw_only=True):
    """All figures of the page."""

    threads: int
    distances: tuple[Distance, ...]
    constants: tuple[Constant, ...]
    scenes: tuple[Scene, ...]
    kept: tuple[Kept, ...]
    speeds: tuple[Speed, ...]


def photograph(name: str) -> Image.Image:
    return read_image(assets.folder() / f"content_{name}.jpg")


def clip_of(motion: Motion, names: Sequence[str], frames: int = SCENE) -> Clip:
    front = photograph(names[1]) if len(names) > 1 else None
    return Clip.of(motion, photograph(names[0]), SIZE, frames, HALF, front)


def scenes() -> Iterator[Clip]:
    for motion in (*MOTIONS, SLOWLY, PASSING):
        yield clip_of(motion, SCENES[motion.name])


class Bench:
    """An artifact's files of one precision, and the style that all is painted in."""

    def __init__(self, folder: Path, precision: Precision, threads: int) -> None:
        self.precision = precision
        self.stylizer = Stylizer(folder, RunOptions(threads), precision=precision)
        self.code = self.stylizer.encode(read_image(assets.folder() / STYLE))
        self.network = shipped_loss_network()
        target = array_from_image(centre_crop(read_image(assets.folder() / STYLE), SIZE))
        self.target = StyleFeatures.of(target, self.network)

    def painter(self, strength: float) -> StableFramePainter:
        return StableFramePainter(self.stylizer, self.code, StylizeOptions(), strength)

    def single(self) -> SingleFramePainter:
        return SingleFramePainter(self.stylizer, self.code, StylizeOptions())

    def style(self, paintings: Sequence[Array]) -> float:
        """Mean style distance of every fifth painting of the second half."""
        some = paintings[len(paintings) // 2 :: 5]
        each = [StyleFeatures.of(np.clip(one, 0, 1), self.network) for one in some]
        return fmean(one.distances(self.target, self.network)[0] for one in each)


def painted(painter: FramePainter, clip: Clip, begin: int = 0) -> list[Array]:
    images = (image_from_array(frame) for frame in clip)
    return [
        array_from_image(painter(image, (begin + number) / RATE))
        for number, image in enumerate(images)
    ]


def flicker(clip: Clip, frames: Sequence[Array]) -> float:
    pairs = itertools.pairwise(frames)
    return fmean(clip.error(number, *pair) for number, pair in enumerate(pairs))


@functools.cache
def source_flicker(motion: str) -> float:
    clip = next(clip for clip in scenes() if clip.motion.name == motion)
    return round(flicker(clip, list(clip)), 5)


def film(bench: Bench, strength: float) -> list[Scene]:
    """Paint all scenes as one film."""
    painter, rows = bench.painter(strength), list[Scene]()
    for number, clip in enumerate(scenes()):
        before = painter.smoothed.cuts
        frames = painted(painter, clip, number * SCENE)
        name = clip.motion.name
        rows.append(
            Scene(
                precision=bench.precision,
                stability=strength,
                motion=name,
                source=source_flicker(name),
                flicker=round(flicker(clip, frames), 5),
                style=round(bench.style(frames), 5),
                reset=painter.smoothed.cuts > before,
            )
        )
        print(rows[-1], flush=True)
    return rows


def distances(bench: Bench) -> list[Distance]:
    """Distances of statistics between neighbouring frames, and between photographs."""
    painter = bench.painter(0.0)
    facts = {fact.name: fact for fact in painter.tiling.statistics}
    seen: list[Mapping[str, np.ndarray]] = []
    first = painter.tiling.passes[0].path
    names = {
        item.name
        for file in painter.full.tiled.files.facts
        if file.path == first
        for item in file.outputs
    }

    def record(given: Mapping[str, Array]) -> Mapping[str, Array]:
        if names.issuperset(given):
            seen.append({name: value[0].astype(np.float64) for name, value in given.items()})
        return given

    painter.full.tiled.settle = record

    def of(clip: Clip, count: int, begin: int = 0) -> list[Mapping[str, np.ndarray]]:
        seen.clear()
        for frame in itertools.islice(clip, begin, begin + count):
            painter(image_from_array(frame), 0.0)
        return list(seen)

    rows: list[Distance] = []
    photographs = [path.stem.removeprefix("content_") for path in assets.bundled("content")]
    stills = {name: of(clip_of(Motion("still"), (name,)), 1)[0] for name in photographs}

    def add(kind: str, pairs: Sequence[tuple[Mapping, Mapping]]) -> None:
        each = sorted(stability.distance(*pair, facts) for pair in pairs)
        row = Distance(kind=kind, least=round(each[0], 4), most=round(each[-1], 4), pairs=len(each))
        print(row, flush=True)
        rows.append(row)

    for motion in (*MOTIONS[:4], *FAST):
        kind = motion.name + (", fast" if motion in FAST else "")
        begin = 1 if motion.noise else 0  # the first frame of a noisy clip has no noise
        clips = [clip_of(motion, (name,)) for name in photographs[::2]]
        add(kind, [pair for clip in clips for pair in pairs(of(clip, 4, begin))])
    for motion in (SLOWLY, PASSING):
        add(motion.name, pairs(of(clip_of(motion, SCENES[motion.name]), 30)))
    for gain in (1.05, 1.2, 1.5):
        motion = Motion("exposure", exposure=gain)
        steps = [of(Clip.of(motion, photograph(n), SIZE, 2, 1), 2) for n in photographs[::2]]
        add(f"exposure step of {gain}", [p for step in steps for p in pairs(step)])
    add("two photographs", list(itertools.combinations(stills.values(), 2)))
    return rows


def pairs(items: Sequence) -> list[tuple]:
    return list(itertools.pairwise(items))


def constants(bench: Bench) -> list[Constant]:
    """Flicker and style distance by the time constant."""
    rows: list[Constant] = []
    for motion in (SLOWLY, PASSING):
        clip = clip_of(motion, SCENES[motion.name])
        alone = painted(bench.painter(0.0), clip)
        own = flicker(clip, alone), bench.style(alone)
        for seconds in CONSTANTS_S:
            painter = bench.painter(1.0)
            painter.smoothed = stability.SmoothedStatistics(
                painter.tiling.statistics, 1.0, longest=seconds
            )
            painter.full.tiled.settle = painter.smoothed
            frames = painted(painter, clip)
            rows.append(
                Constant(
                    seconds=seconds,
                    motion=motion.name,
                    flicker=round(flicker(clip, frames) / own[0], 4),
                    style=round(bench.style(frames) / own[1] - 1, 4),
                )
            )
            print(rows[-1], flush=True)
    return rows


def kept(bench: Bench) -> list[Kept]:
    """Averages of paintings along the known motion."""
    rows: list[Kept] = []
    for motion in MOTIONS[:3]:
        clip = clip_of(motion, SCENES[motion.name], 15)
        alone = painted(bench.painter(0.0), clip)
        own = flicker(clip, alone), bench.style(alone)
        for weight, restores in itertools.product(KEPT, (False, True)):
            average, frames = alone[0], alone[:1]
            for number, new in enumerate(alone[1:]):
                moved, inside = warped(average, clip.step(number))
                mixed = weight * new + (1 - weight) * moved
                average = np.where(inside, mixed, new).astype(np.float32)
                frames.append(restored(average, new) if restores else average)
            rows.append(
                Kept(
                    weight=weight,
                    restored=restores,
                    motion=motion.name,
                    flicker=round(flicker(clip, frames) / own[0], 4),
                    style=round(bench.style(frames) / own[1] - 1, 4),
                )
            )
            print(rows[-1], flush=True)
    return rows


def restored(average: Array, new: Array) -> Array:
    """An average with the deviations of the new painting in three bands of detail."""
    rest, other, details = average, new, np.zeros_like(average)
    for radius in (1, 2, 4):
        coarse, coarser = blurred(rest, radius), blurred(other, radius)
        own, wanted = ((x**2).mean((2, 3), keepdims=True) for x in (rest - coarse, other - coarser))
        details += (rest - coarse) * np.clip(np.sqrt(wanted / (own + 1e-9)), 1, 4)
        rest, other = coarse, coarser
    return np.clip(rest + details, 0, 1).astype(np.float32)


def blurred(image: Array, radius: int) -> Array:
    padded = torch.nn.functional.pad(torch.from_numpy(image), (radius,) * 4, mode="replicate")
    return torch.nn.functional.avg_pool2d(padded, 2 * radius + 1, 1).numpy()


def speeds(bench: Bench, work: Path) -> list[Speed]:
    """Frames a second from file to file."""
    source = work / "film.mp4"
    if not source.exists():
        facts = FilmFacts(
            path=source,
            size=SIZE,
            frames=None,
            seconds=None,
            rate=Fraction(RATE),
            time_base=Fraction(1, RATE),
            pixel_aspect=Fraction(1),
            primaries=2,
            transfer=2,
        )
        timed = itertools.islice(scenes(), TIMED)
        with FilmWriter(source, ".mp4", facts, ()) as writer:
            for number, frame in enumerate(itertools.chain.from_iterable(timed)):
                pixels = np.asarray(image_from_array(frame))
                writer.write(pixels, FilmFrame(pixels, number, 1, number / RATE))
    rows: list[Speed] = []
    ways = {"one file": bench.single(), "smoothed": bench.painter(STABILITIES[1])}
    for how, painter in ways.items():
        painter(photograph("lake"), -1e9)
        out = work / f"{bench.precision}-{how.replace(' ', '-')}.mp4"
        out.unlink(missing_ok=True)
        with FilmReader(source) as reader:
            began = time.perf_counter()
            done = paint_film(reader, out, painter)
        rate = done.frames / (time.perf_counter() - began)
        rows.append(Speed(precision=bench.precision, how=how, frames_per_second=round(rate, 2)))
        print(rows[-1], flush=True)
    return rows


def tables(results: Results) -> str:
    by = {(row.precision, row.stability, row.motion): row for row in results.scenes}
    lines = [
        "| motion | photographs | frame by frame | stability 0.25 | ratio | style "
        "| stability 1 | ratio | style |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for precision in (Precision.FP32, Precision.INT8):
        for motion in SCENES:
            own, some = (by[precision, each, motion] for each in STABILITIES[:2])
            most = by.get((precision, STABILITIES[2], motion))
            longest = (
                f"{most.flicker:.4f} | {most.flicker / own.flicker:.2f} "
                f"| {most.style / own.style - 1:+.1%}"
                if most
                else "- | - | -"
            )
            lines.append(
                f"| {motion}, {precision} | {own.source:.4f} | {own.flicker:.4f} "
                f"| {some.flicker:.4f} | {some.flicker / own.flicker:.2f} "
                f"| {some.style / own.style - 1:+.1%} | {longest} |"
            )
    lines += ["", "| precision | painted by | frames a second |", "|---|---|---|"]
    lines += [f"| {s.precision} | {s.how} | {s.frames_per_second:.1f} |" for s in results.speeds]
    lines += ["", "| between | distance | pairs |", "|---|---|---|"]
    lines += [
        f"| {d.kind} | {d.least:.3f} to {d.most:.3f} | {d.pairs} |" for d in results.distances
    ]
    lines += ["", "| time constant s | motion | flicker | style |", "|---|---|---|---|"]
    lines += [
        f"| {c.seconds:g} | {c.motion} | {c.flicker:.2f} | {c.style:+.1%} |"
        for c in results.constants
    ]
    lines += [
        "",
        "| weight of the new frame | deviations restored | motion | flicker | style |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {k.weight:g} | {'yes' if k.restored else 'no'} | {k.motion} | {k.flicker:.2f} "
        f"| {k.style:+.1%} |"
        for k in results.kept
    ]
    return "\n".join(lines)


def sheet(bench: Bench) -> None:
    """Write the two frames before and after a cut at stability 1, then as if it were none."""
    halves = [clip_of(MOTIONS[0], (name,), 4) for name in ("lake", "city")]
    rows: list[list[Image.Image]] = []
    threshold = stability.CUT
    for stability.CUT in (threshold, float("inf")):
        painter = bench.painter(1.0)
        frames = [f for n, half in enumerate(halves) for f in painted(painter, half, 4 * n)]
        rows.append([image_from_array(frame) for frame in frames[2:6]])
    stability.CUT = threshold
    picture_grid(rows, 256).save(HERE / "film.jpg", quality=85)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure flicker of painted films.")
    parser.add_argument("work", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    folder = given.work / "adain-lite-full"
    if not folder.exists():
        precisions = (Precision.FP32, Precision.INT8)
        request = ExportRequest(
            open_network("adain-lite"), folder, precisions=precisions, sizes=(SIZE,), full=True
        )
        export(request, print)
    benches = [Bench(folder, p, given.threads) for p in (Precision.FP32, Precision.INT8)]
    first = benches[0]
    measured = distances(first)
    chosen = constants(first)
    along = kept(first)
    rows, rates = list[Scene](), list[Speed]()
    for bench in benches:
        for strength in STABILITIES if bench is first else STABILITIES[:2]:
            rows += film(bench, strength)
        rates += speeds(bench, given.work)
    results = Results(
        threads=given.threads,
        distances=tuple(measured),
        constants=tuple(chosen),
        scenes=tuple(rows),
        kept=tuple(along),
        speeds=tuple(rates),
    )
    encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
    (HERE / "film.json").write_bytes(encoded + b"\n")
    page = HERE / "film.md"
    text = page.read_text()
    head, tail = text.split(START)[0], text.split(END)[1]
    page.write_text(f"{head}{START}\n{tables(results)}\n{END}{tail}")
    sheet(first)


if __name__ == "__main__":
    main()
