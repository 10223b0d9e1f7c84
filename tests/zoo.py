"""Artifacts that tests only read: exported once a run, whichever test or process asks first.

A network comes with the weights that users bring where the shared data is there, else with seeded
random ones. The processes of a run share a folder; an artifact is made under a file lock, as
pytest-xdist's documentation does it for session fixtures ("Making session-scoped fixtures execute
only once"). Its CPU time is charged to itself and not to the test that came first.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from filelock import FileLock  # comes with torch
from torch import nn

from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.exporter.targets._target import find_target
from styleexport.models.architecture import KeptChannels, keep_channels, layers, widths_of
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.networks._open import find, open_network
from tests.cpu_guard import shared_work

# Pictures of these sizes lose more than those that the default budget is made for.
SMALL_BUDGET = "psnr>=30, style<=+10%"
RANDOM_SIZE, REAL_SIZE = Size(40, 56), Size(128, 160)
TILE_SIZE = Size(128, 128)
FLOATS = (Precision.FP32, Precision.FP16)
# 16 values for a whole weight are too few for a network that was compressed already: 17 dB.
TOO_COARSE = {"adain-cd16x": (Precision.PALETTE4,)}
# Outside ONNX, where a conversion takes long. adain-lite is written in every precision of every
# target; of the other trained networks each target takes these, of each kind of conversion one.
FEWER = {
    ("adain-cd16x", "coreai"): (Precision.FP16, Precision.PALETTE6),
    ("adain-cd16x", "coreml"): (Precision.FP16, Precision.INT8, Precision.PALETTE6),
    ("adain-cd16x", "executorch"): (Precision.INT8,),
    ("adain-cd16x", "tflite"): (Precision.FP32, Precision.INT8_WEIGHTS),
    ("fast-style", "coreai"): (Precision.FP32, Precision.INT8),
    ("fast-style", "coreml"): (Precision.FP32, Precision.FP16, Precision.PALETTE4),
    ("fast-style", "tflite"): (Precision.FP32, Precision.INT8),
}
# Variants of int8, exported in a test of their own: CPUs take long for 16 bits, and 4 lose more.
APART = (Precision.INT8_A16, Precision.PALETTE4_INT8)
CHECKPOINTS = {
    "adain-cd16x": ("cd16x/e4.pth", "cd16x/d4.pth"),
    "fast-style": ("fast_style/ml5_fast_wave.npz",),
    "udnie": ("fast_style/ml5_fast_udnie.npz",),
    "scream": ("fast_style/ml5_fast_scream.npz",),
}
# Smaller variants of the same operations, of networks whose default one is large.
VARIANTS = {
    "artnet": {"encoder": "mobilenetv2", "bank": 4},
    "avatar-net": {"bank": 16},
    "adain-convnext-base": {"tap": "features.1"},
    "adain-densenet121": {"tap": "transition1"},
    "adain-efficientnet-b5": {"tap": "features.2"},
    "gatys-enet": {"divisor": 2},
    "gatys-vgg16": {"divisor": 8},
    "linear-wct": {"encoder": "cd16x"},
    "style-swap": {"encoder": "cd16x", "bank": 8},
    "optimal-wct": {"levels": "3"},
    "wct": {"levels": "3"},
}
# Networks of the operations of another, tested in their place: adain-vgg19, adain-mobilenetv2 and
# adain-efficientnet-b5; gatys-vgg-eighth.
ALIKE = (
    *("adain", "adain-vgg16", "adain-efficientnet-lite0", "adain-efficientnetv2-s"),
    "gatys-vgg16",
)
# Of a network that is another's graph with other weights: what those may change.
INT8_ALONE = ("udnie", "scream")


def load_random(name: str, seed: int = 0) -> LoadedNetwork:
    """A network with seeded random weights: fast, and the same everywhere."""
    torch.manual_seed(seed)
    network = find(name)
    module = network.build(**VARIANTS.get(name, {}))
    if getattr(module, "normalized", False):  # as reading its file does
        module.normalize()
    return loaded(network, module)


def load_thin(name: str, divisor: int = 8) -> LoadedNetwork:
    """A network with random weights and a fraction of the channels: the same graph, less to do."""
    torch.manual_seed(0)
    network = find(name)
    module = network.build()
    for _, layer in layers(module):
        widths = widths_of(layer)
        kept = (range(-(-width // divisor) if width > 3 else width)
                for width in (widths.inputs, widths.outputs))  # fmt: skip
        keep_channels(layer, KeptChannels(*map(tuple, kept)))
    return loaded(network, module)


def load_own(module: nn.Module) -> LoadedNetwork:
    """A network of a user's: any module of ``forward(content)``, or of encode and transfer."""
    network = StyleNetwork(
        name="mine",
        summary="a network of yours",
        paper="mine",
        licence="that of your weights",
        build=lambda: module,
        read=lambda _: module,
        checkpoints="a state dict of your module",
    )
    return loaded(network, module, "mine.pth")


