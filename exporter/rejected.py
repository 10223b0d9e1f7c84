"""What becomes of files that may not be handed over: an error, and figures that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from styleexport.core.errors import ParityFailure, QualityBudgetExceeded
from styleexport.core.files import replace_file
from styleexport.core.manifest import FileFact, Manifest
from styleexport.core.types import Precision

REMEDIES = {
    Precision.INT8: "other --calibration images, or --quantize fp16",
    Precision.FP16: "--quantize none (fp32)",
    Precision.PALETTE4: "--quantize palette6",
    Precision.PALETTE6: "--quantize palette8",
}


def _keep_figures(out: Path, manifest: Manifest) -> Path:
    """Write the figures of files that are not handed over; return where."""
    path = out.with_name(f"{out.name}.rejected.json")
    with replace_file(path) as part:
        part.write_bytes(manifest.encoded())
    return path


def refuse(out: Path, manifest: Manifest, lossy: Sequence[FileFact]) -> None:
    """Keep the figures of an artifact whose files lose more than their budget.

    Raises:
        QualityBudgetExceeded: always.
    """
    path = _keep_figures(out, manifest)
    told = [
        f"{f.path.replace('-degraded.', '.')}: {'; '.join(f.quality.failures)}"
        for f in lossy
        if f.quality
    ]
    more = f" (and {len(told) - 1} more files)" if len(told) > 1 else ""
    raise QualityBudgetExceeded(
        f"{told[0]}{more}; figures in {path}; type --quantize auto to let the costly layers stay "
        "in float, --budget for another budget, or --allow-degraded to have the file as it is"
    )


def reject(out: Path, manifest: Manifest, failed: Sequence[FileFact]) -> None:
    """Keep the figures of an artifact of which files differ from the network.

    Raises:
        ParityFailure: always.
    """
    path = _keep_figures(out, manifest)
    fact = min(failed, key=lambda fact: fact.worst.measured_db - fact.worst.allowed_db)
    worst = fact.worst
    remedy = REMEDIES.get(fact.precision, "--quantize fp16" if fact.quantization else "")
    exact = "" if worst.float32_db is None else f" ({worst.float32_db} dB with all in float32)"
    raise ParityFailure(
        f"{fact.path} differs from the network: psnr {worst.measured_db} dB measured with "
        f"{worst.runner}{exact}, at least {worst.allowed_db} allowed; figures in {path}; "
        + (f"try {remedy}" if remedy else "report it: this is a defect")
    )
