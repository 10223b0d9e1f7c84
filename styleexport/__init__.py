"""styleexport: trained style-transfer networks, exported for phones and proven right.

>>> import styleexport as se
>>> network = se.open_network("adain-residual")
>>> manifest = se.export(se.ExportRequest(network, out=se.Path("artifact")))  # doctest: +SKIP
>>> stylizer = se.Stylizer(se.Path("artifact"))  # doctest: +SKIP

Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from styleexport.core.errors import StyleExportError as StyleExportError
    from styleexport.core.manifest import Manifest as Manifest
    from styleexport.core.manifest import read_manifest as read_manifest
    from styleexport.core.types import Precision as Precision
    from styleexport.core.types import Role as Role
    from styleexport.core.types import Size as Size
    from styleexport.exporter.pipeline import ExportRequest as ExportRequest
    from styleexport.exporter.pipeline import export as export
    from styleexport.models.networks._open import open_network as open_network
    from styleexport.runtime_bench.parity import check_artifact as check_artifact
    from styleexport.runtime_bench.stylize.stylizer import Stylizer as Stylizer

__version__ = "0.1.0"

_HOMES = {
    "ExportRequest": "exporter.pipeline",
    "Manifest": "core.manifest",
    "Precision": "core.types",
    "Role": "core.types",
    "Size": "core.types",
    "StyleExportError": "core.errors",
    "Stylizer": "runtime_bench.stylize.stylizer",
    "check_artifact": "runtime_bench.parity",
    "export": "exporter.pipeline",
    "open_network": "models.networks._open",
    "read_manifest": "core.manifest",
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
