"""Profiled runs of an ONNX model: ONNX Runtime's optimized graph, node by node."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, first_line
from styleexport.runtime_bench.formats._onnx_macs import (
    INTEGER_OPS,
    fed_inputs,
    macs_by_node,
    sources,
    weighed_tensors,
)

KERNEL = "_kernel_time"
RUN = "model_run"
# Length of axes that a file leaves open: enough for four halvings and a reflection.
OPEN_AXIS = 64


class _Arguments(msgspec.Struct, frozen=True):
    """Arguments of a profile event: the node's type, provider and input shapes."""

    op_name: str = ""
    provider: str = ""
    input_type_shape: tuple[dict[str, tuple[int, ...]], ...] = ()


class _Event(msgspec.Struct, frozen=True):
    """One event of the profile; session events have a name only."""

    name: str
    dur: int = 0
    args: _Arguments = _Arguments()


@dataclass(frozen=True)
class ProfiledNode:
    """One executed node, with its times.

    Attributes:
        name: node name in the optimized graph.
        op: operation type.
        input_shapes: shapes of its inputs in this run.
        provider: execution provider that ran it.
        samples_ns: kernel time of each measured run, in ns; resolution 1 µs.
    """

    name: str
    op: str
    input_shapes: tuple[tuple[int, ...], ...]
    provider: str = ""
    samples_ns: tuple[int, ...] = ()


@dataclass(frozen=True)
class OnnxProfile:
    """The executed nodes of a model.

    Attributes:
        nodes: nodes in execution order.
        graph: optimized graph, with the same node names.
        runs_ns: duration of each measured run, in ns.
    """

    nodes: tuple[ProfiledNode, ...]
    graph: onnx.GraphProto
    runs_ns: tuple[int, ...] = ()


@dataclass(frozen=True)
class ProfileSettings:
    """Settings of a profile; by default one run.

    Attributes:
        threads: number of intra-op threads; None is the runtime's default.
        providers: execution providers, in order of preference.
        warm_up: number of runs that are not measured.
        seconds: minimum total time of the measured runs.
        runs: minimum and maximum number of measured runs.
    """

    threads: int | None = None
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    warm_up: int = 0
    seconds: float = 0.0
    runs: tuple[int, int] = (1, 1)


ONE_RUN = ProfileSettings()


def profile_model(
    model: onnx.ModelProto, inputs: Arrays, settings: ProfileSettings = ONE_RUN
) -> OnnxProfile:
    """Return the nodes that ONNX Runtime executes of a model, read from its own profile.

    Args:
        model: model to run.
        inputs: input name → array, of the shapes and types that the model declares.
        settings: threads, providers and number of runs.

    Raises:
        BadArtifact: the runtime cannot load or run it.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        options = ort.SessionOptions()
        options.log_severity_level = 4  # it warns that an optimized graph fits this machine only
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.optimized_model_filepath = str(optimized)
        if settings.threads is not None:
            options.intra_op_num_threads = settings.threads
        try:
            session = ort.InferenceSession(
                model.SerializeToString(), options, providers=list(settings.providers)
            )
            _run(session, inputs, settings)
        except Exception as error:
            raise BadArtifact(
                f"ONNX Runtime cannot run the file: {first_line(error)}; export the network again"
            ) from error
        events = msgspec.json.decode(Path(session.end_profiling()).read_bytes(), type=list[_Event])
        return OnnxProfile(
            nodes=_nodes(events, settings.warm_up),
            graph=onnx.load(optimized).graph,
            runs_ns=tuple(e.dur * 1000 for e in events if e.name == RUN)[settings.warm_up :],
        )


def _run(session: ort.InferenceSession, inputs: Arrays, settings: ProfileSettings) -> None:
    """Run the warm-up runs, then the measured ones."""
    feed = dict(inputs)
    for _ in range(settings.warm_up):
        session.run(None, feed)
    least, most = settings.runs
    begin, count = time.monotonic(), 0
    while count < least or (count < most and time.monotonic() - begin < settings.seconds):
        session.run(None, feed)
        count += 1


def _nodes(events: list[_Event], warm_up: int) -> tuple[ProfiledNode, ...]:
    """Return the nodes in execution order, with their times in all measured runs."""
    runs: list[list[_Event]] = [[]]
    for event in events:
        if event.name == RUN:
            runs.append([])
        elif event.name.endswith(KERNEL):
            runs[-1].append(event)
    measured = [run for run in runs if run][warm_up:]
    first = measured[0] if measured else []
    alike = [run for run in measured if [e.name for e in run] == [e.name for e in first]]
    return tuple(
        ProfiledNode(
            name=event.name.removesuffix(KERNEL),
            op=event.args.op_name,
            input_shapes=tuple(s for item in event.args.input_type_shape for s in item.values()),
            provider=event.args.provider,
            samples_ns=tuple(run[number].dur * 1000 for run in alike),
        )
        for number, event in enumerate(first)
    )


def macs_at(model: onnx.ModelProto, inputs: Arrays) -> dict[str, int]:
    """Return node name → MACs at the sizes of some inputs, which the model may leave open.

    Args:
        model: model whose nodes have names.
        inputs: input name → array.

    Raises:
        BadArtifact: the runtime cannot load or run it.
    """
    if all(dim.dim_value for x in fed_inputs(model) for dim in x.type.tensor_type.shape.dim):
        return macs_by_node(model)
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    made = [name for node in model.graph.node for name in weighed_tensors(node)]
    known = {value.name for value in (*model.graph.input, *model.graph.initializer)}
    names = sorted(set(made) - known)
    del tapped.graph.output[:]
    tapped.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(
            tapped.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        values = session.run(names, dict(inputs))
    except Exception as error:
        raise BadArtifact(
            f"ONNX Runtime cannot run the file: {first_line(error)}; export the network again"
        ) from error
    shapes = {name: [*np.shape(np.asarray(x))] for name, x in zip(names, values, strict=True)}
    return macs_by_node(model, shapes | {name: list(x.shape) for name, x in inputs.items()})


def integer_mac_share(model: onnx.ModelProto, inputs: Arrays) -> float:
    """Return the share of a model's MACs that ONNX Runtime computes in integers, 0..1.

    Read from the runtime's own profile of one run: the executed operations, not the requested ones.

    Args:
        model: model to run.
        inputs: input name → array; where the model leaves sizes open, it is counted at theirs.
    """
    macs = macs_at(model, inputs)
    nodes = profile_model(model, inputs).nodes
    integer = sources((node.name for node in nodes if node.op in INTEGER_OPS), macs)
    total = sum(macs.values())
    return sum(macs[name] for name in integer) / total if total else 0.0


def blank_inputs(model: onnx.ModelProto) -> Arrays:
    """Return input name → zeros; an axis of open length is 1 where it comes first, else 64."""
    return {
        value.name: np.zeros(
            [
                dim.dim_value or (OPEN_AXIS if number else 1)
                for number, dim in enumerate(value.type.tensor_type.shape.dim)
            ],
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type),
        )
        for value in fed_inputs(model)
    }
