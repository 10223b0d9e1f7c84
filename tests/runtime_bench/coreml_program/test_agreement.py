"""The page on both judges of Apple's formats is what they compute."""

from __future__ import annotations

import pytest

pytest.importorskip("coremltools")
pytest.importorskip("coreai_torch")

from tests.runtime_bench.coreml_program.agreement import PAGE, page


@pytest.mark.slow
def test_the_page_is_up_to_date():
    command = "python -m tests.runtime_bench.coreml_program.agreement"
    assert PAGE.read_text(encoding="utf-8") == page(), command
