"""Sensitivity of each layer to int8: its loss and its time, measured in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from PIL import Image, ImageDraw, ImageFont

from styleexport.core.arrays import Arrays
from styleexport.core.images import write_image
from styleexport.core.types import Progress
from styleexport.exporter.quantize.plan import Int8Plan
from styleexport.exporter.search.candidates import Candidates
from styleexport.runtime_bench.quality.judge import Judge

ROW, LEFT, BAR, MARGIN = 26, 230, 260, 16
INK, PALE, LOSS, SAVED = (32, 34, 40), (150, 154, 164), (196, 72, 60), (52, 122, 176)


class LayerSensitivity(Struct, frozen=True, kw_only=True):
    """One block of a graph.

    Attributes:
        layer: the convolution.
        macs: multiply-accumulates.
        alone_db: PSNR of the file with this block alone in int8.
        without_db: PSNR of the file with all blocks in int8 but this one.
        saved_share: share of the float32 time that int8 saves in this block: the time of the file
            without it in int8, less that of the file with all; below noise it may be negative.
    """

    layer: str
    macs: int
    alone_db: float
    without_db: float
    saved_share: float


class Sensitivity(Struct, frozen=True, kw_only=True):
    """All blocks of a graph, in order.

    Attributes:
        name: name of the settings.
        pictures: number of pictures that PSNR is pooled over.
        all_db: PSNR with all blocks in int8.
        time_share: share of the float32 file's time, with all blocks in int8.
        layers: one by one.
        float_layers: blocks that stay in float by default: layer → reason.
    """

    name: str
    pictures: int
    all_db: float
    time_share: float
    layers: tuple[LayerSensitivity, ...]
    float_layers: dict[str, str]


def measure(plan: Int8Plan, inputs: Arrays, judge: Judge, progress: Progress) -> Sensitivity:
    """Return what each block of a plan loses and saves.

    Args:
        plan: ranges and rounded weights.
        inputs: inputs that time is measured on.
        judge: judge of the graph's files.
        progress: progress, a line a layer.
    """
    candidates = Candidates(plan, inputs)
    blocks = candidates.blocks
    rows: list[LayerSensitivity] = []
    with candidates.session(()) as baseline:
        with candidates.session(blocks) as session:
            all_db = judge.psnr(session)
            all_share = candidates.time_share(session, baseline)
        for block in blocks:
            with candidates.session([block]) as session:
                alone = judge.psnr(session)
            others = [other for other in blocks if other is not block]
            with candidates.session(others) as session:
                without = judge.psnr(session)
                share = candidates.time_share(session, baseline)
            row = LayerSensitivity(
                layer=block.layer,
                macs=block.macs,
                alone_db=round(alone, 2),
                without_db=round(without, 2),
                saved_share=round(share - all_share, 4),
            )
            rows.append(row)
            progress(f"{block.layer}: {alone:.1f} dB alone, {without - all_db:+.2f} dB without")
    return Sensitivity(
        name=plan.recipe.settings.name,
        pictures=len(judge.stills),
        all_db=round(all_db, 2),
        time_share=round(all_share, 4),
        layers=tuple(rows),
        float_layers={item.layer: item.reason for item in plan.recipe.float_layers},
    )


def plot(found: Sensitivity, title: str, path: Path) -> None:
    """Write a PNG: a line a layer, how much of the error is its own, and the time that it saves."""
    width = LEFT + 2 * (BAR + MARGIN) + 130
    image = Image.new("RGB", (width, ROW * (len(found.layers) + 4)), (252, 252, 250))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    head = f"{title}: all in int8 {found.all_db:.1f} dB, {found.time_share:.0%} of float32's time"
    draw.text((MARGIN, 10), head, INK, ImageFont.load_default(16))
    errors = [10 ** (-layer.alone_db / 10) for layer in found.layers]
    savings = [max(0.0, layer.saved_share) for layer in found.layers]
    second = LEFT + BAR + 90
    draw.text((LEFT, 10 + ROW), "squared error, this layer alone in int8", LOSS, font)
    draw.text((second, 10 + ROW), "time saved, of float32's", SAVED, font)
    for index, layer in enumerate(found.layers):
        top = 10 + ROW * (index + 2)
        draw.text((MARGIN, top), f"{layer.layer}  {layer.macs / 1e6:.0f} MMAC", INK, font)
        _bar(draw, (LEFT, top), errors[index] / max(errors), LOSS)
        draw.text((LEFT + BAR + 8, top), f"{layer.alone_db:.1f} dB", PALE, font)
        _bar(draw, (second, top), savings[index] / max(*savings, 1e-9), SAVED)
        draw.text((second + BAR + 8, top), f"{layer.saved_share:+.1%}", PALE, font)
    write_image(image, path)


def _bar(
    draw: ImageDraw.ImageDraw, at: Sequence[int], share: float, colour: tuple[int, int, int]
) -> None:
    left, top = at
    draw.rectangle((left, top, left + max(1, round(BAR * share)), top + ROW - 10), colour)
