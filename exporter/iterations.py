"""Numbers of iterations of a network, chosen by the calibration pictures before it is captured."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from styleexport.core.images import array_from_image
from styleexport.core.manifest import IterationFact
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Progress, Size
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.request import ExportRequest
from styleexport.models.network import IterativeModule
from styleexport.models.pixel_modules import ToNetwork

# Conditions of covariances hardly change above; the time does.
LARGEST_SIDE = 256
MOST_PAIRS = 8


def settled(
    request: ExportRequest, progress: Progress
) -> tuple[ExportRequest, tuple[IterationFact, ...]]:
    """Return the request with its network's iterations chosen, and what was chosen.

    The network that was given stays as it is.

    Raises:
        UsageError: the calibration folder cannot be read.
    """
    if not isinstance(request.network.module, IterativeModule):
        return request, ()
    module = copy.deepcopy(request.network.module)
    size = _measured_size(request.sizes[0], request.network.network.min_side)
    progress(f"iterations: {MOST_PAIRS} pairs of calibration pictures at {size}")
    to_network = ToNetwork(request.network.network.input_pixels)
    images = read_calibration(request.calibration)
    pairs = images.pairs()
    pairs = pairs[:: max(1, len(pairs) // MOST_PAIRS)][:MOST_PAIRS]

    def picture(image: object) -> Tensor:
        return to_network(torch.from_numpy(array_from_image(centre_crop(image, size))))  # pyright: ignore

    with torch.inference_mode():
        facts = module.settle(
            [(picture(images.content[c]), picture(images.style[s])) for c, s in pairs]
        )
    for fact in facts:
        factor = f", factor {fact.factor}" if fact.factor else ""
        progress(
            f"{fact.layer}: {fact.content} iterations{factor} ({fact.content_db} dB), "
            f"style {fact.style} ({fact.style_db} dB)"
        )
    return replace(request, network=replace(request.network, module=module)), facts


def _measured_size(size: Size, least: int) -> Size:
    """Return a size in its proportions, no larger than is measured."""
    scale = min(1.0, LARGEST_SIDE / max(size.height, size.width))
    return Size(*(max(least, round(side * scale)) for side in (size.height, size.width)))
