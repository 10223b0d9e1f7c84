"""Probes: golden inputs and outputs that every runner must reproduce first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

from styleexport.core.assets import DEMO_CONTENT, DEMO_STYLE, folder
from styleexport.core.file_names import FileName
from styleexport.core.images import array_from_image, read_image
from styleexport.core.manifest import ProbeFact, SizeFact, sha256_of_file
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Role, Size
from styleexport.models.network import LoadedNetwork

# Full colours, then greys: a swapped channel, a wrong range or a clipped end shows at once. All are
# multiples of 1/255, as the pictures are: a pixel buffer holds them exactly.
BAR = (
    (1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, 0.0, 1.0),
    (1.0, 1.0, 0.0),
    (1.0, 1.0, 1.0),
    (128 / 255,) * 3,
    (64 / 255,) * 3,
    (0.0, 0.0, 0.0),
)
STRENGTH = 0.75
# Amplitude of the noise in the picture of a step.
NOISE = 4 / 255


def probe_image(name: str, size: Size) -> NDArray[np.float32]:
    """Return a shipped picture at a size with a colour bar across its top left, [1, 3, H, W].

    Neither a flip nor a transposition maps the picture to itself, so a runner that swaps axes,
    channels or rows fails.
    """
    image = array_from_image(centre_crop(read_image(folder() / name), size))
    height, width = max(1, size.height // 10), max(1, size.width * 6 // 10 // len(BAR))
    for index, colour in enumerate(BAR):
        left = index * width
        image[0, :, :height, left : left + width] = np.array(colour, np.float32)[:, None, None]
    return image


def _mixed_image(size: Size) -> NDArray[np.float32]:
    """Return the picture of a step, [1, 3, H, W] in 0..1: photograph, painting, and noise.

    It is no copy of the content, so that every term of the loss has a gradient. Without noise,
    areas of one colour give features that are equal but for rounding, and pooling takes any.
    """
    mixed = 0.5 * probe_image(DEMO_CONTENT, size) + 0.5 * probe_image(DEMO_STYLE, size)
    noise = np.random.default_rng(0).uniform(-NOISE, NOISE, mixed.shape)
    return np.clip(mixed + noise, 0.0, 1.0).astype(np.float32)


def probe_inputs(network: LoadedNetwork, role: Role, size: Size) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of one role's probe, by name, in order."""
    module = network.role_module(role)
    inputs: dict[str, NDArray[np.float32]] = {}
    for name in module.input_names():
        if name == "content":
            inputs[name] = probe_image(DEMO_CONTENT, size)
        elif name == "style":
            inputs[name] = probe_image(DEMO_STYLE, size)
        elif name == "strength":
            inputs[name] = np.array([STRENGTH], np.float32)
        elif name == "image":
            inputs[name] = _mixed_image(size)
        elif name == "content_target":
            content = torch.from_numpy(probe_image(DEMO_CONTENT, size))
            with torch.inference_mode():
                inputs[name] = module.for_role(Role.CONTENT)(content).numpy()
        else:
            encode = network.encoder()
            style = torch.from_numpy(probe_image(DEMO_STYLE, size))
            with torch.inference_mode():
                inputs[name] = encode(style).numpy()
    return inputs


def write_probe(network: LoadedNetwork, role: Role, size: Size, artifact: Path) -> ProbeFact:
    """Write the probe of one role and size, its output from the float network in PyTorch."""
    module = network.role_module(role)
    inputs = probe_inputs(network, role, size)
    with torch.inference_mode():
        outputs = module.outputs(*(torch.from_numpy(value) for value in inputs.values()))
    path = f"probes/{FileName(network.network.name, role, size, suffix='.safetensors')}"
    (artifact / path).parent.mkdir(exist_ok=True)
    arrays = {
        name: value.contiguous().numpy()
        for name, value in zip(module.output_names, outputs, strict=True)
    }
    (artifact / path).write_bytes(save({**inputs, **arrays}))
    return ProbeFact(
        path=path, role=role, size=SizeFact.of(size), sha256=sha256_of_file(artifact / path)
    )
