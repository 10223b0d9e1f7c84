"""The job of a device: its schema, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import msgspec

from styleexport.core.manifest import read_manifest
from styleexport.core.thresholds import ROUNDED_DB
from styleexport.core.types import Role
from styleexport.runtime_bench.bench.request import BenchRequest, WarmUp
from styleexport.runtime_bench.contract.job import PlanFact, job_cells, json_schema

SCHEMA = Path(__file__).parents[3] / "docs" / "job.schema.json"


def test_committed_schema_is_the_one_of_the_types():
    assert SCHEMA.read_bytes() == json_schema(), "run make schema"


def test_the_plan_of_a_device_is_that_of_the_desktop():
    plan, rule, request = PlanFact(), WarmUp(), BenchRequest(artifacts=(Path(),))
    assert (plan.rounds, plan.seconds, plan.min_samples) == (
        request.rounds,
        request.seconds,
        request.min_samples,
    )
    assert (plan.window, plan.tolerance, plan.warm_up_least_seconds, plan.warm_up_seconds) == (
        rule.window,
        rule.tolerance,
        rule.least_seconds,
        rule.limit_seconds,
    )


def test_pictures_of_8_bits_are_held_to_what_8_bits_can_hold(artifact):
    manifest = read_manifest(artifact)
    fact = next(f for f in manifest.files if f.role is Role.TRANSFORM)
    pixels = tuple(msgspec.structs.replace(t, dtype="uint8") for t in fact.outputs)
    rounded = msgspec.structs.replace(fact, outputs=pixels)
    held = msgspec.structs.replace(manifest, files=(fact, rounded))
    assert [wish.allowed_db for wish in job_cells(held, [".onnx"])] == [90, ROUNDED_DB]
