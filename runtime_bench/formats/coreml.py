"""Core ML packages: operations, storage, MACs, peak memory, and known risks on devices."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from styleexport.core.errors import BadArtifact, first_line
from styleexport.core.plugins import needs
from styleexport.core.quiet import quiet
from styleexport.runtime_bench.coreml_program.blob import AGAIN
from styleexport.runtime_bench.coreml_program.features import Proto
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.coreml_program.program import Feature, Package
from styleexport.runtime_bench.formats._coreml_graph import CoremlGraph
from styleexport.runtime_bench.formats._coreml_risks import find_risks
from styleexport.runtime_bench.formats._coreml_shapes import is_flexible
from styleexport.runtime_bench.formats._coreml_storage import bytes_by_storage, long_name
from styleexport.runtime_bench.formats._format import Description, Format

# Specification version → oldest iOS that loads it (coremltools, Model.proto).
SYSTEMS = {6: 15, 7: 16, 8: 17, 9: 18, 10: 26}
FIRST_WITH_FUNCTIONS = 9
STANDARD_METADATA = ("description", "author", "licence", "version")
CHANNEL_BITS = {"GRAYSCALE_FLOAT16": "16-bit"}


class CoremlFormat(Format):
    """Core ML, one ``.mlpackage`` folder that holds an ML program."""

    name = "coreml"
    suffix = ".mlpackage"

    def describe(self, path: Path) -> Description:
        """Return the facts of a package; see `Format.describe`.

        For a package of several sizes, MACs and memory are those of the largest: devices allocate
        memory for that one (coremltools#1249).

        Raises:
            UnsupportedOp: the program holds values that are not tensors, or keeps state.
        """
        package = read_package(path)
        try:
            return _describe(package)
        except (ArithmeticError, LookupError, ValueError) as error:
            raise BadArtifact(
                f"{path} holds an operation that does not fit what it reads: {first_line(error)}; "
                f"{AGAIN}"
            ) from error


def _describe(package: Package) -> Description:
    graph = CoremlGraph.of(package)
    peak = graph.peak()
    kinds = Counter(item.kind for item in package.operations if item.kind != "const")
    functions = _functions(package)
    return Description(
        format="Core ML",
        version=_version(package, functions),
        size_bytes=sum(file.stat().st_size for file in package.path.rglob("*") if file.is_file()),
        macs=sum(map(graph.macs, graph.steps)),
        int8_mac_share=graph.int8_mac_share(),
        inputs=tuple(map(_feature_text, package.inputs)),
        outputs=tuple(_feature_text(_as_output(item)) for item in package.outputs),
        ops=dict(kinds.most_common()),
        bytes_by_dtype=dict(bytes_by_storage(package).most_common()),
        peak_activation_bytes=peak,
        risks=tuple(find_risks(graph, peak)),
        about=dict(_about(graph, functions, peak)),
    )


def _functions(package: Package) -> tuple[str, ...]:
    """Return the names of the package's functions, the default one first."""
    if package.specification_version < FIRST_WITH_FUNCTIONS:
        return ("main",)
    with needs("coreml"), quiet():
        from coremltools.proto import Model_pb2
    manifest = json.loads((package.path / "Manifest.json").read_bytes())
    file = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
    model: Proto = Model_pb2.Model()
    model.ParseFromString((package.path / "Data" / file).read_bytes())
    default = model.description.defaultFunctionName or "main"
    return (default, *sorted(name for name in model.mlProgram.functions if name != default))


def _version(package: Package, functions: tuple[str, ...]) -> str:
    number = package.specification_version
    system = f", iOS {SYSTEMS[number]} or later" if number in SYSTEMS else ""
    several = f", {len(functions)} functions" if len(functions) > 1 else ""
    return f"ML program{system} (specification {number}){several}"


def _about(
    graph: CoremlGraph, functions: tuple[str, ...], peak: int | None
) -> Iterator[tuple[str, str]]:
    """Yield the package's metadata, and facts of its program."""
    metadata = graph.package.metadata
    for key in (*STANDARD_METADATA, *sorted(metadata.keys() - set(STANDARD_METADATA))):
        if metadata.get(key):
            yield key, metadata[key]
    counts = graph.precisions.most_common()
    if counts:
        total = sum(graph.precisions.values())
        others = "".join(f", {count} of {total} tensors {dtype}" for dtype, count in counts[1:])
        yield "activations", counts[0][0] + others
    if len(functions) > 1:
        yield "functions", f"{functions[0]} (the one described), {', '.join(functions[1:])}"
    flexible = [feature for feature in graph.package.inputs if is_flexible(feature)]
    if flexible and peak is not None:
        shapes = ", ".join(
            f"{feature.name} {_sides(graph.types[feature.name].shape)}" for feature in flexible
        )
        yield "computed for", f"the largest sizes, {shapes}"


def _sides(shape: tuple[int | None, ...]) -> str:
    """Return ``HEIGHTxWIDTH`` of a picture, all axis lengths of other tensors."""
    sides = shape[-2:] if len(shape) == 4 else shape
    return "x".join("?" if side is None else str(side) for side in sides)


def _feature_text(feature: Feature) -> str:
    """Return an input or output as an app declares it."""
    optional = ", may be left out" if feature.optional else ""
    if feature.image is None:
        kind = f"multi-array {long_name(feature.type.dtype)}"
        shapes = [f"[{', '.join(map(str, shape))}]" for shape in feature.shapes]
    else:
        colour = feature.image.removesuffix("_FLOAT16")
        kind = f"image {colour} {CHANNEL_BITS.get(feature.image, '8-bit')}"
        shapes = [_sides(shape) for shape in feature.shapes]
    if any(low != high for low, high in feature.bounds):
        bounds = feature.bounds[-2:] if feature.image else feature.bounds
        sizes = "any of " + " x ".join(_range(*bound) for bound in bounds)
    elif len(shapes) > 1:
        sizes = "one of " + ", ".join(shapes)
    else:
        sizes = shapes[0] if shapes else "of a size that the input decides"
    return f"{feature.name}: {kind}, {sizes}{optional}"


def _as_output(feature: Feature) -> Feature:
    """Return an output, without sizes where they follow from the input."""
    return replace(feature, shapes=(), bounds=()) if is_flexible(feature) else feature


def _range(low: int, high: int | None) -> str:
    if low == high:
        return str(low)
    return f"({low} and more)" if high is None else f"({low} to {high})"


FORMAT = CoremlFormat()
