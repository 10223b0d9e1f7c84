"""Converted graphs that are kept from one export to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.targets import _converted
from styleexport.exporter.targets._converted import converted
from tests.conftest import load_own

SIZE = Size(32, 48)


def graph_of(seed: int = 0, size: Size = SIZE):
    torch.manual_seed(seed)
    return capture(load_own(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid())), Role.STYLIZE, size)


@pytest.fixture
def convert(own_cache, tmp_path):
    """Convert a graph, and return whether the converter ran."""
    code = tmp_path / "code.py"
    code.write_text("one")

    def ran(graph, tools=("onnx",), text="one") -> bool:
        runs: list[int] = []

        def make() -> bytes:
            runs.append(1)
            return b"made"

        Path(code).write_text(text)
        assert converted(graph, tools, (code,), make) == b"made"
        return bool(runs)

    return ran


def test_a_graph_is_converted_once(convert):
    assert [convert(graph_of()), convert(graph_of())] == [True, False]


def test_other_weights_sizes_names_tools_or_code_are_converted(convert):
    graph = graph_of()
    convert(graph)
    (fact,) = graph.inputs
    renamed = replace(graph, inputs=(type(fact)(**{**_fields(fact), "name": "photo"}),))
    assert convert(graph_of(seed=1))
    assert convert(graph_of(size=Size(48, 32)))
    assert convert(renamed)
    assert convert(graph, tools=("onnx", "onnxruntime"))
    assert convert(graph, text="two")


def _fields(fact) -> dict[str, object]:
    return {name: getattr(fact, name) for name in fact.__struct_fields__}


def test_open_sizes_and_large_graphs_are_converted_each_time(convert, monkeypatch):
    graph = graph_of()
    assert [convert(replace(graph, dynamic=True)) for _ in range(2)] == [True, True]
    monkeypatch.setattr(_converted, "MOST_PARAMETERS", 1)
    assert [convert(graph) for _ in range(2)] == [True, True]
