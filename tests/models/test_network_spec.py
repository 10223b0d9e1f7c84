"""Network specifications: the four forms, their settings, and what to type instead of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from styleexport.core.errors import UsageError
from styleexport.models.network_spec import NetworkSource, NetworkSpec
from styleexport.models.networks._open import describe, find
from styleexport.models.pixels import PixelFormat


@pytest.mark.parametrize(
    ("text", "source", "is_graph", "label"),
    [
        ("adain-lite", NetworkSource.REGISTRY, False, "adain-lite"),
        ("mine.nets:build", NetworkSource.FACTORY, False, "mine.nets-build"),
        ("a/candy.pt2", NetworkSource.PROGRAM, True, "candy.pt2"),
        ("a/candy.onnx", NetworkSource.ONNX, True, "candy.onnx"),
        ("a/c.onnx,content=x", NetworkSource.ONNX, True, "c.onnx,content=x"),
        ("a.pt2,pixels=-1..1,scale=2", NetworkSource.PROGRAM, True, "a.pt2,pixels=-1..1,scale=2"),
        (
            "m:f,mean=0.5/0.4/0.3,bgr=true",
            NetworkSource.FACTORY,
            False,
            "m-f,mean=0.5-0.4-0.3,bgr=true",
        ),
        (
            "m:f,output-pixels=0..255:uint8",
            NetworkSource.FACTORY,
            False,
            "m-f,output-pixels=0..255-uint8",
        ),
    ],
)
def test_each_form_is_told_apart_and_written_again(text, source, is_graph, label):
    spec = NetworkSpec.parse(text)
    assert (spec.source, spec.is_graph, spec.label, str(spec)) == (source, is_graph, label, text)
    assert NetworkSpec.parse(str(spec)) == spec


def test_settings_of_an_onnx_file():
    spec = NetworkSpec.parse("a/b.onnx,pixel-range=-1..1,style=s,content=c,")
    assert (spec.declared.pixels, spec.style, spec.content) == (PixelFormat(-1, 1), "s", "c")
    assert str(spec) == "a/b.onnx,pixels=-1..1,content=c,style=s"
    assert spec.path == Path("a/b.onnx")
    assert NetworkSpec.parse("a/b.onnx,") == NetworkSpec.parse("a/b.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine:", "network 'mine:' is not a factory: type package.module:factory"),
        ("mine.nets.build", r"is not a factory: .*; did you mean mine.nets:build\?"),
        ("runs/weights.safetensors", "is a weights file, .* --checkpoint runs/weights.safetensors"),
        ("candy.PTH", "is a weights file"),
        ("a.onnx,contnt=x", "unknown setting 'contnt' of a.onnx: expected pixels, input-pixels"),
        ("a.onnx,pixel-range=2..0", "'2..0' is not a pixel range: expected LOW..HIGH such as 0..1"),
        ("a:b,pixels=0..1:brg", "unknown word 'brg' of the pixels '0..1:brg': expected LOW..HIGH"),
        ("a.pt2,content=x", "unknown setting 'content' of a.pt2: expected pixels, input-pixels"),
        ("a.pt2,scale=0.5", "setting scale: scale '0.5' is not a whole number of 1 to 16"),
        ("a.pt2,mean=red", "setting mean: 'red' is not a list of numbers"),
    ],
)
def test_what_is_no_network_says_what_to_type(text, message):
    with pytest.raises(UsageError, match=message):
        NetworkSpec.parse(text)


def test_a_file_of_another_kind_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("candy.tflite").touch()
    with pytest.raises(UsageError, match=r"is a .tflite file, expected a .pt2 or .onnx file, a na"):
        NetworkSpec.parse("candy.tflite")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("adain_lite", "adain-lite"), ("Adain-VGG91", "adain-vgg19"), ("fast-styl", "fast-style")],
)
def test_a_wrong_name_gets_a_suggestion(name, suggestion):
    with pytest.raises(UsageError, match=rf"unknown network .* did you mean {suggestion}\?"):
        describe(name)


def test_a_graph_is_no_module():
    with pytest.raises(
        UsageError, match=r"student a.pt2 is a graph, which has no .*module:factory"
    ):
        describe("a.pt2", "student")
    NetworkSpec.parse("adain-lite").require_module("which is never said")
    assert describe("adain-lite") is find("adain-lite")
