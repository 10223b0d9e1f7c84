"""Parity thresholds: the lowest PSNR at which a file counts as equal to its network."""

from __future__ import annotations

from collections.abc import Sequence

from styleexport.core.manifest import FileFact
from styleexport.core.types import Precision

# In dB. Rounding to fp16 costs about 1e-3 of a value; int8 weights alone stay above 35 on trained
# networks; int8 activations and palettes of few values are held to what a viewer accepts.
ALLOWED_DB = {
    Precision.FP32: 90.0,
    Precision.FP16: 50.0,
    Precision.INT8_WEIGHTS: 35.0,
    Precision.INT8: 25.0,
    Precision.AUTO: 25.0,
    Precision.INT8_A16: 35.0,
    Precision.PALETTE4_INT8: 25.0,
    Precision.PALETTE8: 35.0,
    Precision.PALETTE6: 25.0,
    Precision.PALETTE4: 25.0,
}
# Rounding a picture to 8 bits leaves 58.9 dB; a runner that rounds is held to no more than this.
ROUNDED_DB = 48.0
# Where two pixels of a pooling window are equal but for rounding, a gradient goes to the other one,
# and where a feature is 0 but for rounding, it passes or not: two such of the strongest pixels of
# 256x256 leave this.
GRADIENT_DB = 60.0
# Operations, captured and of all formats, that turn the last digit of a value into another index.
CHOICES = (
    *("argmax", "argmin"),
    *("ArgMax", "ArgMin", "ARG_MAX", "ARG_MIN", "reduce_argmax", "reduce_argmin"),
)
# Sums of float16 lose some 10 dB more than tensors of it; of wide layers, 20.
HALF_SUMS_DB = 35.0
# A patch that fits as well changes pixels: such pictures are judged by style and SSIM.
CHOICE_DB = 25.0
# Float32 sums in another order differ by 1e-7; a whitening multiplies that by up to 1e3.
WHITENED_DB = 80.0
# Tiles add up covariances in another order, and each level of a chain multiplies what that changes.
TILED_WHITENED_DB = 60.0


def chooses(fact: FileFact) -> bool:
    """Whether a file paints by choosing: its picture is judged by style and SSIM, not by PSNR."""
    return fact.outputs[0].kind == "image" and not set(CHOICES).isdisjoint(fact.ops)


def allowed_db(fact: FileFact) -> float:
    """Return the lowest passing PSNR in dB of a file."""
    allowed = ALLOWED_DB[fact.precision]
    if any(item.kind == "gradient" for item in fact.outputs):
        return min(allowed, GRADIENT_DB)
    allowed = min(allowed, WHITENED_DB) if fact.whitens else allowed
    return min(allowed, CHOICE_DB) if chooses(fact) else allowed


def allowed_in_half(fact: FileFact) -> float:
    """Return the lowest passing PSNR in dB where all of a file is computed in float16.

    0 for what is known not to survive it, whitening and the choice of patches: such files say so
    among their risks, and are run on the CPU.
    """
    hopeless = fact.whitens or not set(CHOICES).isdisjoint(fact.ops)
    return 0.0 if hopeless else min(HALF_SUMS_DB, allowed_db(fact))


def allowed_in_tiles(passes: Sequence[FileFact], *, on_device: bool = False) -> float:
    """Return the lowest passing PSNR in dB of a picture that files paint in passes over tiles.

    Args:
        passes: files of the passes, in order.
        on_device: see `allowed_on_device`.
    """
    allowed = (allowed_on_device if on_device else allowed_db)(passes[-1])
    if any(not set(CHOICES).isdisjoint(fact.ops) for fact in passes):
        allowed = min(allowed, CHOICE_DB)
    if any(fact.whitens for fact in passes):
        allowed = min(allowed, TILED_WHITENED_DB)
    return allowed


def allowed_on_device(fact: FileFact) -> float:
    """Return the lowest passing PSNR in dB on a device that keeps the file's own output type."""
    allowed = allowed_db(fact)
    return min(allowed, ROUNDED_DB) if fact.outputs[0].dtype == "uint8" else allowed
