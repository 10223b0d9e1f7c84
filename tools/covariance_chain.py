"""Figures of wct and optimal-wct: the whole chain against the published formula in float64.

    python -m tools.covariance_chain wct --checkpoint cd16x --content DIR --style DIR

Eigenvalues below 1e-5 are cut, as the authors do, with no ridge and no iteration. Prints a line a
pair: PSNR of the network in float32, its steps chosen as an export does, over pictures in 0..1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from styleexport.core.psnr import psnr_db
from styleexport.core.types import Size
from styleexport.exporter.iterations import settled
from styleexport.exporter.request import ExportRequest
from styleexport.models.networks._levels import LevelsNetwork
from styleexport.models.networks._open import open_network
from styleexport.models.training.contact_sheet import squares
from styleexport.models.training.data import image_files

CUTOFF = 1e-5
STRENGTH = {"wct": 0.6, "optimal-wct": 0.8}


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """Return a power of a symmetric matrix [C, C], eigenvalues below the cutoff left out."""
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > CUTOFF
    return (vectors[:, kept] * values[kept] ** exponent) @ vectors[:, kept].T


def _matrix(name: str, content: Tensor, style: Tensor) -> Tensor:
    """Return what the published network multiplies centred features by, [C, C]."""
    inverse = _power(content, -0.5)
    if name == "wct":
        return _power(style, 0.5) @ inverse
    root = _power(content, 0.5)
    return inverse @ _power(root @ style @ root, 0.5) @ inverse


def published(
    network: LevelsNetwork, name: str, content: Tensor, style: Tensor, alpha: float
) -> Tensor:
    """Return the painting of a float64 network by the published formula, [1, 3, H, W]."""
    image = content
    for encoder, decoder in zip(network.encoders, network.decoders, strict=True):
        features, other = encoder(image)[0], encoder(style)[0]
        x, y = features[0].flatten(1), other[0].flatten(1)
        matrix = _matrix(name, torch.cov(x), torch.cov(y))
        moved = matrix @ (x - x.mean(1, keepdim=True)) + y.mean(1, keepdim=True)
        mixed = alpha * moved.reshape(features.shape) + (1 - alpha) * features
        image = decoder(mixed)[:, :, : content.shape[2], : content.shape[3]]
    return image


def figures(name: str, given: argparse.Namespace) -> Iterator[float]:
    """Yield the PSNR of each pair in dB, content n with style n."""
    loaded = open_network(f"{name},levels={given.levels}", [given.checkpoint])
    size = Size(given.size, given.size)
    request, _ = settled(ExportRequest(loaded, Path(), sizes=(size,)), _say)
    network = request.network.module
    assert isinstance(network, LevelsNetwork)
    pictures = zip(
        squares(image_files([given.content]), given.size).split(1),
        squares(image_files([given.style]), given.size).split(1),
        strict=False,
    )
    alpha = STRENGTH[name]
    for content, style in list(pictures)[: given.pairs]:
        network.float()
        painted = network.transfer(content, network.encode(style), torch.tensor([alpha]))
        network.double()
        expected = published(network, name, content.double(), style.double(), alpha)
        yield psnr_db(painted.clamp(0, 1).numpy(), expected.clamp(0, 1).numpy(), 1.0)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print the figures of a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(STRENGTH))
    for name in ("checkpoint", "content", "style"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--levels", default="54321")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=6)
    given = parser.parse_args()
    with torch.inference_mode():
        found = []
        for db in figures(given.network, given):
            found.append(db)
            _say(f"pair {len(found)}: {db:.1f} dB")
    _say(f"worst of {len(found)} pairs at {given.size}: {min(found):.1f} dB")


if __name__ == "__main__":
    main()
