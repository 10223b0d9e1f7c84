"""Reading of ONNX files: as data only, with external weights from the file's own folder only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, TensorProto, checker
from onnx.external_data_helper import load_external_data_for_model
from onnx.inliner import inline_local_functions

from styleexport.core.errors import BadCheckpoint, UnsupportedOp, UsageError, first_line
from styleexport.core.input_files import check_input
from styleexport.models.from_onnx.dequantize import is_quantized

# protobuf's own limit; a style network has a hundredth of it.
MAX_BYTES = 2**31 - 1
OLDEST_OPSET = 7
HALF = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
# Most nodes of a model after its functions were inlined.
MAX_NODES = 100_000


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX model and the files that it was read from.

    Attributes:
        model: model with its weights in memory.
        files: the model's file, and the files beside it that hold weights.
    """

    model: ModelProto
    files: tuple[Path, ...]


def read_model(path: Path, *, quantized: bool = False) -> OnnxFile:
    """Return the model of a file, checked to be a plain float network.

    Args:
        path: path of the file.
        quantized: whether it may be quantized.

    Raises:
        BadCheckpoint: the file is missing, damaged, not ONNX or too large, or has weights outside
            its folder.
        UsageError: the network is quantized or in half precision.
        UnsupportedOp: the opset or a sparse weight is not supported, or the functions that the
            file defines stand for too many nodes.
    """
    remedy = "type the path of a .onnx file"
    check_input(path, "network", error=BadCheckpoint, remedy=remedy)
    if not 0 < path.stat().st_size <= MAX_BYTES:
        raise _damaged(path, f"it has {path.stat().st_size} bytes, expected 1 to {MAX_BYTES}")
    try:
        model = _without_functions(onnx.load(path, load_external_data=False), path)
    except UnsupportedOp:
        raise
    except Exception as error:  # what damaged bytes make a reader raise is not a closed list
        raise _damaged(path, first_line(error)) from error
    external = _external_files(model, path)
    if sum(file.stat().st_size for file in external) > MAX_BYTES:
        raise _damaged(path, f"its weights have more than {MAX_BYTES} bytes")
    try:
        load_external_data_for_model(model, str(path.parent))
        _check_kind(model, path, quantized)
        checker.check_model(model)
    except (BadCheckpoint, UsageError, UnsupportedOp):
        raise
    except Exception as error:
        raise _damaged(path, first_line(error)) from error
    return OnnxFile(model, (path, *external))


def _external_files(model: ModelProto, path: Path) -> tuple[Path, ...]:
    """Return the files beside a model that hold weights, sorted.

    Raises:
        BadCheckpoint: one is missing or outside the model's folder.
    """
    folder = path.parent.resolve()
    files: set[Path] = set()
    for tensor in _tensors(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        name = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = (folder / name).resolve()
        if not name or Path(name).is_absolute() or not file.is_relative_to(folder):
            raise BadCheckpoint(
                f"network {path} wants weights from {name!r}, outside its folder, which was not "
                "read: save it again with its weights in it or beside it"
            )
        check_input(
            file,
            f"network {path} has weights in {name!r}:",
            error=BadCheckpoint,
            remedy="put that file beside it",
        )
        files.add(file)
    return tuple(sorted(files))


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _without_functions(model: ModelProto, path: Path) -> ModelProto:
    """Return a model with the nodes of its functions in the place of their calls.

    Raises:
        UnsupportedOp: that would be more than `MAX_NODES`, or a function calls itself.
    """
    if not model.functions:
        return model
    bodies = {(each.domain, each.name): each.node for each in model.functions}

    @cache
    def count(domain: str, name: str) -> int:
        called = bodies.get((domain, name))
        return 1 if called is None else total(called)

    def total(nodes: Iterable[NodeProto]) -> int:
        return sum(count(node.domain, node.op_type) for node in _with_subgraphs(nodes))

    try:
        nodes = total(model.graph.node)
    except RecursionError:
        nodes = sys.maxsize
    if nodes > MAX_NODES:
        raise UnsupportedOp(
            f"network {path} defines functions that stand for more than {MAX_NODES} nodes: export "
            "it again without"
        )
    return inline_local_functions(model)


def _with_subgraphs(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes, and those of the graphs that they hold as attributes."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _with_subgraphs(graph.node)


def _check_kind(model: ModelProto, path: Path, quantized: bool) -> None:
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version < OLDEST_OPSET:
            raise UnsupportedOp(
                f"network {path} is of opset {opset.version}, expected {OLDEST_OPSET} or later: "
                "raise it with onnx.version_converter.convert_version(model, 11)"
            )
    for node in model.graph.node:
        if is_quantized(node) and not quantized:
            raise UsageError(
                f"network {path} is quantized already (node {node.name or node.output[0]!r} is a "
                f"{node.op_type}): give the float32 file that it was made from, or add "
                "--dequantize to take the float network back out"
            )
    kinds = {tensor.data_type for tensor in _tensors(model)}
    kinds |= {value.type.tensor_type.elem_type for value in model.graph.input}
    if kinds & set(HALF):
        raise UsageError(
            f"network {path} is in half precision: give the float32 file that it was made from"
        )
    if model.graph.sparse_initializer:
        raise UnsupportedOp(f"network {path} has sparse weights: save it again with dense ones")


def _damaged(path: Path, reason: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"network {path} cannot be read as ONNX ({reason}): it is truncated, damaged or not an "
        "ONNX file; download or export it again"
    )
