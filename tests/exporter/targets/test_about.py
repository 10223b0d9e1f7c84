"""Files say what they are: the same of every format, in the words of its own readers."""

from __future__ import annotations

import onnx
import pytest

from styleexport.core import plugins
from styleexport.core.manifest import NetworkFact, TensorFact, read_manifest
from styleexport.core.types import Role
from styleexport.exporter.targets._about import about
from styleexport.runtime_bench.formats._format import describe

NETWORK = NetworkFact(
    name="tiny",
    summary="two convolutions",
    paper="a paper",
    licence="MIT",
    source=("t.pth",),
    source_sha256="ab" * 32,
    min_side=32,
    roles=(Role.STYLIZE,),
)


def image(name: str, low: float = 0.0, high: float = 1.0) -> TensorFact:
    return TensorFact(
        name=name,
        kind="image",
        shape=(1, 40, 56, 3),
        dtype="float32",
        layout="NHWC",
        pixel_range=(low, high),
        colour_order="RGB",
    )


@pytest.mark.parametrize("target", plugins.names("styleexport.exporter.targets"))
def test_files_of_every_target_say_the_same(zoo, target):
    artifact = zoo.exported("adain-lite", target)
    manifest = read_manifest(artifact)
    network = manifest.network
    assert manifest.files
    for fact in manifest.files:
        said = describe(artifact / fact.path).about
        assert said["author"] == f"{network.paper}; exported by styleexport"
        assert said["licence"] == network.licence == "Apache-2.0"
        assert said["styleexport.role"] == fact.role
        assert said["styleexport.weights_sha256"] == network.source_sha256
        assert said["styleexport.code_layout"] == str(network.code_layout)
        assert said["styleexport.pixels"].startswith("RGB in 0..")
        assert said["description"].startswith(f"{network.name}, ")


def test_onnx_tensors_have_words(zoo):
    artifact = zoo.exported("adain-lite", "onnx")
    fact = next(f for f in read_manifest(artifact).files if f.role is Role.TRANSFORM)
    model = onnx.load(artifact / fact.path)
    words = {value.name: value.doc_string for value in (*model.graph.input, *model.graph.output)}
    assert words["content"] == "the photograph: RGB in 0..1, float32 NCHW"
    assert words["image"] == "the result: RGB in 0..1, float32 NCHW"
    assert words["style_code"].startswith("style code: what the network keeps of a painting; full")


def test_tflite_metadata_is_what_mediapipe_reads():
    """These bytes are those that MediaPipe 0.10.21's MetadataDisplayer was seen to read."""
    from styleexport.exporter.targets.tflite.metadata import model_metadata
    from styleexport.runtime_bench.formats._tflite_metadata import read_metadata

    ends = (image("content", -1, 1),), (image("image"),)
    data = model_metadata(about(NETWORK, Role.STYLIZE, *ends), *ends)
    assert data[4:8] == b"M001"
    assert read_metadata(data) == {
        "description": "tiny, two convolutions. This role paints a photograph.",
        "author": "a paper; exported by styleexport",
        "licence": "MIT",
        "version": "ab" * 6,
        "styleexport.network": "tiny",
        "styleexport.role": "stylize",
        "styleexport.roles": "stylize",
        "styleexport.paper": "a paper",
        "styleexport.weights": "t.pth",
        "styleexport.weights_sha256": "ab" * 32,
        "styleexport.pixels": "RGB in -1..1, float32 NHWC; RGB in 0..1, float32 NHWC",
    }
    assert floats_of(data, "input", "mean") == 127.5
    assert floats_of(data, "input", "std") == 127.5
    assert floats_of(data, "output", "mean") == 0
    assert floats_of(data, "output", "std") == pytest.approx(1 / 255)


def floats_of(data: bytes, end: str, name: str) -> float:
    """A value of a picture's normalization, by the field numbers of metadata_schema.fbs."""
    from flatbuffers import encode, number_types
    from flatbuffers.table import Table

    def field(table: Table, number: int) -> int:
        return table.Pos + table.Offset(4 + 2 * number)

    def first(table: Table, number: int) -> Table:
        start = table.Vector(field(table, number) - table.Pos)
        return Table(table.Bytes, table.Indirect(start))

    root = Table(data, encode.Get(number_types.UOffsetTFlags.packer_type, data, 0))
    tensor = first(first(root, 3), {"input": 2, "output": 3}[end])
    unit = first(tensor, 4)
    assert unit.Get(number_types.Uint8Flags, field(unit, 0)) == 1  # NormalizationOptions
    options = Table(data, unit.Indirect(field(unit, 1)))
    start = options.Vector(field(options, {"mean": 0, "std": 1}[name]) - options.Pos)
    return options.Get(number_types.Float32Flags, start)


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_cut_metadata_says_nothing_and_harms_nothing(length):
    from styleexport.exporter.targets.tflite.metadata import model_metadata
    from styleexport.runtime_bench.formats._tflite_metadata import read_metadata

    ends = (image("content"),), (image("image"),)
    data = model_metadata(about(NETWORK, Role.STYLIZE, *ends), *ends)
    assert isinstance(read_metadata(data[:length]), dict)
