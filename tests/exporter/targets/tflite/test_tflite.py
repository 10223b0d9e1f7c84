"""TFLite files of every network: converted for real, run with and without XNNPACK."""

from __future__ import annotations

import hashlib
import importlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from styleexport.core.errors import UnsupportedOp
from styleexport.core.manifest import TensorFact, read_manifest
from styleexport.core.psnr import psnr_db
from styleexport.core.recipe import Settings
from styleexport.core.types import Precision, Role, Size, Sizing
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.probes import probe_inputs
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import (
    CalibrationInputs,
    calibration_inputs,
)
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.targets._target import Recipe, Source
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import find, open_network
from styleexport.models.networks.fast_style import SameNet
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner
from tests.exporter.conftest import feeds_of, graph_of
from tests.zoo import case

pytest.importorskip("litert_torch")

from styleexport.exporter.targets.tflite import TARGET
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._tflite import read_graph

SIZE = Size(40, 56)
MOVES = {"TRANSPOSE", "GATHER_ND", "GATHER", "BROADCAST_TO"}
RUNNERS = ("litert", "litert-builtin")
# Of one graph these are stored from one conversion.
ONE_LOWERING = (Precision.FP32, Precision.INT8_WEIGHTS)

# The package has a function of the same name.
TFLITE_WEIGHTS = importlib.import_module("styleexport.exporter.targets.tflite.int8_weights")


def load(name: str, random_network) -> LoadedNetwork:
    if name != "same":
        return random_network(name)
    torch.manual_seed(0)
    module = SameNet().eval().requires_grad_(False)
    return LoadedNetwork(find("fast-style"), module, ("random.npz",), "0" * 64)


def write(network, role, size, precision, path: Path):
    graph = apply_passes(capture(network, role, size))[0]
    calibration = calibration_inputs(network, read_calibration(None), graph)
    graph, recipe = prepared(graph, precision, calibration)
    return graph, TARGET.write(graph, recipe, path, lambda: calibration.inputs)


def prepared(
    graph: Graph, precision: Precision, calibration: CalibrationInputs
) -> tuple[Graph, Recipe]:
    """The graph and the recipe that a file of a precision is made of."""
    if precision not in (Precision.INT8, Precision.INT8_A16):
        return graph, Recipe(precision)
    settings = Settings(activation_bits=8 if precision is Precision.INT8 else 16)
    few = replace(calibration, inputs=calibration.inputs[:4])
    plan = make_plan(graph, few, settings).applied(expand_norms=True)
    return plan.graph, Recipe(precision, int8=plan.recipe)


def worst_db(network, role, size, path: Path) -> float:
    inputs = probe_inputs(network, role, size)
    with torch.no_grad():
        expected = network.role_module(role)(*map(torch.from_numpy, inputs.values())).numpy()
    peak = None if role is Role.ENCODE else 1.0
    found: list[float] = []
    for name in RUNNERS:
        with find_runner(name).open(path, RunOptions(threads=1)) as session:
            (output,) = session(inputs).values()
        assert output.shape == expected.shape
        found.append(psnr_db(output, expected, peak))
    return min(found)


def check(graph: Graph, network, layers: dict[str, str], path: Path) -> None:
    """A float file of a graph computes what the network does, in every layer, by no detour."""
    file = read_graph(path)
    assert MOVES.isdisjoint(item.name for item in file.operations)
    assert worst_db(network, graph.role, graph.size, path) >= 90
    assert list(file.inputs) == [fact.name for fact in graph.inputs]
    assert list(file.outputs) == [fact.name for fact in graph.outputs]
    check_layers(graph, layers, path)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        case(name, role)
        for name, role in (
            ("adain-lite", Role.ENCODE),
            ("adain-lite", Role.TRANSFORM),
            ("adain-vgg19", Role.TRANSFORM),
            ("adain-cd16x", Role.TRANSFORM),
            ("fast-style", Role.STYLIZE),
        )
    ],
)
def test_every_network_converts_without_a_transposition(name, role, zoo):
    network, out = zoo.network(name), zoo.exported(name, "tflite")
    (fact,) = (
        fact
        for fact in read_manifest(out).files
        if (fact.role, fact.precision) == (role, Precision.FP32)
    )
    graph = apply_passes(capture(network, role, zoo.size(name)))[0]
    check(graph, network, fact.layers, out / fact.path)


# What stylize adds to encode and transform is the statistics of two pictures in one graph.
@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("same", Role.STYLIZE),
        pytest.param("adain-lite", Role.STYLIZE, marks=pytest.mark.slow),
    ],
)
def test_one_graph_converts_without_a_transposition(name, role, random_network, tmp_path):
    network = load(name, random_network)
    path = tmp_path / "x.tflite"
    graph, written = write(network, role, SIZE, Precision.FP32, path)
    check(graph, network, written.layers, path)


