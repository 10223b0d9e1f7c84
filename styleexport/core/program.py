"""Captured programs: ``torch.export`` archives without code, written reproducibly.

torch's reader can run code from an archive in many ways: pickles (marked entries, opaque constants,
old weight files, sample inputs), compiled libraries, Python's ``eval`` on expressions, and ``exec``
on source that it generates from the archive's names. So only entries that a plain network needs are
allowed, with plain names in them, and torch reads a copy of the entries that were checked.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import shutil
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from styleexport.core.archives import check_unpacked
from styleexport.core.errors import BadCheckpoint
from styleexport.core.input_files import check_input

if TYPE_CHECKING:
    from torch.export import ExportedProgram

MAX_JSON_BYTES = 256 << 20
TRACE_KEYS = ("stack_trace", "source_fn_stack", "torch_fn", "from_node")
SAFE_ENTRY = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)"
    r"|models/model\.json|data/sample_inputs/model\.pt|extra/[\w.\-]+"
    r"|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)"
)
SAFE_PAYLOAD = re.compile(r"(weight|tensor)_\d+")
SAFE_TARGET = re.compile(r"torch\.ops\.aten\.\w+(\.\w+)?|_operator\.\w+|math\.\w+|torch\.sym_\w+")
SAFE_EXPRESSION = re.compile(r"[A-Za-z0-9+\-*/(), <>=]*")
# An expression reaches Python's own functions (eval, chr …): its names are a closed list.
SAFE_NAME = re.compile(
    r"[a-z]{1,3}\d+|[Tt]rue|[Ff]alse|Integer|Rational|Add|Mul|Pow|Max|Min|Mod|Abs|floor|ceiling"
    r"|Equality|Unequality|(Strict)?(Less|Greater)Than|Eq|Ne|And|Or|Not|Piecewise"
    r"|PythonMod|ModularIndexing|FloorDiv|CleanDiv|CeilDiv|(Ceil|Floor|Trunc|Round)ToInt"
    r"|(Int|Float)TrueDiv|FloatPow|PowByNatural|ToFloat|Identity"
)
QUOTED = re.compile(r"Symbol\('\w+'(, \w+=True)*\)|Float\('[\d.e+\-]+', precision=\d+\)")
SAFE_WORD = re.compile(r"[\w.@+\-]*")
SAFE_SPEC = re.compile(r"[\w\s.\"\\\[\]{}:,]*")
SPEC_TYPES = re.compile(r"\\*\"type\\*\": *\\*\"(?!builtins\.(?:tuple|list|dict)\\*\")([^\"\\]*)")


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program reproducibly: without stack traces, sample inputs or a date."""
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
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def load_program(path: Path, *, trusted: bool = False) -> ExportedProgram:
    """Return the program of an archive without code, or of any archive if ``trusted``.

    Raises:
        BadCheckpoint: missing, damaged, not a program, or able to run code.
    """
    import torch

    remedy = "type the path of a .pt2 file"
    check_input(path, "program", error=BadCheckpoint, remedy=remedy)
    check_unpacked(path, "program", BadCheckpoint)
    with _logged_errors() as causes:
        try:
            return torch.export.load(path if trusted else _without_code(path))
        except BadCheckpoint:
            raise
        except Exception as error:  # what damaged bytes make a reader raise is not a closed list
            cause = causes[-1] if causes else error
            reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
            raise BadCheckpoint(
                f"program {path} cannot be read: {reason[:200]}; save it again with "
                "torch.export.save(program, path)"
            ) from error


@contextlib.contextmanager
def _logged_errors() -> Generator[list[BaseException]]:
    """Collect the errors that torch logs with tracebacks before it raises one without a cause."""
    causes: list[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            causes.append(record.exc_info[1])
        return False

    logger = logging.getLogger("torch.export")
    logger.addFilter(keep)
    try:
        yield causes
    finally:
        logger.removeFilter(keep)


def _without_code(path: Path) -> io.BytesIO:
    """Return a copy of an archive, each entry checked to contain no code.

    Raises:
        BadCheckpoint: an entry can run code.
        ValueError: it is not a program.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as checked:
        copied: set[str] = set()
        if not any(name.endswith("/models/model.json") for name in archive.namelist()):
            raise ValueError("it holds no models/model.json: truncated, or of an older torch")
        for info in archive.infolist():
            root, _, entry = info.filename.partition("/")
            reason = _entry_reason(entry, archive, info)
            if entry in copied or not SAFE_WORD.fullmatch(root):
                reason = "a second entry of one name"
            if reason:
                raise BadCheckpoint(
                    f"program {path} can run code when it is read ({reason} in {info.filename}) "
                    "and was not read: save it again without, or add --trust if you know who made "
                    "it"
                )
            copied.add(entry)
            with archive.open(info) as source, checked.open(f"archive/{entry}", "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    copy.seek(0)
    return copy


def _entry_reason(entry: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str | None:
    if not SAFE_ENTRY.fullmatch(entry):
        return "an entry that plain programs do not have"
    if entry.startswith("data/sample_inputs/"):
        return _pickle_reason(archive.read(info))
    if entry.endswith(".json") and not entry.startswith("extra/"):
        if info.file_size > MAX_JSON_BYTES:
            raise ValueError(f"{entry} has {info.file_size} bytes, more than a graph needs")
        return next(_reasons(json.loads(archive.read(info))), None)
    return None


def _pickle_reason(data: bytes) -> str | None:
    import torch

    try:
        if data:
            torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # noqa: BLE001 - whatever it is, torch would try again with code allowed
        return "a pickle with more than tensors"
    return None


def _reasons(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str) and not SAFE_WORD.fullmatch(value):
        yield f"the name {value[:60]!r}"
    if isinstance(value, list):
        for item in value:
            yield from _reasons(item)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key in ("metadata", "as_string", "torch_version"):
            continue
        if key in ("use_pickle", "guards_code", "path_name"):
            plain = SAFE_PAYLOAD.fullmatch(str(item)) if key == "path_name" else not item
            if not plain:
                yield "guard code" if key == "guards_code" else "a pickled entry"
        elif key == "target" and isinstance(item, str):
            if not SAFE_TARGET.fullmatch(item):
                yield f"a call of {item[:60]}"
        elif key == "expr_str":
            if not _is_plain_expression(str(item)):
                yield "an expression"
        elif key in ("in_spec", "out_spec"):
            if not SAFE_SPEC.fullmatch(str(item)) or SPEC_TYPES.search(str(item)):
                yield "a container that is not a tuple, list or dict"
        else:
            yield from _reasons(key)
            yield from _reasons(item)


def _is_plain_expression(text: str) -> bool:
    bare = QUOTED.sub("1", text)
    names = re.findall(r"\b[A-Za-z_]\w*", bare)
    return bool(SAFE_EXPRESSION.fullmatch(bare)) and all(map(SAFE_NAME.fullmatch, names))
