"""Files that paint in tiles: each pass of a split, in every target and precision of its graph.

Float files are passes of the graph itself. int8 files are passes of the graph as the plan of the
whole one changed it, with the same ranges and weights, so that tiles compute what the file of one
size computes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import msgspec
import numpy as np
import torch
from safetensors.numpy import save

from styleexport.core.arrays import Arrays
from styleexport.core.file_names import FileName
from styleexport.core.manifest import FileFact, ProbeFact, SizeFact, sha256_of_file
from styleexport.core.recipe import Int8Recipe
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import Precision, Progress, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.graph_job import GraphJob
from styleexport.exporter.int8_export import plan_for
from styleexport.exporter.request import (
    QUANTIZED,
    ExportRequest,
    largest_window,
    painting_role,
    stored_precision,
)
from styleexport.exporter.targets._target import Recipe, Source, Target
from styleexport.exporter.tile_proof import (
    Proof,
    painted_whole,
    probe_size,
    prove,
    tiling_fact,
)
from styleexport.exporter.tiling.split import Split, TilePass, grid_of, split
from styleexport.exporter.write_files import Planned, Plans, WrittenFile, fact_of
from styleexport.runtime_bench.parity import check_tiling

# A multiple of every grid of the networks here.
USUAL_GRID = 64
# What calibrates ranges of passes: their maps are large, and the plan has most ranges already.
CALIBRATED = 8


@dataclass(frozen=True)
class WrittenTiles:
    """Files, probe and tilings of one graph, by which pictures are painted in tiles.

    Attributes:
        files: files of the passes.
        probes: a picture that is larger than a window, and its painting.
        tilings: how the files are used, one for each target and precision.
    """

    files: tuple[WrittenFile, ...]
    probes: tuple[ProbeFact, ...]
    tilings: tuple[TilingFact, ...]


@dataclass(frozen=True)
class PassInputs(Sequence[Arrays]):
    """Inputs of a pass on calibration pictures, each a window of its own; made when asked for.

    Attributes:
        of: the split.
        one: the pass.
        whole: inputs of the whole graph.
    """

    of: Split
    one: TilePass
    whole: Sequence[Arrays]

    def __len__(self) -> int:
        return len(self.whole)

    @overload
    def __getitem__(self, index: int) -> Arrays: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Arrays]: ...

    def __getitem__(self, index: int | slice) -> Arrays | Sequence[Arrays]:
        if isinstance(index, slice):
            return replace(self, whole=self.whole[index])
        given = self.whole[index]
        names = [fact.name for fact in self.of.whole.inputs]
        values = [torch.from_numpy(np.asarray(given[name])) for name in names]
        known = {name: x.numpy() for name, x in self.of.tensors(values).items()} | dict(given)
        size = self.of.whole.size
        known["region"] = np.array([0, 0, size.height, size.width], np.float32)
        return {fact.name: np.asarray(known[fact.name]) for fact in self.one.graph.inputs}


def with_windows_on_grid(request: ExportRequest, progress: Progress) -> ExportRequest:
    """Return a request of tiles whose largest size is a multiple of the network's grid.

    Sides are rounded down, which is said.
    """
    size = largest_window(request)
    if size.height % USUAL_GRID == 0 and size.width % USUAL_GRID == 0:
        return request
    role = painting_role(request.network)
    assert role is not None
    grid = grid_of(apply_passes(capture(request.network, role, size))[0])
    rounded = Size(*(max(1, side // grid) * grid for side in (size.height, size.width)))
    if rounded == size:
        return request
    progress(f"windows of {size} are off the network's grid of {grid} pixels: {rounded} is taken")
    sizes = tuple(rounded if item == size else item for item in request.sizes)
    return replace(request, sizes=tuple(dict.fromkeys(sizes)))


def write_tiles(job: GraphJob, plans: Plans, whole: Sequence[WrittenFile]) -> WrittenTiles:
    """Write the passes of a graph to every target, check what they paint, and return them.

    Args:
        job: a graph that paints, and what its files share.
        plans: plan of each precision that is computed in int8.
        whole: files of the graph that paint at once; tiles of the plan of a degraded one are, too.

    Raises:
        UnsupportedOp: statistics cannot be taken out, or a target cannot express a pass.
    """
    job.progress("passes over tiles")
    exact = split(job.graph)
    proof = prove(job.run.request.network, exact)
    job.progress(
        f"{len(exact.passes)} passes paint in tiles of {exact.whole.size}: {proof.tiled_db:.0f} dB "
        "of the whole picture"
    )
    probe = _write_probe(job, exact)
    degraded = {
        (file.fact.target, file.fact.precision)
        for file in whole
        if file.fact.quality and file.fact.quality.failures
    }
    files, tilings = list[WrittenFile](), list[TilingFact]()
    for target, precisions in job.targets:
        for precision in precisions:
            if job.whitens and precision is not Precision.FP32:
                job.progress(f"{target.name} {precision}: whitening in tiles is float32 alone")
                continue
            name = replace(
                job.name,
                precision=precision,
                suffix=target.suffix,
                degraded=(target.name, precision) in degraded,
            )
            written, tiling = _write(job, name, target, plans, (exact, proof, probe))
            files += written
            tilings.append(tiling)
    return WrittenTiles(tuple(files), (probe,), tuple(tilings))


def _write(
    job: GraphJob,
    of_files: FileName,
    target: Target,
    plans: Plans,
    proven: tuple[Split, Proof, ProbeFact],
) -> tuple[list[WrittenFile], TilingFact]:
    """Write the passes of one target and precision.

    Args:
        job: see `write_tiles`.
        of_files: their name, without role and number.
        target: their target.
        plans: see `write_tiles`.
        proven: the graph's own passes, how near they come, and a picture to check files by.
    """
    (exact, proof, probe), precision = proven, of_files.precision
    assert precision is not None
    part = Recipe(stored_precision(precision), job.network)
    shown = job.calibration.inputs if target.computes_half(part) else ()
    stored, recipe = split(job.graph, shown) if shown else exact, None
    if precision in QUANTIZED:
        plan = plan_for(target, job, plans[precision])
        applied = plan.applied(expand_norms=target.expands_norms)
        stored, recipe = split(applied.graph, shown), applied.recipe
    started = time.perf_counter()
    facts: list[FileFact] = []
    for number, one in enumerate(stored.passes):
        name = replace(of_files, role=one.graph.role, stage=number)
        job.run.progress(f"{name}: write")
        inputs = PassInputs(stored, one, job.calibration.inputs)
        part = replace(part, int8=recipe and _recipe_of(recipe, one))
        calibrate = lambda inputs=inputs: inputs[:CALIBRATED]  # noqa: E731
        source = Source(one.graph, calibrate, job.run.request.without)
        planned = Planned(source, part, one.graph, one.graph)
        written = target.lower(source, part).store(part, job.run.folder / str(name))
        of_pass = GraphJob(job.run, replace(name, suffix=""), one.graph, job.passes, ())
        fact = fact_of(of_pass, target, name, planned, written)
        # Covariances are another pass's: whether a root follows is known of the whole graph alone.
        facts.append(msgspec.structs.replace(fact, whitens=job.whitens))
    tiling = tiling_fact(stored, target.name, precision, tuple(f.path for f in facts), proof)
    job.progress(f"{target.name} {precision}: parity of {len(facts)} passes")
    parity = check_tiling(job.run.folder, tiling, facts, probe)
    seconds = (time.perf_counter() - started) / len(facts)
    checked = [msgspec.structs.replace(fact, parity=parity) for fact in facts]
    return [WrittenFile(fact, seconds) for fact in checked], tiling


def _recipe_of(recipe: Int8Recipe, one: TilePass) -> Int8Recipe:
    """Return the part of a recipe that a pass follows, in its names."""
    names = one.names
    return msgspec.structs.replace(
        recipe,
        role=one.graph.role,
        float_layers=tuple(
            msgspec.structs.replace(item, layer=names[item.layer])
            for item in recipe.float_layers
            if item.layer in names
        ),
        ranges={names[name]: limits for name, limits in recipe.ranges.items() if name in names},
        trials=(),
    )


def _write_probe(job: GraphJob, exact: Split) -> ProbeFact:
    """Write a picture that takes several windows, and what the float network makes of it."""
    network, size = job.run.request.network, probe_size(job.run.request.network, exact)
    inputs, expected = painted_whole(network, exact, size)
    name = FileName(network.network.name, Role.RENDER, size, suffix=".safetensors")
    path = f"probes/{name}"
    (job.run.folder / path).write_bytes(save({**inputs, "image": expected}))
    return ProbeFact(
        path=path,
        role=Role.RENDER,
        size=SizeFact.of(size),
        sha256=sha256_of_file(job.run.folder / path),
    )
