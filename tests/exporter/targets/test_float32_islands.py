"""fp16 files of a network with an arg max: what its index depends on is computed in float32."""

from __future__ import annotations

import pytest

from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import CHOSEN_BY, Graph, example_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.targets._target import Recipe, Source, find_target
from tests.zoo import load_random

SIZE = Size(32, 40)
FP16 = Recipe(Precision.FP16)


def graph(role: Role, name: str = "style-swap") -> Graph:
    return apply_passes(capture(load_random(name), role, SIZE))[0]


def written(target, of: Graph, path):
    examples = zip(of.inputs, example_inputs(of.inputs, SIZE), strict=True)
    inputs = {fact.name: value.numpy() for fact, value in examples}
    source = Source(of, lambda: [inputs])
    return find_target(target).lower(source, FP16).store(FP16, path)


def onnx_types(path) -> dict[str, set[int]]:
    """Operation → float types of what it makes."""
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    values = (*model.graph.value_info, *model.graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    found: dict[str, set[int]] = {}
    for node in model.graph.node:
        found.setdefault(node.op_type, set()).update(types.get(x, 0) for x in node.output)
    return found


def test_onnx_matches_in_float32_and_paints_in_float16(tmp_path):
    facts = written("onnx", graph(Role.TRANSFORM), tmp_path / "a.onnx")
    types = onnx_types(tmp_path / "a.onnx")
    assert (types["MatMul"], types["Conv"], types["Gather"]) == ({1}, {10}, {10})
    (fact,) = facts.passes
    assert fact.refused[0].endswith(f"stay float32: {CHOSEN_BY}")


def test_a_code_that_is_compared_is_computed_in_float32(tmp_path):
    exact = graph(Role.ENCODE)
    assert exact.exact_code
    written("onnx", exact, tmp_path / "a.onnx")
    types = onnx_types(tmp_path / "a.onnx")
    assert (types["Add"], types["Reciprocal"], types["Conv"]) == ({1}, {1}, {10})
    assert not graph(Role.ENCODE, "adain-lite").exact_code


def test_core_ml_matches_in_float32_and_paints_in_float16(tmp_path):
    pytest.importorskip("coremltools")
    from styleexport.runtime_bench.coreml_program.package import read_package
    from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph

    facts = written("coreml", graph(Role.TRANSFORM), tmp_path / "a.mlpackage")
    program = CoremlGraph.of(read_package(tmp_path / "a.mlpackage"))
    types: dict[str, set[str]] = {}
    for item in program.steps:
        types.setdefault(item.kind, set()).add(program.types[item.outputs[0].name].dtype)
    assert (types["matmul"], types["conv"], types["gather"]) == ({"fp32"}, {"fp16"}, {"fp16"})
    assert facts.passes[-1].refused[0].endswith(f"stay float32: {CHOSEN_BY}")
