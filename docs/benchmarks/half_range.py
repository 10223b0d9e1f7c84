"""Table of what networks reach in float16, and of what scaling by powers of two saves.

Run: python docs/benchmarks/half_range.py --data FOLDER [--size SIDE ...] [NETWORK ...]

FOLDER holds the published weights in `weights/`: cd16x, fast_style, microast, vgg16, enet_camvid,
by the names that their authors gave them. What is not named keeps its figures of half_range.json,
from which the page's tables are written. Networks of 0..255 are published ones in the pixel range
of Caffe and TensorFlow-slim: the same pictures, activations 255 times as large (57 times in VGG-16,
which divides pixels of 0..1 by 0.226).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
import torch.nn.functional as functional
from msgspec import Struct
from torch import Tensor, nn

from styleexport.core.arrays import Arrays
from styleexport.core.assets import DEMO_STYLE, folder
from styleexport.core.images import array_from_image, read_image
from styleexport.core.pictures import centre_crop
from styleexport.core.psnr import EQUAL_DB, psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph, operation_of
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import calibration_inputs
from styleexport.exporter.rewrites.half_outputs import NAME
from styleexport.exporter.rewrites.running_sums import SUMS_OF_PRODUCTS, forecast
from styleexport.exporter.targets._target import Recipe, Source
from styleexport.exporter.targets.tflite import TARGET
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner

HERE = Path(__file__).parent
CD16X = tuple(f"cd16x/{part}{level}.pth" for level in range(1, 6) for part in "ed")
MICROAST = tuple(
    f"microast/{part}_iter_160000.pth.tar"
    for part in ("content_encoder", "style_encoder", "modulator", "decoder")
)
VGG16 = "vgg16/vgg16_imagenet_to_relu5_3_fp16.npz"
# Network → its weights; those that leave the range are judged too.
PUBLISHED: dict[str, tuple[str, ...]] = {
    "adain-lite": (),
    "adain-residual": (),
    "adain-mobilenetv2": (),
    "adain-efficientnet-lite0": (),
    "gatys-vgg-eighth": (),
    "adain-cd16x": ("cd16x/e4.pth", "cd16x/d4.pth"),
    "fast-style": ("fast_style/ml5_fast_wave.npz",),
    "gatys-vgg16": (VGG16,),
    "gatys-enet": ("enet_camvid/best_model.pth",),
    "microast": MICROAST,
    "wct": CD16X,
    "optimal-wct": CD16X,
}


class Adain255(nn.Module):
    """AdaIN on cd16x, level 4, one style, on values of 0..255."""

    def __init__(self, plain: LoadedNetwork, style: Tensor) -> None:
        super().__init__()
        self.encoder, self.decoder = _parts(plain)
        with torch.no_grad():
            for layer in (*self.encoder.modules(), *self.decoder.modules()):
                if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                    layer.bias.mul_(255)
            (features,) = self.encoder(style * 255)
        self.register_buffer("mean", features.mean((2, 3), keepdim=True))
        self.register_buffer("deviation", features.std((2, 3), keepdim=True))

    def forward(self, content: Tensor) -> Tensor:
        (x,) = self.encoder(content * 255)
        mean = x.mean((2, 3), keepdim=True)
        deviation = (x.var((2, 3), keepdim=True) + 1e-5).sqrt()
        y = (x - mean) / deviation * self.deviation + self.mean
        return (self.decoder(y) / 255).clamp(0, 1)


def _parts(plain: LoadedNetwork) -> tuple[nn.Module, nn.Module]:
    module = plain.module
    return module.encoder, module.decoder  # pyright: ignore


class Vgg255(nn.Module):
    """VGG-16 to relu4_3 on values of 0..255 less their means; its channels in three means."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        stored = np.load(file)
        names = [name for name in stored.files if stored[name].ndim == 4][:10]
        self.layers = nn.ModuleList()
        for name in names:
            weight = torch.from_numpy(stored[name].astype(np.float32))
            bias = torch.from_numpy(stored[name.replace("weight", "bias")].astype(np.float32))
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            layer.weight.data, layer.bias.data = weight, bias * (255 * 0.226)  # pyright: ignore
            self.layers.append(layer)
        self.mean = nn.Buffer(torch.tensor([0.485, 0.456, 0.406])[:, None, None] * 255)

    def forward(self, content: Tensor) -> Tensor:
        x = content * 255 - self.mean
        for number, layer in enumerate(self.layers):
            if number in (2, 4, 7):
                x = functional.max_pool2d(x, 2)
            x = functional.relu(layer(x))
        x = torch.stack([part.mean(1) for part in x.split([171, 171, 170], 1)], 1)
        x = functional.interpolate(x, scale_factor=8.0, mode="bilinear")
        return torch.sigmoid(x / 200 - 2)


class Row(Struct, frozen=True):
    """Figures of one graph.

    Attributes:
        network: name.
        role: role of the graph.
        side: height and width, in pixels.
        value: largest magnitude of an operation's result, statistics apart.
        sums: largest partial sum of a convolution or matrix product, in any order.
        layer: where.
        scaled: what the pass says that it did; "" where it did nothing.
        before_db: worst PSNR of the TFLite fp16 file in float16, sums included, without the pass.
        after_db: the same with it.
    """

    network: str
    role: str
    side: int
    value: float
    sums: float
    layer: str
    scaled: str = ""
    before_db: float | None = None
    after_db: float | None = None


