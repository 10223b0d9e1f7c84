"""Inputs and outputs of a package: arrays on this side, pixel buffers and multi-arrays on that."""

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
        path: the ``.mlpackage`` folder.
        rounding: whether fp16 tensors are rounded to fp16.

    Raises:
        BadArtifact: the package cannot be read.
        UnsupportedOp: it holds what the reference does not compute.
        MissingExtra: coremltools is not installed.
    """

    def __init__(self, path: Path, *, rounding: bool) -> None:
        self._package = read_package(path)
        self._interpreter = Interpreter(self._package, rounding=rounding)

    def __call__(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name.

        Raises:
            UsageError: an input is missing, unknown or of a size that the package does not hold.
            BadArtifact: the program fails.
        """
        found = self._interpreter.run(self._tensors(inputs))
        return {feature.name: to_array(feature, found[feature.name]) for feature in self._outputs}

    def layers(self, inputs: Arrays, names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return tensors of one run by name, as the program holds them."""
        found = self._interpreter.run(self._tensors(inputs), keep=names)
        return {name: found[name].float().numpy() for name in names if name in found}

    @property
    def _outputs(self) -> Sequence[Feature]:
        return self._package.outputs

    def _tensors(self, inputs: Arrays) -> dict[str, Tensor]:
        path, features = self._package.path, self._package.inputs
        required = {feature.name for feature in features if not feature.optional}
        known = {feature.name for feature in features}
        if required - set(inputs) or set(inputs) - known:
            wanted, got = ", ".join(sorted(known)), ", ".join(sorted(inputs)) or "none"
            raise UsageError(f"{path.name} takes the inputs {wanted}; got {got}")
        return {feature.name: to_tensor(feature, inputs, path) for feature in features}


def to_tensor(feature: Feature, inputs: Arrays, path: Path) -> Tensor:
    """Return an input as the program receives it.

    Images become the 8-bit pixels of the buffer that an app hands over: round(255·x), in the
    declared order of colours.

    Raises:
        UsageError: the package does not take this shape.
    """
    if feature.name not in inputs:
        return torch.full(feature.shapes[0], feature.default).to(STORAGE[feature.type.dtype])
    array = np.asarray(inputs[feature.name], np.float32)
    if not takes(feature, array.shape):
        raise UsageError(
            f"{path.name} takes {feature.name} as {_in_words(feature)}; got {_side(array.shape)}"
        )
    if feature.image in ("RGB", "BGR", "GRAYSCALE"):
        array = np.clip(np.rint(array * np.float32(255)), 0, 255)
    if feature.image == "BGR":
        array = array[:, ::-1]
    return torch.from_numpy(array.copy()).to(STORAGE[feature.type.dtype])


def to_array(feature: Feature, value: Tensor) -> NDArray[np.float32]:
    """Return an output; pixels are divided by 255 and clipped, not rounded to 8 bits."""
    array = value.float().numpy()
    if feature.image == "BGR":
        array = array[:, ::-1]
    if feature.image in ("RGB", "BGR", "GRAYSCALE"):
        array = np.clip(array / np.float32(255), 0, 1).astype(np.float32)
    return np.ascontiguousarray(array)


def takes(feature: Feature, shape: Sequence[int]) -> bool:
    """Return whether an input may have a shape."""
    if not feature.bounds:
        return tuple(shape) in feature.shapes
    return len(shape) == len(feature.bounds) and all(
        low <= side and (high is None or side <= high)
        for side, (low, high) in zip(shape, feature.bounds, strict=True)
    )


def _in_words(feature: Feature) -> str:
    if feature.bounds:
        return "x".join(f"{low}..{high or ''}" for low, high in feature.bounds)
    return ", ".join(_side(shape) for shape in feature.shapes)


def _side(shape: Sequence[int]) -> str:
    """Return a shape in words, images by height and width alone."""
    sides = shape[2:] if len(shape) == 4 and tuple(shape[:2]) == (1, 3) else shape
    return "x".join(map(str, sides)) or "one number"
