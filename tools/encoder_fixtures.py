"""Fixture of encoders: what torchvision computes with weights that both sides can make.

    python -m venv /tmp/torchvision
    /tmp/torchvision/bin/pip install torch==2.14.1 torchvision==0.29.1
    /tmp/torchvision/bin/python tools/encoder_fixtures.py

writes tests/models/encoders/torchvision.json. torchvision is no dependency of this project. Every
tensor is filled from its name and shape, so that the fixture holds a few numbers a tap.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

FIXTURE = Path(__file__).parents[1] / "tests" / "models" / "encoders" / "torchvision.json"
SIDE = 32
SAMPLES = 6
PERIOD = 65_521
# Encoder → name in torchvision, and its layer at each tap.
MODELS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "convnext-base": ("convnext_base", {f"features.{n}": f"features.{n}" for n in (0, 1, 3, 5, 7)}),
    "densenet121": (
        "densenet121",
        {
            name: f"features.{name}"
            for name in (
                "pool0",
                "transition1",
                "transition2",
                "denseblock3",
                "transition3",
                "norm5",
            )
        },
    ),
    "efficientnet-b5": (
        "efficientnet_b5",
        {f"features.{n}": f"features.{n}" for n in (1, 2, 3, 5, 8)},
    ),
    "efficientnetv2-s": (
        "efficientnet_v2_s",
        {f"features.{n}": f"features.{n}" for n in (1, 2, 3, 5, 7)},
    ),
    "googlenet": (
        "googlenet",
        {n: n for n in ("conv1", "conv3", "inception3b", "inception4e", "inception5b")},
    ),
    "mobilenetv2": (
        "mobilenet_v2",
        {f"features.{n}": f"features.{n}" for n in (1, 3, 6, 13, 17, 18)},
    ),
    "vgg16": ("vgg16", {"relu2_1": "features.6", "relu4_1": "features.18"}),
    "vgg19": ("vgg19", {"relu2_1": "features.6", "relu4_1": "features.20"}),
}


def filled(name: str, shape: Sequence[int]) -> Tensor:
    """Return a tensor of a name and shape: uniform values, scaled so that features keep their size.

    Kernels have the deviation √(1/inputs), scales are near 1, variances in 0.5..1.5, shifts small.
    Axes of one element at the end change nothing. Values repeat after a prime number of them.
    """
    uniform = np.random.RandomState(zlib.crc32(name.encode())).random_sample(PERIOD)
    values = torch.from_numpy(np.resize(uniform * 2 - 1, tuple(shape)))
    if name.endswith(("running_var", "layer_scale")) or (
        name.endswith("weight") and math.prod(shape[1:]) == 1
    ):
        return 1 + values / 2
    if name.endswith("weight"):
        return values * math.sqrt(3 / math.prod(shape[1:]))
    return values / 10


def filled_state(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Return a state dict of names and shapes; counters are left out."""
    return {
        name: filled(name, shape)
        for name, shape in shapes.items()
        if not name.endswith("num_batches_tracked")
    }


def picture() -> Tensor:
    """Return the picture, [1, 3, 32, 32] in 0..1, float64."""
    return (filled("picture", (1, 3, SIDE, SIDE)) * 10 + 1) / 2


def summary(features: Tensor) -> dict[str, Any]:
    """Return what is kept of features [1, C, h, w]: shape, mean, deviation, a few values."""
    places = torch.linspace(0, features.numel() - 1, SAMPLES).long()
    return {
        "shape": list(features.shape),
        "mean": float(features.mean()),
        "std": float(features.std()),
        "values": features.flatten()[places].tolist(),
    }


def _entry(model: str, layers: Mapping[str, str]) -> dict[str, Any]:
    """Return the summary of a torchvision model at each tap."""
    import torchvision  # pyright: ignore[reportMissingImports]

    options = {"init_weights": False} if model in ("googlenet", "vgg16", "vgg19") else {}
    module = torchvision.models.get_model(model, weights=None, **options).eval()
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    module.load_state_dict(filled_state(shapes), strict=False)
    found: dict[str, Tensor] = {}
    for tap, layer in layers.items():
        module.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output, tap=tap: found.update({tap: output.detach().clone()})
        )
    # GoogLeNet's weights were trained on -1..1, which torchvision makes of its normalisation.
    mean, std = (
        ((0.5,) * 3, (0.5,) * 3)
        if model == "googlenet"
        else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    axes = (1, 3, 1, 1)
    image = (picture() - torch.tensor(mean).double().reshape(axes)) / torch.tensor(
        std
    ).double().reshape(axes)
    with torch.no_grad():
        module.double()(image)
    return {tap: summary(features) for tap, features in found.items()}


def main() -> None:
    """Write the fixture."""
    entries = {name: _entry(*model) for name, model in MODELS.items()}
    lines = (f'"{name}": {json.dumps(taps)}' for name, taps in entries.items())
    FIXTURE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
