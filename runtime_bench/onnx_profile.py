"""One profiled run of an ONNX model: the graph that ONNX Runtime made of it, node by node."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort

from styleexport.core.errors import BadArtifact, first_line
from styleexport.runtime_bench.runners._runner import Arrays

KERNEL = "_kernel_time"
# For axes that a file leaves open: enough for four halvings and a reflection.
OPEN_AXIS = 64


class _Arguments(msgspec.Struct, frozen=True):
    """What the profile says of a node."""

    op_name: str = ""
    input_type_shape: tuple[dict[str, tuple[int, ...]], ...] = ()


class _Event(msgspec.Struct, frozen=True):
    """One line of the profile; of the session's own lines only the name is wanted."""

    name: str
    args: _Arguments = _Arguments()


@dataclass(frozen=True)
class ExecutedNode:
    """One node that was executed.

    Attributes:
        name: in the optimized graph.
        op: the operation.
        read: shapes of its inputs, as they were.
    """

    name: str
    op: str
    read: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Profile:
    """What a run executed.

    Attributes:
        nodes: in the order they ran.
        graph: the optimized graph, whose nodes have the same names.
    """

    nodes: tuple[ExecutedNode, ...]
    graph: onnx.GraphProto


def profile(model: onnx.ModelProto, inputs: Arrays) -> Profile:
    """Return what ONNX Runtime executes of a model, read from its own profile of one run.

    Raises:
        BadArtifact: the runtime cannot load or run it.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        settings = ort.SessionOptions()
        settings.log_severity_level = 4  # it warns that an optimized graph fits this machine only
        settings.enable_profiling = True
        settings.profile_file_prefix = str(Path(folder) / "profile")
        settings.optimized_model_filepath = str(optimized)
        try:
            session = ort.InferenceSession(
                model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
            )
            session.run(None, dict(inputs))
        except Exception as error:
            raise BadArtifact(
                f"ONNX Runtime cannot run the file: {first_line(error)}; export the network again"
            ) from error
        events = msgspec.json.decode(Path(session.end_profiling()).read_bytes(), type=list[_Event])
        return Profile(
            nodes=tuple(
                ExecutedNode(
                    name=event.name.removesuffix(KERNEL),
                    op=event.args.op_name,
                    read=tuple(s for item in event.args.input_type_shape for s in item.values()),
                )
                for event in events
                if event.name.endswith(KERNEL)
            ),
            graph=onnx.load(optimized).graph,
        )


def blank_inputs(model: onnx.ModelProto) -> Arrays:
    """Return zeros for every input of a model; the first axis of open ones is 1, others 64."""
    return {
        value.name: np.zeros(
            [
                dim.dim_value or (OPEN_AXIS if number else 1)
                for number, dim in enumerate(value.type.tensor_type.shape.dim)
            ],
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
        )
        for value in model.graph.input
    }
