"""Command lines without folders: what a report tells of who made it."""

import pytest

from styleexport.core.command_line import command_line, without_folders


@pytest.mark.parametrize(
    ("argument", "kept"),
    [
        ("/home/jane/secret-client/net.onnx", "net.onnx"),
        ("../net.onnx", "net.onnx"),
        ("out/", "out"),
        ("~/photos/a b.jpg", "a b.jpg"),
        ("/home/jane doe/a.jpg", "a.jpg"),
        ("C:\\Users\\jane\\net.onnx", "net.onnx"),
        ("--recipe=/home/jane/r.json", "--recipe=r.json"),
        ("/home/jane/net.onnx,pixel-range=0..255", "net.onnx,pixel-range=0..255"),
        ("litert:lib=/opt/x/lib.so,delegate=gpu", "litert:lib=lib.so,delegate=gpu"),
        ("/odd,folder/a:b/x.jpg", "x.jpg"),
        ("tcp://cluster.client.example:8786", "tcp://…"),
        ("mypackage.module:build", "mypackage.module:build"),
        ("torch:dtype=bf16,mode=compile", "torch:dtype=bf16,mode=compile"),
        ("psnr>=38, style<=+5%", "psnr>=38, style<=+5%"),
        ("384x512", "384x512"),
        ("-o", "-o"),
    ],
)
def test_paths_lose_their_folders_and_nothing_else_is_lost(argument, kept):
    assert without_folders(argument) == kept


def test_the_line_of_this_process(monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["/usr/bin/styleexport", "bench", "/home/jane/art", "-o", "x/r"]
    )
    assert command_line() == "styleexport bench art -o r"
    assert len(command_line(["a" * 1000])) == 500
