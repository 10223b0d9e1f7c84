"""Square pictures from folders, and contact sheets of a network's paintings of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from styleexport.core.contact_sheet import contact_sheet
from styleexport.core.errors import BadImage
from styleexport.core.images import array_from_image, image_from_array, read_image
from styleexport.core.pictures import centre_crop, evenly_spread
from styleexport.core.types import Size
from styleexport.models.network import TwoImageModule


def squares(files: Sequence[Path], size: int, most: int | None = None) -> Tensor:
    """Return centre crops of pictures, [N, 3, size, size] in 0..1; at most ``most``, evenly spread.

    Files that cannot be read are left out.

    Raises:
        BadImage: not one could be read.
    """
    arrays: list[NDArray[np.float32]] = []
    for file in evenly_spread(files, len(files) if most is None else most):
        with contextlib.suppress(BadImage):
            arrays.append(array_from_image(centre_crop(read_image(file), Size(size, size))))
    if not arrays:
        raise BadImage(f"none of {len(files)} pictures can be read, the first is {files[0]}")
    return torch.from_numpy(np.concatenate(arrays))


def picture(tensor: Tensor) -> Image.Image:
    """Return one [3, H, W] tensor in 0..1 as a picture."""
    return image_from_array(tensor.detach().float().cpu().numpy()[None])


def sheet_of(contents: Tensor, styles: Tensor, outputs: Tensor, cell: int = 128) -> Image.Image:
    """Return the contact sheet of outputs [A, B, 3, H, W] for contents [A, …] and styles [B, …]."""
    return contact_sheet(
        [picture(c) for c in contents],
        [picture(s) for s in styles],
        [[picture(output) for output in row] for row in outputs],
        cell,
    )


@torch.inference_mode()
def paint_all(network: TwoImageModule, contents: Tensor, styles: Tensor) -> Tensor:
    """Return every content in every style, [A, B, 3, H, W] in 0..1.

    Args:
        network: network with images in 0..1, in inference mode.
        contents: [A, 3, H, W] in 0..1.
        styles: [B, 3, H, W] in 0..1.
    """
    one = torch.ones(1, device=contents.device)
    codes = [network.encode(style[None]) for style in styles]
    rows = [
        torch.cat([network.transfer(content[None], code, one).clamp(0, 1) for code in codes])
        for content in contents
    ]
    size = contents.shape[-2:]
    return torch.stack([row[:, :, : size[0], : size[1]] for row in rows])
