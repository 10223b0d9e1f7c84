"""Open Core ML packages: conversion between arrays and pixel buffers or multi-arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from styleexport.core.arrays import Arrays
from styleexport.core.errors import UsageError
from styleexport.runtime_bench.coreml_program.interpreter import Interpreter
from styleexport.runtime_bench.coreml_program.op import STORAGE
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.coreml_program.program import Feature


class ReferencePackage:
    """An open package.

    Args:
        path: path of the ``.mlpackage`` folder.
        rounding: whether fp16 tensors are rounded to fp16.

    Raises:
        BadArtifact: the package cannot be read.
        UnsupportedOp: it holds an operation that the reference does not compute.
        MissingExtra: coremltools is not installed.
    """

    def __init__(self, path: Path, *, rounding: bool) -> None:
        self._package = read_package(path)
        self._interpreter = Interpreter(self._package, rounding=rounding)

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name, float32; images [1, 3, H, W] in 0..1.

        Args:
            inputs: inputs by name, float32; images [1, 3, H, W] in 0..1.

        Raises:
            UsageError: an input is missing, unknown or of a size that the package does not hold.
            BadArtifact: the program fails.
        """
        values = self._interpreter.run(self._tensors(inputs))
        return {feature.name: to_array(feature, values[feature.name]) for feature in self._outputs}

    def layers(self, inputs: Arrays, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return inner tensors of one run by name, in the program's layout, float32."""
        values = self._interpreter.run(self._tensors(inputs), keep=names)
        return {name: values[name].float().numpy() for name in names if name in values}

    @property
    def _outputs(self) -> Sequence[Feature]:
        return self._package.outputs

    def _tensors(self, inputs: Arrays) -> dict[str, Tensor]:
        path, features = self._package.path, self._package.inputs
        required = {feature.name for feature in features if not feature.optional}
        known = {feature.name for feature in features}
        if required - set(inputs) or set(inputs) - known:
            expected, got = ", ".join(sorted(known)), ", ".join(sorted(inputs)) or "none"
            raise UsageError(f"{path.name} takes the inputs {expected}; got {got}")
        return {feature.name: to_tensor(feature, inputs, path) for feature in features}


def to_tensor(feature: Feature, inputs: Arrays, path: Path) -> Tensor:
    """Return an input in the program's type and range.

    Images [1, 3, H, W] in 0..1 become the 8-bit pixels of a pixel buffer: round(255·x), in the
    declared colour order.

    Raises:
        UsageError: the package does not take this shape.
    """
    if feature.name not in inputs:
        return torch.full(feature.shapes[0], feature.default).to(STORAGE[feature.type.dtype])
    array = np.asarray(inputs[feature.name], np.float32)
    if not takes(feature, array.shape):
        raise UsageError(
            f"{path.name} takes {feature.name} as {_shapes(feature)}; got {_side(array.shape)}"
        )
    if feature.image in ("RGB", "BGR", "GRAYSCALE"):
        array = np.clip(np.rint(array * np.float32(255)), 0, 255)
    if feature.image == "BGR":
        array = array[:, ::-1]
    return torch.from_numpy(array.copy()).to(STORAGE[feature.type.dtype])


def to_array(feature: Feature, value: Tensor) -> NDArray[np.float32]:
    """Return an output in float32; pixels are divided by 255 and clipped, without rounding."""
    array = value.float().numpy()
    if feature.image == "BGR":
        array = array[:, ::-1]
    if feature.image in ("RGB", "BGR", "GRAYSCALE"):
        array = np.clip(array / np.float32(255), 0, 1).astype(np.float32)
    return np.ascontiguousarray(array)


def takes(feature: Feature, shape: Sequence[int]) -> bool:
    """Whether an input may have a shape."""
    if not feature.bounds:
        return tuple(shape) in feature.shapes
    return len(shape) == len(feature.bounds) and all(
        low <= side and (high is None or side <= high)
        for side, (low, high) in zip(shape, feature.bounds, strict=True)
    )


def _shapes(feature: Feature) -> str:
    if feature.bounds:
        return "x".join(f"{low}..{high or ''}" for low, high in feature.bounds)
    return ", ".join(_side(shape) for shape in feature.shapes)


def _side(shape: Sequence[int]) -> str:
    """Return the text of a shape; of images, height and width alone."""
    sides = shape[2:] if len(shape) == 4 and tuple(shape[:2]) == (1, 3) else shape
    return "x".join(map(str, sides)) or "one number"