@dataclass(frozen=True)
class Case:
    """A network and how to open it."""

    name: str
    open: Callable[[], LoadedNetwork]


def cases(weights: Path) -> list[Case]:
    """Return the networks of the table."""

    def published(name: str) -> Callable[[], LoadedNetwork]:
        return lambda: open_network(name, [weights / file for file in PUBLISHED[name]])

    def adain() -> LoadedNetwork:
        plain = published("adain-cd16x")()
        style = array_from_image(centre_crop(read_image(folder() / DEMO_STYLE), Size(256, 256)))
        return open_network(Adain255(plain, torch.from_numpy(style)))

    return [
        *(Case(name, published(name)) for name in PUBLISHED),
        Case("AdaIN on cd16x, 0..255", adain),
        Case("VGG-16 to relu4_3, 0..255", lambda: open_network(Vgg255(weights / VGG16))),
    ]


def measured(case: Case, side: int) -> list[Row]:
    """Return the rows of a network at one size."""
    network, images, rows = case.open(), read_calibration(None), list[Row]()
    for role in network.default_roles:
        if role is Role.STEP:  # float32 in every precision
            continue
        captured = capture(network, role, Size(side, side))
        graph, _ = apply_passes(captured, proven=False)
        inputs = calibration_inputs(network, images, graph).inputs
        reached = forecast(graph.reading, inputs[:: max(1, len(inputs) // 4)][:4], 0.0)
        nodes = [node for node in graph.reading.graph.nodes if node.name in reached]
        layers = [node.name for node in nodes if operation_of(node) in SUMS_OF_PRODUCTS]
        layer = max(layers, key=lambda name: reached[name].all)
        row = Row(case.name, str(role), side, reached[layer].value, reached[layer].sums, layer)
        _, passes = Source(graph, lambda inputs=inputs: inputs).half_outputs
        if passes:
            scaled = "; ".join(passes[0].reasons[-2:])
            before, after = (_decibels(graph, inputs, without) for without in ((NAME,), ()))
            row = msgspec.structs.replace(row, scaled=scaled, before_db=before, after_db=after)
        print(row, flush=True)
        rows.append(row)
    return rows


def _decibels(graph: Graph, inputs: Sequence[Arrays], without: Sequence[str]) -> float:
    """Return the worst PSNR of a TFLite fp16 file computed in float16, of four pictures."""
    source, recipe = Source(graph, lambda: inputs, without), Recipe(Precision.FP16)
    worst = EQUAL_DB
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "file.tflite"
        TARGET.lower(source, recipe).store(recipe, path)
        with find_runner("litert-half").open(path, RunOptions(threads=2)) as session:
            for feed in inputs[:: max(1, len(inputs) // 4)][:4]:
                with torch.inference_mode():
                    values = (torch.from_numpy(x) for x in feed.values())
                    expected = graph.reading(*values).numpy()
                painted = session(feed)[graph.outputs[0].name]
                worst = min(worst, psnr_db(painted, expected, 1.0 if expected.ndim == 4 else None))
    return round(worst, 2)


def page(rows: Sequence[Row]) -> str:
    """Return the tables of the page."""
    lines = [
        "| network | role | size | largest value | largest partial sum | of 65,504 |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        share = max(row.value, row.sums) / 65504
        lines.append(
            f"| {row.network} | {row.role} | {row.side} | {row.value:,.0f} | {row.sums:,.0f} | "
            f"{share:.1%} |"
        )
    judged = [row for row in rows if row.before_db is not None]
    if judged:
        lines += [
            "",
            "| network | size | without | with | what was done |",
            "|---|---|---|---|---|",
            *(
                f"| {row.network} | {row.side} | {row.before_db:g} dB | {row.after_db:g} dB | "
                f"{row.scaled} |"
                for row in judged
            ),
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the figures and the page's tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("networks", nargs="*")
    args = parser.parse_args()
    stored = HERE / "half_range.json"
    rows = msgspec.json.decode(stored.read_bytes(), type=list[Row]) if stored.exists() else []
    known = {(row.network, row.role, row.side): row for row in rows}
    for case in cases(args.data / "weights"):
        if args.networks and case.name not in args.networks:
            continue
        for side in args.size or (256, 512):
            known |= {(row.network, row.role, row.side): row for row in measured(case, side)}
            stored.write_bytes(msgspec.json.format(msgspec.json.encode(list(known.values()))))
    text = (HERE / "half_range.md").read_text()
    head, _, rest = text.partition("<!-- tables -->\n")
    _, _, tail = rest.partition("<!-- end of tables -->\n")
    middle = page(list(known.values()))
    (HERE / "half_range.md").write_text(
        f"{head}<!-- tables -->\n{middle}<!-- end of tables -->\n{tail}"
    )


if __name__ == "__main__":
    main()
