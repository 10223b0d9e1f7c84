"""The sums that all languages must do alike, worked out by the Python reference."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import UsageError
from styleexport.core.images import array_from_image, image_from_array
from styleexport.core.manifest import FileFact, SizeFact, read_manifest, sha256_of_file
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Size
from styleexport.runtime_bench.bench.timing import is_stable
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.stylize.blending import blend_codes
from styleexport.runtime_bench.stylize.framing import Frame, best_size
from styleexport.runtime_bench.tiling.tiles import mirrored

Case = dict[str, Any]
ARTIFACT = Path(__file__).parent / "artifacts" / "colour-transfer"
RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
LAYOUTS = ("NCHW", "NHWC")
# As protocol.js has it: of one size, so many are loaded at once.
MOST_AT_ONCE = 4


def arithmetic() -> dict[str, list[Case]]:
    """Return every kind of sum with its cases."""
    return {
        "pixels": list(pixels()),
        "floats": list(floats()),
        "psnr": list(psnr()),
        "stable": list(stable()),
        "shuffle": list(shuffles()),
        "groups": list(groups()),
        "blend": list(blends()),
        "frame": list(frames()),
        "best_size": list(best_sizes()),
        "mirror": list(mirrors()),
        "sha256": list(digests()),
    }


def pixels() -> Iterable[Case]:
    """Bytes to a file's floats: low + byte / 255 * (high - low)."""
    rgb = np.array(
        [[(0, 128, 255), (1, 127, 254)], [(10, 20, 30), (40, 50, 60)], [(255, 0, 0), (3, 2, 1)]],
        np.uint8,
    )
    unit = array_from_image(Image.fromarray(rgb))
    for layout in LAYOUTS:
        for low, high in RANGES:
            values = np.float32(low) + unit * np.float32(high - low)
            yield {
                "name": f"{layout} {low:g} to {high:g}",
                "width": 2,
                "height": 3,
                "rgb": rgb.ravel().tolist(),
                "layout": layout,
                "dtype": "float32",
                "pixel_range": [low, high],
                "expected": _flat(_laid(values, layout)),
            }


def floats() -> Iterable[Case]:
    """A file's floats to bytes: (value - low) * (255 / (high - low)), clipped, half to even."""
    unit = np.array([0, 1, 0.5, 0.25, -0.2, 1.7, 0.1, 0.9, 0.001, 0.9981, 0.333, 0.667], np.float32)
    odd = np.array([0.5, 1.5, 2.5, 3.5, 254.5, 255.5, -0.5, 127.5, 7.4, 7.6, 300, -9], np.float32)
    inputs = {RANGES[0]: unit, RANGES[1]: odd, RANGES[2]: unit * 2 - 1}
    for layout in LAYOUTS:
        for (low, high), given in inputs.items():
            values = given.reshape(1, 3, 2, 2)
            scaled = (values - np.float32(low)) * np.float32(1 / (high - low))
            # In 0..255 nothing is scaled, so that halves stay halves.
            bytes_ = (
                np.asarray(image_from_array(scaled))
                if high < 255
                else values[0].transpose(1, 2, 0).clip(0, 255).round().astype(np.uint8)
            )
            yield {
                "name": f"{layout} {low:g} to {high:g}",
                "width": 2,
                "height": 2,
                "floats": _flat(_laid(values, layout)),
                "layout": layout,
                "dtype": "float32",
                "pixel_range": [low, high],
                "expected": bytes_.ravel().tolist(),
            }


def _laid(values: np.ndarray, layout: str) -> np.ndarray:
    return values if layout == "NCHW" else values.transpose(0, 2, 3, 1)


def _flat(values: np.ndarray) -> list[float]:
    return values.ravel().astype(np.float32).tolist()


