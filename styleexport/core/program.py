"""Captured programs on disk: ``torch.export`` archives that hold no code, written reproducibly.

torch's own reader falls back to unpickling with code allowed in three places: entries marked as
pickled, sample inputs, and, through expressions, Python's ``eval``. An archive is therefore looked
into before torch sees it.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from styleexport.core.errors import BadCheckpoint
from styleexport.core.files import replace_file

if TYPE_CHECKING:
    from torch.export import ExportedProgram

TRACE_KEYS = ("stack_trace", "source_fn_stack", "torch_fn", "from_node")
SAFE_TARGET = re.compile(r"torch\.ops\.aten\.\w+(\.\w+)?|_operator\.\w+|math\.\w+|torch\.sym_\w+")
SAFE_EXPRESSION = re.compile(r"[A-Za-z0-9+\-*/(), <>=]*")


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program without stack traces, sample inputs or a date: same program, same bytes."""
    import torch

    for module in program.graph_module.modules():
        graph = getattr(module, "graph", None)
        for node in graph.nodes if graph is not None else ():
            for key in TRACE_KEYS:
                node.meta.pop(key, None)
    inputs, program._example_inputs = program._example_inputs, None  # pyright: ignore
    try:
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
    finally:
        program._example_inputs = inputs  # pyright: ignore
    with replace_file(path) as part:
        part.write_bytes(buffer.getvalue())


def load_program(path: Path, *, trusted: bool = False) -> ExportedProgram:
    """Return the program of an archive that holds no code, or of any if ``trusted``.

    Raises:
        BadCheckpoint: missing, damaged, not a program, or able to run code.
    """
    import torch

    if not path.is_file():
        raise BadCheckpoint(f"program {path} does not exist; type the path of a .pt2 file")
    try:
        if not trusted:
            with zipfile.ZipFile(path) as archive:
                _refuse_code(path, archive)
        return torch.export.load(path)
    except (zipfile.BadZipFile, KeyError, RuntimeError, ValueError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadCheckpoint(
            f"program {path} cannot be read: {reason[:200]}; save it again with "
            "torch.export.save(program, path)"
        ) from error


def _refuse_code(path: Path, archive: zipfile.ZipFile) -> None:
    for entry in archive.namelist():
        reason = None
        if entry.endswith(".json"):
            reason = next(_reasons(json.loads(archive.read(entry))), None)
        elif "/sample_inputs/" in entry:
            reason = _pickle_reason(archive.read(entry))
        if reason:
            raise BadCheckpoint(
                f"program {path} can run code when it is read ({reason} in {entry}) and was not "
                "read: save it again without, or add --trust if you know who made it"
            )


def _pickle_reason(data: bytes) -> str | None:
    import pickle

    import torch

    try:
        if data:
            torch.load(io.BytesIO(data), weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        return "a pickle with more than tensors"
    return None


def _reasons(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        for item in value:
            yield from _reasons(item)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key == "use_pickle" and item:
            yield "a pickled entry"
        elif key == "guards_code" and item:
            yield "guard code"
        elif key == "target" and isinstance(item, str) and not SAFE_TARGET.fullmatch(item):
            yield f"a call of {item[:60]}"
        elif key == "expr_str" and not SAFE_EXPRESSION.fullmatch(str(item)):
            yield "an expression"
        else:
            yield from _reasons(item)
