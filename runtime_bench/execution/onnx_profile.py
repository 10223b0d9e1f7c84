"""Profiled runs of an ONNX model: the graph that ONNX Runtime made of it, node by node."""

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
from styleexport.runtime_bench.formats._onnx_macs import INTEGER_OPS, macs_by_node, sources

KERNEL = "_kernel_time"
RUN = "model_run"
# For axes that a file leaves open: enough for four halvings and a reflection.
OPEN_AXIS = 64


class _Arguments(msgspec.Struct, frozen=True):
    """What the profile says of a node."""

    op_name: str = ""
    provider: str = ""
    input_type_shape: tuple[dict[str, tuple[int, ...]], ...] = ()


class _Event(msgspec.Struct, frozen=True):
    """One line of the profile; of the session's own lines only the name is wanted."""

    name: str
    dur: int = 0
    args: _Arguments = _Arguments()


@dataclass(frozen=True)
class ExecutedNode:
    """One node that was executed.

    Attributes:
        name: in the optimized graph.
        op: the operation.
        read: shapes of its inputs, as they were.
        provider: the execution provider that ran it.
        samples_ns: how long it took, one a run; whole microseconds.
    """

    name: str
    op: str
    read: tuple[tuple[int, ...], ...]
    provider: str = ""
    samples_ns: tuple[int, ...] = ()


@dataclass(frozen=True)
class Profile:
    """What a run executed.

    Attributes:
        nodes: in the order they ran.
        graph: the optimized graph, whose nodes have the same names.
        runs_ns: whole runs.
    """

    nodes: tuple[ExecutedNode, ...]
    graph: onnx.GraphProto
    runs_ns: tuple[int, ...] = ()


@dataclass(frozen=True)
class Profiling:
    """How to profile: by default one run.

    Attributes:
        threads: of the runtime; None leaves it to the runtime.
        providers: execution providers, in order of preference.
        warm_up: runs before those that count.
        seconds: to go on running.
        runs: the least and the most that count.
    """

    threads: int | None = None
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    warm_up: int = 0
    seconds: float = 0.0
    runs: tuple[int, int] = (1, 1)


ONE_RUN = Profiling()


def profile(model: onnx.ModelProto, inputs: Arrays, how: Profiling = ONE_RUN) -> Profile:
    """Return what ONNX Runtime executes of a model, read from its own profile.

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
        if how.threads is not None:
            settings.intra_op_num_threads = how.threads
        try:
            session = ort.InferenceSession(
                model.SerializeToString(), settings, providers=list(how.providers)
            )
            _run(session, inputs, how)
        except Exception as error:
            raise BadArtifact(
                f"ONNX Runtime cannot run the file: {first_line(error)}; export the network again"
            ) from error
        events = msgspec.json.decode(Path(session.end_profiling()).read_bytes(), type=list[_Event])
        return Profile(
            nodes=_nodes(events, how.warm_up),
            graph=onnx.load(optimized).graph,
            runs_ns=tuple(e.dur * 1000 for e in events if e.name == RUN)[how.warm_up :],
        )


def _run(session: ort.InferenceSession, inputs: Arrays, how: Profiling) -> None:
    """Run the warm-up and what counts."""
    feed = dict(inputs)
    for _ in range(how.warm_up):
        session.run(None, feed)
    least, most = how.runs
    begin, count = time.monotonic(), 0
    while count < least or (count < most and time.monotonic() - begin < how.seconds):
        session.run(None, feed)
        count += 1


def _nodes(events: list[_Event], skipped: int) -> tuple[ExecutedNode, ...]:
    """Return the nodes in the order of the first run that counts, with the times of all runs."""
    runs: list[list[_Event]] = [[]]
    for event in events:
        if event.name == RUN:
            runs.append([])
        elif event.name.endswith(KERNEL):
            runs[-1].append(event)
    counted = [run for run in runs if run][skipped:]
    first = counted[0] if counted else []
    alike = [run for run in counted if [e.name for e in run] == [e.name for e in first]]
    return tuple(
        ExecutedNode(
            name=event.name.removesuffix(KERNEL),
            op=event.args.op_name,
            read=tuple(s for item in event.args.input_type_shape for s in item.values()),
            provider=event.args.provider,
            samples_ns=tuple(run[number].dur * 1000 for run in alike),
        )
        for number, event in enumerate(first)
    )


def integer_mac_share(model: onnx.ModelProto, inputs: Arrays) -> float:
    """Return the share (0..1) of a model's MACs that ONNX Runtime computes in integers.

    It is read from the runtime's own profile of one run: what was executed, not what was asked for.
    """
    macs = macs_by_node(model)
    executed = profile(model, inputs).nodes
    integer = sources((node.name for node in executed if node.op in INTEGER_OPS), macs)
    total = sum(macs.values())
    return sum(macs[name] for name in integer) / total if total else 0.0


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
