"""Core ML's delegate: the package inside the file, judged by the reference interpreter."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from styleexport.core.errors import BadArtifact, UnsupportedOp
from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision
from styleexport.exporter.targets._target import Recipe
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._pte import Partition, read_pte
from styleexport.runtime_bench.formats._pte_coreml import embedded_package, files_of
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner, runners_for
from tests.exporter.conftest import feeds_of, graph_of
from tests.exporter.targets.executorch.networks import Two

pytest.importorskip("executorch")
pytest.importorskip("coremltools")

from styleexport.exporter.targets.executorch import Delegate, ExecutorchTarget

TARGET = ExecutorchTarget(Delegate.CORE_ML)


@pytest.fixture(scope="module")
def graph():
    return graph_of(Two())


@pytest.fixture(scope="module")
def half(graph, tmp_path_factory):
    path = tmp_path_factory.mktemp("pte") / "half.pte"
    written = TARGET.write(graph, Recipe(Precision.FP16), path, lambda: feeds_of(graph))
    assert written.float_dtype == "float16"
    return path


def test_the_package_inside_computes_what_the_network_does(half, graph):
    (runner,) = runners_for(half)
    assert runner is find_runner("coreml-reference")
    feed = feeds_of(graph)[0]
    with runner.open(half, RunOptions()) as session:
        (image,) = session(feed).values()
    with torch.no_grad():
        expected = graph.reading(*(torch.from_numpy(x) for x in feed.values())).numpy()
    assert 50 < psnr_db(image, expected, 1.0) < 120  # float16


def test_what_is_inside_is_said(half):
    file = read_pte(half)
    (part,) = file.partitions
    assert (part.delegate, part.arguments) == ("CoreMLBackend", ("content", "image"))
    facts = describe(half)
    assert facts.macs > 0
    assert facts.bytes_by_dtype["float16"] > 400
    assert "1 of CoreMLBackend" in facts.about["partitions"]
    assert any("built with this delegate" in risk.reason for risk in facts.risks)
    names = set(files_of(part.data))
    assert {"metadata.json", "model.mlpackage/Manifest.json"} <= names


def test_the_same_graph_gives_the_same_bytes(half, graph, tmp_path):
    again = tmp_path / "again.pte"
    TARGET.write(graph, Recipe(Precision.FP16), again, lambda: feeds_of(graph))
    assert again.read_bytes() == half.read_bytes()
    identifier = json.loads(files_of(read_pte(half).partitions[0].data)["metadata.json"])
    assert identifier["identifier"].startswith("executorch_")


def nodes(*items: dict) -> bytes:
    """Bytes of a delegate with these nodes, and nothing in its files."""
    return json.dumps({"nodes": list(items)}).encode()[::-1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expecting value"),
        (nodes({"kind": 1, "children": {"../x": 0}}), "a file of the name '../x'"),
        (nodes({"kind": 1, "children": {"x": 0}}), "a folder that holds itself"),
        (
            nodes({"kind": 0, "children": {}, "dataRegion": {"offset": 0, "size": 10**9}}),
            "a file behind the end",
        ),
    ],
)
def test_bytes_that_are_no_package(half, monkeypatch, data, message):
    file = read_pte(half)
    changed = Partition("CoreMLBackend", arguments=("content", "image"), data=data)
    altered = type(file)(**{**vars(file), "partitions": (changed,)})
    monkeypatch.setattr("styleexport.runtime_bench.formats._pte_coreml.read_pte", lambda _: altered)
    refused = pytest.raises(BadArtifact, match=f"embeds no whole Core ML package: .*{message}")
    with refused, embedded_package(half):
        pass


def test_a_graph_that_core_ml_does_not_take_whole_is_refused(graph, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "styleexport.exporter.targets.executorch.core_ml_partitioner",
        lambda half: None,  # XNNPACK's
    )
    with pytest.raises(UnsupportedOp, match=r"does not take the whole graph .* --delegate"):
        TARGET.write(graph, Recipe(Precision.FP32), tmp_path / "x.pte", list)


def test_values_are_not_lost_in_float32(graph, tmp_path):
    path = tmp_path / "whole.pte"
    TARGET.write(graph, Recipe(Precision.FP32), path, list)
    feed = feeds_of(graph)[0]
    with find_runner("coreml-reference").open(path, RunOptions()) as session:
        (image,) = session(feed).values()
    with torch.no_grad():
        expected = graph.reading(*(torch.from_numpy(x) for x in feed.values())).numpy()
    np.testing.assert_allclose(image, expected, atol=1e-5)
