"""A graph becomes a Core AI program, and a program a file, the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.export import ExportedProgram
from torch.fx import GraphModule

from styleexport.core.errors import UnsupportedOp, first_line
from styleexport.core.quiet import quiet
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.targets._about import About
from styleexport.runtime_bench.formats._coreai import (
    INVOKE,
    Mlir,
    body_of,
    called_by,
    composite_name,
    functions_of,
    graphs_of,
    is_composite,
    tensor_name,
    tested_betas,
)
from styleexport.runtime_bench.formats._coreai_trial import keep_as_parsed

with tested_betas():
    import coreai_torch
    from coreai._compiler._mlir_libs._coreaiIR import _bindings
    from coreai._compiler.ir import Attribute, DenseResourceElementsAttr, StringAttr
    from coreai.authoring import AIProgram
    from coreai.runtime import AIModelAssetMetadata
    from coreai_torch.debugging.debug_info import strip_debug_info

aten = torch.ops.aten
# Bytes of what memory allocators align to: the reader aborts where its buffer is aligned to less.
ALIGNMENT = 16
# Date of every file, so that they do not differ by it.
CREATED = "20000101T000000Z"
# The node of the captured program that an operation was made of.
SOURCE = re.compile(r'identifiers = \["([^"]+)"\]')


def convert(graphs: Sequence[tuple[str, Graph]]) -> tuple[AIProgram, dict[str, str]]:
    """Return a program of some functions, and node of the last graph → tensor of the program.

    Args:
        graphs: name of each function and its graph, of one size.

    Raises:
        UnsupportedOp: the converter has no translation for an operation.
    """
    converter = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.DEBUG)
    origins: dict[str, str] = {}
    program = graphs[0][1].program
    try:
        with quiet():
            for name, graph in graphs:
                program = graph.program.run_decompositions(_decompositions())
                origins = _origins(program.graph_module)
                converter.add_exported_program(
                    program,
                    input_names=[fact.name for fact in graph.inputs],
                    output_names=[fact.name for fact in graph.outputs],
                    entrypoint_name=name,
                )
            made = converter.to_coreai()
    except Exception as error:
        raise UnsupportedOp(
            f"Core AI cannot express the network{_place(program, error)}: {first_line(error)}; "
            "replace that operation, or export with --target coreml"
        ) from error
    module: Mlir = made._module._mlir_module  # pyright: ignore[reportPrivateUsage]
    tensors: dict[str, str] = {}
    for function in functions_of(module).values():
        for index, operation in enumerate(body_of(function)):
            found = SOURCE.search(str(operation.location))
            if found and found[1] in origins and len(operation.results) == 1:
                tensors[origins[found[1]]] = tensor_name(operation, index)
    strip_debug_info(made)
    _name_composites(module)
    _name_weights(module)
    return made, tensors


def _decompositions() -> dict[Any, Callable[..., Any]]:
    """Return the converter's table of decompositions, and those of operations that it lacks."""
    table = coreai_torch.get_decomp_table()
    for operation, function in get_decompositions([aten.elu, aten.grid_sampler_2d]).items():
        table[operation] = function
    table[aten.var.correction] = _variance
    return table


def _variance(
    x: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Tensor:
    axes = list(dim) if dim else list(range(x.dim()))
    count = math.prod(x.shape[axis] for axis in axes)
    centred = x - x.mean(axes, True)
    share = count / (count - (1 if correction is None else correction))
    return (centred * centred).mean(axes, keepdim) * share


def _place(program: ExportedProgram, error: Exception) -> str:
    """Return the node that an error of the converter is about, where it names an operation."""
    named = set(re.findall(r"aten\.\w+\.\w+", str(error)))
    nodes = [node.name for node in program.graph.nodes if str(node.target) in named]
    return f" at {nodes[0]}" if nodes else ""


def _origins(module: GraphModule) -> dict[str, str]:
    """Return node of a decomposed program → node that it computes the result of."""
    found: dict[str, str] = {}
    for node in module.graph.nodes:
        source = node.meta.get("from_node")
        if node.op == "call_function" and source:
            found[node.name] = source[-1].name
    return found


def _name_composites(module: Mlir) -> None:
    """Number the definitions of composite operations, in place of their random ends."""
    graphs = graphs_of(module)
    inner = [name for name, graph in graphs.items() if is_composite(graph)]
    names = {name: f"{composite_name(name)}_{index}" for index, name in enumerate(inner)}
    with module.context:
        for name, graph in graphs.items():
            if name in names:
                graph.attributes["sym_name"] = StringAttr.get(names[name])
            for operation in body_of(graph):
                if operation.name == INVOKE and called_by(operation) in names:
                    new = names[called_by(operation)]
                    called = f"#param.constant<@{new}> : !param.symbol"
                    operation.attributes["callee"] = Attribute.parse(called)


def _name_weights(module: Mlir) -> None:
    """Give weights names by their order, in place of random ones; equal weights become one."""
    known: dict[tuple[str, bytes], Any] = {}
    with module.context:
        for function in graphs_of(module).values():
            for operation in body_of(function):
                if operation.name != "coreai.constant":
                    continue
                value = operation.attributes["value"]
                if not DenseResourceElementsAttr.isinstance(value):
                    continue
                kind = operation.result.type
                bits = int(np.prod(kind.shape)) * kind.element_type.width
                content = np.zeros(-(-bits // 8), np.uint8)
                _bindings.compiler.copy_constant_value_to_array(  # pyright: ignore
                    constant_op=operation, destination=content
                )
                key = (str(kind), hashlib.sha256(content.tobytes()).digest())
                if key not in known:
                    known[key] = DenseResourceElementsAttr.get_from_buffer(
                        content.data, f"weight_{len(known)}", kind, alignment=ALIGNMENT
                    )
                operation.attributes["value"] = known[key]


def save(program: AIProgram, path: Path, about: About | None) -> None:
    """Write a program as an asset that says what it is, the same bytes every time.

    Args:
        program: program, which stays as it is.
        path: folder to write, ending in ``.aimodel``.
        about: description of the file; None leaves it out.
    """
    metadata = AIModelAssetMetadata()
    if about is not None:
        metadata.author, metadata.license = about.author, about.licence
        metadata.model_description = about.description
        for key, value in (*about.facts.items(), ("styleexport.version", about.version)):
            metadata.set_custom(key, value)
    with quiet():
        program.save_asset(path, metadata)
    file = path / "metadata.json"
    content = json.loads(file.read_text(encoding="utf-8")) | {"creationDate": CREATED}
    file.write_text(
        json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    keep_as_parsed(path)