def psnr() -> Iterable[Case]:
    """Rounded to two digits as a ParityFact has it; null stands for what is not a number."""
    rng = np.random.default_rng(1)
    near = rng.random(12).round(3)
    pairs: list[tuple[Sequence[float], Sequence[float], float | None]] = [
        ([0.1] * 4, [0.0] * 4, 1.0),
        ([0.5, 0.25], [0.5, 0.25], 1.0),
        ([0.5, float("nan")], [0.5, 0.25], 1.0),
        ([4.04, -1.96], [4.0, -2.0], None),
        ([0.01, -0.02], [0.0, 0.0], None),
        ((near + rng.normal(0, 0.01, 12)).round(6).tolist(), near.tolist(), 1.0),
        ([1.0], [1.0 + 1e-7], 1.0),
    ]
    for output, reference, peak in pairs:
        measured = psnr_db(np.array(output, np.float32), np.array(reference, np.float32), peak)
        yield {
            "output": [value if np.isfinite(value) else None for value in output],
            "reference": list(reference),
            "peak": peak,
            "expected_db": round(measured, 2),
        }


def stable() -> Iterable[Case]:
    """Whether two windows of runs agree."""
    for samples, window, tolerance in (
        ([10] * 9, 5, 0.03),
        ([10] * 10, 5, 0.03),
        ([100] * 5 + [103] * 5, 5, 0.03),
        ([100] * 5 + [104] * 5, 5, 0.03),
        ([900, 100, 100, 100, 100, 100, 500, 101, 99, 100, 100], 5, 0.03),
        ([1, 100, 102, 200, 104, 98], 2, 0.5),
        ([1, 100, 102, 200, 104, 98], 3, 0.01),
        ([0, 0, 0, 0], 2, 0.0),
    ):
        plan = PlanFact(window=window, tolerance=tolerance)
        yield {
            "samples": samples,
            "window": window,
            "tolerance": tolerance,
            "expected": is_stable(samples, plan),
        }


class Mulberry32:
    """Numbers in 0..1 that depend on the seed alone, as `randomFrom` of protocol.js."""

    def __init__(self, seed: int) -> None:
        self.state = seed & 0xFFFFFFFF

    def __call__(self) -> float:
        self.state = (self.state + 0x6D2B79F5) & 0xFFFFFFFF
        mixed = _product(self.state ^ self.state >> 15, self.state | 1)
        mixed ^= (mixed + _product(mixed ^ mixed >> 7, mixed | 61)) & 0xFFFFFFFF
        return (mixed ^ mixed >> 14) / 2**32


def _product(a: int, b: int) -> int:
    return a * b & 0xFFFFFFFF


def shuffles() -> Iterable[Case]:
    """The orders of several rounds, one after the other from one generator (Fisher and Yates)."""
    for seed, count, rounds in ((0, 1, 2), (0, 4, 3), (1, 2, 5), (7, 5, 4), (2**32 - 1, 3, 3)):
        random = Mulberry32(seed)
        expected = [_shuffled(count, random) for _ in range(rounds)]
        yield {"seed": seed, "count": count, "rounds": rounds, "expected": expected}


