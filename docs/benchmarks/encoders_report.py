"""The tables and the chart of the encoder benchmark, from what was measured."""

from __future__ import annotations

import statistics

from compression_report import Conditions, Cost, table
from msgspec import Struct, field

from styleexport.core import svg
from styleexport.core.svg import Axis, Linear, Style
from styleexport.core.types import Precision

# Seconds, then PSNR in dB and SSIM to the content, at 256, 512 and 1024, as published.
PUBLISHED: dict[str, tuple[tuple[float, ...], tuple[tuple[float, float], ...]]] = {
    "original (VGG-19)": ((0.0212, 0.0234, 0.0271), ((11.61, 0.36), (11.96, 0.36), (12.57, 0.42))),
    "ConvNeXt-Base": ((0.0177, 0.0178, 0.0183), ((11.10, 0.35), (11.51, 0.33), (12.06, 0.37))),
    "EfficientNet-B5": ((0.0362, 0.0375, 0.0383), ((8.75, 0.23), (9.01, 0.23), (9.74, 0.29))),
    "EfficientNetV2-S": ((0.0195, 0.0221, 0.0227), ((13.89, 0.46), (14.07, 0.44), (14.68, 0.47))),
}
SIDES = (256, 512, 1024)
EAGER = "PyTorch eager"
RUNTIMES = ("ONNX Runtime", "LiteRT", "OpenVINO")
BASELINE = "adain-vgg16"
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 460, 70, 50, 640, 400


class Painted(Struct, frozen=True):
    """Means over pairs of evaluation pictures.

    Attributes:
        sha256: of the weights, and of the int8 file where that one painted.
        pairs: number of pairs at 512.
        style_distance: to the style at 512; see `styleexport.core.perceptual`.
        lpips: to the photograph at 512.
        gains: gain beyond colour at 512, 256 and 128.
        likeness: PSNR in dB and SSIM to the photograph by side, of four pictures.
    """

    sha256: str
    pairs: int
    style_distance: float
    lpips: float
    gains: tuple[float, ...]
    likeness: dict[str, tuple[float, float]]


class Row(Struct, frozen=True):
    """A network.

    Attributes:
        steps: training steps.
        cost: cost at 512x512.
        painted: figures of its paintings, by precision.
    """

    steps: int
    cost: Cost
    painted: dict[str, Painted] = {}


class Timing(Struct, frozen=True):
    """Samples of one way to paint, in the order of the rounds, in ns."""

    network: str
    runtime: str
    precision: Precision
    side: int
    samples_ns: tuple[int, ...] = ()

    @property
    def ms(self) -> float:
        """Median in ms."""
        return statistics.median(self.samples_ns) / 1e6


class Measured(Conditions, frozen=True, kw_only=True):
    """All that the script measured, and on what.

    Attributes:
        rows: network → what is known of it.
        timings: samples of every way to paint.
    """

    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    timings: tuple[Timing, ...] = ()

    def timing(
        self, network: str, runtime: str, precision: Precision = Precision.FP32, side: int = 512
    ) -> Timing | None:
        """Return the samples of one way to paint; None where it was not measured."""
        way = (network, runtime, precision, side)
        return next(
            (t for t in self.timings if (t.network, t.runtime, t.precision, t.side) == way), None
        )


def tables(measured: Measured) -> str:
    """Return all tables as Markdown."""
    parts = [_costs(measured), _quality(measured), _published(measured)]
    if measured.timings:
        rounds = len(measured.timings[0].samples_ns)
        parts += [_times(measured), measured.line(rounds)]
    return "\n\n".join(parts) + "\n"


def _costs(measured: Measured) -> str:
    rows: list[list[str]] = []
    for name, row in measured.rows.items():
        sizes = [row.cost.bytes.get(f"{precision}.onnx") for precision in ("fp32", "int8")]
        rows.append(
            [
                name,
                f"{row.steps:,}" if row.steps else "",
                f"{row.cost.parameters:,}",
                f"{row.cost.encode_macs / 1e9:.2f} G",
                f"{row.cost.transform_macs / 1e9:.2f} G",
                *("none" if size is None else f"{size / 1e6:.2f} MB" for size in sizes),
            ]
        )
    header = ("network", "steps", "parameters", "MACs, encode 512", "transform 512")
    return table((*header, "ONNX fp32", "int8"), rows)


