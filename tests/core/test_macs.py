"""Multiply-accumulates of torch operations, under the names that graphs and dispatchers use."""

from __future__ import annotations

import pytest

from styleexport.core.macs import operation_macs

DATA, WEIGHT = (2, 3, 8, 8), (5, 3, 3, 3)


@pytest.mark.parametrize(
    ("name", "shapes", "output", "macs"),
    [
        ("aten.conv2d.default", [DATA, WEIGHT], (2, 5, 8, 8), 2 * 5 * 64 * 27),
        ("aten.conv2d.padding", [DATA, (3, 1, 3, 3)], (2, 3, 8, 8), 2 * 3 * 64 * 9),
        ("aten::convolution", [DATA, WEIGHT, (5,)], (2, 5, 4, 4), 2 * 5 * 16 * 27),
        ("aten.conv_transpose2d.input", [DATA, (3, 4, 2, 2)], (2, 4, 16, 16), 2 * 3 * 64 * 16),
        ("aten.linear.default", [(2, 6), (4, 6)], (2, 4), 2 * 4 * 6),
        ("aten::mm", [(2, 6), (6, 4)], (2, 4), 2 * 4 * 6),
        ("aten.addmm", [(4,), (2, 6), (6, 4)], (2, 4), 2 * 4 * 6),
        ("aten.matmul.default", [(7, 2, 6), (7, 6, 4)], (7, 2, 4), 7 * 2 * 4 * 6),
        ("aten.bmm.default", [(7, 2, 6), (7, 6, 4)], (7, 2, 4), 7 * 2 * 4 * 6),
        ("aten.matmul.default", [(7, 2, 6), (6,)], (7, 2), 7 * 2 * 6),
        ("aten.matmul.default", [(6,), (7, 6, 4)], (7, 4), 7 * 4 * 6),
        ("aten.mv.default", [(2, 6), (6,)], (2,), 2 * 6),
        ("aten.dot.default", [(6,), (6,)], (), 6),
        ("aten.baddbmm.default", [(1,), (7, 2, 6), (7, 6, 4)], (7, 2, 4), 7 * 2 * 4 * 6),
        ("aten.relu.default", [DATA], DATA, 0),
        ("getitem", [DATA], DATA, 0),
        ("aten.batch_norm.default", [DATA, (3,)], DATA, 0),
    ],
)
def test_each_operation_by_hand(name, shapes, output, macs):
    assert operation_macs(name, shapes, output) == macs


def test_a_convolution_says_apart_from_its_name_that_it_is_transposed():
    shapes, output = [DATA, (3, 4, 2, 2)], (2, 4, 16, 16)
    assert operation_macs("aten::convolution", shapes, output, transposed=True) == 2 * 3 * 64 * 16
