"""Rejected artifacts: an error is raised, and the measured figures are kept beside the folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from styleexport.core.errors import ParityFailure, QualityBudgetExceeded
from styleexport.core.file_names import FileName
from styleexport.core.files import replace_file
from styleexport.core.manifest import REJECTED, FileFact, Manifest
from styleexport.core.types import Precision

REMEDIES = {
    Precision.INT8: "other --calibration images, or --precision fp16",
    Precision.FP16: "--precision none (fp32)",
    Precision.PALETTE4: "--precision palette6",
    Precision.PALETTE4_INT8: "--precision int8",
    Precision.PALETTE6: "--precision palette8",
}


def _keep_figures(out: Path, manifest: Manifest) -> Path:
    """Write ``<out>.rejected.json`` and return its path."""
    path = out.with_name(f"{out.name}.rejected.json")
    with replace_file(path, REJECTED) as part:
        part.write_bytes(manifest.encoded())
    return path


def raise_over_budget(out: Path, manifest: Manifest, lossy: Sequence[FileFact]) -> None:
    """Write measured quality to ``<out>.rejected.json`` and raise QualityBudgetExceeded.

    Raises:
        QualityBudgetExceeded: always.
    """
    path = _keep_figures(out, manifest)
    reasons = [
        f"{replace(FileName.parse(f.path), degraded=False)}: {'; '.join(f.quality.failures)}"
        for f in lossy
        if f.quality
    ]
    more = f" (and {len(reasons) - 1} more files)" if len(reasons) > 1 else ""
    raise QualityBudgetExceeded(
        f"{reasons[0]}{more}; figures in {path}; `styleexport sensitivity` shows which layers "
        "cost it; type --precision auto to let them stay in float, --budget for another budget, or "
        "--allow-degraded to have the file as it is"
    )


def raise_parity_failure(out: Path, manifest: Manifest, failed: Sequence[FileFact]) -> None:
    """Write measured parity to ``<out>.rejected.json`` and raise ParityFailure.

    Raises:
        ParityFailure: always.
    """
    path = _keep_figures(out, manifest)
    fact = min(failed, key=lambda fact: fact.worst.measured_db - fact.worst.allowed_db)
    worst = fact.worst
    remedy = REMEDIES.get(fact.precision, "--precision fp16" if fact.quantization else "")
    exact = "" if worst.float32_db is None else f" ({worst.float32_db} dB with all in float32)"
    raise ParityFailure(
        f"{fact.path} differs from the network: psnr {worst.measured_db} dB measured with "
        f"{worst.runner}{exact}, at least {worst.allowed_db} allowed; figures in {path}; "
        + (f"try {remedy}" if remedy else "report it: this is a defect")
    )
