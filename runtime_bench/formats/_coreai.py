"""Reader of ``.aimodel`` folders: Apple's own library parses the program, after checks of ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from styleexport.core.errors import BadArtifact, MissingExtra, first_line
from styleexport.core.input_files import read_input
from styleexport.core.plugins import needs
from styleexport.core.quiet import quiet
from styleexport.core.versions import EXTRAS
from styleexport.runtime_bench.formats._coreai_trial import try_program

# The bindings of MLIR carry few types.
Mlir = Any
AGAIN = "export the network again"
# Version of assets that this reader was written for.
ASSET_VERSION = "2.0"
DIALECT = "coreai."
CONSTANT = "constant"
INVOKE = "coreai.invoke"
DTYPES = {
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"si{bits}": f"int{bits}" for bits in (2, 4, 8, 16, 32, 64)},
    **{f"ui{bits}": f"uint{bits}" for bits in (1, 2, 3, 4, 6, 8, 16, 32, 64)},
    "i1": "bool",
    "bf16": "bfloat16",
}
BITS = {"bool": 8, "bfloat16": 16}


@dataclass(frozen=True)
class AssetTensor:
    """A tensor of a function; a side of a dynamic shape is None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    @property
    def count(self) -> int:
        """Number of its elements; 0 where a side is open."""
        return math.prod(side or 0 for side in self.shape)

    @property
    def size_bytes(self) -> int:
        """Size in bytes, elements of fewer than 8 bits packed; 0 where a side is open."""
        bits = BITS.get(self.dtype) or int("".join(filter(str.isdigit, self.dtype)) or 32)
        return -(-self.count * bits // 8)


@dataclass(frozen=True)
class AssetOperation:
    """An operation.

    Attributes:
        kind: name without that of the dialect; of a composite one, that of its definition.
        inputs: tensors that it reads.
        outputs: tensors that it makes.
        calls: function that defines a composite operation; "" for others.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[AssetTensor, ...]
    calls: str = ""


@dataclass(frozen=True)
class AssetFunction:
    """A function of an asset, of one size.

    Attributes:
        name: name by which an app loads it.
        inputs: inputs, in order.
        outputs: outputs, in order.
        operations: operations in the order in which they are computed, constants among them.
        results: tensors that the outputs are, in their order.
    """

    name: str
    inputs: tuple[AssetTensor, ...]
    outputs: tuple[AssetTensor, ...]
    operations: tuple[AssetOperation, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Asset:
    """A ``.aimodel`` folder.

    Attributes:
        path: folder.
        functions: functions that apps load by name, in the order of the file.
        composites: definitions of composite operations by name.
        metadata: content of ``metadata.json``.
    """

    path: Path
    functions: Mapping[str, AssetFunction]
    composites: Mapping[str, AssetFunction] = field(default_factory=dict[str, AssetFunction])
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_asset(path: Path) -> Asset:
    """Return the content of a folder.

    Raises:
        BadArtifact: it is incomplete, altered, or of another version.
        MissingExtra: Apple's library is not installed.
    """
    metadata = check_asset(path)
    module = parse(path)  # operations do not keep it alive
    functions: dict[str, AssetFunction] = {}
    composites: dict[str, AssetFunction] = {}
    for name, graph in graphs_of(module).items():
        (composites if is_composite(graph) else functions)[name] = _function(name, graph)
    return Asset(path, functions, composites, metadata)


def check_asset(path: Path) -> dict[str, Any]:
    """Return the metadata of a folder whose files are whole.

    Raises:
        BadArtifact: it is incomplete, altered, or of another version.
    """
    remedy = "type the path of an .aimodel folder"
    program, digest, about = (
        read_input(path / name, error=BadArtifact, remedy=remedy)
        for name in ("main.mlirb", "main.hash", "metadata.json")
    )
    if hashlib.sha256(program).digest() != digest:
        raise BadArtifact(f"{path}: main.mlirb was altered, it is not that of main.hash; {AGAIN}")
    try:
        metadata: Any = json.loads(about)
    except (ValueError, RecursionError) as error:
        raise BadArtifact(
            f"{path}: metadata.json is no JSON: {first_line(error)}; {AGAIN}"
        ) from error
    found = metadata.get("assetVersion") if isinstance(metadata, dict) else None  # pyright: ignore
    if found != ASSET_VERSION:
        raise BadArtifact(
            f"{path} is an asset of version {found}, expected {ASSET_VERSION}, that of "
            f"coreai-core {EXTRAS['coreai']['coreai-core']} and iOS 27; {AGAIN}"
        )
    return metadata  # pyright: ignore[reportUnknownVariableType]


@contextlib.contextmanager
def tested_betas() -> Generator[None]:
    """Tell libraries of Apple's that have changed from missing ones, where they are imported.

    Raises:
        MissingExtra: one is not installed, or lacks what it had when it was tested.
    """
    with needs("Core AI"):
        try:
            yield
        except ImportError as error:
            tested = EXTRAS["coreai"]
            if any(
                find_spec(name.replace("-core", "").replace("-", "_")) is None for name in tested
            ):
                raise
            found = " and ".join(f"{name} {version(name)}" for name in tested)
            raise MissingExtra(
                f"{found} are betas that lack what they had when they were tested "
                f"({', '.join(map(' '.join, tested.items()))}): {first_line(error)}; type pip "
                "install 'styleexport[coreai]'"
            ) from error


def parse(path: Path) -> Mlir:
    """Return the program of a folder as Apple's library holds it.

    Raises:
        BadArtifact: the library cannot read it, or ends the process that reads it.
        MissingExtra: the library is not installed.
    """
    with tested_betas():
        from coreai.authoring import AIModelAsset
    try_program(path)
    try:
        with quiet():
            program = AIModelAsset.load(path).program
    except Exception as error:
        raise BadArtifact(f"Core AI cannot read {path}: {first_line(error)}; {AGAIN}") from error
    return program._module._mlir_module  # pyright: ignore[reportPrivateUsage]


def functions_of(module: Mlir) -> dict[str, Mlir]:
    """Return the functions of a program that apps can load, by name."""
    return {name: item for name, item in graphs_of(module).items() if not is_composite(item)}


def graphs_of(module: Mlir) -> dict[str, Mlir]:
    """Return the functions of a program by name, composite operations among them."""
    return {
        str(operation.attributes["sym_name"].value): operation
        for operation in module.body.operations
        if operation.operation.name == "coreai.graph"
    }


def is_composite(function: Mlir) -> bool:
    """Whether a function is the definition of an operation that others invoke."""
    return "priv" in function.attributes


def body_of(function: Mlir) -> list[Mlir]:
    """Return the operations of a function, in order; the last gives its outputs."""
    return [item.operation for item in function.regions[0].blocks[0].operations]


def tensor_name(operation: Mlir, index: int, result: int = 0) -> str:
    """Return the name of a tensor: kind and place of its operation, as files hold none."""
    several = f"_{result}" if result else ""
    return f"{_kind(operation)}_{index}{several}"


def _kind(operation: Mlir) -> str:
    """Return the kind of an operation; of a composite one, that of its definition."""
    if operation.name == INVOKE:
        return composite_name(called_by(operation))
    return str(operation.name).removeprefix(DIALECT).removeprefix("decomposable.")


def called_by(operation: Mlir) -> str:
    """Return the name of the function that an invocation calls."""
    found = re.search(r"@\"?([^>\"]+)", str(operation.attributes["callee"]))
    return found[1] if found else ""


def composite_name(function: str) -> str:
    """Return the name of a composite operation: that of its function without its end."""
    return re.sub(r"(_composite)?_([a-z]{8}|\d+)$", "", function)


def _tensor(name: str, kind: Mlir) -> AssetTensor:
    element = str(kind.element_type) if hasattr(kind, "element_type") else str(kind)
    shape = tuple(
        None if kind.is_dynamic_dim(axis) else int(kind.get_dim_size(axis))
        for axis in range(kind.rank if hasattr(kind, "rank") else 0)
    )
    return AssetTensor(name, DTYPES.get(element, element), shape)


def result_names(function: Mlir) -> list[str]:
    """Return the names of a function's outputs, in order."""
    return _names(function.res_attrs)


def _names(attributes: Mlir) -> list[str]:
    return [str(item["coreai.name"].value) for item in attributes]


def _function(name: str, function: Mlir) -> AssetFunction:
    block = function.regions[0].blocks[0]
    inputs = tuple(
        _tensor(given, argument.type)
        for given, argument in zip(_names(function.arg_attrs), block.arguments, strict=True)
    )
    names = {argument: item.name for argument, item in zip(block.arguments, inputs, strict=True)}
    operations: list[AssetOperation] = []
    *body, last = body_of(function)
    for index, operation in enumerate(body):
        made: list[AssetTensor] = []
        for result, value in enumerate(operation.results):
            names[value] = tensor_name(operation, index, result)
            made.append(_tensor(names[value], value.type))
        reads = tuple(names[value] for value in operation.operands if value in names)
        calls = called_by(operation) if operation.name == INVOKE else ""
        operations.append(AssetOperation(_kind(operation), reads, tuple(made), calls))
    results = tuple(names[value] for value in last.operands)
    given = results if is_composite(function) else _names(function.res_attrs)
    outputs = tuple(
        _tensor(given, value.type) for given, value in zip(given, last.operands, strict=True)
    )
    return AssetFunction(name, inputs, outputs, tuple(operations), results)
