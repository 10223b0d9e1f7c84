"""Compressed constants of both generations, quantization while running: against numpy."""

from __future__ import annotations

import numpy as np
import pytest

mb = pytest.importorskip("coremltools.converters.mil").Builder
types = pytest.importorskip("coremltools.converters.mil.mil").types

FAMILIES = ("constexpr_ops", "quantization_ops")
RNG = np.random.default_rng(3)
ZERO = np.zeros((4, 6), np.float32)
X = RNG.normal(size=(4, 6)).astype(np.float32) * 3
DATA = RNG.integers(-128, 128, (4, 6)).astype(np.int8)
BYTES = RNG.integers(0, 256, (4, 6))
NIBBLES = RNG.integers(0, 16, (4, 6))
NIBBLES[0, :4] = 0, 7, 8, 15
SCALES = RNG.uniform(0.01, 0.1, 4).astype(np.float32)
POINTS = np.array([-3, 0, 5, 100], np.int8)
TABLE = RNG.normal(size=16).astype(np.float32)
MASK = RNG.integers(0, 2, (4, 6)).astype(np.uint8)
KEPT = RNG.normal(size=int(MASK.sum())).astype(np.float32)
BLOCKS = RNG.uniform(0.01, 0.1, (2, 3)).astype(np.float32)
SHAPE = np.array([4, 6], np.uint32)


def narrow(values, name):
    """An array of one of MIL's types narrower than a byte."""
    return values.astype(types.nptype_from_builtin(getattr(types, name)))


def packed(values, bits):
    """Indices in bytes, lowest bit first, as the documentation of iOS 16 draws it."""
    flat = [(int(v) >> place) & 1 for v in values.ravel() for place in range(bits)]
    return np.packbits(flat, bitorder="little")


def constant(make, expected):
    """A constant alone is no program: it is added to an input of zeros."""
    expected = np.asarray(expected, np.float32)
    zero = np.zeros(expected.shape, np.float32)
    return (lambda x: mb.add(x=x, y=make()), [zero], expected)


def sparse(values):
    dense = np.zeros(MASK.shape, np.float32)
    dense[MASK == 1] = values
    return dense


OLD = {
    "constexpr_affine_dequantize": constant(
        lambda: mb.constexpr_affine_dequantize(
            quantized_data=DATA, zero_point=POINTS, scale=SCALES, axis=0
        ),
        (DATA.astype(np.float32) - POINTS[:, None]) * SCALES[:, None],
    ),
    "constexpr_affine_dequantize by one scale": constant(
        lambda: mb.constexpr_affine_dequantize(
            quantized_data=NIBBLES.astype(np.uint8),
            zero_point=np.uint8(7),
            scale=np.float32(0.5),
            axis=1,
        ),
        (NIBBLES.astype(np.float32) - 7) * 0.5,
    ),
    "constexpr_cast": constant(
        lambda: mb.constexpr_cast(source_val=X.astype(np.float16), output_dtype="fp32"),
        X.astype(np.float16),
    ),
    **{
        f"constexpr_lut_to_dense of {bits} bits": constant(
            lambda bits=bits: mb.constexpr_lut_to_dense(
                indices=packed(BYTES % 2**bits, bits),
                lut=np.arange(2**bits).astype(np.float32) / 4,
                shape=SHAPE,
            ),
            (BYTES % 2**bits) / 4,
        )
        for bits in (1, 2, 4, 6, 8)
    },
    "constexpr_sparse_to_dense": constant(
        lambda: mb.constexpr_sparse_to_dense(nonzero_data=KEPT, mask=packed(MASK, 1), shape=SHAPE),
        sparse(KEPT),
    ),
}

