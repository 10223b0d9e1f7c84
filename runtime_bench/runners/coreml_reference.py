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

Of a ``.pte`` file that computes by Core ML's delegate it runs the package inside: what ExecuTorch
hands to Core ML on a device, not ExecuTorch itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact
from styleexport.runtime_bench.formats._pte import read_pte
from styleexport.runtime_bench.formats._pte_coreml import (
    EmbeddedPackage,
    computes_by_core_ml,
    embedded_package,
)
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session
from styleexport.runtime_bench.runners._torch_threads import torch_threads


class CoremlReference(Runner):
    """Runs ``.mlpackage`` files, and those inside ``.pte`` files, with torch on the CPU.

    Args:
        rounding: whether tensors that the program declares fp16 are rounded to fp16.
    """

    name = "coreml-reference"
    suffixes = (".mlpackage", ".pte")
    timed = False

    def __init__(self, *, rounding: bool = True) -> None:
        self._rounding = rounding

    def reads(self, path: Path) -> bool:
        """Whether it is a package, or a ``.pte`` file that embeds one."""
        if path.suffix != ".pte":
            return path.suffix in self.suffixes
        with contextlib.suppress(BadArtifact):
            return computes_by_core_ml(read_pte(path))
        return False

    def in_float32(self) -> CoremlReference:
        """Return the variant that keeps every tensor in float32."""
        return CoremlReference(rounding=False)

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the package; see `Runner.open`.

        Raises:
            UnsupportedOp: the program holds an operation that the reference does not compute.
        """
        fed: dict[str, NDArray[np.float32]] = {}
        results: dict[str, NDArray[np.float32]] = {}

        def feed(inputs: Arrays) -> None:
            fed.clear()
            fed.update(inputs)

        with torch_threads(options.threads), self._package(path) as package:
            yield Session(
                feed=feed,
                invoke=lambda: results.update(package(fed)),
                fetch=lambda: dict(results),
            )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return inner tensors by the program's variable names; see `Runner.layers`."""
        with self._package(path) as package:
            return package.layers(inputs, tensors)

    @contextlib.contextmanager
    def _package(self, path: Path) -> Generator[_Computes]:
        from styleexport.runtime_bench.runners._coreml_session import ReferencePackage

        if path.suffix != ".pte":
            yield ReferencePackage(path, rounding=self._rounding)
            return
        with embedded_package(path) as found:
            yield _Renamed(ReferencePackage(found.path, rounding=self._rounding), found)


class _Computes(Protocol):
    def __call__(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]: ...

    def layers(self, inputs: Arrays, names: Sequence[str]) -> dict[str, NDArray[np.float32]]: ...


class _Renamed:
    """A package that takes and gives tensors by the names of the file that embeds it."""

    def __init__(self, package: _Computes, found: EmbeddedPackage) -> None:
        self._package, self._found = package, found

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        made = self._package(self._given(inputs))
        return {name: made[inner] for name, inner in self._found.outputs.items()}

    def layers(self, inputs: Arrays, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return self._package.layers(self._given(inputs), names)

    def _given(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        return {self._found.inputs.get(name, name): value for name, value in inputs.items()}


RUNNER = CoremlReference()
