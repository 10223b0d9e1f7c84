"""A Core ML model becomes a package on disk that says what it is, the same bytes every time."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import coremltools as ct
from coremltools.proto import Model_pb2

from styleexport.core.manifest import TensorFact
from styleexport.core.quiet import quiet
from styleexport.exporter.targets._about import About

# Facts of the inputs, and of the outputs.
Ends = tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]


def copied(model: ct.models.MLModel) -> ct.models.MLModel:
    """Return a model that may be changed without changing the original."""
    with quiet():
        weights = str(model.weights_dir) if model.weights_dir else None
        return ct.models.MLModel(model.get_spec(), weights_dir=weights, skip_model_load=True)


def describe_model(model: ct.models.MLModel, about: About, ends: Ends) -> None:
    """Give a model what Xcode shows of it: author, licence, version, origin and tensors.

    Args:
        model: changed in place.
        about: description of the file.
        ends: facts of its inputs and outputs.
    """
    model.author = about.author
    model.license = about.licence
    model.version = about.version
    model.short_description = about.description
    for key in list(model.user_defined_metadata):
        del model.user_defined_metadata[key]
    for key, text in about.facts.items():
        model.user_defined_metadata[key] = text
    for facts, texts, descriptions in (
        (ends[0], about.inputs, model.input_description),
        (ends[1], about.outputs, model.output_description),
    ):
        for fact, text in zip(facts, texts, strict=True):
            descriptions[fact.name] = text


def save(model: ct.models.MLModel, path: Path) -> None:
    """Write a model as a package without dates, random names or an order of chance."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        first = Path(folder) / path.name
        model.save(str(first))
        manifest = json.loads((first / "Manifest.json").read_text(encoding="utf-8"))
        names = {item["path"]: key for key, item in manifest["itemInfoEntries"].items()}
        text = json.dumps(manifest)
        for index, name in enumerate(names[key] for key in sorted(names)):
            text = text.replace(name, f"00000000-0000-0000-0000-{index:012d}")
        spec = first / "Data" / "com.apple.CoreML" / "model.mlmodel"
        proto: Any = Model_pb2.Model()
        proto.ParseFromString(spec.read_bytes())
        about = proto.description.metadata.userDefined
        for key in [key for key, value in about.items() if not value]:  # asking for one adds it
            del about[key]
        spec.write_bytes(proto.SerializeToString(deterministic=True))
        ordered = json.dumps(json.loads(text), indent=2, sort_keys=True)
        (first / "Manifest.json").write_text(ordered + "\n", encoding="utf-8")
        path.mkdir(parents=True)
        # The converter's map of debug handles beside them is no part of a package.
        parts = sorted(p for p in (first / "Data").rglob("*") if p.is_file())
        for part in (first / "Manifest.json", *parts):
            (path / part.relative_to(first)).parent.mkdir(parents=True, exist_ok=True)
            (path / part.relative_to(first)).write_bytes(part.read_bytes())
