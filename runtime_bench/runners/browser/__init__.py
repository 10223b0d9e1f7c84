"""Browser: headless Chromium opens the page of `styleexport serve`, which measures and reports.

onnxruntime-web runs ``.onnx`` files and LiteRT.js ``.tflite`` files, by WebAssembly or WebGPU. The
browser reads its own clock and takes its own samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.contract.remote import MeasureRequest, joined
from styleexport.runtime_bench.runners._runner import RemoteRunner


class Browser(RemoteRunner):
    """Measures files in Chromium on this machine."""

    name = "browser"
    suffixes = (".onnx", ".tflite")
    choices = MappingProxyType({"backend": ("wasm", "webgpu")})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return how to get Chromium or the page's packages; None where both are installed."""
        from styleexport.runtime_bench.runners.browser import _chromium, _packages

        return _chromium.missing() or _packages.missing()

    def measure(self, request: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return headless Chromium's report, one page per backend; see `RemoteRunner.measure`."""
        backends = dict.fromkeys(self._backend(cell.choice.settings) for cell in request.cells)
        return joined([self._page(request, backend, progress) for backend in backends])

    def _backend(self, settings: Mapping[str, str]) -> str:
        return self.setting(settings, "backend")

    def _page(self, request: MeasureRequest, backend: str, progress: Progress) -> LatencyReport:
        """Return the report of one page, each cell with the settings that were requested."""
        from styleexport.runtime_bench.runners.browser._drive import bench_in_browser
        from styleexport.runtime_bench.runners.browser._job import PagePlanFact

        cells = [cell for cell in request.cells if self._backend(cell.choice.settings) == backend]
        plan = PagePlanFact(
            **msgspec.structs.asdict(request.plan),
            backend="webgpu" if backend == "webgpu" else "wasm",
        )
        selected = {(cell.subject.path, cell.size) for cell in cells}
        report = bench_in_browser(request.artifact, selected, plan, progress)
        facts = {(fact.subject.path, fact.size.size()): fact for fact in report.cells}
        requested = tuple(
            msgspec.structs.replace(
                facts[cell.subject.path, cell.size],
                runner=self.name,
                requested=dict(cell.choice.settings),
            )
            for cell in cells
            if (cell.subject.path, cell.size) in facts
        )
        return msgspec.structs.replace(report, cells=requested)


RUNNER = Browser()
