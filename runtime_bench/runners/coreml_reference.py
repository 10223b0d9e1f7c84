"""Reference for Core ML on any machine: evaluates saved ML programs with torch.

The runner reads the ``.mlpackage`` from disk as a device would, weights file and compressed
constants included, and computes each operation with torch. It has two modes.

``RUNNER`` is device-like: arithmetic inside an operation is float32, and every tensor that the
program declares fp16 is rounded to fp16 after its operation, as the Neural Engine and the GPU store
tensors. It shows the cost of half precision, including overflow beyond 65504.

``CoremlReference(rounding=False)`` keeps all tensors in float32. It shows whether the program
computes what the network computes, whatever types it declares.

Image inputs become 8-bit pixel buffers, as an app passes them. Image outputs are divided by 255 and
clipped to 0..1, but not rounded to 8 bits as on a device, so that a difference below 1/255 can
still be measured.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session
from styleexport.runtime_bench.runners._torch_threads import torch_threads


class CoremlReference(Runner):
    """Runs ``.mlpackage`` files with torch on the CPU.

    Args:
        rounding: whether tensors that the program declares fp16 are rounded to fp16.
    """

    name = "coreml-reference"
    suffixes = (".mlpackage",)
    timed = False

    def __init__(self, *, rounding: bool = True) -> None:
        self._rounding = rounding

    def in_float32(self) -> CoremlReference:
        """Return the variant that keeps every tensor in float32."""
        return CoremlReference(rounding=False)

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the package; see `Runner.open`.

        Raises:
            UnsupportedOp: the program holds an operation that the reference does not compute.
        """
        from styleexport.runtime_bench.runners._coreml_session import ReferencePackage

        package = ReferencePackage(path, rounding=self._rounding)
        fed: dict[str, NDArray[np.float32]] = {}
        results: dict[str, NDArray[np.float32]] = {}

        def feed(inputs: Arrays) -> None:
            fed.clear()
            fed.update(inputs)

        with torch_threads(options.threads):
            yield Session(
                feed=feed,
                invoke=lambda: results.update(package(fed)),
                fetch=lambda: dict(results),
            )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return inner tensors by the program's variable names; see `Runner.layers`."""
        from styleexport.runtime_bench.runners._coreml_session import ReferencePackage

        return ReferencePackage(path, rounding=self._rounding).layers(inputs, tensors)


RUNNER = CoremlReference()
