"""Reading packages: what they say, and what damaged ones are told."""

from __future__ import annotations

import json
import shutil
import struct

import numpy as np
import pytest
import torch

from styleexport.core.errors import BadArtifact, StyleExportError, UnsupportedOp
from styleexport.runtime_bench.coreml_program.interpreter import Interpreter
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.coreml_program.program import (
    Constant,
    Feature,
    Operation,
    Package,
    TensorType,
    Variable,
)
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners.coreml_reference import RUNNER

ct = pytest.importorskip("coremltools")
mb = pytest.importorskip("coremltools.converters.mil").Builder

RNG = np.random.default_rng(5)
W = RNG.normal(size=(8, 3, 3, 3)).astype(np.float32)
X = RNG.normal(size=(1, 3, 6, 7)).astype(np.float32)
MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


@pytest.fixture(scope="module")
def whole(save, tmp_path_factory):
    """A package of one convolution; never changed."""

    @mb.program(input_specs=[mb.TensorSpec(X.shape)], opset_version=ct.target.iOS16)
    def program(x):
        hidden = mb.conv(x=x, weight=W, pad_type="valid", name="first")
        return mb.concat(values=[hidden, mb.relu(x=hidden, name="second")], axis=1, name="y")

    return save(program, "iOS16", tmp_path_factory.mktemp("whole") / "conv.mlpackage")


@pytest.fixture
def package(whole, tmp_path):
    """A copy to damage."""
    return shutil.copytree(whole, tmp_path / "conv.mlpackage")


def edit(package, change):
    """Change the program's message."""
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model()
    model.ParseFromString((package / MODEL).read_bytes())
    change(model)
    (package / MODEL).write_bytes(model.SerializeToString())


def block(model):
    (found,) = model.mlProgram.functions["main"].block_specializations.values()
    return found


def operation(model, kind):
    return next(item for item in block(model).operations if item.type == kind)


def open_and_run(package):
    with RUNNER.open(package, RunOptions()) as session:
        return session({"x": X})["y"]


def test_a_package_says_its_operations_constants_inputs_and_outputs(whole):
    package = read_package(whole)
    assert (package.specification_version, package.opset) == (7, "CoreML6")
    assert [item.kind for item in package.operations if item.kind != "const"] == [
        *("conv", "relu", "concat")
    ]
    conv = next(item for item in package.operations if item.kind == "conv")
    assert (conv.name, conv.outputs[0].name) == ("first", "first")
    assert str(conv.outputs[0].type) == "fp32 [1, 8, 4, 5]"
    assert conv.outputs[0].type.size_bytes == 8 * 4 * 5 * 4
    constants = package.constants()
    weight = constants[conv.inputs["weight"][0]]
    assert weight.in_blob
    assert weight.stored_bytes == W.nbytes
    np.testing.assert_array_equal(weight.value, W)
    assert constants[conv.inputs["pad_type"][0]].value == "valid"
    concat = next(item for item in package.operations if item.kind == "concat")
    assert concat.inputs["values"] == ("first", "second")
    (found,) = package.inputs
    assert (found.name, found.image, found.shapes) == ("x", None, (X.shape,))
    assert package.variables()["second"].type.shape == (1, 8, 4, 5)
    assert package.size_bytes == sum((whole / name).stat().st_size for name in (MODEL, WEIGHTS))


def test_description_and_licence_are_read(package):
    edit(package, lambda model: setattr(model.description.metadata, "license", "Apache-2.0"))
    metadata = read_package(package).metadata
    assert metadata["licence"] == "Apache-2.0"
    assert metadata["com.github.apple.coremltools.version"] == ct.__version__


def rename_function(model):
    functions = model.mlProgram.functions
    functions["paint"].CopyFrom(functions["main"])
    del functions["main"]


def two_functions(model):
    rename_function(model)
    model.mlProgram.functions["zero"].CopyFrom(model.mlProgram.functions["paint"])
    model.description.defaultFunctionName = "paint"
    described = model.description.functions.add(name="paint")
    described.input.extend(model.description.input)
    described.output.extend(model.description.output)
    del model.description.input[:], model.description.output[:]


def test_the_default_function_of_several_is_taken(whole, package):
    edit(package, two_functions)
    np.testing.assert_array_equal(open_and_run(package), open_and_run(whole))


def neural_network(model):
    model.neuralNetwork.SetInParent()


def unknown_type(model):
    operation(model, "relu").outputs[0].type.tensorType.dataType = 13


def state_input(model):
    kind = model.mlProgram.functions["main"].inputs[0].type
    wrapped = type(kind)()
    wrapped.CopyFrom(kind)
    kind.stateType.wrappedType.CopyFrom(wrapped)


def drop(kind):
    return lambda model: block(model).operations.remove(operation(model, kind))


def fewer_values(model):
    for item in block(model).operations:
        value = item.attributes["val"].immediateValue.tensor
        if item.type == "const" and len(value.ints.values) > 1:
            del value.ints.values[0]
            return


def no_value(model):
    operation(model, "const").attributes["val"].ClearField("immediateValue")
    operation(model, "const").attributes["val"].ClearField("blobFileValue")


def weights(change):
    def edited(model):
        for item in block(model).operations:
            if item.attributes["val"].WhichOneof("value") == "blobFileValue":
                change(item.attributes["val"].blobFileValue)

    return edited


