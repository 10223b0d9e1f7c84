"""Inputs and outputs of a package as its description declares them to apps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from styleexport.core.errors import BadArtifact, UnsupportedOp
from styleexport.runtime_bench.coreml_program.blob import AGAIN
from styleexport.runtime_bench.coreml_program.program import Feature, Variable

# Protobuf's generated classes carry no types.
Proto = Any
CHANNELS = {"RGB": 3, "BGR": 3, "GRAYSCALE": 1, "GRAYSCALE_FLOAT16": 1}
Bounds = tuple[tuple[int, int | None], ...]


def read_features(
    path: Path,
    description: Proto,
    function: str,
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """Return the inputs and outputs, in the order of the description.

    Args:
        path: package, for messages.
        description: description of the model.
        function: name of the function that is read.
        inputs: inputs of the program.
        outputs: outputs of the program.

    Raises:
        BadArtifact: the description and the program name different tensors.
        UnsupportedOp: the package keeps state or takes neither images nor multi-arrays.
    """
    described = next((f for f in description.functions if f.name == function), description)
    if described.state:
        raise UnsupportedOp(
            f"{path} keeps state ({described.state[0].name}), which the reference runner does not: "
            "convert the network without states"
        )
    return _paired(path, described.input, inputs), _paired(path, described.output, outputs)


def _paired(
    path: Path,
    described: Iterable[Proto],
    variables: Sequence[Variable],
) -> tuple[Feature, ...]:
    features = list(described)
    known = {item.name: item for item in variables}
    names = sorted(item.name for item in features)
    if names != sorted(known):
        raise BadArtifact(f"{path} describes {names}, its program has {sorted(known)}; {AGAIN}")
    return tuple(_feature(path, item, known[item.name]) for item in features)


def _feature(path: Path, message: Proto, variable: Variable) -> Feature:
    kind = message.type.WhichOneof("Type")
    if kind == "imageType":
        return _image(path, message.type.imageType, variable, message.type.isOptional)
    if kind == "multiArrayType":
        return _array(message.type.multiArrayType, variable, message.type.isOptional)
    raise UnsupportedOp(
        f"{path}: {message.name} is a {kind or 'feature of no type'}, and the reference runner "
        "takes images and multi-arrays: convert the network with those"
    )


def _image(path: Path, image: Proto, variable: Variable, optional: bool) -> Feature:
    names = {v.number: v.name for v in image.DESCRIPTOR.enum_types_by_name["ColorSpace"].values}
    colour = names.get(image.colorSpace, "")
    if colour not in CHANNELS:
        raise BadArtifact(f"{path}: image {variable.name} has no colour space; {AGAIN}")

    def shape(size: Proto) -> tuple[int, ...]:
        return (1, CHANNELS[colour], int(size.height), int(size.width))

    bounds: Bounds = ()
    sizes = [(1, CHANNELS[colour], int(image.height), int(image.width))]
    if image.WhichOneof("SizeFlexibility") == "enumeratedSizes":
        sizes += [shape(item) for item in image.enumeratedSizes.sizes]
    elif image.WhichOneof("SizeFlexibility") == "imageSizeRange":
        sides = (image.imageSizeRange.heightRange, image.imageSizeRange.widthRange)
        bounds = ((1, 1), (CHANNELS[colour], CHANNELS[colour]), *map(_bound, sides))
    return Feature(
        variable.name,
        variable.type,
        image=colour,
        shapes=tuple(dict.fromkeys(sizes)),
        bounds=bounds,
        optional=optional,
    )


def _array(array: Proto, variable: Variable, optional: bool) -> Feature:
    bounds: Bounds = ()
    # An output's description may omit its shape; then the program has it.
    shapes = [tuple(map(int, array.shape))] if array.shape else []
    if array.WhichOneof("ShapeFlexibility") == "enumeratedShapes":
        shapes += [tuple(map(int, item.shape)) for item in array.enumeratedShapes.shapes]
    elif array.WhichOneof("ShapeFlexibility") == "shapeRange":
        bounds = tuple(map(_bound, array.shapeRange.sizeRanges))
    sides = [side for side in variable.type.shape if side is not None]
    if not shapes and len(sides) == len(variable.type.shape):
        shapes = [tuple(sides)]
    chosen = array.WhichOneof("defaultOptionalValue")
    return Feature(
        variable.name,
        variable.type,
        shapes=tuple(dict.fromkeys(shapes)),
        bounds=bounds,
        default=float(getattr(array, chosen)) if chosen else 0.0,
        optional=optional,
    )


def _bound(side: Proto) -> tuple[int, int | None]:
    upper = int(side.upperBound)
    return int(side.lowerBound), None if upper < 0 else upper