def _quality(measured: Measured) -> str:
    rows = [
        [
            name,
            precision,
            f"{painted.style_distance:.3f}",
            " / ".join(f"{gain:+.2f}" for gain in painted.gains),
            f"{painted.lpips:.3f}",
        ]
        for name, row in measured.rows.items()
        for precision, painted in row.painted.items()
    ]
    header = ("network", "precision", "style distance", "gain beyond colour, 512 / 256 / 128")
    return table((*header, "LPIPS to the photograph"), rows)


def _published(measured: Measured) -> str:
    rows: list[list[str]] = []
    for name, (seconds, likeness) in PUBLISHED.items():
        cells = [f"{psnr:.2f}/{structure:.2f}" for psnr, structure in likeness]
        rows.append([f"{name}, published", *(f"{each:.4f}" for each in seconds), *cells])
    for name, row in measured.rows.items():
        eager = [measured.timing(name, EAGER, side=side) for side in SIDES]
        seconds = ["" if each is None else f"{each.ms / 1000:.3f}" for each in eager]
        painted = row.painted.get("fp32")
        pairs = [painted.likeness[str(side)] for side in SIDES] if painted else []
        cells = [f"{psnr:.2f}/{ssim:.2f}" for psnr, ssim in pairs] or [""] * len(SIDES)
        rows.append([name, *seconds, *cells])
    header = [f"seconds, {side}" for side in SIDES] + [f"PSNR/SSIM, {side}" for side in SIDES]
    return table(("network", *header), rows)


def _times(measured: Measured) -> str:
    rows: list[list[str]] = []
    base = measured.timing(BASELINE, EAGER)
    for name in measured.rows:
        ways = [(EAGER, Precision.FP32)]
        ways += [(r, p) for r in RUNTIMES for p in (Precision.FP32, Precision.INT8)]
        for runtime, precision in ways:
            timings = [measured.timing(name, runtime, precision, side) for side in SIDES]
            if not any(timings):
                continue
            at_512 = timings[1]
            faster = "" if base is None or at_512 is None else f"{base.ms / at_512.ms:.1f}x"
            cells = ["" if each is None else f"{each.ms:.1f} ms" for each in timings]
            rows.append([name, runtime, str(precision), *cells, faster])
    header = ("network", "runtime", "precision", *map(str, SIDES))
    return table((*header, f"{BASELINE} in eager PyTorch at 512, over this"), rows)


def chart(measured: Measured) -> str:
    """Return an SVG: style distance over the time of 512x512 in ONNX Runtime, a line a network."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for name, row in measured.rows.items():
        for precision, painted in row.painted.items():
            timing = measured.timing(name, "ONNX Runtime", Precision(precision))
            if timing is not None:
                curves.setdefault(name, []).append((timing.ms, painted.style_distance))
    points = [point for curve in curves.values() for point in curve]
    across = Axis.of([ms for ms, _ in points], LEFT, RIGHT)
    upwards = Linear.rounded([distance for _, distance in points], BOTTOM, TOP)
    parts: list[str] = []
    for tick in upwards.ticks():
        y = upwards.at(tick)
        parts += [svg.line(LEFT, y, RIGHT, y, "grid")]
        parts += [svg.text(LEFT - 8, y + 4, f"{tick:.3g}", "unit", "end")]
    for tick in across.ticks():
        x = across.at(tick)
        parts += [svg.line(x, TOP, x, BOTTOM, "grid")]
        parts += [svg.text(x, BOTTOM + 18, f"{tick:g} ms", "unit", "middle")]
    for index, (name, curve) in enumerate(curves.items()):
        places = [(across.at(ms), upwards.at(distance)) for ms, distance in curve]
        parts.append(svg.polyline(places, f"line {Style(index).classes}"))
        for place, fill in zip(places, ("full", "hollow"), strict=False):
            parts.append(svg.marker(*place, Style(index, fill), name))
        key = (RIGHT + 27, TOP + 4 + 20 * index)
        parts += [svg.marker(*key, Style(index)), svg.text(key[0] + 13, key[1] + 4, name)]
    note = "style distance (lower is nearer) over time; filled fp32, hollow int8"
    parts.append(svg.text(LEFT, BOTTOM + 38, note, "unit"))
    return svg.document(WIDTH, HEIGHT, "AdaIN by encoder, 512x512 in ONNX Runtime", parts)
