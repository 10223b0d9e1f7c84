"""LiteRT's C interface for profiling, which its Python package does not expose.

The declarations are those of `litert/c/*.h` as of LiteRT 2.2; an older library, or one without
these functions, is not used.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import importlib.util
from collections.abc import Generator, Mapping
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import BadArtifact
from styleexport.core.plugins import needs

CPU = 1
WRITE = 1
OLDEST = (2, 2)
# Larger than any LiteRtRankedTensorType, whose fields are not read.
TENSOR_TYPE_BYTES = 1024
# Kinds of events, as litert_profiler_event.h numbers them.
WHOLE, OPERATION, DELEGATED = 1, 2, 8


class _Event(ctypes.Structure):
    """Declaration of ``ProfiledEventData``."""

    _fields_ = (
        ("tag", c_char_p),
        ("kind", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_size_t * 6),
        ("index", c_uint64),
        ("more", c_uint64),
        ("source", c_int),
    )


@dataclass(frozen=True)
class Event:
    """A timed event.

    Attributes:
        name: name of the operation or phase.
        kind: ``WHOLE`` for a phase, ``OPERATION`` for one of LiteRT's own kernels, ``DELEGATED``
            for one of a delegate's.
        index: index of the operation in the file, or in its delegate's graph.
        elapsed_ns: elapsed time, in whole microseconds.
    """

    name: str
    kind: int
    index: int
    elapsed_ns: int


class Library:
    """An open file that can be run and profiled; made by `opened`."""

    def __init__(self, library: ctypes.CDLL, path: Path) -> None:
        self._library, self._path = library, path
        self._model, self._profiler = c_void_p(), c_void_p()
        self._inputs: dict[str, c_void_p] = {}
        self._outputs: dict[str, c_void_p] = {}

    def call(self, name: str, *values: object) -> None:
        """Call a function of the library.

        Raises:
            BadArtifact: the function returned an error.
        """
        status = getattr(self._library, name)(*values)
        if status:
            raise BadArtifact(
                f"LiteRT cannot profile {self._path.name}: {name} returned {status}; run it "
                "without --profile"
            )

    def load(self, options: Mapping[bytes, str]) -> None:
        """Compile the file and create its buffers; options are TOML texts by library."""
        environment, model, settings = c_void_p(), c_void_p(), c_void_p()
        self.call("LiteRtCreateEnvironment", 0, None, byref(environment))
        self.call("LiteRtCreateModelFromFile", environment, bytes(self._path), byref(model))
        self.call("LiteRtCreateOptions", byref(settings))
        self.call("LiteRtSetOptionsHardwareAccelerators", settings, CPU)
        for name, text in options.items():
            one = c_void_p()
            self.call("LiteRtCreateOpaqueOptions", name, *_copied(text), byref(one))
            self.call("LiteRtAddOpaqueOptions", settings, one)
        self.call("LiteRtCreateCompiledModel", environment, model, settings, byref(self._model))
        self.call("LiteRtCompiledModelGetProfiler", self._model, byref(self._profiler))
        signature = c_void_p()
        self.call("LiteRtGetModelSignature", model, c_size_t(0), byref(signature))
        self._inputs = self._buffers(environment, signature, "Input")
        self._outputs = self._buffers(environment, signature, "Output")

    def _buffers(self, environment: c_void_p, signature: c_void_p, end: str) -> dict[str, c_void_p]:
        """Return name → buffer of the inputs or outputs, in order."""
        count = c_size_t()
        self.call(f"LiteRtGetNumSignature{end}s", signature, byref(count))
        buffers: dict[str, c_void_p] = {}
        for number in map(c_size_t, range(count.value)):
            name, tensor, requirements, buffer = c_char_p(), c_void_p(), c_void_p(), c_void_p()
            kind = ctypes.create_string_buffer(TENSOR_TYPE_BYTES)
            self.call(f"LiteRtGetSignature{end}Name", signature, number, byref(name))
            self.call(f"LiteRtGetSignature{end}TensorByIndex", signature, number, byref(tensor))
            self.call("LiteRtGetRankedTensorType", tensor, kind)
            self.call(
                f"LiteRtGetCompiledModel{end}BufferRequirements",
                self._model,
                c_size_t(0),
                number,
                byref(requirements),
            )
            self.call(
                "LiteRtCreateManagedTensorBufferFromRequirements",
                environment,
                kind,
                requirements,
                byref(buffer),
            )
            buffers[(name.value or b"").decode()] = buffer
        return buffers

    def feed(self, name: str, value: NDArray[np.float32]) -> None:
        """Set an input, in the file's layout."""
        buffer, address, size = self._inputs[name], c_void_p(), c_size_t()
        self.call("LiteRtGetTensorBufferSize", buffer, byref(size))
        data = np.ascontiguousarray(value).tobytes()
        self.call("LiteRtLockTensorBuffer", buffer, byref(address), WRITE)
        ctypes.memmove(address, data, min(len(data), size.value))
        self.call("LiteRtUnlockTensorBuffer", buffer)

    def run(self) -> None:
        """Run the file once."""
        inputs, outputs = ((c_void_p * len(e))(*e) for e in (self._fed(), self._written()))
        self.call(
            "LiteRtRunCompiledModel",
            self._model,
            c_size_t(0),
            c_size_t(len(inputs)),
            inputs,
            c_size_t(len(outputs)),
            outputs,
        )

    def _fed(self) -> list[int | None]:
        return [buffer.value for buffer in self._inputs.values()]

    def _written(self) -> list[int | None]:
        return [buffer.value for buffer in self._outputs.values()]

    @contextlib.contextmanager
    def profiling(self) -> Generator[list[Event]]:
        """Profile the runs inside the block; the list holds the events when it ends."""
        events: list[Event] = []
        self.call("LiteRtStartProfiler", self._profiler)
        yield events
        self.call("LiteRtStopProfiler", self._profiler)
        count = c_int()
        self.call("LiteRtGetNumProfilerEvents", self._profiler, byref(count))
        raw = (_Event * count.value)()
        self.call("LiteRtGetProfilerEvents", self._profiler, count, raw)
        events.extend(
            Event(item.tag.decode(errors="replace"), item.kind, item.index, item.elapsed_us * 1000)
            for item in raw
        )


def opened(path: Path, options: Mapping[bytes, str]) -> Library | None:
    """Return a file loaded for profiling; None where this LiteRT exposes no profiler.

    Its memory is freed when the process ends, which a worker soon does.

    Raises:
        BadArtifact: LiteRT cannot load the file.
        MissingExtra: LiteRT is not installed.
    """
    with needs("LiteRT"):
        spec = importlib.util.find_spec("ai_edge_litert")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name="ai_edge_litert")
    file = next(Path(spec.origin).parent.glob("libLiteRt.*"), None)
    version = importlib.metadata.version("ai-edge-litert").split(".")
    if file is None or tuple(int(part) for part in version[:2]) < OLDEST:
        return None
    library = ctypes.CDLL(str(file))
    if not hasattr(library, "LiteRtGetProfilerEvents"):
        return None
    opened_file = Library(library, path)
    opened_file.load(options)
    return opened_file


def _copied(text: str) -> tuple[c_void_p, c_void_p]:
    """Return a copy of a text for the library to own, and the function that frees it."""
    libc = ctypes.CDLL(None)
    libc.strdup.restype = c_void_p
    return c_void_p(libc.strdup(text.encode())), ctypes.cast(libc.free, c_void_p)
