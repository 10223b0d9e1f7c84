"""The tables of the compression benchmark, from what was measured."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable

from msgspec import Struct

from styleexport.core.types import Precision, Role

# AdaIN (VGG) by symmetric channel pruning and int8, as published: MB, and seconds on a CPU.
PUBLISHED = {"original": (26.8, 7.3), "pruned": (10.7, 3.9), "pruned, int8": (2.73, 2.4)}


class Cost(Struct, frozen=True):
    """Cost of a network at one size.

    Attributes:
        parameters: number of parameters.
        encode_macs: multiply-accumulates of encoding a style.
        transform_macs: multiply-accumulates of painting with a style code.
        bytes: bytes of the files that paint, by precision and suffix, as ``int8.onnx``.
    """

    parameters: int
    encode_macs: int
    transform_macs: int
    bytes: dict[str, int]


class Quality(Struct, frozen=True):
    """Means over pairs of pictures.

    Attributes:
        pairs: how many.
        style_distance: to the style; see `styleexport.core.perceptual`.
        lpips: to the content.
        edge_ssim: SSIM of the painting's edges to the content's.
        psnr_db: to what the original paints, errors pooled; None of the original itself.
        gains: gain beyond colour at full size, 1/2 and 1/4; () where it was not measured.
    """

    pairs: int
    style_distance: float
    lpips: float
    edge_ssim: float
    psnr_db: float | None
    gains: tuple[float, ...] = ()


class Timing(Struct, frozen=True):
    """One way to paint.

    Attributes:
        variant: of the network.
        runtime: that paints.
        precision: of the file.
        role: ``transform`` with a cached style code, ``stylize`` encoding the style each time.
        samples_ns: of one run each, in the order of the rounds.
    """

    variant: str
    runtime: str
    precision: Precision
    role: Role
    samples_ns: tuple[int, ...] = ()


class Conditions(Struct, frozen=True, kw_only=True):
    """When and on what times were taken.

    Attributes:
        date: day, in UTC.
        processor: name of the processor.
        threads: number of threads of every runtime.
        load: load average before and after.
        versions: version of each library.
    """

    date: str = ""
    processor: str = ""
    threads: int = 0
    load: tuple[float, float] = (0.0, 0.0)
    versions: dict[str, str] = {}

    def line(self, rounds: int) -> str:
        """Return the conditions as a sentence, for times of a number of rounds."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.date}, {self.processor}, {self.threads} threads, load average "
            f"{self.load[0]:.1f} before and {self.load[1]:.1f} after; {versions}; {rounds} rounds."
        )


class Measured(Conditions, frozen=True, kw_only=True):
    """All that the script measured, and on what."""

    network: str
    size: str
    sha256: dict[str, str]
    cost: dict[str, Cost]
    quality: dict[str, Quality] = {}
    timings: tuple[Timing, ...] = ()

    def timing(
        self, variant: str, runtime: str, precision: Precision, role: Role = Role.TRANSFORM
    ) -> Timing:
        """Return the samples of one way to paint."""
        wanted = (variant, runtime, precision, role)
        return next(
            t for t in self.timings if (t.variant, t.runtime, t.precision, t.role) == wanted
        )


def ratio(slow: Timing, fast: Timing) -> tuple[float, float, float]:
    """Return the quartiles of how much faster one is than the other, round by round."""
    shares = [a / b for a, b in zip(slow.samples_ns, fast.samples_ns, strict=True)]
    low, middle, high = statistics.quantiles(shares, n=4, method="inclusive")
    return low, middle, high


def shown(measured: Measured) -> str:
    """Return all tables as Markdown."""
    parts = [_sizes(measured), _quality(measured)]
    if measured.timings:
        parts += [_times(measured), _steps(measured)]
        parts.append(measured.line(len(measured.timings[0].samples_ns)))
    return "\n\n".join(parts)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(header)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sizes(measured: Measured) -> str:
    rows: list[list[str]] = []
    whole = measured.cost["original"].bytes["fp32.onnx"]
    first_mb, first_seconds = PUBLISHED["original"]
    for name, (mb, seconds) in PUBLISHED.items():
        variant, _, precision = name.partition(", ")
        cost = measured.cost[variant]
        onnx, tflite = (cost.bytes[f"{precision or 'fp32'}{s}"] for s in (".onnx", ".tflite"))
        rows.append(
            [
                name,
                f"{cost.parameters / 1e6:.2f} M",
                f"{cost.encode_macs / 1e9:.1f} G",
                f"{cost.transform_macs / 1e9:.1f} G",
                f"{onnx / 1e6:.2f} MB",
                f"{tflite / 1e6:.2f} MB",
                f"{whole / onnx:.1f}x",
                f"{mb} MB ({first_mb / mb:.1f}x), {seconds} s ({first_seconds / seconds:.2f}x)",
            ]
        )
    size = measured.size
    header = [
        "",
        "parameters",
        f"MACs, encode {size}",
        f"transform {size}",
        "ONNX",
        "TFLite",
        "smaller",
        "published",
    ]
    is_published = measured.network in ("adain-vgg16", "adain-vgg19")
    count = len(header) if is_published else len(header) - 1
    return table(header[:count], [row[:count] for row in rows])


def _quality(measured: Measured) -> str:
    first = measured.quality["original"]
    rows = [
        [
            name,
            f"{q.style_distance:.4f} ({q.style_distance / first.style_distance - 1:+.1%})",
            " / ".join(f"{gain:+.2f}" for gain in q.gains) or "not measured",
            f"{q.lpips:.4f} ({q.lpips - first.lpips:+.4f})",
            f"{q.edge_ssim:.4f}",
            "" if q.psnr_db is None else f"{q.psnr_db:.1f} dB",
        ]
        for name, q in measured.quality.items()
    ]
    header = (
        f"{first.pairs} pairs at {measured.size}",
        "style distance",
        "gain beyond colour, full size / 1/2 / 1/4",
        "LPIPS to the content",
        "SSIM of edges",
        "PSNR to the original",
    )
    return table(header, rows)


def _times(measured: Measured) -> str:
    eager = measured.timing("original", "PyTorch eager", Precision.FP32, Role.STYLIZE)
    rows: list[list[str]] = []
    for timing in measured.timings:
        low, middle, high = ratio(eager, timing)
        rows.append(
            [
                timing.variant,
                timing.runtime,
                str(timing.precision),
                "each time" if timing.role is Role.STYLIZE else "cached",
                f"{statistics.median(timing.samples_ns) / 1e6:.1f} ms",
                f"{middle:.2f}x ({low:.2f}–{high:.2f})",
            ]
        )
    return table(("network", "runtime", "precision", "style code", "time", "faster"), rows)


def _steps(measured: Measured) -> str:
    fp32, int8 = Precision.FP32, Precision.INT8
    eager = [
        measured.timing("original", "PyTorch eager", fp32, Role.STYLIZE),
        measured.timing("original", "PyTorch eager", fp32),
        measured.timing("pruned", "PyTorch eager", fp32),
    ]
    rows: list[list[str]] = []
    for runtime in ("ONNX Runtime", "LiteRT", "OpenVINO"):
        chain = [*eager, *(measured.timing("pruned", runtime, each) for each in (fp32, int8))]
        steps = [ratio(a, b)[1] for a, b in itertools.pairwise(chain)]
        rows.append(
            [runtime, *(f"{s:.2f}x" for s in steps), f"{ratio(chain[0], chain[-1])[1]:.1f}x"]
        )
    return table(("", "cached code", "pruning", "runtime", "int8", "all"), rows)
