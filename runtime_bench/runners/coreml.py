"""Core ML on a Mac. No Mac has been available to the project: this runner has not been run."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Generator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, UsageError, first_line
from styleexport.core.images import array_from_image, image_from_array
from styleexport.core.plugins import needs
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

# Core ML's names of the compute units that it may choose from.
UNITS = {
    "all": "ALL",
    "cpu": "CPU_ONLY",
    "cpu-gpu": "CPU_AND_GPU",
    "cpu-ane": "CPU_AND_NE",
}


class Coreml(Runner):
    """Runs ``.mlpackage`` folders on the compute units that Core ML chooses; macOS only.

    Picture outputs are 8-bit pixel buffers: against a float reference they reach at most 59 dB.
    """

    name = "coreml"
    suffixes = (".mlpackage",)
    rounds_pictures = True
    choices = MappingProxyType({"units": tuple(UNITS)})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return why this machine cannot run it; None on a Mac."""
        if platform.system() == "Darwin":
            return None
        return f"Core ML runs on macOS, this is {platform.system()}"

    def start(self) -> None:
        """Import coremltools; see `Runner.start`."""
        with needs("coreml"):
            import coremltools as _  # noqa: F401

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the package; see `Runner.open`."""
        with needs("coreml"):
            import coremltools as ct
        if options.batch > 1:
            raise UsageError(f"Core ML takes {path.name} one picture at a time; type --batch 1")
        units = UNITS[self.setting(options.settings, "units")]
        try:
            model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit[units])
        except Exception as error:
            raise BadArtifact(
                f"Core ML cannot load {path}: {first_line(error)}; export the network again"
            ) from error
        description = model.get_spec().description
        pictures = {i.name for i in description.input if i.type.WhichOneof("Type") == "imageType"}

        fed: dict[str, object] = {}
        results: dict[str, object] = {}

        def feed(inputs: Arrays) -> None:
            fed.clear()
            for name, value in inputs.items():
                fed[name] = image_from_array(value) if name in pictures else value

        yield Session(
            feed=feed,
            invoke=lambda: results.update(model.predict(fed)),
            fetch=lambda: {name: _array(value) for name, value in results.items()},
            effective=lambda: {"units": model.compute_unit.name},
        )


def _array(value: object) -> NDArray[np.float32]:
    if isinstance(value, Image.Image):
        return array_from_image(value.convert("RGB"))
    return np.asarray(value, np.float32)


RUNNER = Coreml()
