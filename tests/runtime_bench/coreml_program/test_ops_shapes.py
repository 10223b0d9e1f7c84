"""Other shapes, orders and parts of tensors: against torch and numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil").Builder

FAMILIES = ("tensor_transformation",)
RNG = np.random.default_rng(2)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


X = normal(2, 4, 6, 8)
CUBE = normal(3, 4, 5)
ROWS = normal(2, 5)


SLICES = {
    "slice_by_index": (
        lambda x: mb.slice_by_index(
            x=x,
            begin=[0, 1, -3, 2],
            end=[2, 9, 0, -1],
            stride=[1, 2, 1, 3],
            end_mask=[False, True, True, False],
        ),
        [X],
        lambda x: x[0:2, 1::2, -3:, 2:-1:3],
    ),
    "slice_by_index squeezed": (
        lambda x: mb.slice_by_index(
            x=x,
            begin=[1, 0, 0, -2],
            end=[0, 3, 6, 0],
            begin_mask=[False, True, False, False],
            squeeze_mask=[True, False, False, True],
        ),
        [X],
        lambda x: x[1, :3, 0:6, -2],
    ),
    "slice_by_index backwards": (
        lambda x: mb.slice_by_index(
            x=x,
            begin=[2, 0, 4],
            end=[0, 0, 1],
            stride=[-1, -1, -2],
            begin_mask=[False, True, False],
            end_mask=[True, True, False],
        ),
        [CUBE],
        lambda x: torch.tensor(x.numpy()[2::-1, ::-1, 4:1:-2].copy()),
    ),
    "slice_by_size": (
        lambda x: mb.slice_by_size(x=x, begin=[1, 0, 2, 3], size=[1, 4, -1, 2]),
        [X],
        lambda x: x[1:2, :, 2:, 3:5],
    ),
}

TRANSFORMATION = SLICES | {
    "reshape": (
        lambda x: mb.reshape(x=x, shape=[0, -1, 12]),
        [X],
        lambda x: x.reshape(4, 8, 12),
    ),
    "reshape_like": (
        lambda x, y: mb.reshape_like(
            x=x, ref_tensors=(y, y), begins=(2, 0), ends=(3, 1), end_masks=(True, False)
        ),
        [CUBE.reshape(2, 30)[:, :4], np.zeros((2, 3, 4), np.float32)],
        lambda x, y: x.reshape(4, 2),
    ),
    "expand_dims": (
        lambda x: mb.expand_dims(x=x, axes=[0, -1, 2]),
        [ROWS],
        lambda x: x.reshape(1, 2, 1, 5, 1),
    ),
    "squeeze": (lambda x: mb.squeeze(x=x, axes=[1]), [normal(1, 1, 3)], lambda x: x[:, 0]),
    "squeeze all": (lambda x: mb.squeeze(x=x), [normal(1, 3, 1, 2)], lambda x: x[0, :, 0]),
    "transpose": (
        lambda x: mb.transpose(x=x, perm=[0, 2, -1, 1]),
        [X],
        lambda x: x.permute(0, 2, 3, 1),
    ),
    "reverse": (lambda x: mb.reverse(x=x, axes=[-1]), [CUBE], lambda x: x.flip(2)),
    "reverse_sequence": (
        lambda x: mb.reverse_sequence(x=x, lengths=[2, 4, 0], seq_axis=1, batch_axis=0),
        [CUBE],
        lambda x: torch.stack([x[0][[1, 0, 2, 3]], x[1].flip(0), x[2]]),
    ),
    "sliding_windows": (
        lambda x: mb.sliding_windows(x=x, axis=1, size=2, stride=1),
        [CUBE],
        lambda x: torch.stack([x[:, i : i + 2] for i in range(3)], 1),
    ),
    "pixel_shuffle": (
        lambda x: mb.pixel_shuffle(x=x, upscale_factor=2),
        [X],
        lambda x: x.reshape(2, 1, 2, 2, 6, 8).permute(0, 1, 4, 2, 5, 3).reshape(2, 1, 12, 16),
    ),
    "pixel_unshuffle": (
        lambda x: mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
        [X],
        lambda x: torch.stack([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 2).flatten(
            1, 2
        ),
    ),
    "depth_to_space": (
        lambda x: mb.depth_to_space(x=x, block_size=2),
        [normal(1, 8, 2, 3)],
        lambda x: (
            torch.stack([x[:, :2], x[:, 2:4], x[:, 4:6], x[:, 6:]], -1)
            .reshape(1, 2, 2, 3, 2, 2)
            .permute(0, 1, 2, 4, 3, 5)
            .reshape(1, 2, 4, 6)
        ),
    ),
    "space_to_depth": (
        lambda x: mb.space_to_depth(x=x, block_size=2),
        [X],
        lambda x: torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1),
    ),
    "space_to_batch": (
        lambda x: mb.space_to_batch(
            x=x,
            block_shape=np.array([2, 2], np.int32),
            paddings=np.array([[1, 1], [0, 0]], np.int32),
        ),
        [X],
        lambda x: torch.cat(
            [F.pad(x, (0, 0, 1, 1))[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        ),
    ),
    "batch_to_space": (
        lambda x: mb.batch_to_space(
            x=x, block_shape=np.array([2, 1], np.int32), crops=np.array([[1, 0], [2, 1]], np.int32)
        ),
        [X],
        lambda x: torch.stack([x[:1], x[1:]], 3).reshape(1, 4, 12, 8)[:, :, 1:, 2:-1],
    ),
}

UPDATE = {
    "slice_update": (
        lambda x, y: mb.slice_update(
            x=x,
            update=y,
            begin=[0, 3, 1],
            end=[1, 0, 5],
            stride=[1, -1, 2],
            end_mask=[True, True, False],
        ),
        [CUBE, normal(3, 4, 2)],
        lambda x, y: torch.stack(
            [x[..., 0], y[..., 0].flip(1), x[..., 2], y[..., 1].flip(1), x[..., 4]], -1
        ),
    ),
}

CASES = {"iOS16": SLICES, "iOS17": TRANSFORMATION, "iOS18": UPDATE}

INFERRED = [*SLICES, "reshape", "expand_dims", "squeeze", "transpose", "reverse"]


@pytest.mark.parametrize(
    ("opset", "name"), [(opset, name) for opset, table in CASES.items() for name in table]
)
def test_operation_computes_what_torch_computes(cases, opset, name):
    cases.check(opset, name)


@pytest.mark.parametrize("name", INFERRED)
def test_operation_computes_what_coremltools_infers(cases, name):
    cases.value_inference("iOS17", name)


def test_every_operation_has_a_case(cases):
    assert not cases.untested(FAMILIES)
