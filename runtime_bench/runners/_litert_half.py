"""A float ``.tflite`` file computed in float16, one operation after the other, by LiteRT's kernels.

Each operation of the file is a file of its own, which LiteRT runs in float32. In between, every
tensor is rounded to float16, as are the weights. A convolution or linear layer adds up its terms in
float16: of four input channels at a time, the width of a GPU's vectors, LiteRT computes the sum
over the kernel, and each is added to the running sum, which is rounded; the bias comes last. GPUs
round after each product, so that they may come out worse than this by some decibels, and leave the
range inside a block. Means and pools add up in float32, as LiteRT's GPU kernels do;
so do products of two maps, which those add up in float16.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from styleexport.core.errors import BadArtifact, UnsupportedOp, first_line
from styleexport.core.input_files import read_input
from styleexport.core.plugins import needs
from styleexport.runtime_bench.formats._half import round_sums, to_half
from styleexport.runtime_bench.formats._tflite import read_graph
from styleexport.runtime_bench.formats._tflite_graph import TfliteGraph, TfliteOperation
from styleexport.runtime_bench.runners._litert_tensors import native_quiet

Value = NDArray[Any]
Step = Callable[[Mapping[int, Value]], Sequence[Value]]
# Input channels whose products are added before the running sum is rounded.
BLOCK = 4
# Operation → axis of its weights that its sums run over.
SUMMED = {"CONV_2D": 3, "TRANSPOSE_CONV": 3, "FULLY_CONNECTED": 1}
# Position of the maps and of the weights among the inputs.
OPERANDS = {"CONV_2D": (0, 1), "TRANSPOSE_CONV": (2, 1), "FULLY_CONNECTED": (0, 1)}


class HalfProgram:
    """A float file, taken apart.

    Args:
        path: path of the file.
        threads: number of LiteRT's threads; None leaves it to LiteRT.

    Raises:
        BadArtifact: the file is damaged.
        UnsupportedOp: the file computes in integers.
        MissingExtra: LiteRT is not installed.
    """

    def __init__(self, path: Path, threads: int | None) -> None:
        self.graph = read_graph(path)
        if not computes_in_float(self.graph):
            raise UnsupportedOp(
                f"{path} computes in integers, which float16 is no arithmetic for; type "
                "--runner litert, or export it with --precision fp16"
            )
        with needs("LiteRT"):
            from ai_edge_litert import schema_py_generated as schema
        data = read_input(path, error=BadArtifact, remedy="type the path of a .tflite file")
        self._model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        self._threads = threads
        self._path = path
        self._values: dict[int, Value] = {}
        self._steps: list[tuple[TfliteOperation, Step]] = []
        self._constants()
        for operation, stored in zip(
            self.graph.operations, self._model.subgraphs[0].operators, strict=True
        ):
            if not set(operation.outputs) <= self._values.keys():
                self._steps.append((operation, self._step(operation, stored)))
        self._last_read = {
            index: number
            for number, (operation, _) in enumerate(self._steps)
            for index in operation.inputs
        }

    def run(self, inputs: Mapping[int, Value], keep: Sequence[int] = ()) -> dict[int, Value]:
        """Return tensor index → value of the outputs and of tensors to keep.

        Args:
            inputs: tensor index → value of every input of the file.
            keep: indices of further tensors to return.
        """
        returned = {*self.graph.outputs.values(), *keep}
        values = {**self._values, **{i: _held(x) for i, x in inputs.items()}}
        for number, (operation, step) in enumerate(self._steps):
            results = step(values)
            values |= {i: _held(x) for i, x in zip(operation.outputs, results, strict=True)}
            for index in (*operation.inputs, *operation.outputs):
                if self._last_read.get(index, -1) <= number and index not in returned:
                    values.pop(index, None)
        return {index: values[index] for index in returned if index in values}

    def _constants(self) -> None:
        """Collect the constants, float16 weights converted back among them."""
        for index, tensor in enumerate(self.graph.tensors):
            if tensor.stored is not None:
                value = tensor.stored.view(tensor.dtype).reshape(tensor.shape)
                self._values[index] = _held(value)
        for operation in self.graph.operations:
            if operation.name == "DEQUANTIZE" and operation.inputs[0] in self._values:
                source = self.graph.tensors[operation.inputs[0]]
                if source.dtype == "float16":
                    value = self._values[operation.inputs[0]].astype(np.float32)
                    self._values[operation.outputs[0]] = to_half(value)

    def _step(self, operation: TfliteOperation, stored: Any) -> Step:  # noqa: ANN401 - generated
        """Return what computes an operation."""
        if operation.name in SUMMED:
            maps, weights = (operation.inputs[i] for i in OPERANDS[operation.name])
            channels = self.graph.tensors[maps].shape[-1]
            weight = self._values.get(weights)
            axis = SUMMED[operation.name]
            if weight is not None and weight.shape[axis] == channels > BLOCK:
                return self._blocks(operation, stored, axis)
        alone = self._alone(operation, stored)
        return lambda values: alone.run([values[i] for i in alone.fed])

    def _blocks(self, operation: TfliteOperation, stored: Any, axis: int) -> Step:  # noqa: ANN401
        """Return what computes a convolution block by block of its input channels."""
        maps, weights = (operation.inputs[i] for i in OPERANDS[operation.name])
        channels = self.graph.tensors[maps].shape[-1]
        bias_at = 3 if operation.name == "TRANSPOSE_CONV" else 2
        bias = operation.inputs[bias_at] if len(operation.inputs) > bias_at else -1
        plain, limit = copy.deepcopy(stored), _limit(stored)
        plain.builtinOptions.fusedActivationFunction = 0
        changed: dict[int, Value] = {}
        if bias >= 0:
            changed[bias] = np.zeros_like(self._values[bias])
        parts: list[tuple[slice, _Alone]] = []
        for first in range(0, channels, BLOCK):
            block = slice(first, min(first + BLOCK, channels))
            taken = self._values[weights][(slice(None),) * axis + (block,)]
            shape = (*self.graph.tensors[maps].shape[:-1], block.stop - block.start)
            parts.append(
                (block, self._alone(operation, plain, {**changed, weights: taken}, {maps: shape}))
            )

        def run(values: Mapping[int, Value]) -> Sequence[Value]:
            total: Value | None = None
            for block, part in parts:
                fed = [
                    np.ascontiguousarray(values[i][..., block]) if i == maps else values[i]
                    for i in part.fed
                ]
                (found,) = part.run(fed)
                total = found if total is None else np.add(total, found, out=total)
                total = round_sums(total)
            assert total is not None
            return (limit(round_sums(total + self._values[bias]) if bias >= 0 else total),)

        return run

    def _alone(
        self,
        operation: TfliteOperation,
        stored: Any,  # noqa: ANN401 - generated
        constants: Mapping[int, Value] | None = None,
        shapes: Mapping[int, tuple[int, ...]] | None = None,
    ) -> _Alone:
        """Return an operation as a file of its own.

        Args:
            operation: operation of the graph.
            stored: the same as the file holds it.
            constants: tensor index → value that replaces the file's own.
            shapes: tensor index → shape that replaces the file's own.
        """
        from ai_edge_litert import schema_py_generated as schema

        constants = {**self._values, **(constants or {})}
        model: Any = schema.ModelT()
        model.version = self._model.version
        model.operatorCodes = [self._model.operatorCodes[stored.opcodeIndex]]
        model.buffers = [schema.BufferT()]
        part: Any = schema.SubGraphT()
        own = copy.copy(stored)
        own.opcodeIndex = 0
        indices = list(dict.fromkeys(i for i in (*operation.inputs, *operation.outputs) if i >= 0))
        part.tensors = []
        for index in indices:
            tensor = copy.copy(self._model.subgraphs[0].tensors[index])
            tensor.buffer, tensor.shapeSignature, tensor.shape = 0, None, list(tensor.shape)
            if shapes and index in shapes:
                tensor.shape = list(shapes[index])
            if index in constants and index not in operation.outputs:
                value = np.ascontiguousarray(constants[index])
                buffer: Any = schema.BufferT()
                buffer.data = np.frombuffer(value.tobytes(), np.uint8)
                model.buffers.append(buffer)
                tensor.buffer, tensor.shape = len(model.buffers) - 1, list(value.shape)
            part.tensors.append(tensor)
        places = {index: place for place, index in enumerate(indices)}
        own.inputs = [places.get(i, -1) for i in operation.inputs]
        own.outputs = [places[i] for i in operation.outputs]
        fed = tuple(i for i in dict.fromkeys(operation.inputs) if i >= 0 and i not in constants)
        part.inputs, part.outputs = [places[i] for i in fed], own.outputs
        part.operators = [own]
        model.subgraphs = [part]
        name = f"{operation.name} of {self._path}"
        return _Alone(_loaded(model, name, self._threads), fed, name)


@dataclass(frozen=True)
class _Alone:
    """One operation as a file of its own.

    Attributes:
        interpreter: LiteRT's interpreter of it.
        fed: indices, in the whole file, of the tensors that it takes.
        name: name for messages.
    """

    interpreter: Any
    fed: tuple[int, ...]
    name: str

    def run(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """Return its outputs.

        Raises:
            BadArtifact: it fails.
        """
        try:
            for detail, value in zip(self.interpreter.get_input_details(), values, strict=True):
                self.interpreter.set_tensor(detail["index"], value)
            self.interpreter.invoke()
        except Exception as error:
            raise BadArtifact(
                f"{self.name} does not run: {first_line(error)}; export the network again"
            ) from error
        details = self.interpreter.get_output_details()
        return tuple(self.interpreter.get_tensor(item["index"]) for item in details)


def computes_in_float(graph: TfliteGraph) -> bool:
    """Whether all that a file computes of pictures is in floats."""
    return not any(
        tensor.dtype in ("int8", "int16", "uint8") and (tensor.stored is None or tensor.scales)
        for tensor in graph.tensors
    )


def _loaded(model: Any, name: str, threads: int | None) -> Any:  # noqa: ANN401 - generated
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.tools import flatbuffer_utils

    try:
        with native_quiet():
            content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
    except Exception as error:
        raise BadArtifact(
            f"LiteRT cannot load {name}: {first_line(error)}; export the network again"
        ) from error
    return interpreter


def _limit(stored: Any) -> Callable[[Value], Value]:  # noqa: ANN401 - generated
    """Return the activation that an operation holds."""
    kind = stored.builtinOptions.fusedActivationFunction
    bounds = {0: None, 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
    if kind not in bounds:
        raise UnsupportedOp(
            f"a convolution holds the activation {kind} of LiteRT's schema, expected none, RELU, "
            "RELU_N1_TO_1 or RELU6; type --runner litert"
        )
    limits = bounds[kind]
    return (lambda x: x) if limits is None else (lambda x: np.clip(x, *limits))


def _held(value: Value) -> Value:
    """Return a tensor as float16 holds it, others as they are."""
    return to_half(value) if value.dtype == np.float32 else value
