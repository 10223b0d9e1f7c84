"""The directory is the registry: a public module in a package is an entry of that name."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
from collections.abc import Generator
from functools import cache
from pathlib import Path

from styleexport.core.errors import MissingExtra, UsageError
from styleexport.core.quiet import quiet

EXTRA_OF_LIBRARY = {
    "coremltools": "coreml",
    "sklearn": "coreml",
    "ai_edge_litert": "tflite",
    "ai_edge_quantizer": "tflite",
    "litert_torch": "tflite",
    "openvino": "bench",
    "distributed": "sweep",
    "dask": "sweep",
}


@cache
def names(package: str) -> tuple[str, ...]:
    """Return the entries of a package, sorted: modules and folders without a leading underscore.

    An entry ``adain_lite.py`` is called ``adain-lite``. Nothing is imported but the package itself.
    """
    spec = importlib.util.find_spec(package)
    assert spec is not None, package
    assert spec.submodule_search_locations is not None, package
    found: set[str] = set()
    for folder in map(Path, spec.submodule_search_locations):
        found |= {path.stem for path in folder.glob("*.py")}
        found |= {path.parent.name for path in folder.glob("*/__init__.py")}
    return tuple(sorted(name.replace("_", "-") for name in found if not name.startswith("_")))


@contextlib.contextmanager
def needs(name: str) -> Generator[None]:
    """Say which extra to install where the block imports an optional library that is not there.

    What libraries print while they are imported is kept from the user's terminal.

    Raises:
        MissingExtra: ``name`` needs a library of one of the extras.
    """
    try:
        with quiet():
            yield
    except ModuleNotFoundError as error:
        library = (error.name or "").split(".")[0]
        if library not in EXTRA_OF_LIBRARY:
            raise
        raise MissingExtra(
            f"{name} needs {library}, which is not installed: "
            f"pip install 'styleexport[{EXTRA_OF_LIBRARY[library]}]'"
        ) from error


def load(package: str, name: str, constant: str) -> object:
    """Return the constant that the entry ``name`` of ``package`` exposes.

    Raises:
        UsageError: there is no such entry.
        MissingExtra: the entry needs a library that is not installed.
    """
    if name not in names(package):
        kind = constant.lower()
        raise UsageError(
            f"unknown {kind} {name!r}: expected one of {', '.join(names(package))}"
            + _suggestion(name, names(package))
        )
    with needs(name):
        module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    return getattr(module, constant)


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    import difflib

    close = difflib.get_close_matches(re.sub(r"[_\s]+", "-", name.lower()), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
