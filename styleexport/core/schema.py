"""`python -m styleexport.core.schema FILE` writes the manifest's JSON Schema."""

from __future__ import annotations

import sys
from pathlib import Path

from styleexport.core.manifest import json_schema

if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(json_schema())
