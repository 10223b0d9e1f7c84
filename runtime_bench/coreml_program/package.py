"""Reader of ``.mlpackage`` folders: manifest, program and weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import BadArtifact, UnsupportedOp, first_line
from styleexport.core.input_files import read_input
from styleexport.core.plugins import needs
from styleexport.core.quiet import quiet
from styleexport.runtime_bench.coreml_program.blob import (
    AGAIN,
    ELEMENTS,
    BlobFile,
    packed_bytes,
    unpack,
)
from styleexport.runtime_bench.coreml_program.features import Proto, read_features
from styleexport.runtime_bench.coreml_program.program import (
    Constant,
    Operation,
    Package,
    TensorType,
    Variable,
)

MODEL = "model.mlmodel"
# Stands for the folder of the .mlmodel file in paths of weights files.
ROOT = "@model_path"
SHORT_NAMES = {"float16": "fp16", "float32": "fp32", "float64": "fp64"}


def read_package(path: Path) -> Package:
    """Return the default function of a package with its constants.

    Raises:
        BadArtifact: a part is missing, truncated or altered, or the model is no ML program.
        UnsupportedOp: the program holds values that are not tensors, or keeps state.
        MissingExtra: coremltools is not installed.
    """
    file = _find_model(path)
    model = _parse(file)
    name = model.description.defaultFunctionName or "main"
    functions = model.mlProgram.functions
    if name not in functions:
        raise BadArtifact(f"{path} has functions {sorted(functions)}, expected {name!r}; {AGAIN}")
    function = functions[name]
    reader = _Reader(path, file.parent)
    block = reader.block(function)
    inputs = tuple(reader.variable(item) for item in function.inputs)
    operations = tuple(reader.operation(item) for item in block.operations)
    returned = [reader.text(item) for item in block.outputs]
    variables = _check_names(path, inputs, operations, returned)
    outputs = tuple(variables[item] for item in returned)
    described_inputs, described_outputs = read_features(
        path, model.description, name, inputs, outputs
    )
    return Package(
        path=path,
        specification_version=model.specificationVersion,
        opset=function.opset,
        inputs=described_inputs,
        outputs=described_outputs,
        operations=operations,
        metadata=_metadata(model),
        size_bytes=file.stat().st_size + sum(len(blob.data) for blob in reader.blobs.values()),
    )


def _find_model(path: Path) -> Path:
    """Return the ``.mlmodel`` file that the package's manifest names as its root."""
    manifest = path / "Manifest.json"
    if not manifest.is_file():
        raise BadArtifact(
            f"{path} has no Manifest.json, expected an .mlpackage folder: copy the whole folder or "
            "export the network again"
        )
    try:
        content = json.loads(read_input(manifest, error=BadArtifact, remedy=AGAIN))
        item = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
        file = path / "Data" / item
        inside = file.resolve().is_relative_to((path / "Data").resolve())
        exists = inside and file.is_file()
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise BadArtifact(f"{manifest} names no model: {first_line(error)}; {AGAIN}") from error
    if not exists:
        raise BadArtifact(
            f"{path} has no {item!r}, which its manifest names: copy the whole folder or export "
            "the network again"
        )
    return file


def _parse(file: Path) -> Proto:
    with needs("the Core ML reference runner"), quiet():
        from coremltools.proto import Model_pb2
    model: Proto = Model_pb2.Model()
    try:
        model.ParseFromString(read_input(file, error=BadArtifact, remedy=AGAIN))
    except Exception as error:
        raise BadArtifact(f"{file} is no Core ML model: {first_line(error)}; {AGAIN}") from error
    kind = model.WhichOneof("Type")
    if kind is None:
        raise BadArtifact(f"{file} holds no model; {AGAIN}")
    if kind != "mlProgram":
        raise BadArtifact(
            f"{file} holds {kind}, expected mlProgram: convert with "
            "convert_to='mlprogram', for example styleexport coreml"
        )
    return model


def _metadata(model: Proto) -> dict[str, str]:
    stored = model.description.metadata
    standard = {
        "author": stored.author,
        "licence": stored.license,
        "version": stored.versionString,
        "description": stored.shortDescription,
    }
    return {k: v for k, v in standard.items() if v} | dict(stored.userDefined)


def _check_names(
    path: Path, inputs: Iterable[Variable], operations: Iterable[Operation], outputs: Iterable[str]
) -> dict[str, Variable]:
    """Return name → variable, checked to be defined once and before it is read."""
    known = {item.name: item for item in inputs}
    for operation in operations:
        for name in operation.reads():
            if name not in known:
                raise BadArtifact(
                    f"{path}: {operation.kind} {operation.name} reads {name}, which nothing before "
                    f"it makes; {AGAIN}"
                )
        for item in operation.outputs:
            if item.name in known:
                raise BadArtifact(f"{path} makes {item.name} twice; {AGAIN}")
            known[item.name] = item
    for name in outputs:
        if name not in known:
            raise BadArtifact(f"{path} returns {name}, which nothing makes; {AGAIN}")
    return known


