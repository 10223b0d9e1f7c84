"""Layouts of style codes: what the networks declare, and what undeclared codes are taken for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from styleexport.core import plugins
from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import UsageError
from styleexport.models.code_layouts import UNDECLARED, code_layout, declared_layout
from styleexport.models.network import TwoImageModule
from styleexport.models.network_facts import facts_of
from styleexport.models.network_spec import NETWORKS
from styleexport.models.networks._open import find
from styleexport.models.transforms import adain
from tests.zoo import load_random, load_thin


@pytest.mark.parametrize("name", plugins.names(NETWORKS))
def test_every_network_of_two_pictures_declares_its_codes(name):
    layout = facts_of(find(name)).code_layout
    if layout is not None:
        assert UNDECLARED not in layout.reason


@pytest.mark.parametrize("load", [load_random, load_thin])
def test_the_parts_are_in_the_order_of_the_code(load):
    module = load("adain-residual").module
    assert isinstance(module, TwoImageModule)
    style = torch.rand(1, 3, 32, 48)
    layout = declared_layout(module)
    assert layout is not None
    assert layout.blending is Blending.EXACT
    lengths = [part.length for part in layout.parts]
    parts = module.encode(style).split(lengths, 1)
    held = {part.name: value for part, value in zip(layout.parts, parts, strict=True)}
    projected = module.encoder(style)[-1]
    mean, deviation, _ = adain.statistics(projected, unbiased=False)
    torch.testing.assert_close(held["projected_eighth.mean"], mean.flatten(1))
    torch.testing.assert_close(held["projected_eighth.deviation"], deviation.flatten(1))


class Own(nn.Module):
    """A network of a user's, whose attribute is set by the tests."""

    def encode(self, style: Tensor) -> Tensor:
        return style.mean((2, 3))

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        return content


def test_undeclared_codes_are_one_part_and_may_be_blended():
    expected = CodeLayoutFact.of({"code": (3,)}, Blending.APPROXIMATE, UNDECLARED)
    assert code_layout(Own(), 3) == expected


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (7, "Expected `object`, got `int`; expected code_layout = {"),
        ({"parts": [], "blending": "exact"}, "Expected `array` of length >= 1"),
        ({"parts": [{"name": "a", "shape": [3]}]}, "missing required field `blending`"),
        ({"parts": [{"name": "a", "shape": [3]}], "blending": "none"}, "none needs a reason"),
        ({"parts": [{"name": "a", "shape": [0]}], "blending": "exact"}, r"`\$.parts\[0\].shape"),
        ({"parts": [{"name": "a", "shape": [2, 2]}], "blending": "exact"}, "declares 4 values"),
    ],
)
def test_a_declaration_that_is_none_is_refused(declared, words):
    module = Own()
    module.code_layout = declared
    with pytest.raises(UsageError, match=words):
        code_layout(module, 3)
