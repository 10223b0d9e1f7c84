"""The runner's side: images, sizes, names, the two modes, tensors from inside."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from styleexport.core.errors import UsageError
from styleexport.runtime_bench.coreml_program.interpreter import Interpreter
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner
from styleexport.runtime_bench.runners.coreml_reference import RUNNER, CoremlReference

ct = pytest.importorskip("coremltools")
mb = pytest.importorskip("coremltools.converters.mil").Builder

FLOAT32 = CoremlReference(rounding=False)
SHAPE = (1, 3, 4, 6)
IMAGE = np.random.default_rng(7).uniform(size=SHAPE).astype(np.float32)


def run(runner, path, inputs):
    with runner.open(path, RunOptions(threads=1)) as session:
        return session(inputs)


def program(make, *shapes, opset="iOS16"):
    specs = [mb.TensorSpec(shape) for shape in shapes]
    return mb.program(input_specs=specs, opset_version=getattr(ct.target, opset))(make)


def convert(module, inputs, path, **options):
    """Convert as users do, from torch.export or a trace, with all passes."""
    shape = getattr(inputs[0].shape, "shape", SHAPE)
    example = torch.zeros([side if isinstance(side, int) else 5 for side in shape])
    model = ct.convert(
        torch.jit.trace(module, example),
        inputs=inputs,
        convert_to="mlprogram",
        skip_model_load=True,
        **options,
    )
    model.save(str(path))
    return path


class Darker(torch.nn.Module):
    """255 minus a gain for each channel times the pixels, by default 1, 2 and 3."""

    def __init__(self, *gains):
        super().__init__()
        self.gains = torch.nn.Parameter(torch.tensor(gains or (1.0, 2.0, 3.0)).reshape(1, -1, 1, 1))

    def forward(self, x):
        return 255 - x * self.gains


def images(path, module, layout, shape=SHAPE):
    """A package that takes an image and returns one."""
    return convert(
        module.eval(),
        [ct.ImageType(name="x", shape=shape, color_layout=layout)],
        path,
        outputs=[ct.ImageType(name="y", color_layout=layout)],
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32,
    )


@pytest.mark.parametrize("colour", ["RGB", "BGR"])
def test_images_are_pixels_in_the_declared_order(tmp_path, colour):
    path = images(tmp_path / "image.mlpackage", Darker(), getattr(ct.colorlayout, colour))
    feature = read_package(path).inputs[0]
    assert (feature.image, feature.shapes) == (colour, (SHAPE,))
    result = run(RUNNER, path, {"x": IMAGE})["y"]
    gain = np.array([1, 2, 3], np.float32)[:: 1 if colour == "RGB" else -1].reshape(1, 3, 1, 1)
    expected = np.clip((255 - np.rint(IMAGE * 255) * gain) / 255, 0, 1)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert result.dtype == np.float32
    assert (expected == 0).any()


def test_an_output_image_keeps_what_lies_between_two_pixels(tmp_path):
    path = images(tmp_path / "image.mlpackage", Darker(0.3, 0.3, 0.3), ct.colorlayout.RGB)
    result = run(RUNNER, path, {"x": IMAGE})["y"]
    np.testing.assert_allclose(result, 1 - np.rint(IMAGE * 255) * 0.3 / 255, atol=1e-6)


def test_a_grey_image_has_one_channel(tmp_path):
    shape = (1, 1, 4, 6)
    path = images(tmp_path / "grey.mlpackage", Darker(1.0), ct.colorlayout.GRAYSCALE, shape)
    assert read_package(path).inputs[0].image == "GRAYSCALE"
    result = run(RUNNER, path, {"x": IMAGE[:, :1]})["y"]
    np.testing.assert_allclose(result, 1 - np.rint(IMAGE[:, :1] * 255) / 255, atol=1e-6)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.ReflectionPad2d(1), torch.nn.Conv2d(3, 3, 3), torch.nn.InstanceNorm2d(3)
    ).eval()


@pytest.mark.parametrize("kind", [ct.ImageType, ct.TensorType])
def test_enumerated_sizes_are_taken_and_others_refused(network, tmp_path, kind):
    sizes = [(1, 3, 4, 6), (1, 3, 8, 5)]
    path = convert(
        network,
        [kind(name="x", shape=ct.EnumeratedShapes(sizes, default=sizes[0]))],
        tmp_path / "sizes.mlpackage",
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32,
    )
    (feature,) = read_package(path).inputs
    assert (set(feature.shapes), feature.bounds) == (set(sizes), ())
    assert feature.shapes[0] == sizes[0]
    for size in sizes:
        x = np.random.default_rng(8).uniform(size=size).astype(np.float32)
        (result,) = run(RUNNER, path, {"x": x}).values()
        pixels = np.rint(x * 255) if kind is ct.ImageType else x
        with torch.no_grad():
            expected = network(torch.from_numpy(pixels)).numpy()
        np.testing.assert_allclose(result, expected, atol=1e-4)
    with pytest.raises(UsageError, match=r"takes x as 4x6, 8x5; got 8x6"):
        run(RUNNER, path, {"x": np.zeros((1, 3, 8, 6), np.float32)})


def test_a_range_of_sizes_is_taken(network, tmp_path):
    path = convert(
        network,
        [ct.TensorType(name="x", shape=(1, 3, ct.RangeDim(4, 9), ct.RangeDim(4, 30)))],
        tmp_path / "range.mlpackage",
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32,
    )
    (feature,) = read_package(path).inputs
    assert feature.bounds == ((1, 1), (3, 3), (4, 9), (4, 30))
    x = np.random.default_rng(8).uniform(size=(1, 3, 9, 20)).astype(np.float32)
    (result,) = run(RUNNER, path, {"x": x}).values()
    with torch.no_grad():
        np.testing.assert_allclose(result, network(torch.from_numpy(x)).numpy(), atol=1e-4)
    with pytest.raises(UsageError, match=r"takes x as 1..1x3..3x4..9x4..30; got 10x20"):
        run(RUNNER, path, {"x": np.zeros((1, 3, 10, 20), np.float32)})


@pytest.fixture(scope="module")
def halves(save, tmp_path_factory):
    """(a + b) · 1000 in half precision, with arrays of fp16 in and out."""

    def make(a, b):
        return mb.mul(x=mb.add(x=a, y=b, name="total"), y=np.float32(1000), name="y")

    return save(
        program(make, (1, 4), (1,)),
        "iOS17",
        tmp_path_factory.mktemp("halves") / "halves.mlpackage",
        passes=True,
        compute_precision=ct.precision.FLOAT16,
    )


def test_half_precision_is_rounded_in_one_mode_and_kept_in_the_other(halves):
    a = np.array([[0.1, 1.00049, 60.0, 70.0]], np.float32)
    inputs = {"a": a, "b": np.array([0.0001], np.float32)}
    (kept,) = run(FLOAT32, halves, inputs).values()
    np.testing.assert_allclose(kept, (a + 0.0001) * 1000, rtol=1e-6)
    (rounded,) = run(RUNNER, halves, inputs).values()
    total = (a.astype(np.float16).astype(np.float32) + np.float32(np.float16(0.0001))).astype(
        np.float16
    )
    with np.errstate(over="ignore"):
        expected = (total.astype(np.float32) * 1000).astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(rounded, expected)
    assert np.isinf(rounded[0, 3])
    assert not np.array_equal(kept, rounded)


def test_float32_programs_are_the_same_in_both_modes(network, tmp_path):
    path = convert(
        network,
        [ct.TensorType(name="x", shape=SHAPE)],
        tmp_path / "float.mlpackage",
        minimum_deployment_target=ct.target.iOS16,
        compute_precision=ct.precision.FLOAT32,
        outputs=[ct.TensorType(name="y", dtype=np.float32)],
    )
    first, second = (run(runner, path, {"x": IMAGE})["y"] for runner in (RUNNER, FLOAT32))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("inputs", "got"),
    [
        ({"a": IMAGE}, "got a$"),
        ({}, "got none$"),
        ({"a": IMAGE, "b": IMAGE, "content": IMAGE}, "got a, b, content$"),
    ],
)
def test_missing_and_unknown_inputs_are_named(halves, inputs, got):
    with pytest.raises(UsageError, match=f"halves.mlpackage takes the inputs a, b; {got}"):
        run(RUNNER, halves, inputs)


def test_an_input_of_another_shape_is_refused(halves):
    inputs = {"a": np.zeros((1, 5), np.float32), "b": np.zeros(1, np.float32)}
    with pytest.raises(UsageError, match="takes a as 1x4; got 1x5"):
        run(RUNNER, halves, inputs)


def test_an_optional_input_takes_its_default(save, tmp_path):
    path = save(
        program(lambda x, s: mb.mul(x=x, y=s, name="y"), (1, 4), (1,)),
        "iOS16",
        tmp_path / "optional.mlpackage",
        passes=True,
        inputs=[
            ct.TensorType(name="x", shape=(1, 4)),
            ct.TensorType(name="s", shape=(1,), default_value=np.array([0.5], np.float32)),
        ],
    )
    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    np.testing.assert_array_equal(run(RUNNER, path, {"x": x})["y"], x / 2)
    three = {"x": x, "s": np.array([3.0], np.float32)}
    np.testing.assert_array_equal(run(RUNNER, path, three)["y"], x * 3)


def test_tensors_from_inside_come_by_name(halves):
    inputs = {"a": np.ones((1, 4), np.float32), "b": np.array([2.0], np.float32)}
    (name,) = [n for n in read_package(halves).variables() if n.startswith("total")]
    found = RUNNER.layers(halves, inputs, [name, "nothing"])
    assert list(found) == [name]
    np.testing.assert_array_equal(found[name], np.full((1, 4), 3, np.float32))
    assert found[name].dtype == np.float32


def test_a_tensor_is_dropped_after_its_last_reader(save, tmp_path, monkeypatch):
    def make(x):
        for _ in range(6):
            x = mb.relu(x=x)
        return x

    path = save(program(make, (1, 4)), "iOS16", tmp_path / "chain.mlpackage")
    original, alive = Interpreter._evaluate, []

    def counted(self, operation, op, values):
        alive.append(len(values))
        return original(self, operation, op, values)

    monkeypatch.setattr(Interpreter, "_evaluate", counted)
    run(RUNNER, path, {"x": np.ones((1, 4), np.float32)})
    assert alive == [1] * 6


def test_the_runner_is_found_without_loading_a_library():
    code = (
        "import sys\n"
        "from styleexport.runtime_bench.runners.coreml_reference import RUNNER\n"
        "assert RUNNER.suffixes == ('.mlpackage', '.pte')\n"
        "assert not {'torch', 'coremltools'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    runner = find_runner("coreml-reference")
    assert runner is RUNNER
    assert isinstance(runner.in_float32(), CoremlReference)


def test_threads_are_put_back(halves):
    before = torch.get_num_threads()
    with RUNNER.open(halves, RunOptions(threads=before + 1)):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
