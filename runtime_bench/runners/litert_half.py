"""LiteRT with tensors and sums in float16, as GPUs compute float ``.tflite`` files.

LiteRT's GPU kernels (TensorFlow's `delegates/gpu`, precision F16, the default of apps) store every
tensor in float16, and add up the products of a convolution in float16; means and pools add up in
float32. No desktop runtime does that, so files are proven here by LiteRT's own CPU kernels, one
operation at a time, with the rounding in between. Its times mean nothing.

Files with float16 weights, which are those for GPUs, are proven with it beside LiteRT itself;
others can be run with it by name: ``--runner litert-half``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import UsageError
from styleexport.core.manifest import FileFact
from styleexport.core.plugins import needs
from styleexport.core.thresholds import allowed_in_half
from styleexport.runtime_bench.runners._litert_tensors import from_file, to_file
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session


class LitertHalf(Runner):
    """Runs float ``.tflite`` files in float16."""

    name = "litert-half"
    suffixes = (".tflite",)
    timed = False
    proves_tiles = False  # the same layers as those of whole pictures, in slow motion

    def proves_file(self, path: Path) -> bool:
        """Whether a file has float16 weights: it is one for GPUs."""
        from styleexport.runtime_bench.formats._tflite import read_graph

        stored = {x.dtype for x in read_graph(path).tensors if x.stored is not None}
        return "float16" in stored

    def allowed_db(self, fact: FileFact) -> float:
        """Return the lowest PSNR in dB; see `allowed_in_half`."""
        return allowed_in_half(fact)

    def start(self) -> None:
        """Import LiteRT; see `Runner.start`."""
        with needs("LiteRT"):
            import ai_edge_litert.interpreter as _  # noqa: F401

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the file; see `Runner.open`.

        Raises:
            UnsupportedOp: the file computes in integers.
        """
        from styleexport.runtime_bench.runners._litert_half import HalfProgram

        if options.batch > 1:
            raise UsageError(
                f"litert-half runs one picture at a time; type --batch 1, not {options.batch}"
            )
        program = HalfProgram(path, options.threads)
        graph = program.graph
        fed: dict[int, NDArray[np.float32]] = {}
        results: dict[int, NDArray[np.generic]] = {}

        def feed(inputs: Arrays) -> None:
            for name, index in graph.inputs.items():
                fed[index] = to_file(name, inputs, graph.tensors[index], path)

        yield Session(
            feed=feed,
            invoke=lambda: results.update(program.run(fed)),
            fetch=lambda: {
                name: from_file(results[index], graph.tensors[index])
                for name, index in graph.outputs.items()
            },
        )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return inner tensors in float16; see `Runner.layers`."""
        from styleexport.runtime_bench.runners._litert_half import HalfProgram

        program = HalfProgram(path, None)
        graph = program.graph
        named = {
            i: t for i, t in enumerate(graph.tensors) if t.name in tensors and t.stored is None
        }
        fed = {i: to_file(n, inputs, graph.tensors[i], path) for n, i in graph.inputs.items()}
        found = program.run(fed, tuple(named))
        return {t.name: from_file(found[i], t) for i, t in named.items() if i in found}


RUNNER = LitertHalf()