def outside(blob):
    blob.fileName = "@model_path/../../../secret.bin"


def nowhere(blob):
    blob.fileName = "@model_path/weights/other.bin"


def far(blob):
    blob.offset += 10**6


def beside(blob):
    blob.offset += 1


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (neural_network, BadArtifact, "holds neuralNetwork, expected mlProgram"),
        (rename_function, BadArtifact, r"functions \['paint'\], expected 'main'"),
        (unknown_type, BadArtifact, "second holds bfloat16, which is not known"),
        (state_input, UnsupportedOp, "x is a stateType"),
        (drop("conv"), BadArtifact, "relu second reads first, which nothing before it makes"),
        (drop("concat"), BadArtifact, "returns y, which nothing makes"),
        (fewer_values, BadArtifact, "has [0-9]+ values, expected [0-9]+"),
        (no_value, BadArtifact, "holds no value, expected"),
        (weights(outside), BadArtifact, "reads weights outside itself"),
        (weights(nowhere), BadArtifact, "other.bin does not exist"),
        (weights(far), BadArtifact, "weight.bin ends at byte [0-9]+, expected a constant at"),
        (weights(beside), BadArtifact, "has no constant at byte 65"),
        (
            lambda model: setattr(operation(model, "relu"), "type", "conv"),
            BadArtifact,
            "conv second fails: TypeError: conv.. missing 1 required",
        ),
        (
            lambda model: setattr(operation(model, "relu"), "type", "topk"),
            BadArtifact,
            r"topk second makes \[\[1, 8, 4, 1\], .*, declared fp32 \[1, 8, 4, 5\]",
        ),
    ],
)
def test_an_edited_program_is_told_what_is_wrong(package, change, kind, message):
    edit(package, change)
    with pytest.raises(kind, match=message) as raised:
        open_and_run(package)
    assert "\n" not in str(raised.value)


def test_an_unknown_operation_names_itself_its_layer_and_the_file_to_add_it_to(package):
    def to(kind):
        return lambda model: setattr(operation(model, "concat"), "type", kind)

    edit(package, to("non_maximum_suppression"))
    with pytest.raises(UnsupportedOp) as raised:
        open_and_run(package)
    assert str(raised.value).endswith(
        "does not know the operation non_maximum_suppression of layer y: add a function "
        "non_maximum_suppression to runtime_bench/coreml_program/ops/tensor_operation.py"
    )
    edit(package, lambda model: setattr(operation(model, "non_maximum_suppression"), "type", "xyz"))
    with pytest.raises(UnsupportedOp, match="xyz of layer y: add a function xyz to a file of"):
        open_and_run(package)


@pytest.mark.parametrize("name", ["Manifest.json", MODEL, WEIGHTS])
@pytest.mark.parametrize("keep", [None, 0, 10, 0.5, 0.99])
def test_a_cut_or_missing_piece_is_a_bad_artifact(package, name, keep):
    data = (package / name).read_bytes()
    if keep is None:
        (package / name).unlink()
    else:
        length = keep if isinstance(keep, int) else int(len(data) * keep)
        (package / name).write_bytes(data[:length])
    with pytest.raises(BadArtifact, match=r"export the network again|copy the whole"):
        open_and_run(package)


def test_weights_of_another_type_or_length_are_refused(package):
    data = bytearray((package / WEIGHTS).read_bytes())
    for place, value in ((68, struct.pack("<I", 1)), (72, struct.pack("<Q", 16))):
        changed = data.copy()
        changed[place : place + len(value)] = value
        (package / WEIGHTS).write_bytes(changed)
        with pytest.raises(BadArtifact, match="expected 864 of type 2"):
            open_and_run(package)


def test_a_manifest_that_leads_out_of_the_package_is_refused(package):
    manifest = json.loads((package / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = "../../other.mlmodel"
    (package / "Manifest.json").write_text(json.dumps(manifest))
    (package.parent / "other.mlmodel").write_bytes((package / MODEL).read_bytes())
    with pytest.raises(BadArtifact, match=r"has no '\.\./\.\./other\.mlmodel'"):
        read_package(package)


def test_a_constant_may_be_written_in_place_of_a_name(tmp_path):
    half = TensorType("fp16", (2,))
    values = ("x", Constant(half, np.array([3, 4], np.float16), in_blob=False))
    axis = Constant(TensorType("int32"), np.array(0, np.int32), in_blob=False)
    concat = Operation(
        "concat",
        "joined",
        {"values": values, "axis": (axis,)},
        (Variable("y", TensorType("fp16", (4,))),),
    )
    features = Feature("x", half), Feature("y", TensorType("fp16", (4,)))
    program = Package(tmp_path, 7, "CoreML5", features[:1], features[1:], (concat,))
    outputs = Interpreter(program, rounding=True).run({"x": torch.tensor([1.0, 2.0])})
    assert outputs["y"].tolist() == [1, 2, 3, 4]


def test_no_edit_of_a_byte_ends_in_a_traceback(package):
    data = (package / MODEL).read_bytes()
    rng = np.random.default_rng(6)
    for place in rng.integers(0, len(data), 150):
        changed = bytearray(data)
        changed[place] ^= int(rng.integers(1, 256))
        (package / MODEL).write_bytes(changed)
        try:
            open_and_run(package)
        except StyleExportError as error:
            assert "\n" not in str(error)
