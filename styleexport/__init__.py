"""styleexport: trained style-transfer networks, exported for phones and proven right.

>>> import styleexport as se
>>> exported = se.export("adain-residual", "out", precision="int8", size=512)  # doctest: +SKIP
>>> se.stylize("out", "photo.jpg", style_code="starry-night")  # doctest: +SKIP
>>> se.bench("out")  # doctest: +SKIP

A function for each of the commands export, verify, bench, compare, stylize, quantize, prune, train
and distill, with its options as keywords: see `styleexport.api`.
Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from styleexport.api import bench as bench
    from styleexport.api import compare as compare
    from styleexport.api import distill as distill
    from styleexport.api import export as export
    from styleexport.api import prune as prune
    from styleexport.api import quantize as quantize
    from styleexport.api import stylize as stylize
    from styleexport.api import train as train
    from styleexport.api import verify as verify
    from styleexport.core.errors import StyleExportError as StyleExportError
    from styleexport.core.manifest import Manifest as Manifest
    from styleexport.core.manifest import read_manifest as read_manifest
    from styleexport.core.types import Precision as Precision
    from styleexport.core.types import Role as Role
    from styleexport.core.types import Size as Size
    from styleexport.exporter.pipeline import Exported as Exported
    from styleexport.exporter.pipeline import ExportRequest as ExportRequest
    from styleexport.models.networks._open import open_network as open_network
    from styleexport.runtime_bench.contract.latency import LatencyReport as LatencyReport
    from styleexport.runtime_bench.contract.latency import read_report as read_report
    from styleexport.runtime_bench.parity import check_artifact as check_artifact
    from styleexport.runtime_bench.stylize.stylizer import Stylizer as Stylizer

__version__ = "0.1.0"

_HOMES = {
    "ExportRequest": "exporter.pipeline",
    "Exported": "exporter.pipeline",
    "LatencyReport": "runtime_bench.contract.latency",
    "Manifest": "core.manifest",
    "Precision": "core.types",
    "Role": "core.types",
    "Size": "core.types",
    "StyleExportError": "core.errors",
    "Stylizer": "runtime_bench.stylize.stylizer",
    "bench": "api",
    "check_artifact": "runtime_bench.parity",
    "compare": "api",
    "distill": "api",
    "export": "api",
    "open_network": "models.networks._open",
    "prune": "api",
    "quantize": "api",
    "read_manifest": "core.manifest",
    "read_report": "runtime_bench.contract.latency",
    "stylize": "api",
    "train": "api",
    "verify": "api",
}

__all__ = ["Path", "__version__", *sorted(_HOMES)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    """Import a public name the first time it is used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'styleexport' has no attribute {name!r}")
    return getattr(importlib.import_module(f"styleexport.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
