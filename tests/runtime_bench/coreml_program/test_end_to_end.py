"""A style network, converted as the exporter converts it, against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styleexport.core.psnr import psnr_db
from styleexport.core.quiet import quiet
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.coreml_reference import RUNNER

ct = pytest.importorskip("coremltools")

NAMES = ("content", "style_code", "strength")


@pytest.fixture(scope="module")
def graph(module_network):
    captured, _ = apply_passes(capture(module_network, Role.TRANSFORM, Size(64, 96)))
    return captured


@pytest.fixture(scope="module")
def module_network():
    from styleexport.models.network import LoadedNetwork
    from styleexport.models.networks._open import find

    torch.manual_seed(0)
    network = find("adain-lite")
    module = network.build().eval().requires_grad_(False)
    return LoadedNetwork(network, module, ("random.pth",), "0" * 64)


@pytest.fixture(scope="module")
def inputs(module_network):
    rng = np.random.default_rng(9)
    content, style = rng.uniform(size=(2, 1, 3, 64, 96)).astype(np.float32)
    code = module_network.role_module(Role.ENCODE)(torch.from_numpy(style)).numpy()
    return dict(zip(NAMES, (content, code, np.array([0.7], np.float32)), strict=True))


def convert(graph, precision, path):
    with quiet():
        model = ct.convert(
            graph.program.run_decompositions({}),
            convert_to="mlprogram",
            inputs=[ct.TensorType(name=fact.name, shape=fact.shape) for fact in graph.inputs],
            outputs=[ct.TensorType(name="image", dtype=np.float32)],
            compute_precision=precision,
            minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        )
        model.save(str(path))
    return path


@pytest.fixture(scope="module")
def full(graph, tmp_path_factory):
    """The package in full precision."""
    return convert(graph, ct.precision.FLOAT32, tmp_path_factory.mktemp("full") / "full.mlpackage")


def decibels(runner, path, inputs, expected):
    with runner.open(path, RunOptions(threads=1)) as session:
        return psnr_db(session(inputs)["image"], expected, peak=1.0)


def test_the_program_means_what_the_network_means(module_network, graph, full, inputs, tmp_path):
    network = module_network.role_module(Role.TRANSFORM)
    expected = network(*map(torch.from_numpy, inputs.values())).numpy()
    assert decibels(RUNNER, full, inputs, expected) >= 110
    path = convert(graph, ct.precision.FLOAT16, tmp_path / "fp16.mlpackage")
    rounded = decibels(RUNNER, path, inputs, expected)
    kept = decibels(RUNNER.in_float32(), path, inputs, expected)
    # Weights are stored in fp16 either way; random ones make it look worse than trained ones.
    assert 45 < rounded < kept < 80


def test_a_layer_is_where_the_graph_has_it(graph, full, inputs):
    class Recorder(torch.fx.Interpreter):
        def run_node(self, n):
            seen[n.name] = super().run_node(n)
            return seen[n.name]

    seen = {}
    Recorder(graph.program.module(check_guards=False)).run(*map(torch.from_numpy, inputs.values()))
    wanted = [node.name for node in graph.program.graph.nodes if node.name.startswith("conv2d")]
    found = RUNNER.layers(full, inputs, wanted)
    assert list(found) == wanted
    for name in wanted:
        np.testing.assert_allclose(found[name], seen[name].numpy(), atol=1e-4)
