"""The job of a device: its schema, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import msgspec

from styleexport.core.manifest import read_manifest
from styleexport.core.thresholds import ROUNDED_DB
from styleexport.core.types import Role
from styleexport.runtime_bench.contract.job import job_cells, json_schema

SCHEMA = Path(__file__).parents[3] / "docs" / "job.schema.json"


def test_committed_schema_is_the_one_of_the_types():
    assert SCHEMA.read_bytes() == json_schema(), "run make schema"


def test_pictures_of_8_bits_are_held_to_what_8_bits_can_hold(artifact):
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if f.role is Role.TRANSFORM)
    pixels = tuple(msgspec.structs.replace(t, dtype="uint8") for t in fact.outputs)
    rounded = msgspec.structs.replace(fact, outputs=pixels)
    held = msgspec.structs.replace(manifest, files=(fact, rounded))
    assert [cell.allowed_db for cell in job_cells(held, [".onnx"])] == [90, ROUNDED_DB]
