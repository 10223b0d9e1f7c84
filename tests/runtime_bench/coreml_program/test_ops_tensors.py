"""Building, joining, sorting, gathering and scattering tensors: against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil").Builder

FAMILIES = ("tensor_operation", "scatter_gather")
RNG = np.random.default_rng(2)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


X = normal(2, 4, 6, 8)
CUBE = normal(3, 4, 5)
ROW = np.array([3.0, 0.0, -2.0, 5.0, 0.0], np.float32)
INDEX = np.array([[2, 0], [1, 1]], np.int32)
RANKED = RNG.permutation(24).reshape(2, 3, 4).astype(np.float32)
ROWS, COLUMNS = normal(2, 5), normal(3, 2)


def scattered(mode, function):
    """data[[1, 0]] combined with updates, and the same written out."""

    def expected(data, updates):
        result = data.clone()
        for place, row in zip((1, 0), updates, strict=True):
            result[place] = function(result[place], row)
        return result

    return (
        lambda data, updates: mb.scatter(
            data=data, indices=np.array([1, 0], np.int32), updates=updates, axis=0, mode=mode
        ),
        [normal(3, 5), ROWS],
        expected,
    )


OPERATION = {
    "identity": (lambda x: mb.identity(x=x), [X], lambda x: x),
    "concat": (
        lambda x, y: mb.concat(values=[x, y], axis=-2),
        [X, normal(2, 4, 1, 8)],
        lambda x, y: torch.cat([x, y], 2),
    ),
    "concat of one": (lambda x: mb.concat(values=[x], axis=1), [X], lambda x: x),
    "concat of numbers": (
        lambda x: mb.concat(
            values=[mb.gather(x=mb.shape(x=x), indices=i, axis=0) for i in (2, 1)], axis=0
        ),
        [CUBE],
        np.array([5, 4]),
    ),
    "concat interleaved": (
        lambda x, y: mb.concat(values=[x, y], axis=1, interleave=True),
        [CUBE, CUBE + 1],
        lambda x, y: torch.stack([x, y], 2).reshape(3, 8, 5),
    ),
    "stack": (
        lambda x, y: mb.stack(values=[x, y], axis=1),
        [CUBE, CUBE + 1],
        lambda x, y: torch.stack([x, y], 1),
    ),
    "split": (lambda x: mb.split(x=x, num_splits=2, axis=1), [X], lambda x: x.chunk(2, 1)),
    "split by sizes": (
        lambda x: mb.split(x=x, split_sizes=[1, 3, 2], axis=-2),
        [X],
        lambda x: x.split([1, 3, 2], 2),
    ),
    "pad constant": (
        lambda x: mb.pad(x=x, pad=[1, 2, 3, 0], mode="constant", constant_val=1.5),
        [X],
        lambda x: F.pad(x, (3, 0, 1, 2), value=1.5),
    ),
    "pad reflect": (
        lambda x: mb.pad(x=x, pad=[0, 0, 0, 0, 1, 2, 3, 0], mode="reflect"),
        [X],
        lambda x: F.pad(x, (3, 0, 1, 2), mode="reflect"),
    ),
    "pad reflect other axes": (
        lambda x: mb.pad(x=x, pad=[1, 0, 0, 0, 2, 1], mode="reflect"),
        [CUBE],
        lambda x: torch.cat([x[1:2], x])[:, :, [2, 1, 0, 1, 2, 3, 4, 3]],
    ),
    "pad replicate": (
        lambda x: mb.pad(x=x, pad=[1, 2, 3, 0], mode="replicate"),
        [X],
        lambda x: F.pad(x, (3, 0, 1, 2), mode="replicate"),
    ),
    "tile": (lambda x: mb.tile(x=x, reps=[2, 1, 3]), [CUBE], lambda x: x.repeat(2, 1, 3)),
    "fill": (
        lambda x: mb.add(x=x, y=mb.fill(shape=mb.shape(x=x), value=2.5)),
        [CUBE],
        lambda x: x + 2.5,
    ),
    "fill_like": (
        lambda x: mb.fill_like(ref_tensor=x, value=-1.0),
        [CUBE],
        lambda x: torch.full_like(x, -1),
    ),
    "shape": (lambda x: mb.shape(x=x), [X], np.array([2, 4, 6, 8])),
    "flatten2d": (lambda x: mb.flatten2d(x=x, axis=-1), [X], lambda x: x.reshape(48, 8)),
    "range_1d": (
        lambda x: mb.range_1d(
            start=np.float32(1), end=mb.squeeze(x=x, axes=[0]), step=np.float32(0.5)
        ),
        [np.array([3.2], np.float32)],
        np.array([1, 1.5, 2, 2.5, 3], np.float32),
    ),
    "cumsum": (lambda x: mb.cumsum(x=x, axis=1), [CUBE], lambda x: x.cumsum(1)),
    "cumsum exclusive and reversed": (
        lambda x: mb.cumsum(x=x, axis=0, exclusive=True, reverse=True),
        [ROW],
        np.array([3.0, 3.0, 5.0, 0.0, 0.0], np.float32),
    ),
    "band_part": (
        lambda x: mb.band_part(x=x, lower=1, upper=-1),
        [CUBE],
        lambda x: torch.triu(x, -1),
    ),
    "band_part lower": (
        lambda x: mb.band_part(x=x, lower=-1, upper=0),
        [CUBE],
        torch.tril,
    ),
    "one_hot": (
        lambda x: mb.one_hot(
            indices=x, one_hot_vector_size=3, axis=1, on_value=np.int32(7), off_value=np.int32(-1)
        ),
        [INDEX],
        lambda x: F.one_hot(x.long(), 3).transpose(1, 2) * 8 - 1,
    ),
    "non_zero": (lambda x: mb.non_zero(x=x), [ROW], np.array([[0], [2], [3]])),
    "argsort": (
        lambda x: mb.argsort(x=x, axis=1, ascending=True),
        [RANKED],
        lambda x: x.argsort(1),
    ),
    "topk": (lambda x: mb.topk(x=x, k=2, axis=1), [RANKED], lambda x: list(x.topk(2, 1))),
    "topk smallest": (
        lambda x: mb.topk(x=x, k=3, axis=-1, ascending=True, return_indices=False),
        [RANKED],
        lambda x: x.sort(-1).values[..., :3],
    ),
}

GATHER = {
    "gather": (
        lambda x: mb.gather(x=x, indices=INDEX, axis=1),
        [CUBE],
        lambda x: x[:, torch.tensor(INDEX).long()],
    ),
    "gather of one": (lambda x: mb.gather(x=x, indices=2, axis=0), [CUBE], lambda x: x[2]),
    "gather in batches": (
        lambda x: mb.gather(x=x, indices=INDEX, axis=2, batch_dims=1),
        [CUBE[:2]],
        lambda x: torch.stack([x[0][:, [2, 0]], x[1][:, [1, 1]]]),
    ),
    "gather_along_axis": (
        lambda x: mb.gather_along_axis(x=x, indices=INDEX, axis=0),
        [COLUMNS],
        lambda x: x.gather(0, torch.tensor(INDEX).long()),
    ),
    "gather_nd": (
        lambda x: mb.gather_nd(x=x, indices=INDEX),
        [CUBE],
        lambda x: torch.stack([x[2, 0], x[1, 1]]),
    ),
    "gather_nd in batches": (
        lambda x: mb.gather_nd(x=x, indices=INDEX, batch_dims=1),
        [CUBE[:2]],
        lambda x: torch.stack([x[0, 2, 0], x[1, 1, 1]]),
    ),
}

SCATTER = {
    "scatter": scattered("update", lambda old, new: new),
    "scatter add": scattered("add", torch.add),
    "scatter sub": scattered("sub", torch.sub),
    "scatter mul": scattered("mul", torch.mul),
    "scatter div": scattered("div", torch.div),
    "scatter max": scattered("max", torch.maximum),
    "scatter min": scattered("min", torch.minimum),
    "scatter_along_axis": (
        lambda data, updates: mb.scatter_along_axis(
            data=data, indices=INDEX, updates=updates, axis=0, mode="add"
        ),
        [COLUMNS, normal(2, 2)],
        lambda data, updates: data.scatter_add(0, torch.tensor(INDEX).long(), updates),
    ),
    "scatter_nd": (
        lambda data, updates: mb.scatter_nd(
            data=data, indices=INDEX, updates=updates, mode="update"
        ),
        [CUBE, normal(2, 5)],
        lambda data, updates: data.index_put((torch.tensor([2, 1]), torch.tensor([0, 1])), updates),
    ),
}

CASES = {"iOS16": OPERATION | GATHER | SCATTER, "iOS17": OPERATION | GATHER | SCATTER}

INFERRED = [
    *("concat", "stack", "split", "split by sizes"),
    *("pad constant", "pad reflect", "tile", "fill_like", "range_1d", "cumsum", "band_part"),
    *("non_zero", "topk", "flatten2d"),
    *("gather", "gather of one", "gather in batches", "gather_along_axis"),
]


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
