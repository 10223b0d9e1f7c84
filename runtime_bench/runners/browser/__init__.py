"""A browser: the page of `styleexport serve`, opened in headless Chromium, measures and reports.

onnxruntime-web runs ``.onnx`` files and LiteRT.js ``.tflite`` files, by WebAssembly or WebGPU. The
browser keeps its own clock and takes its own samples, so there is no session to be opened here:
`measure` returns a whole report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError
from styleexport.core.types import Progress, Size
from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport
from styleexport.runtime_bench.contract.remote import AskedCell, MeasureRequest, joined
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session


class Browser(Runner):
    """Runs files in Chromium; for timing, never for the parity of exports."""

    name = "browser"
    suffix = ".onnx"
    proves = False
    own_clock = True
    choices = MappingProxyType({"backend": ("wasm", "webgpu")})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return that Chromium or the page's packages are missing; None where both are there."""
        from styleexport.runtime_bench.runners.browser import _chromium, _packages

        return _chromium.missing() or _packages.missing()

    def reads(self, path: Path) -> bool:
        """Whether a page loads files of this suffix."""
        return path.suffix in (".onnx", ".tflite")

    def open(self, path: Path, options: RunOptions) -> AbstractContextManager[Session]:
        """Refuse: a browser measures by itself.

        Raises:
            DeviceError: always.
        """
        raise DeviceError(
            f"{path.name} cannot be opened in a browser from here: it measures by itself; type "
            "`styleexport bench ARTIFACT --runner browser` or `styleexport serve ARTIFACT`"
        )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return nothing: a browser does not show what is inside a file."""
        return {}

    def measure(self, ask: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return what headless Chromium measured, a page for each backend; see `Runner.measure`."""
        backends = dict.fromkeys(self.setting(cell.settings, "backend") for cell in ask.cells)
        return joined([self._page(ask, backend, progress) for backend in backends])

    def _page(self, ask: MeasureRequest, backend: str, progress: Progress) -> LatencyReport:
        """Return what one page measured, its cells under the settings that were asked."""
        from styleexport.runtime_bench.runners.browser._drive import bench_in_browser
        from styleexport.runtime_bench.runners.browser._job import PagePlanFact

        asked = [cell for cell in ask.cells if self.setting(cell.settings, "backend") == backend]
        plan = PagePlanFact(
            **msgspec.structs.asdict(ask.plan), backend="webgpu" if backend == "webgpu" else "wasm"
        )
        wanted = {(cell.path, cell.size) for cell in asked}
        found = bench_in_browser(ask.artifact, wanted, plan, progress)
        sent = {(cell.subject.path, cell.size.size()): cell for cell in found.cells}
        cells = tuple(
            msgspec.structs.replace(fact, runner=self.name, requested=dict(cell.settings))
            for cell in asked
            for fact in _of(sent, cell)
        )
        return msgspec.structs.replace(found, cells=cells)


def _of(sent: Mapping[tuple[str, Size], CellFact], cell: AskedCell) -> tuple[CellFact, ...]:
    fact = sent.get((cell.path, cell.size))
    return () if fact is None else (fact,)


RUNNER = Browser()
