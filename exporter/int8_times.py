"""int8 times of several networks in ONNX Runtime, taken in turns on this machine.

The files are those of an export without what changes no time: ranges come from two calibration
inputs, and weights are rounded to the nearest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import time
from collections.abc import Sequence

from styleexport.core.arrays import Arrays
from styleexport.core.counted import counted
from styleexport.core.errors import UnsupportedOp, UsageError
from styleexport.core.recipe import Settings
from styleexport.core.types import Progress, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import calibration_inputs
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.request import painting_role
from styleexport.exporter.rewrites.choices import for_integers
from styleexport.exporter.search.candidates import Candidates
from styleexport.models.network import LoadedNetwork
from styleexport.runtime_bench.runners._runner import Session
from styleexport.runtime_bench.stats import median

ROUNDS = 25
# A sample lasts at least so long, and follows a run that is not counted.
SAMPLE_SECONDS = 0.05
INPUTS = 2


class OnnxRuntimeTimes:
    """Times the role that paints in ONNX Runtime; see `Int8Times`."""

    runtime = "ONNX Runtime"

    def __call__(
        self, networks: Sequence[LoadedNetwork], size: Size, progress: Progress
    ) -> list[tuple[float, float]]:
        """Return median ms and share of the first's time; see `Int8Times.__call__`."""
        role = painting_role(networks[0])
        if role is None:
            raise UsageError(
                f"{networks[0].network.name} paints by optimization, and --multiple auto times one "
                "run: type --multiple 8"
            )
        runs: list[tuple[Session, Arrays]] = []
        with contextlib.ExitStack() as stack:
            for network in counted(networks, "networks in int8", progress):
                candidates = _candidates(network, role, size)
                session = stack.enter_context(candidates.session(candidates.blocks))
                runs.append((session, candidates.inputs))
            samples = _in_turns(runs, progress)
        return [
            (
                round(median(own) * 1e3, 3),
                round(median([a / b for a, b in zip(own, samples[0], strict=True)]), 4),
            )
            for own in samples
        ]


def _in_turns(runs: Sequence[tuple[Session, Arrays]], progress: Progress) -> list[list[float]]:
    """Return seconds of one run of each session, a sample a round, each round in another order."""
    repeats = [math.ceil(SAMPLE_SECONDS / _seconds(*run, 1)) for run in runs]
    samples: list[list[float]] = [[] for _ in runs]
    enabled = gc.isenabled()
    gc.disable()
    try:
        for number in counted(range(ROUNDS), "rounds of timing", progress):
            for step in range(len(runs)):
                index = (number + step) % len(runs)
                samples[index].append(_seconds(*runs[index], repeats[index]))
    finally:
        if enabled:
            gc.enable()
    return samples


def _seconds(session: Session, inputs: Arrays, repeats: int) -> float:
    session(inputs)
    started = time.perf_counter()
    for _ in range(repeats):
        session(inputs)
    return (time.perf_counter() - started) / repeats


def _candidates(network: LoadedNetwork, role: Role, size: Size) -> Candidates:
    graph, _ = for_integers(apply_passes(capture(network, role, size))[0])
    every = calibration_inputs(network, read_calibration(None), graph)
    inputs = every.inputs[:INPUTS]
    try:
        plan = make_plan(graph, dataclasses.replace(every, inputs=inputs), Settings(segments=True))
    except UnsupportedOp as error:
        raise UsageError(
            f"--multiple auto times int8 files, and {network.network.name} has none: no "
            "convolution of it runs in int8; type --multiple 8"
        ) from error
    return Candidates(plan, inputs[0])
