"""A browser: the page of `styleexport serve`, opened in headless Chromium, measures and reports.

onnxruntime-web runs ``.onnx`` files and LiteRT.js ``.tflite`` files, by WebAssembly or WebGPU. The
browser keeps its own clock and takes its own samples, so there is no session to be opened here:
`_drive.bench_in_browser` returns a whole report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import DeviceError
from styleexport.runtime_bench.runners._runner import Arrays, Runner, RunOptions, Session


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


RUNNER = Browser()