@dataclass
class _Reader:
    """Converter of one program's protobuf messages.

    Attributes:
        path: package, for messages.
        folder: folder of the ``.mlmodel`` file.
        blobs: weights files read so far.
    """

    path: Path
    folder: Path
    blobs: dict[Path, BlobFile] = field(default_factory=dict[Path, BlobFile])

    def block(self, function: Proto) -> Proto:
        if function.opset not in function.block_specializations:
            blocks = sorted(function.block_specializations)
            raise BadArtifact(
                f"{self.path} has blocks {blocks}, expected {function.opset!r}; {AGAIN}"
            )
        return function.block_specializations[function.opset]

    def variable(self, message: Proto) -> Variable:
        name = self.text(message.name)
        return Variable(name, self.tensor_type(message.type, name))

    def text(self, name: str) -> str:
        """Return a name, checked to be printable."""
        if not name.isprintable():
            raise BadArtifact(f"{self.path} names something {name!r}; {AGAIN}")
        return name

    def tensor_type(self, message: Proto, owner: str) -> TensorType:
        kind = message.WhichOneof("type")
        if kind is None:
            raise BadArtifact(f"{self.path}: {owner} has no type; {AGAIN}")
        if kind != "tensorType":
            raise UnsupportedOp(
                f"{self.path}: {owner} is a {kind}, and the reference runner "
                "reads tensors only: convert the network without lists and states"
            )
        tensor = message.tensorType
        names = tensor.DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number
        number = tensor.dataType
        name = names[number].name.lower() if number in names else f"type {number}"
        dtype = SHORT_NAMES.get(name, name)
        if dtype not in ELEMENTS and dtype != "string":
            raise BadArtifact(f"{self.path}: {owner} holds {dtype}, which is not known; {AGAIN}")
        sides = [
            side.constant.size if side.WhichOneof("dimension") == "constant" else None
            for side in tensor.dimensions
        ]
        if len(sides) != tensor.rank:
            raise BadArtifact(
                f"{self.path}: {owner} has {len(sides)} sides, expected {tensor.rank}; {AGAIN}"
            )
        return TensorType(dtype, tuple(sides))

    def operation(self, message: Proto) -> Operation:
        """Return one operation; attributes become inputs too."""
        outputs = tuple(self.variable(item) for item in message.outputs)
        kind = self.text(message.type)
        fallback = outputs[0].name if outputs else kind
        attributes = {
            key: (self.constant(value, f"{self.text(key)} of {kind} {fallback}"),)
            for key, value in message.attributes.items()
        }
        name = attributes.pop("name", None)
        layer = self.text(str(name[0].value)) if name else fallback
        inputs: dict[str, tuple[str | Constant, ...]] = {
            key: tuple(
                self.text(item.name)
                if item.WhichOneof("binding") == "name"
                else self.constant(item.value, f"{self.text(key)} of {kind} {layer}")
                for item in argument.arguments
            )
            for key, argument in message.inputs.items()
        }
        if kind == "const" and (len(outputs) != 1 or "val" not in attributes):
            raise BadArtifact(f"{self.path}: constant {layer} holds no value; {AGAIN}")
        return Operation(kind, layer, attributes | inputs, outputs)

    def constant(self, message: Proto, owner: str) -> Constant:
        declared = self.tensor_type(message.type, owner)
        count = declared.count
        if count is None:
            raise BadArtifact(f"{self.path}: {owner} has the open shape {declared}; {AGAIN}")
        if message.WhichOneof("value") == "blobFileValue":
            if declared.dtype not in ELEMENTS:
                raise BadArtifact(f"{self.path}: {owner} is text in the weights file; {AGAIN}")
            blob = self.blob(message.blobFileValue.fileName)
            values = blob.read(message.blobFileValue.offset, declared.dtype, count)
            return Constant(declared, _shaped(values, declared), in_blob=True)
        tensor = message.immediateValue.tensor
        kind = tensor.WhichOneof("value")
        if kind is None:
            raise BadArtifact(f"{self.path}: {owner} holds no value, expected {declared}; {AGAIN}")
        stored = getattr(tensor, kind).values
        return Constant(declared, self._immediate(stored, declared, count, owner), in_blob=False)

    def _immediate(
        self, stored: Iterable[object] | bytes, declared: TensorType, count: int, owner: str
    ) -> NDArray[np.generic] | str:
        if isinstance(stored, bytes):
            dtype, length = declared.dtype, len(stored)
            if dtype not in ELEMENTS or length != packed_bytes(dtype, count):
                raise BadArtifact(
                    f"{self.path}: {owner} has {length} bytes for {declared}; {AGAIN}"
                )
            return _shaped(unpack(stored, dtype, count), declared)
        values = list(stored)
        if len(values) != count:
            raise BadArtifact(
                f"{self.path}: {owner} has {len(values)} values, expected {count}; {AGAIN}"
            )
        if declared.dtype == "string":
            return (
                str(values[0]) if declared.shape == () else _shaped(np.array(values, str), declared)
            )
        try:
            return _shaped(np.array(values, ELEMENTS[declared.dtype].dtype), declared)
        except (ValueError, OverflowError, TypeError) as error:
            raise BadArtifact(f"{self.path}: {owner}: {first_line(error)}; {AGAIN}") from error

    def blob(self, name: str) -> BlobFile:
        """Return a weights file by name, read once."""
        file = self.folder / self.text(name).removeprefix(ROOT).lstrip("/")
        if not file.resolve().is_relative_to(self.folder.resolve()):
            raise BadArtifact(f"{self.path} reads weights outside itself, {name!r}; {AGAIN}")
        if file not in self.blobs:
            self.blobs[file] = BlobFile.open(file)
        return self.blobs[file]


def _shaped(values: NDArray[np.generic], declared: TensorType) -> NDArray[np.generic]:
    return values.reshape([side or 0 for side in declared.shape])
