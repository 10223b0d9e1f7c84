"""Probe check before timing: batches of probes, the allowed PSNR, and the painted picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from styleexport.core.arrays import Array, Arrays
from styleexport.core.images import image_from_array
from styleexport.core.psnr import EQUAL_DB
from styleexport.core.thresholds import ALLOWED_DB, ROUNDED_DB
from styleexport.core.thresholds import allowed_db as allowed_by_file
from styleexport.core.types import Precision
from styleexport.runtime_bench.contract.cell import Cell

# Names that runtimes give to the types they round to instead of float32. TF32 keeps the 11
# significant bits of fp16; bf16 keeps 8, and three bits fewer are 18 dB.
REDUCED_DB = {
    **dict.fromkeys(("fp16", "f16", "tf32"), ALLOWED_DB[Precision.FP16]),
    **dict.fromkeys(("bf16",), ALLOWED_DB[Precision.FP16] - 18),
}
PICTURE_WIDTH = 256


def repeated(tensors: Arrays, batch: int) -> dict[str, Array]:
    """Return tensors with pictures [1, 3, H, W] and style codes [1, K] repeated to a batch.

    The strength [1] is one for all pictures.
    """
    return {
        name: np.repeat(value, batch, axis=0) if value.ndim > 1 else value
        for name, value in tensors.items()
    }


def allowed_db(cell: Cell, effective: Mapping[str, str], *, rounds_pictures: bool) -> float:
    """Return the minimum PSNR in dB for timing: that of the file's precision or of the runtime's.

    Args:
        cell: cell to be timed.
        effective: settings as the runtime reports them.
        rounds_pictures: whether the runner rounds 8-bit pictures.
    """
    rounding = REDUCED_DB.get(effective.get("dtype") or effective.get("precision", ""), EQUAL_DB)
    is_rounded = rounds_pictures and cell.file.outputs[0].dtype == "uint8"
    eight_bits = ROUNDED_DB if is_rounded else EQUAL_DB
    return min(allowed_by_file(cell.file), rounding, eight_bits)


def encoded_picture(output: Array) -> str:
    """Return the first picture of a batch as a JPEG in base64, at most 256 pixels wide.

    Args:
        output: [N, 3, H, W], RGB in 0..1.
    """
    image = image_from_array(np.nan_to_num(output[:1]))
    if image.width > PICTURE_WIDTH:
        height = max(1, round(image.height * PICTURE_WIDTH / image.width))
        image = image.resize((PICTURE_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode()
