"""Layers that style networks are made of, converted from torch with all passes: against torch."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from styleexport.core import plugins
from styleexport.runtime_bench.coreml_program.interpreter import FAMILIES
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.coreml_reference import CoremlReference
from tests.runtime_bench.coreml_program.layers import LAYERS, X, save_package

pytest.importorskip("coremltools")


@pytest.fixture(scope="module", params=["iOS16", "iOS18"])
def results(request, tmp_path_factory):
    """What the reference makes of each layer."""
    path = tmp_path_factory.mktemp("layers") / "layers.mlpackage"
    names = save_package(path, request.param)
    with CoremlReference().open(path, RunOptions()) as session:
        found = session({"x": X.numpy()})
    return {layer: found[name] for layer, name in zip(LAYERS, names, strict=True)}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_computes_what_torch_computes(results, name):
    with torch.no_grad():
        expected = LAYERS[name].eval()(X).numpy()
    np.testing.assert_allclose(results[name], expected, rtol=2e-4, atol=2e-5)


def test_every_family_is_tested_operation_by_operation():
    """Each table of operations names the families it covers, whole."""
    covered = set()
    for path in Path(__file__).parent.glob("test_ops_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FAMILIES":
                covered |= set(ast.literal_eval(node.value))
    assert covered == {name.replace("-", "_") for name in plugins.names(FAMILIES)}