NEW = {
    "constexpr_blockwise_shift_scale": constant(
        lambda: mb.constexpr_blockwise_shift_scale(
            data=narrow(NIBBLES, "uint4"), scale=BLOCKS, offset=narrow(np.full((2, 3), 9), "uint4")
        ),
        (NIBBLES.astype(np.float32) - 9) * np.kron(BLOCKS, np.ones((2, 2))),
    ),
    "constexpr_blockwise_shift_scale of int4": constant(
        lambda: mb.constexpr_blockwise_shift_scale(
            data=narrow(NIBBLES - 8, "int4"), scale=SCALES[:, None]
        ),
        (NIBBLES.astype(np.float32) - 8) * SCALES[:, None],
    ),
    **{
        f"constexpr_lut_to_dense of uint{bits}": constant(
            lambda bits=bits: mb.constexpr_lut_to_dense(
                indices=narrow(BYTES % 2**bits, f"uint{bits}"),
                lut=np.arange(2**bits).astype(np.float32).reshape(1, 1, -1, 1),
            ),
            BYTES % 2**bits,
        )
        for bits in (1, 2, 3, 4, 6, 8)
    },
    "constexpr_lut_to_dense in groups": constant(
        lambda: mb.constexpr_lut_to_dense(
            indices=narrow(NIBBLES, "uint4"),
            lut=np.stack([TABLE, -TABLE]).reshape(2, 1, 16, 1),
        ),
        np.concatenate([TABLE[NIBBLES[:2]], -TABLE[NIBBLES[2:]]]),
    ),
    "constexpr_lut_to_dense of vectors": constant(
        lambda: mb.constexpr_lut_to_dense(
            indices=narrow(MASK, "uint1"),
            lut=np.array([[1, 2, 3], [4, 5, 6]], np.float32).reshape(1, 1, 2, 3),
            vector_axis=1,
        ),
        (MASK * 3).repeat(3, 1) + np.tile([1, 2, 3], 6),
    ),
    "constexpr_sparse_to_dense of bits": constant(
        lambda: mb.constexpr_sparse_to_dense(nonzero_data=KEPT, mask=narrow(MASK, "uint1")),
        sparse(KEPT),
    ),
    "constexpr_lut_to_sparse": constant(
        lambda: mb.constexpr_sparse_to_dense(
            **dict(
                zip(
                    ("mask", "nonzero_data"),
                    mb.constexpr_lut_to_sparse(
                        indices_mask=narrow(MASK, "uint1"),
                        indices_nonzero_data=narrow(NIBBLES[MASK == 1], "uint4"),
                        lut=TABLE.reshape(1, 1, 16, 1),
                    ),
                    strict=True,
                )
            )
        ),
        sparse(TABLE[NIBBLES[MASK == 1]]),
    ),
    "constexpr_sparse_blockwise_shift_scale": constant(
        lambda: mb.constexpr_sparse_to_dense(
            **dict(
                zip(
                    ("mask", "nonzero_data"),
                    mb.constexpr_sparse_blockwise_shift_scale(
                        data_mask=narrow(MASK, "uint1"),
                        nonzero_data=DATA[MASK == 1],
                        scale=SCALES[:, None],
                        offset=POINTS[:, None],
                    ),
                    strict=True,
                )
            )
        ),
        MASK * (DATA.astype(np.float32) - POINTS[:, None]) * SCALES[:, None],
    ),
}

ROUNDED = np.clip(np.rint(X / SCALES[:, None]) + POINTS[:, None], -128, 127)
QUANTIZE = {
    "quantize": (
        lambda x: mb.quantize(
            input=x, scale=SCALES, zero_point=POINTS, output_dtype="int8", axis=0
        ),
        [X],
        ROUNDED,
    ),
    "quantize to bytes": (
        lambda x: mb.quantize(input=x, scale=np.float32(0.5), output_dtype="uint8"),
        [np.array([-3.0, 0.25, 0.75, 1.25, 500.0], np.float32)],
        np.array([0, 0, 2, 2, 255]),
    ),
    "dequantize": (
        lambda x: mb.dequantize(
            input=mb.quantize(
                input=x, scale=SCALES, zero_point=POINTS, output_dtype="int8", axis=0
            ),
            scale=SCALES,
            zero_point=POINTS,
            axis=0,
        ),
        [X],
        (ROUNDED - POINTS[:, None]) * SCALES[:, None],
    ),
}

CASES = {"iOS16": OLD, "iOS17": OLD | QUANTIZE, "iOS18": NEW | QUANTIZE}


@pytest.mark.parametrize(
    ("opset", "name"), [(opset, name) for opset, table in CASES.items() for name in table]
)
def test_constant_is_what_numpy_unpacks(cases, opset, name):
    cases.check(opset, name)


@pytest.mark.parametrize("opset", ["iOS16", "iOS18"])
def test_constants_are_read_from_the_blob(cases, opset):
    stored = [
        item
        for operation in cases.package(opset).operations
        if operation.kind.startswith("constexpr_")
        for items in operation.inputs.values()
        for item in items
        if not isinstance(item, str)
    ]
    assert any(item.in_blob for item in stored)


def test_every_operation_has_a_case(cases):
    assert not cases.untested(FAMILIES)