def _shuffled(count: int, random: Mulberry32) -> list[int]:
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = int(random() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order


def groups() -> Iterable[Case]:
    """Which cells, by their number, take turns: of one size, four at most."""
    a, b, c = [64, 96], [96, 64], [64, 64]
    for sizes in ([a], [a, b, a, c, b], [a] * 5, [a, b] * 5, [a] * 4 + [b] * 9):
        by_size: dict[tuple[int, ...], list[int]] = {}
        for number, size in enumerate(sizes):
            by_size.setdefault(tuple(size), []).append(number)
        expected = [
            alike[first : first + MOST_AT_ONCE]
            for alike in by_size.values()
            for first in range(0, len(alike), MOST_AT_ONCE)
        ]
        yield {"sizes": sizes, "expected": expected}


def blends() -> Iterable[Case]:
    """The weighted mean of style codes; ``expected`` is null for a blend that is refused."""
    network = read_manifest(ARTIFACT, check_files=False).network
    codes = [[0.5, -1.0, 2.0], [1.5, 3.0, -2.0], [0.0, 10.0, 0.25]]
    for weights in ([1.0], [1.0, 1.0], [3.0, 1.0], [0.0, 2.0], [0.2, 0.3, 0.5], [2.0, 2.0, 2.0]):
        used = codes[: len(weights)]
        for blending in Blending:
            layout = CodeLayoutFact.of({"code": (3,)}, blending, "the reason")
            owner = msgspec.structs.replace(network, code_layout=layout)
            case = {"codes": used, "weights": weights, "blending": blending}
            try:
                arrays = [np.array([code], np.float32) for code in used]
                yield {**case, "expected": _flat(blend_codes(arrays, weights, owner))}
            except UsageError as error:
                yield {**case, "expected": None, "error": str(error)}


def frames() -> Iterable[Case]:
    """Where a picture lies in a file's frame; an outer size of null is a file of any size."""
    for picture, outer, max_side, min_side in (
        ((96, 64), (64, 96), 1024, 16),
        ((64, 96), (64, 96), 1024, 16),
        ((1000, 100), (64, 96), 1024, 16),
        ((3, 500), (64, 96), 1024, 16),
        ((25, 8), (12, 20), 1024, 8),
        ((7, 5), (128, 128), 1024, 16),
        ((640, 480), None, 512, 16),
        ((640, 480), None, 1024, 16),
        ((10, 400), None, 200, 32),
        ((5, 5), None, 512, 16),
    ):
        size = Size(*outer) if outer else None
        frame = Frame.of(Image.new("RGB", picture), size, max_side, min_side)
        expected = {
            "inner": [frame.inner.height, frame.inner.width],
            "top": frame.top,
            "left": frame.left,
            "outer": list(frame.pixels.shape[2:]),
        }
        yield {
            "picture": list(picture),
            "outer": list(outer) if outer else None,
            "max_side": max_side,
            "min_side": min_side,
            "expected": expected,
        }


def best_sizes() -> Iterable[Case]:
    """Which of several sizes keeps the most of a picture's pixels; of equals, the smaller."""
    fact: FileFact = read_manifest(ARTIFACT, check_files=False).files[0]
    sizes = [[64, 96], [96, 64], [128, 128], [512, 512]]
    for picture in ((90, 60), (60, 90), (100, 100), (4000, 3000), (30, 20), (300, 10)):
        files = [
            msgspec.structs.replace(fact, size=SizeFact(height=h, width=w), inputs=())
            for h, w in sizes
        ]
        chosen = best_size(files, Image.new("RGB", picture))[1]
        assert chosen is not None
        yield {
            "picture": list(picture),
            "sizes": sizes,
            "expected": [chosen.height, chosen.width],
        }


def mirrors() -> Iterable[Case]:
    """Which pixel fills each place of a frame: numpy's ``symmetric``."""
    for length, before, after in ((4, 0, 0), (4, 2, 1), (3, 7, 8), (1, 2, 2), (5, 5, 0)):
        filled = np.pad(np.arange(length), (before, after), mode="symmetric")
        assert filled.tolist() == mirrored(length, -before, before + length + after)
        yield {"length": length, "before": before, "after": after, "expected": filled.tolist()}


def digests() -> Iterable[Case]:
    """The digest of a package; one file whose path is empty is a file, not a package."""
    packages: tuple[tuple[str, dict[str, str]], ...] = (
        ("one empty file", {"": ""}),
        ("one file", {"": "grüße\n"}),
        ("a package of one", {"model": "abc"}),
        ("sorted by path", {"b": "1", "a/z": "2", "a-b": "3", "a.b": "4", "A": "5", "a/b/c": "6"}),
        ("as Core ML has it", {"Manifest.json": "{}", "Data/model.mlmodel": "m" * 200}),
    )
    for name, files in packages:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "package")
            for path, text in files.items():
                part = root / path if path else root
                part.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(text.encode())
            expected = sha256_of_file(root)
        listed = [{"path": path, "text": text} for path, text in files.items()]
        yield {"name": name, "files": listed, "expected": expected}
