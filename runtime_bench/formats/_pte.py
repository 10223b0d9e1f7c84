"""Reader of ExecuTorch's ``.pte`` files: the program, and the graphs of its XNNPACK partitions.

Field numbers are those of ExecuTorch's ``program.fbs`` and of XNNPACK's ``schema.fbs``, to which
versions only add. The library is not needed.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from styleexport.core.errors import BadArtifact, first_line
from styleexport.core.input_files import read_input
from styleexport.runtime_bench.formats._flatbuffer import Table

IDENTIFIER, HEADER = b"ET12", b"eh00"
PARTITION_HEADER, PARTITION_IDENTIFIER = b"XH00", b"XN01"
TENSOR, STRING, KERNEL_CALL, DELEGATE_CALL = 5, 6, 1, 2
# Methods that return nothing but strings: the names of what the method of the graph takes and
# gives, and names and texts, in turns, of what the file says of itself.
INPUT_NAMES, OUTPUT_NAMES, ABOUT = "input_names", "output_names", "about"
XNNPACK = "XnnpackBackend"
SCALARS = {0: "uint8", 1: "int8", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 11: "bool"}
DTYPES = {
    1: "float32", 2: "float16", 3: "int8", 4: "uint8", 5: "int32", 6: "int8", 7: "int32",
    8: "int4", 9: "int8", 10: "int4", 11: "int8", 12: "int32", 13: "float32", 14: "bfloat16",
}  # fmt: skip
BYTES = {"int8": 1, "uint8": 1, "bool": 1, "float16": 2, "bfloat16": 2, "int64": 8, "int4": 0.5}
TWO, ONE = ((0, 1), (2,)), ((0,), (1,))
CONV, CAT, POOL = ((15, 16, 17), (18,)), ((1, 2, 3, 4, 7), (5,)), ((10,), (11,))
# Kinds of nodes in the order of XNodeUnion: name, fields of the values read, of those written.
NODES = (
    ("Add", TWO), ("FullyConnected", ((0, 1, 2), (3,))), ("Softmax", ONE), ("Sigmoid", ONE),
    ("StaticTranspose", ((2,), (3,))), ("Clamp", ONE), ("Conv2d", CONV), ("Div", TWO),
    ("StaticResizeBilinear2D", ((2,), (3,))), ("StaticConstantPad", ((3,), (4,))),
    ("AvgPooling2d", POOL), ("Minimum", TWO), ("DepthwiseConv2d", CONV), ("MaxPooling2d", POOL),
    ("Multiply", TWO), ("Subtract", TWO), ("Floor", ONE), ("Convert", ONE),
    ("GlobalAvgPooling2d", ONE), ("StaticReshape", ((2,), (3,))),
    ("ArgMaxPooling2d", ((6,), (7, 8))), ("SquareRoot", ONE), ("Ceiling", ONE), ("Hardswish", ONE),
    ("LeakyReLU", ((1,), (2,))), ("Maximum", TWO), ("Negate", ONE), ("Square", ONE),
    ("ELU", ((1,), (2,))), ("Abs", ONE), ("PReLU", TWO), ("Concatenate2", CAT),
    ("Concatenate3", CAT), ("Concatenate4", CAT), ("StaticSlice", ((3,), (4,))),
    ("ScaledDotProductAttention", ((0, 1, 2, 3, 4), (5,))), ("BatchMatrixMultiply", TWO),
    ("Concatenate5", CAT), ("ConvTranspose2d", CONV), ("ReciprocalSquareRoot", ONE), ("Log", ONE),
    ("Gelu", ONE), ("Tanh", ONE), ("Exp", ONE), ("Sin", ONE), ("Copy", ONE), ("Cos", ONE),
)  # fmt: skip


@dataclass(frozen=True)
class PteValue:
    """A tensor.

    Attributes:
        dtype: element type in numpy's spelling.
        shape: axis lengths; inside a partition channels last, as XNNPACK has them.
        constant: key of its stored bytes; None for an activation.
        stored_bytes: number of its stored bytes.
        external: whether it is an input or output of the partition.
    """

    dtype: str
    shape: tuple[int, ...]
    constant: str | None = None
    stored_bytes: int = 0
    external: bool = False

    @property
    def size_bytes(self) -> int:
        """Size in memory."""
        return math.ceil(math.prod(self.shape) * BYTES.get(self.dtype, 4))

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class PteNode:
    """A node of a partition.

    Attributes:
        name: name in XNNPACK.
        reads: indices of the values that it reads.
        writes: indices of the values that it writes.
        macs: multiply-accumulates.
        permutation: order of the axes that a transposition makes; () of other nodes.
    """

    name: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    macs: int
    permutation: tuple[int, ...] = ()


@dataclass(frozen=True)
class Partition:
    """A part of the graph that a delegate computes; without nodes where that is not XNNPACK.

    Attributes:
        delegate: name of the delegate.
        nodes: nodes in execution order.
        values: values by index.
        outputs: indices of the values that leave it.
        arguments: what it is called with: inputs, then outputs, by their names in the file; ""
            for what passes between two partitions.
        data: its bytes, of delegates other than XNNPACK.
    """

    delegate: str
    nodes: tuple[PteNode, ...] = ()
    values: tuple[PteValue, ...] = ()
    outputs: tuple[int, ...] = ()
    arguments: tuple[str, ...] = ()
    data: bytes = field(default=b"", repr=False)

    def is_int8(self, node: PteNode) -> bool:
        """Whether both factors of a node are integers."""
        return all(self.values[index].dtype == "int8" for index in node.reads[:2])


@dataclass(frozen=True)
class PteFile:
    """The method of a file.

    Attributes:
        method: name of the method.
        inputs: name → input, in order; numbers are the names where the file holds none.
        outputs: name → output, in order.
        constants: constants outside partitions.
        partitions: partitions, in order.
        kernels: operation of ExecuTorch's own kernels → number of calls.
        planned_bytes: memory that the file plans for values outside partitions.
        about: what the file says of itself, by name.
    """

    method: str
    inputs: dict[str, PteValue]
    outputs: dict[str, PteValue]
    constants: tuple[PteValue, ...]
    partitions: tuple[Partition, ...]
    kernels: dict[str, int]
    planned_bytes: int
    about: dict[str, str]

    def int8_mac_share(self) -> float:
        """Return the share of the MACs whose operands are both integers, 0..1."""
        found = [(part.is_int8(node), node.macs) for part in self.partitions for node in part.nodes]
        total = sum(macs for _, macs in found)
        return round(sum(macs for integer, macs in found if integer) / total, 4) if total else 0.0


def partitions_text(file: PteFile) -> str:
    """Return the number of partitions of each delegate, and of calls outside them, in words."""
    counts = Counter(part.delegate for part in file.partitions)
    parts = [f"{count} of {name}" for name, count in counts.most_common()] or ["none"]
    calls = sum(file.kernels.values())
    return f"{', '.join(parts)}; {calls} calls of ExecuTorch's own kernels outside"


def read_pte(path: Path) -> PteFile:
    """Return the method of a ``.pte`` file.

    Raises:
        BadArtifact: the file is missing, truncated, altered, or of another version of the format.
    """
    data = read_input(path, error=BadArtifact, remedy="type the path of a .pte file")
    if data[4:8] != IDENTIFIER:
        version = data[4:8].decode("ascii", errors="replace")
        other = version.startswith("ET") and version.isalnum()
        what = f"a .pte file of version {version} of the format" if other else "not a .pte file"
        raise BadArtifact(
            f"{path} is {what}: expected {IDENTIFIER.decode()} at its byte 4; "
            + ("export the network again" if other else "type the path of a .pte file")
        )
    try:
        return _file(data)
    except Exception as error:  # damaged bytes may raise anything
        outside = isinstance(error, struct.error | IndexError)
        reason = "it points behind its own end" if outside else first_line(error)
        raise BadArtifact(
            f"{path} is not a whole .pte file ({reason}): it was cut off or altered; export the "
            "network again"
        ) from error


def _file(data: bytes) -> PteFile:
    program = Table.root(data)
    plans = {plan.text(0): plan for plan in program.tables(1)}
    named = {key: _strings(plans.pop(key, None)) for key in (INPUT_NAMES, OUTPUT_NAMES, ABOUT)}
    if len(plans) != 1:
        raise ValueError(f"it holds {len(plans)} methods, expected 1")
    ((method, plan),) = plans.items()
    values = [_value(item) for item in plan.tables(2)]
    calls = [item for chain in plan.tables(5) for item in chain.tables(2)]
    operators = [".".join(filter(None, (x.text(0), x.text(1)))) for x in plan.tables(6)]
    kernels = Counter(
        operators[call.number(0, "<i")]
        for item in calls
        if item.number(0, "<B") == KERNEL_CALL and (call := item.table(1)) is not None
    )
    blobs = _Blobs(data, program)
    places = plan.numbers(3, "<i"), plan.numbers(4, "<i")
    inputs = _tensors(values, places[0], named[INPUT_NAMES])
    outputs = _tensors(values, places[1], named[OUTPUT_NAMES])
    names = dict(zip((*places[0], *places[1]), (*inputs, *outputs), strict=False))
    called = {
        call.number(0, "<i"): tuple(names.get(place, "") for place in call.numbers(1, "<i"))
        for item in calls
        if item.number(0, "<B") == DELEGATE_CALL and (call := item.table(1)) is not None
    }
    partitions = [_partition(item, blobs) for item in plan.tables(7)]
    return PteFile(
        method=method,
        inputs=inputs,
        outputs=outputs,
        constants=tuple(value for value in values if value and value.constant is not None),
        partitions=tuple(
            replace(part, arguments=called.get(index, ())) for index, part in enumerate(partitions)
        ),
        kernels=dict(kernels.most_common()),
        planned_bytes=sum(plan.numbers(8, "<q")),
        about=dict(zip(named[ABOUT][::2], named[ABOUT][1::2], strict=False)),
    )


def _strings(plan: Table | None) -> tuple[str, ...]:
    """Return the strings that a method returns; () where there is none."""
    if plan is None:
        return ()
    values = plan.tables(2)
    found = [values[index] for index in plan.numbers(4, "<i")]
    texts = [item.table(1) for item in found if item.number(0, "<B") == STRING]
    return tuple(item.text(0) for item in texts if item is not None)


def _tensors(
    values: list[PteValue | None], places: tuple[int, ...], names: tuple[str, ...]
) -> dict[str, PteValue]:
    found = [value for place in places if (value := values[place]) is not None]
    names = names if len(names) == len(found) else tuple(map(str, range(len(found))))
    return dict(zip(names, found, strict=True))


def _value(item: Table) -> PteValue | None:
    """Return a tensor of the program, None for a number or a list."""
    tensor = item.table(1)
    if item.number(0, "<B") != TENSOR or tensor is None:
        return None
    dtype = SCALARS.get(tensor.number(0, "<b"), "float32")
    index, planned = tensor.number(5), tensor.table(6) is not None
    value = PteValue(dtype, tensor.numbers(2, "<i"))
    stored = index > 0 and not planned
    return PteValue(dtype, value.shape, str(index), value.size_bytes) if stored else value


class _Blobs:
    """The data of a file behind its program: partitions and named constants."""

    def __init__(self, data: bytes, program: Table) -> None:
        self.inline = [item.raw(0) for item in program.tables(3)]
        has_header = data[8:12] == HEADER
        base = struct.unpack_from("<Q", data, 24)[0] if has_header else 0
        self.segments: list[bytes] = []
        for item in program.tables(4):
            start, size = base + item.number(0, "<Q"), item.number(1, "<Q")
            if start + size > len(data):
                raise IndexError("a segment")
            self.segments.append(data[start : start + size])
        self.sizes = {x.text(0): len(self.segments[x.number(1)]) for x in program.tables(7)}


def _partition(item: Table, blobs: _Blobs) -> Partition:
    name, place = item.text(0), item.table(1)
    if place is None:
        return Partition(name)
    found = blobs.segments if place.number(0, "<b") == 1 else blobs.inline
    data = found[place.number(1)]
    if name != XNNPACK:
        return Partition(name, data=data)
    if data[4:8] == PARTITION_HEADER:
        start, size = struct.unpack_from("<II", data, 10)
        data = data[start : start + size]
    if data[4:8] != PARTITION_IDENTIFIER:
        raise ValueError("a partition is of another version of XNNPACK's format")
    graph = Table.root(data)
    stored = [(x.text(2), x.number(1, "<Q")) for x in graph.tables(8)]
    values: dict[int, PteValue] = {}
    for number, entry in enumerate(graph.tables(2)):
        tensor = entry.table(1)
        if entry.number(0, "<B") == 2 and tensor is not None:  # quantized
            tensor = tensor.table(0)
        if tensor is None:
            continue
        index, at = tensor.number(3), tensor.number(6)
        key, size = stored[index] if index else (None, 0)
        values[at] = PteValue(
            DTYPES.get(tensor.number(0, "<h"), "float32"),
            tensor.numbers(2),
            None if key is None else key or f"{id(blobs)}-{number}",
            size or blobs.sizes.get(key or "", 0),
            tensor.number(5) != 0,
        )
    every = tuple(values.get(index, PteValue("float32", ())) for index in range(max(values) + 1))
    nodes = tuple(_node(entry, every) for entry in graph.tables(1))
    return Partition(name, nodes, every, graph.numbers(5))


def _node(entry: Table, values: tuple[PteValue, ...]) -> PteNode:
    name, (reads, writes) = NODES[entry.number(0, "<B") - 1]
    node = entry.table(1)
    if node is None:
        raise ValueError("a node without its settings")
    read, written = (
        tuple(x for x in (node.number(field) for field in fields) if x < len(values))
        for fields in (reads, writes)
    )
    macs = _macs(name, node, [values[x] for x in (*read, *written)])
    permutation = node.numbers(1) if name == "StaticTranspose" else ()
    return PteNode(name, read, written, macs, permutation)


def _macs(name: str, node: Table, values: list[PteValue]) -> int:
    made = math.prod(values[-1].shape)
    window = node.number(4) * node.number(5)
    if name in ("Conv2d", "DepthwiseConv2d"):
        return made * window * node.number(10)
    if name == "ConvTranspose2d":
        return math.prod(values[0].shape) * window * node.number(11)
    if name in ("FullyConnected", "BatchMatrixMultiply"):
        return made * values[0].shape[-1]
    return 0