def check_layers(graph: Graph, layers: dict[str, str], path: Path) -> None:
    """Every layer's tensor holds what the layer computes, and every convolution has one.

    A convolution that is merged with the ReLU or the scaling behind it has that operation's.
    """
    inputs = example_inputs(graph.inputs, graph.size)
    expected: dict[str, torch.Tensor] = {}

    class Keep(torch.fx.Interpreter):
        def run_node(self, n):
            expected[n.name] = super().run_node(n)
            return expected[n.name]

    with torch.no_grad():
        Keep(graph.module()).run(*inputs)
    arrays = {fact.name: x.numpy() for fact, x in zip(graph.inputs, inputs, strict=True)}
    found = find_runner("litert").layers(path, arrays, tuple(layers.values()))
    assert set(layers.values()) == set(found)
    for layer, tensor in layers.items():
        value = expected[layer].numpy()
        assert found[tensor].shape == value.shape
        assert np.abs(found[tensor] - value).max() <= 2e-3 * np.abs(value).max()
    for node in graph.program.graph.nodes:
        if node.op == "call_function" and "conv" in str(node.target):
            merged = [u.name for u in node.users if re.search(r"relu|mul", str(u.target))]
            assert layers.keys() & {node.name, *merged}, node.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    # Between them all remainders of odd sides by 8.
    [("adain-lite", Size(61, 67)), ("adain-cd16x", Size(33, 47)), ("same", Size(33, 47))],
)
def test_sizes_that_no_stride_divides(name, size, random_network, tmp_path):
    network, path = load(name, random_network), tmp_path / "x.tflite"
    role = network.default_roles[-1]
    write(network, role, size, Precision.FP32, path)
    assert MOVES.isdisjoint(item.name for item in read_graph(path).operations)
    assert worst_db(network, role, size, path) >= 90


@pytest.fixture(scope="module")
def lite() -> LoadedNetwork:
    return open_network("adain-lite")


@pytest.fixture(scope="module")
def files(lite, tmp_path_factory):
    """The shipped encoder in every precision: path and what the target said of it."""
    folder = tmp_path_factory.mktemp("tflite")
    graph = apply_passes(capture(lite, Role.ENCODE, SIZE))[0]
    calibration, made = calibration_inputs(lite, read_calibration(None), graph), {}
    model = TARGET.lower(Source(graph, lambda: calibration.inputs), Recipe())
    for precision in TARGET.precisions:
        path = folder / f"{precision}.tflite"
        if precision in ONE_LOWERING:
            made[precision] = path, model.store(Recipe(precision), path)
            continue
        source, recipe = prepared(graph, precision, calibration)
        made[precision] = path, TARGET.write(source, recipe, path, lambda: calibration.inputs)
    return made


@pytest.mark.parametrize(
    ("precision", "least_db", "share", "largest"),
    [
        (Precision.FP32, 90, 0.0, 1.0),
        (Precision.FP16, 70, 0.0, 0.55),
        (Precision.INT8_WEIGHTS, 40, 0.0, 0.35),
        (Precision.INT8, 40, 1.0, 0.35),
        (Precision.INT8_A16, 50, 1.0, 0.36),
    ],
)
def test_every_precision_of_the_shipped_encoder(lite, files, precision, least_db, share, largest):
    path, written = files[precision]
    assert worst_db(lite, Role.ENCODE, SIZE, path) >= least_db
    assert written.int8_mac_share == share
    assert written.float_dtype == "float32"
    assert path.stat().st_size <= largest * files[Precision.FP32][0].stat().st_size
    file = read_graph(path)
    ends = [*file.inputs.values(), *file.outputs.values()]
    assert {file.tensors[index].dtype for index in ends} == {"float32"}


@pytest.mark.parametrize("precision", list(TARGET.precisions))
def test_layer_names_survive_quantization(files, precision):
    path, written = files[precision]
    exact, reference = files[Precision.FP32]
    names = ["conv2d", "relu_3", "conv2d_4"]
    if precision is Precision.FP16:
        # The scale of the statistics went into the convolution that feeds nothing else.
        assert names.pop() not in written.layers
    else:
        assert written.layers == reference.layers
    rows = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    content = np.broadcast_to(rows, (1, 3, 40, 56))
    expected = find_runner("litert").layers(exact, {"style": content}, names)
    found = find_runner("litert").layers(path, {"style": content}, names)
    for name in names:
        assert found[name].shape == expected[name].shape
        assert psnr_db(found[name], expected[name]) > 30


def test_what_the_quantized_files_say_of_themselves(files):
    assert files[Precision.FP16][1].quantization is None
    weights = files[Precision.INT8_WEIGHTS][1].quantization
    assert (weights.scheme, weights.calibration) == ("dynamic-range", None)
    fact = files[Precision.INT8][1].quantization
    assert (fact.scheme, fact.activation_dtype, fact.per_channel) == ("static", "int8", True)
    assert fact.calibration.images > 0
    assert fact.calibration.styles == 0
    wide = files[Precision.INT8_A16]
    assert wide[1].quantization.activation_dtype == "int16"
    assert any("activations of 16 bits" in risk.reason for risk in describe(wide[0]).risks)
    held = [t for t in read_graph(wide[0]).tensors if t.dtype == "int16" and t.scales]
    assert held
    assert {zero for tensor in held for zero in tensor.zero_points} == {0}
    (float_layer,) = fact.float_islands
    assert "mean" in float_layer.ops
    assert "5 to 13 dB" in float_layer.reason


