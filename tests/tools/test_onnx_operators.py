"""The reference page of ONNX operators is that of the code."""

from __future__ import annotations

from styleexport.models.from_onnx.graph import operations
from styleexport.models.from_onnx.operators import LIMITS, reference_page
from tools.onnx_operators import PAGE


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "python -m tools.onnx_operators"
    assert LIMITS.keys() <= operations().keys()
