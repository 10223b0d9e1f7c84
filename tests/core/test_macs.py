"""One count of multiply-accumulates for torch's operations."""

from __future__ import annotations

import pytest

from styleexport.core.macs import macs_of


@pytest.mark.parametrize(
    ("operation", "data", "weight", "output", "expected"),
    [
        ("conv2d", (1, 3, 8, 8), (16, 3, 3, 3), (1, 16, 8, 8), 16 * 64 * 27),
        ("convolution", (1, 16, 8, 8), (16, 1, 3, 3), (1, 16, 4, 4), 16 * 16 * 9),
        ("conv_transpose2d", (1, 16, 4, 4), (16, 8, 2, 2), (1, 8, 8, 8), 16 * 16 * 8 * 4),
        ("linear", (2, 5), (7, 5), (2, 7), 2 * 7 * 5),
        ("addmm", (2, 5), (5, 7), (2, 7), 2 * 7 * 5),
        ("mm", (2, 5), (5, 7), (2, 7), 2 * 7 * 5),
        ("bmm", (3, 2, 5), (3, 5, 7), (3, 2, 7), 3 * 2 * 7 * 5),
        ("matmul", (1, 4, 6), (1, 6, 4), (1, 4, 4), 4 * 4 * 6),
        ("relu", (1, 3, 8, 8), (), (1, 3, 8, 8), 0),
    ],
)
def test_each_operation_counts_what_it_multiplies(operation, data, weight, output, expected):
    assert macs_of(operation, data, weight, output) == expected
