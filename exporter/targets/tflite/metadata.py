"""TFLite metadata: what Android Studio, MediaPipe and TensorFlow Lite's support library read.

The metadata is a flatbuffer of its own (``ModelMetadata``, file identifier ``M001``) in a buffer of
the file that the entry ``TFLITE_METADATA`` names; its schema is
``tensorflow_lite_support/metadata/metadata_schema.fbs``, whose fields are given here by number. It
says author, licence and version, and of each tensor its name, meaning, colour space, range and the
normalization: that of an input turns 0..255 into what the file takes, that of an output its values
into 0..255.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from styleexport.core.manifest import TensorFact
from styleexport.exporter.targets._about import About

NAME, IDENTIFIER = b"TFLITE_METADATA", b"M001"
# The oldest parser that knows every field used here.
PARSER_VERSION = "1.0.0"
IMAGE_PROPERTIES, NORMALIZATION_OPTIONS = 2, 1  # of the unions of contents and process units
RGB = 1  # of the enumeration of colour spaces
AXES = {"NHWC": ("batch", "height", "width", "channel"), "NK": ("batch", "value")}
WHITE = 255.0
# Lowest and highest value → mean and standard deviation.
Way = Callable[[float, float], tuple[float, float]]


def add_metadata(
    path: Path, about: About, inputs: Sequence[TensorFact], outputs: Sequence[TensorFact]
) -> None:
    """Put metadata into a file, in place of what it has.

    Args:
        path: the ``.tflite`` file.
        about: description of the file.
        inputs: inputs, in the order of the file.
        outputs: outputs, in the order of the file.
    """
    model: Any = flatbuffer_utils.read_model(str(path))
    buffer: Any = schema.BufferT()
    buffer.data = model_metadata(about, inputs, outputs)
    entry: Any = schema.MetadataT()
    entry.name, entry.buffer = NAME, len(model.buffers)
    model.buffers.append(buffer)
    others = [item for item in model.metadata or () if item.name != NAME]
    model.metadata = [*others, entry]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def model_metadata(
    about: About, inputs: Sequence[TensorFact], outputs: Sequence[TensorFact]
) -> bytes:
    """Return the metadata as a flatbuffer; see `add_metadata`."""
    builder = flatbuffers.Builder(1024)
    ends = [
        _vector(builder, [_tensor(builder, *item, way) for item in zip(facts, texts, strict=True)])
        for facts, texts, way in ((inputs, about.inputs, _taken), (outputs, about.outputs, _given))
    ]
    facts = "".join(f"\n{name}: {text}" for name, text in about.facts.items())
    subgraph = _table(
        builder,
        10,
        {0: builder.CreateString("main"), 2: ends[0], 3: ends[1]},
    )
    root = _table(
        builder,
        8,
        {
            0: builder.CreateString(about.name),
            1: builder.CreateString(about.description + facts),
            2: builder.CreateString(about.version),
            3: _vector(builder, [subgraph]),
            4: builder.CreateString(about.author),
            5: builder.CreateString(about.licence),
            7: builder.CreateString(PARSER_VERSION),
        },
    )
    builder.Finish(root, IDENTIFIER)
    return bytes(builder.Output())


def _taken(low: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation that turn 0..255 into a range."""
    return 0.0 - low * WHITE / (high - low), WHITE / (high - low)


def _given(low: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation that turn a range into 0..255."""
    return low, (high - low) / WHITE


def _tensor(builder: flatbuffers.Builder, fact: TensorFact, text: str, way: Way) -> int:
    """Write a TensorMetadata: name, meaning, axes, content, normalization and range."""
    fields = {0: builder.CreateString(fact.name), 1: builder.CreateString(text)}
    if axes := AXES.get(fact.layout):
        fields[2] = _vector(builder, [builder.CreateString(axis) for axis in axes])
    if fact.kind == "image":
        low, high = fact.pixel_range or (0.0, 1.0)
        height, width = fact.shape[1:3]
        fields[3] = _image(builder, int(height), int(width))
        fields[4] = _vector(builder, [_normalization(builder, *way(low, high))])
        fields[5] = _table(builder, 2, {0: _floats(builder, high), 1: _floats(builder, low)})
    return _table(builder, 7, fields)


def _image(builder: flatbuffers.Builder, height: int, width: int) -> int:
    """Write a Content of ImageProperties: RGB of a size."""
    builder.StartObject(2)
    builder.PrependUint32Slot(0, width, 0)
    builder.PrependUint32Slot(1, height, 0)
    size = builder.EndObject()
    builder.StartObject(2)
    builder.PrependInt8Slot(0, RGB, 0)
    builder.PrependUOffsetTRelativeSlot(1, size, 0)
    properties = builder.EndObject()
    return _union(builder, 3, IMAGE_PROPERTIES, properties)


def _normalization(builder: flatbuffers.Builder, mean: float, std: float) -> int:
    """Write a ProcessUnit of NormalizationOptions: (x − mean) / std."""
    options = _table(builder, 2, {0: _floats(builder, mean), 1: _floats(builder, std)})
    return _union(builder, 2, NORMALIZATION_OPTIONS, options)


def _union(builder: flatbuffers.Builder, fields: int, kind: int, value: int) -> int:
    """Write a table that begins with a union, in fields 0 (kind) and 1 (value)."""
    builder.StartObject(fields)
    builder.PrependUint8Slot(0, kind, 0)
    builder.PrependUOffsetTRelativeSlot(1, value, 0)
    return builder.EndObject()


def _table(builder: flatbuffers.Builder, fields: int, offsets: dict[int, int]) -> int:
    """Write a table of strings, vectors and tables, by field number."""
    builder.StartObject(fields)
    for field, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    return builder.EndObject()


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: flatbuffers.Builder, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return builder.EndVector()
