"""The tables of the benchmark of universal methods, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compression_report import Conditions, Quality, table
from encoders_report import Timing
from msgspec import Struct, field

from styleexport.core.types import Precision

SIDES = (128, 256, 512, 1024)
EAGER, CUDA, FILE = "PyTorch eager", "PyTorch eager, CUDA", "ONNX Runtime"


@dataclass(frozen=True)
class Published:
    """A method in ArtNet's table 1: a TitanXp, and SSIM of edges to the photograph.

    Attributes:
        seconds: at `SIDES`; None where memory did not suffice, or where it is not given.
        edge_ssim: at 512.
        out_of_memory: sides at which memory did not suffice.
    """

    seconds: tuple[float | None, ...]
    edge_ssim: float
    out_of_memory: tuple[int, ...] = ()


PUBLISHED = {
    "StyleSwap": Published((0.0478, 0.3068, 1.5782, None), 0.4851, (1024,)),
    "AdaIN": Published((0.0037, 0.0093, 0.0344, 0.1363), 0.3525),
    "WCT": Published((2.6873, 3.0805, 4.1922, None), 0.2032, (1024,)),
    "LinearWCT": Published((0.0051, 0.0167, 0.0603, 0.2278), 0.4363),
    "OptimalWCT": Published((0.5003, 0.8793, 1.8077, 4.1589), 0.2511),
    "Avatar-Net": Published((None, 0.1732, 0.3718, None), 0.3829, (1024,)),
    "ArtNet": Published((0.0142, 0.0145, 0.0147, 0.0775), 0.4452),
}


class Pruned(Struct, frozen=True):
    """A network without its channels that are always zero.

    Attributes:
        before: number of parameters of the network.
        after: number of parameters without them.
        psnr_db: PSNR in dB of its paintings to the network's, on the worst held-out picture; None
            where there is no such channel.
    """

    before: int
    after: int
    psnr_db: float | None


class Method(Struct, frozen=True):
    """A method: its network, cost and figures.

    Attributes:
        published: its name in the publication's table; "" for a variant of ours.
        network: name of its network.
        parameters: number of parameters.
        code_bytes: bytes of a style code in float32.
        file_bytes: bytes of the ONNX file that paints at 512x512, float32.
        sha256: of the weights.
        quality: of its paintings at 512x512; None where it was not judged.
        peaks: peak resident bytes of a process that paints once, by runtime and side.
        pruned: without its empty channels; None where that was not tried.
    """

    published: str
    network: str
    parameters: int
    code_bytes: int
    file_bytes: int
    sha256: str
    quality: Quality | None = None
    peaks: dict[str, dict[int, int]] = {}
    pruned: Pruned | None = None


class Measured(Conditions, frozen=True, kw_only=True):
    """All that the script measured, and on what.

    Attributes:
        methods: name → its cost and figures.
        timings: samples of every way to paint.
    """

    methods: dict[str, Method] = field(default_factory=dict[str, Method])
    timings: tuple[Timing, ...] = ()

    def timing(self, name: str, runtime: str, side: int) -> Timing | None:
        """Return the samples of one way to paint; None where it was not measured."""
        for timing in self.timings:
            if (timing.network, timing.runtime, timing.side) == (name, runtime, side):
                return timing
        return None


def tables(measured: Measured) -> str:
    """Return all tables as Markdown."""
    parts = [_sizes(measured), _quality(measured)]
    if any(method.pruned for method in measured.methods.values()):
        parts.append(_pruned(measured))
    if measured.timings:
        rounds = len(measured.timings[0].samples_ns)
        parts += [_times(measured), measured.line(rounds)]
    if any(method.peaks for method in measured.methods.values()):
        parts.append(_memory(measured))
    return "\n\n".join(parts) + "\n"


def _sizes(measured: Measured) -> str:
    rows = [
        [
            name,
            method.network,
            f"{method.parameters:,}",
            f"{method.file_bytes / 1e6:.2f} MB",
            f"{method.code_bytes / 1e3:.1f} kB",
        ]
        for name, method in measured.methods.items()
    ]
    return table(("method", "network", "parameters", "ONNX fp32", "style code"), rows)


def _quality(measured: Measured) -> str:
    rows: list[list[str]] = []
    for name, method in measured.methods.items():
        quality = method.quality
        if quality is None:
            continue
        published = PUBLISHED.get(method.published)
        rows.append(
            [
                name,
                f"{quality.style_distance:.3f}",
                " / ".join(f"{gain:+.2f}" for gain in quality.gains),
                f"{quality.lpips:.3f}",
                f"{quality.edge_ssim:.3f}",
                "" if published is None else f"{published.edge_ssim:.3f}",
            ]
        )
    header = ("method", "style distance", "gain beyond colour, 512 / 256 / 128")
    header = (*header, "LPIPS to the photograph", "SSIM of edges", "published")
    return table(header, rows)


def _pruned(measured: Measured) -> str:
    rows = [
        [
            name,
            f"{pruned.before:,}",
            f"{pruned.after:,}",
            f"{pruned.before / pruned.after:.2f}x",
            "none is empty" if pruned.psnr_db is None else f"{pruned.psnr_db:.0f} dB",
        ]
        for name, method in measured.methods.items()
        if (pruned := method.pruned) is not None
    ]
    return table(("method", "parameters", "pruned", "fewer", "to the original"), rows)


def _times(measured: Measured) -> str:
    rows: list[list[str]] = []
    for name, method in measured.methods.items():
        published = PUBLISHED.get(method.published)
        if published is not None:
            rows.append([name, "published, TitanXp", *_published(published), ""])
        for runtime in (EAGER, CUDA, FILE):
            timings = [measured.timing(name, runtime, side) for side in SIDES]
            if any(timings):
                cells = ["" if each is None else f"{each.ms / 1000:.4f} s" for each in timings]
                rows.append([name, runtime, *cells, _faster(measured, name, runtime)])
    return table(("method", "way", *map(str, SIDES), "faster at 512"), rows)


def _published(published: Published) -> list[str]:
    return [
        "out of memory"
        if side in published.out_of_memory
        else f"{seconds:.4f} s"
        if seconds
        else ""
        for side, seconds in zip(SIDES, published.seconds, strict=True)
    ]


def _faster(measured: Measured, name: str, runtime: str) -> str:
    """Return how much faster a file is at 512x512 than eager PyTorch; "" for other ways."""
    eager, own = (measured.timing(name, each, 512) for each in (EAGER, runtime))
    if runtime != FILE or eager is None or own is None:
        return ""
    return f"{eager.ms / own.ms:.1f}x"


def _memory(measured: Measured) -> str:
    rows = [
        [name, runtime, *(_gigabytes(peaks, SIDES))]
        for name, method in measured.methods.items()
        for runtime, peaks in method.peaks.items()
    ]
    return table(("method", "peak memory of", *map(str, SIDES)), rows)


def _gigabytes(peaks: dict[int, int], sides: Sequence[int]) -> list[str]:
    return [f"{peaks[side] / 1e9:.2f} GB" if side in peaks else "" for side in sides]


def timing(name: str, runtime: str, side: int) -> Timing:
    """Return a way to paint, not measured yet."""
    return Timing(name, runtime, Precision.FP32, side)
