"""Plug-in registry: each public module of a package is an entry of that name."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import sys
from collections.abc import Callable, Generator, Sequence
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from styleexport.core.errors import MissingExtra, UsageError, first_line
from styleexport.core.quiet import quiet
from styleexport.core.shadowing import is_protected
from styleexport.core.terminal import visible

EXTRA_OF_LIBRARY = {
    "coreai": "coreai",
    "coreai_torch": "coreai",
    "coremltools": "coreml",
    "sklearn": "coreml",
    "threadpoolctl": "coreml",
    "ai_edge_litert": "tflite",
    "ai_edge_quantizer": "tflite",
    "litert_torch": "tflite",
    "executorch": "executorch",
    "torchao": "executorch",
    "openvino": "bench",
    "distributed": "sweep",
    "dask": "sweep",
    "pynvml": "gpu",
    "av": "film",
    "qai_hub": "aihub",
}


@cache
def names(package: str) -> tuple[str, ...]:
    """Return the entries of a package, sorted: modules and folders without a leading underscore.

    An entry ``adain_lite.py`` is called ``adain-lite``. Nothing is imported.
    """
    top, *below = package.split(".")
    spec = importlib.util.find_spec(top)
    assert spec is not None, package
    assert spec.submodule_search_locations is not None, package
    entries: set[str] = set()
    for folder in (Path(place, *below) for place in spec.submodule_search_locations):
        entries |= {path.stem for path in folder.glob("*.py")}
        entries |= {path.parent.name for path in folder.glob("*/__init__.py")}
    return tuple(sorted(name.replace("_", "-") for name in entries if not name.startswith("_")))


@contextlib.contextmanager
def needs(name: str) -> Generator[None]:
    """Name the extra to install where the block imports an optional library that is missing.

    Output that libraries print while they are imported is suppressed.

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
    check_name(package, name, constant.lower())
    with needs(name):
        module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    return getattr(module, constant)


def check_name(package: str, name: str, kind: str) -> None:
    """Check that a package has an entry, without importing it.

    Raises:
        UsageError: it has none of that name; the nearest is suggested.
    """
    known = names(package)
    if name not in known:
        raise UsageError(
            f"unknown {kind} {name!r}: expected one of {', '.join(known)}" + suggestion(name, known)
        )


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return ``; did you mean …?`` with the closest of the known names, or ""."""
    import difflib

    close = difflib.get_close_matches(re.sub(r"[_\s]+", "-", name.lower()), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def is_function_path(text: str) -> bool:
    """Whether a text has the form ``package.module:function``."""
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text) is not None


@contextlib.contextmanager
def users_code(what: str, doing: str) -> Generator[None]:
    """Run a user's code without our command line; an exit of the code is an error.

    Args:
        what: what the code is, as messages begin: ``network 'train:build'``.
        doing: what is done with it: ``importing train``.

    Raises:
        UsageError: the code ends the process.
    """
    arguments, printed = sys.argv, io.StringIO()
    sys.argv = arguments[:1]
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except SystemExit as error:
        parsed = "usage:" in printed.getvalue()
        printed = io.StringIO()
        reason = (
            "it reads the command line (argparse); move the factory to a module of its own, or "
            "parse the arguments under if __name__ == '__main__'"
            if parsed
            else f"it ends the process (exit code {0 if error.code is None else error.code}); move "
            "the factory to a module that does not"
        )
        raise UsageError(f"{what}: {doing} failed: {reason}") from error
    finally:
        sys.argv = arguments
        sys.stderr.writelines([visible(printed.getvalue())])


def check_module(what: str, path: str) -> None:
    """Check that the package of a user's function is in the current folder or installed.

    Nothing is imported. See `users_function`.

    Raises:
        UsageError: there is none.
    """
    top = path.partition(":")[0].partition(".")[0]
    if top not in sys.modules and not PathFinder.find_spec(top, [str(Path.cwd()), *sys.path]):
        raise UsageError(
            f"{what} {path!r}: no module named {top!r} here; type package.module:function as "
            "Python imports it from this folder"
        )


def users_function(what: str, path: str) -> Callable[..., object]:
    """Return a user's function; like ``-m``, the current folder is searched first.

    Args:
        what: its purpose in messages: ``network``.
        path: ``package.module:function``.

    Raises:
        UsageError: there is none, or importing its module failed.
    """
    module_name, _, function_name = path.partition(":")
    own = Path(f"{module_name.partition('.')[0]}.py")
    if is_protected(module_name) and own.exists():
        raise UsageError(
            f"{what} {path!r}: {own} has the name of a library, which is imported in its place; "
            f"rename it, for example to my_{own}"
        )
    check_module(what, path)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with users_code(f"{what} {path!r}", f"importing {module_name}"):
            function = getattr(importlib.import_module(module_name), function_name, None)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{what} {path!r}: no module named {error.name!r} here; type package.module:function "
            "as Python imports it from this folder"
        ) from error
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{what} {path!r}: importing {module_name} failed with {first_line(error)}; mend "
            "that file (-vv shows where)"
        ) from error
    if not callable(function):
        raise UsageError(f"{what} {path!r}: {module_name} has no function {function_name!r}")
    return function
