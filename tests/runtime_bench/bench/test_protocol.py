"""Who is measured side by side, and how much memory a process holds."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from styleexport.core.types import Role, Size
from styleexport.runtime_bench.bench.cells import cells_of
from styleexport.runtime_bench.bench.memory_groups import memory_groups, worker_bytes
from styleexport.runtime_bench.bench.request import BenchRequest
from styleexport.runtime_bench.bench.worker import is_memory
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.machine.memory import peak_rss_bytes, rss_bytes

GB = 10**9


@pytest.fixture
def cell(artifact) -> Cell:
    request = BenchRequest(
        (artifact,), (RunnerChoice("onnxruntime"),), (Size(64, 96),), (Role.TRANSFORM,)
    )
    return cells_of(request, lambda _: None)[0]


def shapes(cells, together, free):
    return [len(group) for group in memory_groups(cells, together, free)]


def test_groups_are_even(cell):
    assert shapes([cell] * 8, 6, None) == [4, 4]
    assert shapes([cell] * 7, 6, None) == [4, 3]
    assert shapes([cell] * 6, 6, None) == [6]
    assert shapes([cell] * 3, 1, None) == [1, 1, 1]


def test_groups_fit_into_memory(cell):
    file = msgspec.structs.replace(cell.file, parameters=(3 * GB - worker_bytes(cell)) // 12)
    large = replace(cell, file=file)
    assert shapes([large] * 4, 6, 11 * GB) == [2, 2]
    assert shapes([large] * 3, 6, 1 * GB) == [1, 1, 1]  # each is tried all the same
    assert shapes([cell, large, cell], 6, 5 * GB) == [1, 1, 1]


def test_a_group_holds_one_size_and_one_role(cell):
    other = replace(cell, size=Size(64, 64))
    assert shapes([cell, cell, other], 6, None) == [2, 1]


def test_sizes_come_small_first_and_roles_together(artifact):
    found = cells_of(BenchRequest((artifact,), (RunnerChoice("onnxruntime"),)), lambda _: None)
    assert [(str(cell.size), cell.subject.role.value) for cell in found] == [
        ("64x64", "encode"),
        ("64x64", "transform"),
        ("64x96", "encode"),
        ("64x96", "transform"),
    ]
    assert worker_bytes(found[0]) < worker_bytes(found[-1])


def test_what_is_asked_for_twice_is_measured_once(artifact):
    choice = RunnerChoice("onnxruntime")
    request = BenchRequest((artifact, artifact), (choice, choice), batches=(1, 2, 1))
    found = cells_of(request, lambda _: None)
    assert len(found) == 2 * 2 * 2
    assert {cell.batch for cell in found} == {1, 2}


def test_peak_memory_is_what_was_held_at_most():
    before = peak_rss_bytes()
    held = np.ones(50_000_000, np.uint8)
    assert peak_rss_bytes() >= rss_bytes() >= held.nbytes
    del held
    assert peak_rss_bytes() >= max(before, 50_000_000)


def test_peak_memory_is_the_high_water_mark_of_linux(tmp_path):
    status = tmp_path / "status"
    status.write_text("VmPeak:\t  999999 kB\nVmHWM:\t    1234 kB\nVmRSS:\t     100 kB\n")
    assert peak_rss_bytes(status) == 1234 * 1024
    assert peak_rss_bytes(tmp_path / "none") > 1_000_000


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("Failed to allocate memory for requested buffer of size 9"), True),
        (RuntimeError("invalid shape"), False),
        (ValueError("memory layout"), False),
    ],
)
def test_memory_running_out_is_recognised(error, memory):
    assert is_memory(error) is memory
    wrapped = ValueError("does not run")
    wrapped.__cause__ = error
    assert is_memory(wrapped) is memory
