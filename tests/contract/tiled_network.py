"""A small network in passes over tiles, which a page of code computes in any language.

`PASSES` are the passes; `painted` computes the network on a whole picture, without tiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from safetensors.numpy import save

from styleexport.core.arrays import Array, Arrays
from styleexport.core.manifest import SizeFact, TensorFact
from styleexport.core.tiling_fact import MapFact, StatisticFact, TilePassFact, TilingFact
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.tiling import tiles
from styleexport.runtime_bench.tiling.files import TiledFiles
from styleexport.runtime_bench.tiling.painter import TiledPainter

Run = Callable[[Arrays], dict[str, Array]]

WINDOW, GRID, MARGIN = Size(24, 32), 4, 4
# Three tiles along a side, the last of them shorter; and mirrored rows and columns at the end.
PICTURE = Size(50, 61)
EPSILON = 1e-5


class SmallPass(NamedTuple):
    """A pass of the small network.

    Attributes:
        role: whether it depends on the style.
        margin: pixels around a tile.
        inputs: names of the inputs.
        outputs: names of the outputs.
        run: the pass.
    """

    role: Role
    margin: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    run: Run


def _features(given: Arrays) -> dict[str, Array]:
    """Mean of 4x4 pixels, then that of 3x3 neighbours; edges are repeated."""
    content = given["content"]
    _, channels, height, width = content.shape
    pooled = content.reshape(1, channels, height // 4, 4, width // 4, 4).mean((3, 5))
    padded = np.pad(pooled, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = pooled.shape[2:]
    near = [padded[:, :, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    blurred = np.mean(near, axis=0)
    inner = _inner(blurred, given["region"], 4)
    mean = inner.mean((2, 3))
    spread = ((inner - mean[:, :, None, None]) ** 2).mean((2, 3))
    return {"map_0": blurred, "statistic_0": np.concatenate([mean, spread], 1)}


def _normalized(given: Arrays) -> dict[str, Array]:
    """Adaptive instance normalization at a strength; then every element twice along both sides."""
    features, moments, code = given["map_0"], given["statistic_0"][0], given["style_code"][0]
    mean, spread = moments[:3, None, None], moments[3:, None, None]
    styled = (features - mean) / np.sqrt(spread + EPSILON) * code[3:, None, None]
    styled = styled + code[:3, None, None]
    mixed = features + given["strength"][0] * (styled - features)
    enlarged = mixed.repeat(2, 2).repeat(2, 3)
    return {
        "map_1": enlarged,
        "statistic_1": _inner(enlarged, given["region"], 2).mean((2, 3)),
    }


def _painted(given: Arrays) -> dict[str, Array]:
    """Half of the picture, and half of the map around 1/2 in place of its mean."""
    enlarged = given["map_1"].repeat(2, 2).repeat(2, 3)
    centred = enlarged - given["statistic_1"][:, :, None, None] + 0.5
    return {"image": (given["content"] + centred) / 2}


def _inner(features: Array, region: Array, stride: int) -> Array:
    top, left, bottom, right = (int(side) // stride for side in region)
    return features[:, :, top:bottom, left:right]


STYLED = ("style_code", "strength")
PASSES = (
    SmallPass(Role.FEATURES, MARGIN, ("content", "region"), ("map_0", "statistic_0"), _features),
    SmallPass(
        Role.RENDER,
        0,
        ("map_0", "statistic_0", *STYLED, "region"),
        ("map_1", "statistic_1"),
        _normalized,
    ),
    SmallPass(Role.RENDER, 0, ("content", "map_1", "statistic_1"), ("image",), _painted),
)
KINDS = {"content": "image", "image": "image", "map_0": "map", "map_1": "map"}
KINDS |= {"statistic_0": "statistic", "statistic_1": "statistic", "region": "region"}
KINDS |= {name: name for name in STYLED}
SHAPES: Mapping[str, tuple[int, ...]] = {
    "content": (1, 3, WINDOW.height, WINDOW.width),
    "image": (1, 3, WINDOW.height, WINDOW.width),
    "map_0": (1, 3, WINDOW.height // 4, WINDOW.width // 4),
    "map_1": (1, 3, WINDOW.height // 2, WINDOW.width // 2),
    "statistic_0": (1, 6),
    "statistic_1": (1, 3),
    "style_code": (1, 6),
    "strength": (1,),
    "region": (4,),
}
LAYOUTS = {1: "N", 2: "NK", 4: "NCHW"}


def tensor_fact(name: str) -> TensorFact:
    """Return an input or output of the small network's passes."""
    image = KINDS[name] == "image"
    return msgspec.convert(
        {
            "name": name,
            "kind": KINDS[name],
            "shape": SHAPES[name],
            "dtype": "float32",
            "layout": LAYOUTS[len(SHAPES[name])],
            "pixel_range": (0.0, 1.0) if image else None,
            "colour_order": "RGB" if image else None,
        },
        TensorFact,
    )


