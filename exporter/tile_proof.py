"""Proof of a split: a picture painted in tiles, against the network on the whole picture."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch

from styleexport.core.arrays import Array, Arrays, Run
from styleexport.core.errors import UnsupportedOp
from styleexport.core.fact_types import SizeFact
from styleexport.core.manifest import TensorFact
from styleexport.core.psnr import psnr_db
from styleexport.core.thresholds import TILED_WHITENED_DB
from styleexport.core.tiling_fact import MapFact, StatisticFact, TilePassFact, TilingFact
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.whitening import before_first_whitening
from styleexport.exporter.probes import probe_inputs
from styleexport.exporter.tiling.field import shape_of
from styleexport.exporter.tiling.split import Split
from styleexport.exporter.tiling.statistics import Statistic
from styleexport.exporter.tiling.tile_pass import StoredMap
from styleexport.models.network import LoadedNetwork
from styleexport.runtime_bench.tiling.files import TiledFiles
from styleexport.runtime_bench.tiling.painter import TiledPainter
from styleexport.runtime_bench.tiling.pictures import ArrayPicture
from styleexport.runtime_bench.tiling.tiles import Sides, mirrored, on_grid

# Float32 sums in another order, through a network; an element at the wrong place costs far more.
ALLOWED_DB = 90.0
ALLOWED_DIFFERENCE = 1 / 255
# Where two patches fit but for rounding, the other one is taken here and there.
CHOSEN_DB = 40.0


@dataclass(frozen=True)
class PassFile:
    """A pass in PyTorch, in the place of its file; a `TileFile`.

    Attributes:
        number: number of the pass.
        graph: graph of the pass.
    """

    number: int
    graph: Graph

    @property
    def path(self) -> str:
        """Name for messages."""
        return f"pass {self.number}"

    @property
    def role(self) -> Role:
        """Whether it depends on the style."""
        return self.graph.role

    @property
    def inputs(self) -> tuple[TensorFact, ...]:
        """Facts of the inputs."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[TensorFact, ...]:
        """Facts of the outputs."""
        return self.graph.outputs


def tiling_fact(
    split: Split, target: str, precision: Precision, paths: tuple[str, ...], proof: Proof
) -> TilingFact:
    """Return a split as the manifest describes it."""
    return TilingFact(
        role=split.whole.role,
        target=target,
        precision=precision,
        window=SizeFact.of(split.whole.size),
        grid=split.grid,
        passes=tuple(
            TilePassFact(
                path=path,
                top=one.rows[0],
                bottom=one.rows[1],
                left=one.columns[0],
                right=one.columns[1],
            )
            for path, one in zip(paths, split.passes, strict=True)
        ),
        maps=tuple(map(_map_fact, split.maps)),
        statistics=tuple(map(_statistic_fact, split.statistics)),
        tiled_db=proof.tiled_db,
        largest_difference=proof.largest_difference,
    )


def _map_fact(item: StoredMap) -> MapFact:
    _, channels, height, width = shape_of(item.node)
    return MapFact(
        name=item.name,
        channels=channels,
        height=height,
        width=width,
        stride=item.stride.numerator,
        scale=item.stride.denominator,
    )


def _statistic_fact(item: Statistic) -> StatisticFact:
    return StatisticFact(
        name=item.name,
        kind=item.kind,
        length=item.length,
        correction=item.correction,
        height=item.sides[0],
        width=item.sides[1],
        stride=item.stride.numerator,
        scale=item.stride.denominator,
    )


@dataclass(frozen=True)
class Proof:
    """Difference of a picture painted in tiles from the same picture painted at once.

    Attributes:
        tiled_db: PSNR in dB.
        largest_difference: largest difference of a value in 0..1.
    """

    tiled_db: float
    largest_difference: float


def probe_size(network: LoadedNetwork, split: Split) -> Size:
    """Return a size of two windows, off the grid; that of a window for networks of one size."""
    window = split.whole.size
    if getattr(network.module, "fixed_size", None) is not None:
        return window
    return Size(window.height + window.height // 4 + 5, window.width - 3)


def painted_whole(
    network: LoadedNetwork, split: Split, size: Size
) -> tuple[dict[str, Array], Array]:
    """Return the inputs of a probe, and the painting of the network that sees all of it.

    Beyond its edges the picture is mirrored to the grid, as tiles see it.
    """
    tiling = tiling_fact(split, "torch", Precision.FP32, ("",) * len(split.passes), Proof(0, 0))
    inputs = dict(probe_inputs(network, split.whole.role, size))
    sides = zip(
        (size.height, size.width), on_grid(Sides(size.height, size.width), tiling), strict=True
    )
    rows, columns = (mirrored(length, 0, side) for length, side in sides)
    whole = ArrayPicture(inputs["content"]).window(rows, columns)
    given = (inputs | {"content": whole}).values()
    with torch.inference_mode():
        module = network.role_module(split.whole.role)
        (image,) = module.outputs(*map(torch.from_numpy, given))
    scale = image.shape[2] // whole.shape[2]
    cropped = image.numpy()[:, :, : scale * size.height, : scale * size.width]
    return inputs, np.ascontiguousarray(cropped)


def prove(network: LoadedNetwork, split: Split, size: Size | None = None) -> Proof:
    """Return how near tiles come to the network on a picture of several windows, in float32.

    A network that was captured at one size is proven on one window.

    Args:
        network: what the split was made of.
        split: passes.
        size: size of the picture; None for one and a half windows, off the grid.

    Raises:
        UnsupportedOp: tiles paint another picture.
    """
    window = split.whole.size
    size = size or Size(*(side + side // 2 + 5 for side in (window.height, window.width)))
    if probe_size(network, split) == window:
        size = window
    files = tuple(PassFile(number, one.graph) for number, one in enumerate(split.passes))
    paths = tuple(file.path for file in files)
    tiling = tiling_fact(split, "torch", Precision.FP32, paths, Proof(0.0, 0.0))
    inputs, expected = painted_whole(network, split, size)
    painter = TiledPainter(TiledFiles(tiling, files, _opened))
    painted = painter.painting(inputs)
    difference = float(np.abs(painted - expected).max())
    proof = Proof(round(psnr_db(painted, expected, 1.0), 2), float(f"{difference:.3g}"))
    whitens = bool(before_first_whitening(split.whole.reading.graph))
    chooses = split.whole.chooses
    allowed = CHOSEN_DB if chooses else TILED_WHITENED_DB if whitens else ALLOWED_DB
    exact = difference <= ALLOWED_DIFFERENCE or chooses or whitens
    if proof.tiled_db < allowed or not exact:
        raise UnsupportedOp(
            f"{network.network.name} paints another picture in tiles than at once: "
            f"{proof.tiled_db:.1f} dB, {allowed:.0f} asked, and {difference:.4f} in the worst "
            f"pixel, {ALLOWED_DIFFERENCE:.4f} allowed; leave out --full"
        )
    return proof


@contextlib.contextmanager
def _opened(file: PassFile) -> Generator[Run]:
    """Give a function that runs a pass."""
    module = file.graph.reading
    names, results = ([fact.name for fact in facts] for facts in (file.inputs, file.outputs))

    def run(inputs: Arrays) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            outputs = module(*(torch.from_numpy(np.asarray(inputs[name])) for name in names))
        outputs = outputs if isinstance(outputs, tuple | list) else (outputs,)
        return {name: value.numpy() for name, value in zip(results, outputs, strict=True)}

    yield run