def loaded(network: StyleNetwork, module: nn.Module, source: str = "random.pth") -> LoadedNetwork:
    """A module in inference mode, with a source that is none."""
    return LoadedNetwork(network, module.eval().requires_grad_(False), (source,), "0" * 64)


@dataclass(frozen=True)
class Zoo:
    """The artifacts of a run.

    Attributes:
        folder: the same for all processes of the run.
        data: weights and pictures that are not committed; None where they are absent.
    """

    folder: Path
    data: Path | None

    def is_real(self, name: str) -> bool:
        """Whether a network is here with trained weights."""
        return name == "adain-lite" or (self.data is not None and name in CHECKPOINTS)

    def network(self, name: str) -> LoadedNetwork:
        """Return a network, of the names of the registry or of `INT8_ALONE`."""
        return _network(name, self.data if self.is_real(name) else None)

    def precisions(self, name: str, target: str) -> tuple[Precision, ...]:
        """Return what an artifact holds: random weights say nothing of int8.

        Outside ONNX each float precision is another conversion: of random networks the target's own
        default is written there, of trained ones `FEWER`, and all of adain-lite.
        """
        able, default = find_target(target).precisions, find_target(target).default_precision
        if not self.is_real(name):
            return tuple(p for p in able if (p in FLOATS if target == "onnx" else p is default))
        if name in INT8_ALONE:
            return (Precision.INT8,)
        if target == "coreai":  # its runtime here is slow: one of each kind
            able = tuple(p for p in able if p in (*FLOATS, Precision.INT8, Precision.PALETTE6))
        able = tuple(p for p in able if p in FEWER.get((name, target), able))
        left_out = (*TOO_COARSE.get(name, ()), *APART)
        return tuple(p for p in able if p not in left_out)

    def roles(self, name: str, target: str) -> tuple[Role, ...]:
        """Return the roles of an artifact.

        ``transform`` holds the encoder and its statistics too. That they make a file of their own
        is seen of all networks in ONNX, where a conversion is cheap, and of adain-lite everywhere.
        """
        roles = self.network(name).default_roles
        if target == "onnx" or name == "adain-lite":
            return roles
        return tuple(role for role in roles if role is not Role.ENCODE)

    def size(self, name: str) -> Size:
        """Return the size of an artifact's files."""
        return REAL_SIZE if self.is_real(name) else RANDOM_SIZE

    def exported(self, name: str, target: str) -> Path:
        """Return a network's artifact for a target, in its `precisions` and `roles`."""
        return self.artifact(
            f"{name}-{target}",
            self.network(name),
            targets=(target,),
            precisions=self.precisions(name, target),
            roles=self.roles(name, target),
            sizes=(self.size(name),),
            budget=SMALL_BUDGET,
        )

    def in_tiles(self, name: str, target: str, *precisions: Precision) -> Path:
        """Return an artifact that paints in tiles, with windows of 128x128."""
        key = "-".join((name, target, *precisions, "tiles"))
        return self.artifact(
            key,
            self.network(name),
            targets=(target,),
            precisions=precisions,
            sizes=(TILE_SIZE,),
            budget=SMALL_BUDGET,
            full=True,
        )

    def artifact(self, key: str, network: LoadedNetwork, **options: object) -> Path:
        """Return the artifact of a request, made once a run.

        Args:
            key: its name; the same for the same request.
            network: what is exported.
            **options: of `ExportRequest`.
        """
        out = self.folder / key / network.network.name
        with FileLock(self.folder / f"{key}.lock"):
            if not out.exists():  # a failed export leaves none
                with shared_work(key):
                    export(ExportRequest(network, out, **options))  # pyright: ignore
        return out


@cache
def _network(name: str, data: Path | None) -> LoadedNetwork:
    if name == "adain-lite":
        return open_network(name)
    if data is not None:
        spec = "fast-style" if name in INT8_ALONE else name
        return open_network(spec, _weights(data, CHECKPOINTS[name]))
    if name in ("adain", "adain-vgg16", "adain-vgg19"):
        return load_thin(name)
    return load_random(name)


def _weights(data: Path, names: Sequence[str]) -> list[Path]:
    return [data / "weights" / name for name in names]


def shared_folder(base: Path) -> Path:
    """Return the folder of a run that all its processes share.

    Args:
        base: of this process, as ``tmp_path_factory.getbasetemp`` returns it.
    """
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def case(name: str, *values: object, slow: bool = True) -> object:
    """Parameters of a test on a network's artifacts: the tests of a network run in one process."""
    marks = [pytest.mark.xdist_group(f"zoo-{name}"), *([pytest.mark.slow] if slow else [])]
    return pytest.param(name, *values, marks=marks)