def test_weights_alone_where_a_dynamic_range_is_too_coarse(lite, files, tmp_path, monkeypatch):
    monkeypatch.setattr(TFLITE_WEIGHTS, "LEAST_DYNAMIC_DB", 150.0)
    graph = apply_passes(capture(lite, Role.ENCODE, SIZE))[0]
    source, path = files[Precision.FP32][0], tmp_path / "x.tflite"
    fact = TFLITE_WEIGHTS.int8_weights(
        source, path, calibration_inputs(lite, read_calibration(None), graph).inputs
    )
    assert (fact.scheme, fact.activation_dtype) == ("weights-only", None)
    assert worst_db(lite, Role.ENCODE, SIZE, path) >= 40
    assert "DEQUANTIZE" in {item.name for item in read_graph(path).operations}


def test_weights_in_another_memory_order_keep_their_values(tmp_path):
    """litert-torch copies such weights one after the other to the same address, and mixes them."""
    torch.manual_seed(0)
    convolutions = [torch.nn.Conv2d(3, 3, 3, padding=1) for _ in range(8)]
    module = torch.nn.Sequential(*convolutions).to(memory_format=torch.channels_last)  # pyright: ignore
    graph = graph_of(module)
    TARGET.write(graph, Recipe(Precision.FP32), tmp_path / "a.tflite", list)
    (feeds,) = feeds_of(graph, 1)
    with find_runner("litert").open(tmp_path / "a.tflite", RunOptions(threads=1)) as session:
        (output,) = session(feeds).values()
    expected = graph.module()(*map(torch.from_numpy, feeds.values()))[0]
    assert psnr_db(output, expected.detach().numpy().reshape(output.shape), None) > 90


def test_images_are_channels_last_and_codes_as_they_are(lite):
    graph = apply_passes(capture(lite, Role.TRANSFORM, SIZE))[0]
    (content, code, strength), (image,) = TARGET.tensors(graph)
    assert content.shape == image.shape == (1, 40, 56, 3)
    assert content.layout == image.layout == "NHWC"
    assert (code.layout, strength.layout) == ("NK", "N")
    assert TARGET.sizings == (Sizing.FIXED,)


def test_an_operation_that_tflite_lacks_ends_in_one_line(tmp_path):
    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.linalg.svdvals(x)[..., None] * x

    fact = TensorFact(
        name="content", kind="image", shape=(1, 3, 9, 9), dtype="float32", layout="NCHW"
    )
    program = trace(Odd(), example_inputs((fact,), Size(9, 9)), (fact,), False, 1)
    graph = Graph(program, Role.STYLIZE, Size(9, 9), False, 1, (fact,), (fact,))
    with pytest.raises(UnsupportedOp, match="TFLite cannot express the network") as caught:
        TARGET.write(graph, Recipe(), tmp_path / "x.tflite", list)
    assert "\n" not in str(caught.value)
    assert "try --converter onnx2tf" in str(caught.value)


SCRIPT = """
import hashlib, sys
from pathlib import Path
from styleexport.core.recipe import Settings
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import CalibrationInputs, calibration_inputs
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.targets._target import Recipe, Source
from styleexport.exporter.targets.tflite import TARGET
from styleexport.models.networks._open import open_network
network, path = open_network("adain-lite"), Path(sys.argv[1])
graph = apply_passes(capture(network, Role.ENCODE, Size(40, 56)))[0]
whole = calibration_inputs(network, read_calibration(None), graph)
few = CalibrationInputs(whole.inputs[:4], whole.fact)
BITS, models = {Precision.INT8: 8, Precision.INT8_A16: 16}, {}
plans = {p: make_plan(graph, few, Settings(activation_bits=n)) for p, n in BITS.items()}
for precision in TARGET.precisions:
    plan = plans.get(precision)
    recipe = Recipe(precision, int8=plan and plan.recipe)
    key = plan and precision, TARGET.lowering(recipe)
    if key not in models:
        source = plan.applied(expand_norms=True).graph if plan else graph
        models[key] = TARGET.lower(Source(source, lambda: whole.inputs), recipe)
    models[key].store(recipe, path)
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_network_gives_the_same_bytes_in_another_process(files, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "x.tflite"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stderr == ""
    here = [hashlib.sha256(path.read_bytes()).hexdigest() for path, _ in files.values()]
    assert answer.stdout.split() == here
    content = files[Precision.FP32][0].read_bytes()
    assert b"styleexport.exporter" not in content
    assert b"/site-packages/" not in content