def tiling_of(target: str, paths: tuple[str, ...]) -> TilingFact:
    """Return the tiling of the small network."""
    sides = {4: (WINDOW.height // 4, WINDOW.width // 4), 2: (WINDOW.height // 2, WINDOW.width // 2)}

    def statistic(name: str, kind: Literal["moments", "mean"], stride: int) -> StatisticFact:
        height, width = sides[stride]
        return StatisticFact(
            name=name,
            kind=kind,
            length=SHAPES[name][1],
            correction=int(kind == "moments"),
            height=height,
            width=width,
            stride=stride,
        )

    return TilingFact(
        role=Role.TRANSFORM,
        target=target,
        precision=Precision.FP32,
        window=SizeFact.of(WINDOW),
        grid=GRID,
        passes=tuple(
            TilePassFact(
                path=path, top=one.margin, bottom=one.margin, left=one.margin, right=one.margin
            )
            for path, one in zip(paths, PASSES, strict=True)
        ),
        maps=tuple(
            MapFact(
                name=f"map_{number}",
                channels=3,
                height=sides[stride][0],
                width=sides[stride][1],
                stride=stride,
            )
            for number, stride in enumerate((4, 2))
        ),
        statistics=(
            statistic("statistic_0", "moments", 4),
            statistic("statistic_1", "mean", 2),
        ),
        tiled_db=120.0,
        largest_difference=0.0,
    )


class SmallFile(NamedTuple):
    """A pass in the place of its file."""

    path: str
    role: Role
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    run: Run


def small_painter() -> TiledPainter:
    """Return a painter of the small network."""
    paths = tuple(f"pass-{number}" for number in range(len(PASSES)))
    facts = tuple(
        SmallFile(
            path,
            one.role,
            tuple(map(tensor_fact, one.inputs)),
            tuple(map(tensor_fact, one.outputs)),
            one.run,
        )
        for path, one in zip(paths, PASSES, strict=True)
    )
    return TiledPainter(
        TiledFiles(tiling_of("onnx", paths), facts, lambda fact: nullcontext(fact.run))
    )


def example() -> dict[str, Array]:
    """Return a picture, a style code and a strength, and the painting of the whole picture."""
    index = np.arange(3 * PICTURE.height * PICTURE.width)
    content = (index * 7919 % 251 + index % 5).reshape(1, 3, PICTURE.height, PICTURE.width)
    inputs = {
        "content": (content / 255).astype(np.float32),
        "style_code": np.array([[0.4, 0.5, 0.6, 0.1, 0.2, 0.05]], np.float32),
        "strength": np.array([0.75], np.float32),
    }
    return {**inputs, "image": painted(inputs).astype(np.float32)}


def painted(inputs: Arrays) -> Array:
    """Return the painting of a whole picture, in float64."""
    tiling = tiling_of("onnx", ("", "", ""))
    height, width = tiles.on_grid(PICTURE, tiling)
    rows, columns = (
        tiles.mirrored(length, 0, count)
        for length, count in ((PICTURE.height, height), (PICTURE.width, width))
    )
    known = {name: np.asarray(value, np.float64) for name, value in inputs.items()}
    known["content"] = known["content"][:, :, rows][:, :, :, columns]
    known["region"] = np.array([0, 0, height, width])
    # The correction of a whole picture: from its own number of places to one less.
    places, window = height * width // 16, WINDOW.height * WINDOW.width // 16
    for one in PASSES:
        known |= one.run(known)
        if one.role is Role.FEATURES:
            known["statistic_0"][:, 3:] *= (1 - 1 / window) / (1 - 1 / places)
    return known["image"][:, :, : PICTURE.height, : PICTURE.width]


PROBE = f"colour-transfer_render_{PICTURE}.safetensors"
PROBES = {PROBE: save(example())}


def _laid(fact: TensorFact, painter: Any) -> dict[str, Any]:
    """Return a tensor in the layout of a format, as a painting file of it has its image."""
    image = painter["outputs"][0]
    found = msgspec.to_builtins(fact)
    if fact.kind == "image":
        found |= {key: image[key] for key in ("dtype", "layout", "pixel_range", "colour_order")}
    if len(fact.shape) == 4 and image["layout"] == "NHWC":
        batch, channels, *sides = fact.shape
        found |= {"layout": "NHWC", "shape": [batch, *sides, channels]}
    return found


def tiled(whole: Any) -> object:
    """Add the passes of the small network to a manifest, and a picture of several tiles."""
    painters = [file for file in whole["files"] if file["role"] == "transform"]
    whole["tilings"] = []
    for painter in painters:
        paths = tuple(
            f"colour-transfer_{one.role}-{number}_{WINDOW}_fp32{Path(painter['path']).suffix}"
            for number, one in enumerate(PASSES)
        )
        for path, one in zip(paths, PASSES, strict=True):
            file = {**painter, "path": path, "role": one.role.value}
            file["size"] = {"height": WINDOW.height, "width": WINDOW.width}
            for side, names in (("inputs", one.inputs), ("outputs", one.outputs)):
                file[side] = [_laid(tensor_fact(name), painter) for name in names]
            whole["files"].append(file)
        whole["tilings"].append(msgspec.to_builtins(tiling_of(painter["target"], paths)))
    size = {"height": PICTURE.height, "width": PICTURE.width}
    digest = hashlib.sha256(PROBES[PROBE]).hexdigest()
    probe = {"path": f"probes/{PROBE}", "role": "render", "size": size, "sha256": digest}
    whole["probes"].append(probe)
    return whole
