"""Statistics of frames and what they are painted with, which every language must compute alike.

`docs/reference/film.md` is the specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from styleexport.core.tiling_fact import StatisticFact
from styleexport.runtime_bench.stylize import stability
from styleexport.runtime_bench.stylize.stability import SmoothedStatistics

Case = dict[str, Any]
CHANNELS = 4
# What a host computes in float64 and rounds to float32 comes within it, relative to the larger of 1
# and the value.
TOLERANCE = 1e-5
DIGITS = 9


def film() -> dict[str, Any]:
    """Return the constants, and cases of frames with what each is painted with."""
    return {
        "longest_s": stability.LONGEST_S,
        "cut": stability.CUT,
        "floor": stability.FLOOR,
        "tolerance": TOLERANCE,
        "cases": [case(*each) for each in cases()],
    }


def fact(name: str, kind: str, length: int) -> StatisticFact:
    """Return a statistic of a map of 8x8 places."""
    return StatisticFact(
        name=name,
        kind=kind,  # pyright: ignore[reportArgumentType]
        length=length,
        correction=0,
        height=8,
        width=8,
        stride=1,
    )


MOMENTS = fact("statistic_0", "moments", 2 * CHANNELS)
LATER = fact("statistic_1", "moments", 2)
MEANS = fact("statistic_0", "mean", 3)
Frame = tuple[float, Sequence[Mapping[str, Sequence[float]]]]


def cases() -> Iterable[tuple[str, float, Sequence[StatisticFact], Sequence[Frame]]]:
    """Frames: their time in seconds, and the statistics of each pass in order."""
    index = np.arange(CHANNELS)
    one = np.concatenate([0.5 + index / 4, 0.25 + index / 8])
    # One channel that is dead in every frame, and one that wakes: both stay at the floor.
    one[-1], other = 0.0, np.concatenate([2.5 - index / 2, 1 + index / 2])

    def moments(scene: np.ndarray, number: int) -> dict[str, list[float]]:
        return {MOMENTS.name: np.float32(scene * (1 + 0.001 * (number % 3))).tolist()}

    def later(number: int) -> dict[str, list[float]]:
        return {LATER.name: np.float32([number / 3, 1 + number]).tolist()}

    two = [*(one for _ in range(4)), *(other for _ in range(3))]
    scenes = [[moments(s, n), later(n)] for n, s in enumerate(two)]
    steady = [n / 25 for n in range(len(two))]
    uneven = [0.0, 0.04, 0.24, 0.25, 0.25, 1.0, 0.9]
    both = (MOMENTS, LATER)
    yield "a cut", 1.0, both, list(zip(steady, scenes, strict=True))
    yield "uneven times", 0.5, both, list(zip(uneven, scenes, strict=True))
    yield "each by itself", 0.0, both, list(zip(steady, scenes, strict=True))
    means = [[3.0, 4, 0], [3.2, 4.1, 0.1], [3.0, 4.0, -0.2], [0, 1, 6], [0, 1, 6.5], [0, 0, 0]]
    of_means = [[{MEANS.name: np.float32(each).tolist()}] for each in means]
    yield "means", 0.7, (MEANS,), list(zip(steady, of_means, strict=False))
    flat = [0.5] * CHANNELS + [0.0] * CHANNELS
    flats = [flat, flat, [0.5] * CHANNELS + [1e-4] * CHANNELS, flat]
    of_flats = [[{MOMENTS.name: np.float32(each).tolist()}] for each in flats]
    yield "flat pictures", 0.5, (MOMENTS,), list(zip(steady, of_flats, strict=False))


def case(
    name: str, strength: float, facts: Sequence[StatisticFact], frames: Sequence[Frame]
) -> Case:
    """Return a case with what the Python reference makes of it."""
    smoothed = SmoothedStatistics(facts, strength)
    rows: list[Case] = []
    for seconds, passes in frames:
        before = smoothed.cuts
        smoothed.frame(seconds)
        painted = [smoothed(_arrays(given)) for given in passes]
        rows.append(
            {
                "seconds": seconds,
                "passes": list(passes),
                "cut": smoothed.cuts > before,
                "smoothed": [
                    {key: [_rounded(x) for x in value[0].tolist()] for key, value in one.items()}
                    for one in painted
                ],
            }
        )
    kinds = {one.name: one.kind for one in facts}
    return {"name": name, "stability": strength, "kinds": kinds, "frames": rows}


def _arrays(given: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    return {name: np.array([values], np.float32) for name, values in given.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
