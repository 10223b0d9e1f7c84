"""`python -m styleexport.runtime_bench.contract.schema docs` writes the JSON Schemas."""

from __future__ import annotations

import sys
from pathlib import Path

from styleexport.core import manifest
from styleexport.runtime_bench.contract import job, latency

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "manifest.schema.json").write_bytes(manifest.json_schema())
    (folder / "latency.schema.json").write_bytes(latency.json_schema())
    (folder / "job.schema.json").write_bytes(job.json_schema())
