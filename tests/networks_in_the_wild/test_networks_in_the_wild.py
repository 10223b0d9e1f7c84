"""Networks as people build them: each is captured, written, and paints what the network paints."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from styleexport.core.psnr import psnr_db
from styleexport.core.types import Precision, Role, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.networks._open import open_network
from tests.networks_in_the_wild._weights import pictures
from tests.networks_in_the_wild.microast import PARTS, joined

PACKAGE = "tests.networks_in_the_wild"
NETWORKS = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if not path.stem.startswith(("_", "test_"))
)
SIDE = 64


def built(name: str) -> torch.nn.Module:
    return importlib.import_module(f"{PACKAGE}.{name}").build()


def painted(module: torch.nn.Module, content: torch.Tensor, code: torch.Tensor) -> np.ndarray:
    """What a network paints of a picture in 0..1, by its own pixels and nothing else."""
    low, high = (float(end) for end in module.pixels.split(".."))
    values = content * (high - low) + low
    with torch.inference_mode():
        if hasattr(module, "transfer"):
            image = module.transfer(values, code, torch.ones(1))
        else:
            image = module(values)
    return ((image - low) / (high - low)).clamp(0, 1).numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_paints_what_the_network_paints(name, tmp_path):
    network, module = open_network(f"{PACKAGE}.{name}:build"), built(name)
    role = network.roles[0] if hasattr(module, "encode") else Role.STYLIZE
    role = Role.TRANSFORM if role is Role.ENCODE else role
    request = ExportRequest(
        network,
        tmp_path / "out",
        precisions=(Precision.FP32,),
        roles=(role,),
        sizes=(Size(SIDE, SIDE),),
    )
    (fact,) = export(request).manifest.files
    content, style = pictures()[:1], pictures()[1:]
    code = torch.zeros(1, 0)
    if role is Role.TRANSFORM:
        with torch.inference_mode():
            code = network.role_module(Role.ENCODE)(style)
    inputs = {"content": content, "style_code": code, "strength": torch.ones(1)}
    session = ort.InferenceSession(str(tmp_path / "out" / fact.path))
    (image,) = session.run(None, {x.name: inputs[x.name].numpy() for x in session.get_inputs()})
    expected = painted(module, content, code)
    scale = getattr(module, "scale", 1)
    assert image.shape == (1, 3, scale * SIDE, scale * SIDE)
    assert psnr_db(np.asarray(image), expected, 1.0) > 90
    # Random weights that say something: neither grey nor black and white.
    assert 0.08 < float(expected.std()) < 0.35
    assert np.mean((expected == 0) | (expected == 1)) < 0.1


@pytest.mark.parametrize("name", [n for n in NETWORKS if hasattr(built(n), "encode")])
def test_a_style_code_is_as_long_at_every_size(name):
    module = built(name)
    with torch.inference_mode():
        codes = [module.encode(torch.rand(1, 3, *sides)) for sides in ((64, 64), (96, 136))]
    assert codes[0].shape == codes[1].shape
    assert codes[0].dim() == 2


def test_microast_takes_the_published_weights(data, tmp_path):
    """Its colours come from the style, and at strength 0 it paints the content."""
    files = {
        part: torch.load(
            data / "weights" / "microast" / f"{part}_iter_160000.pth.tar",
            map_location="cpu",
            weights_only=True,
        )
        for part in PARTS
    }
    torch.save(joined(files), tmp_path / "microast.pth")
    network = open_network(f"{PACKAGE}.microast:build", [tmp_path / "microast.pth"])
    content, style = pictures()[:1], pictures()[1:] * torch.tensor([1, 0.4, 0.1])[:, None, None]
    with torch.inference_mode():
        code = network.role_module(Role.ENCODE)(style)
        paint = network.role_module(Role.TRANSFORM)
        full, none = (paint(content, code, torch.full((1,), s)) for s in (1.0, 0.0))
    assert code.shape == (1, 512)
    mean, wanted, before = (x.mean((0, 2, 3)) for x in (full, style, content))
    assert float((mean - wanted).abs().mean()) < 0.4 * float((before - wanted).abs().mean())
    assert torch.equal(none, content)
