"""The gate before the clock: only what computes the artifact's probes right may be timed."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from styleexport.core.arrays import Array
from styleexport.core.errors import BadArtifact
from styleexport.core.images import image_from_array
from styleexport.core.manifest import ParityFact
from styleexport.core.psnr import EQUAL_DB, psnr_db
from styleexport.core.thresholds import ALLOWED_DB, ROUNDED_DB
from styleexport.core.types import Precision
from styleexport.runtime_bench.bench.messages import Job

# What runtimes call the types that they round to instead of float32. TF32 keeps the 11 significant
# bits of fp16; bf16 keeps 8, and three bits fewer are 18 dB.
REDUCED_DB = {
    **dict.fromkeys(("fp16", "f16", "tf32"), ALLOWED_DB[Precision.FP16]),
    **dict.fromkeys(("bf16",), ALLOWED_DB[Precision.FP16] - 18),
}
PICTURE_WIDTH = 256


def read_probes(job: Job) -> tuple[dict[str, Array], ...]:
    """Return the tensors of each probe, pictures and style codes repeated to the batch.

    Raises:
        BadArtifact: a probe is damaged or lacks a tensor.
    """
    found: list[dict[str, Array]] = []
    for path in map(Path, job.probes):
        try:
            tensors = load_file(path)
        except Exception as error:
            raise BadArtifact(
                f"probe {path} cannot be read: {error}; export the network again"
            ) from error
        missing = [name for name in (*job.inputs, job.output) if name not in tensors]
        if missing:
            raise BadArtifact(f"probe {path} holds no {missing[0]}: export the network again")
        found.append({name: _repeated(value, job.batch) for name, value in tensors.items()})
    return tuple(found)


def _repeated(value: Array, batch: int) -> Array:
    return np.repeat(value, batch, axis=0) if value.ndim > 1 else value


def measure_parity(
    run: Callable[[Mapping[str, Array]], Array],
    job: Job,
    probes: tuple[dict[str, Array], ...],
    effective: Mapping[str, str],
) -> tuple[ParityFact, str | None]:
    """Return the parity on the probes, and what was painted of the first as a JPEG in base64.

    Args:
        run: takes inputs, returns the output.
        job: what is measured.
        probes: from `read_probes`.
        effective: settings as the runtime reports them.

    Raises:
        BadArtifact: the output is of another shape.
    """
    worst, largest, picture = EQUAL_DB, 0.0, None
    for number, tensors in enumerate(probes):
        output = run({name: tensors[name] for name in job.inputs})
        reference = tensors[job.output]
        if output.shape != reference.shape:
            raise BadArtifact(
                f"{Path(job.file).name} returned {list(output.shape)}, expected "
                f"{list(reference.shape)}"
            )
        worst = min(worst, psnr_db(output, reference, 1.0 if job.image else None))
        largest = max(largest, float(np.abs(np.nan_to_num(output) - reference).max()))
        picture = encoded_picture(output) if job.image and number == 0 else picture
    fact = ParityFact(
        runner=job.runner,
        metric="psnr",
        measured_db=round(worst, 2),
        allowed_db=allowed_db(job, effective),
        max_abs_error=float(f"{largest:.3g}"),
        probes=len(probes),
    )
    return fact, picture


def allowed_db(job: Job, effective: Mapping[str, str]) -> float:
    """Return the least PSNR that may be timed: of the file's precision, or the runtime's own."""
    rounding = REDUCED_DB.get(effective.get("dtype") or effective.get("precision", ""), EQUAL_DB)
    eight_bits = ROUNDED_DB if job.rounded else EQUAL_DB
    return min(ALLOWED_DB[job.precision], rounding, eight_bits)


def encoded_picture(output: Array) -> str:
    """Return the first picture of a batch as a JPEG in base64, at most 256 pixels wide."""
    image = image_from_array(np.nan_to_num(output[:1]))
    if image.width > PICTURE_WIDTH:
        height = max(1, round(image.height * PICTURE_WIDTH / image.width))
        image = image.resize((PICTURE_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return base64.b64encode(buffer.getvalue()).decode()
