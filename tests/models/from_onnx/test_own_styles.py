"""Files with styles of their own (an index or weights), and style codes of any shape."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch

from styleexport.core.errors import UnsupportedOp, UsageError
from styleexport.core.types import Role
from styleexport.models.networks._open import open_network
from tests.models.from_onnx.onnx_nets import weight, write
from tests.models.from_onnx.styled_nets import KINDS, STYLES, conditional, node, own_styles


@pytest.mark.parametrize("kind", KINDS)
def test_each_style_of_a_file_is_a_code(kind, tmp_path):
    network = open_network(own_styles(tmp_path / "a.onnx", kind))
    assert (network.roles, network.default_roles) == ((Role.TRANSFORM,), (Role.TRANSFORM,))
    assert network.own_styles == tuple(f"style-{n}" for n in range(STYLES))
    session = ort.InferenceSession(str(tmp_path / "a.onnx"))
    image, one = torch.rand(1, 3, 32, 40), torch.ones(1)
    module = network.role_module(Role.TRANSFORM)
    _, shape, integer = KINDS[kind]
    codes = torch.eye(STYLES)[:, None]
    for number, code in enumerate(codes):
        given = np.full(shape, number, np.int64) if integer else code.numpy().reshape(shape)
        theirs = session.run(None, {"x": image.numpy(), "s": given})[0]
        np.testing.assert_allclose(module(image, code, one).numpy(), theirs, atol=1e-5)
    blend = module(image, (codes[0] + codes[1]) / 2, one)
    assert float((blend - module(image, codes[0], one)).abs().max()) > 1e-3


@pytest.mark.parametrize("shape", [[6], [1, 6], [1, 1, 1, 6], [1, 6, 1, 1], [1, 6, 1], ["n", 6]])
def test_a_style_code_has_any_shape_of_one_axis(shape, tmp_path):
    encoder = [
        node("Conv", "x", "w", out="a"),
        node("ReduceMean", "a", out="y", axes=[2, 3], keepdims=0),
    ]
    write(tmp_path / "e.onnx", encoder, {"w": weight(6, 3, 3, 3)}, {"x": [1, 3, 32, 40]})
    nodes = [
        node("Reshape", "s", "form", out="c"),
        node("Conv", "x", "w", out="a", pads=[1] * 4),
        node("Mul", "a", "c", out="m"),
        node("Conv", "m", "v", out="y"),
    ]
    stored = {"w": weight(6, 3, 3, 3), "v": weight(3, 6, 1, 1), "form": np.array([1, 6, 1, 1])}
    write(tmp_path / "t.onnx", nodes, stored, {"x": [1, 3, 32, 40], "s": shape})
    network = open_network(f"{tmp_path / 't.onnx'},pixel-range=0..1", [tmp_path / "e.onnx"])
    image, code = torch.rand(1, 3, 32, 40), torch.rand(1, 6)
    painted = network.role_module(Role.TRANSFORM)(image, code, torch.ones(1)).numpy()
    full = [1 if side == "n" else side for side in shape]
    feeds = {"x": image.numpy(), "s": code.numpy().reshape(full)}
    theirs = ort.InferenceSession(str(tmp_path / "t.onnx")).run(None, feeds)[0]
    np.testing.assert_allclose(painted, theirs.clip(0, 1), atol=1e-5)
    assert network.role_module(Role.ENCODE)(image).shape == (1, 6)


def test_what_is_no_style_of_its_own_is_refused(tmp_path):
    spec = own_styles(tmp_path / "a.onnx", "index")
    with pytest.raises(UsageError, match=r"has styles of its own, so .* has no use"):
        open_network(spec, [tmp_path / "a.onnx"])
    with pytest.raises(UsageError, match="has no style code 'z': expected none; leave out"):
        conditional(
            tmp_path / "b.onnx",
            [node("Identity", "scale", out="a"), node("Identity", "shift", out="b")],
            [1, 3, 32, 40],
            False,
        )
        open_network(f"{tmp_path / 'b.onnx'},styles=z")
    plain = own_styles(tmp_path / "c.onnx", "weights").removesuffix(",styles=s")
    with pytest.raises(UsageError, match=r"c.onnx,styles=s where it weighs the file's own"):
        open_network(plain)
    select = [
        node("Cast", "s", out="f", to=1),
        node("Mul", "f", "scale", out="a"),
        node("Mul", "f", "shift", out="b"),
    ]
    odd = conditional(tmp_path / "d.onnx", select, [1], True)
    with pytest.raises((UnsupportedOp, UsageError), match=r"index of (the|a) style"):
        open_network(str(odd))
