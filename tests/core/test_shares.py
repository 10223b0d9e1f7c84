"""Loops whose parts run at the same time."""

from __future__ import annotations

import threading

import pytest
import torch

from styleexport.core import shares
from styleexport.core.shares import available_cores, in_shares, share_count


@pytest.fixture
def cores(monkeypatch):
    """Set the number of cores."""

    def give(count: int) -> None:
        monkeypatch.setattr(shares, "available_cores", lambda: count)

    return give


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_shares_are_neighbours_in_order(cores, count):
    cores(count)
    parts = in_shares(range(7), list, "numbers", lambda _: None)
    assert len(parts) == count
    assert [item for part in parts for item in part] == list(range(7))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_each_share_has_a_thread_and_each_operation_one(cores):
    cores(2)
    barrier = threading.Barrier(2, timeout=60)
    before = torch.get_num_threads()

    def work(share) -> tuple[int, int]:
        list(share)
        barrier.wait()  # both at the same time, or never
        return threading.get_ident(), torch.get_num_threads()

    (one, threads), (other, more) = in_shares([1, 2], work, "numbers", lambda _: None)
    assert one != other
    assert threads == more == 1
    assert torch.get_num_threads() == before


def test_large_pictures_come_one_after_the_other(cores):
    cores(8)
    assert [share_count(20), share_count(2), share_count(20, 1025 * 1024)] == [4, 2, 1]


def test_the_environment_may_ask_for_fewer_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert available_cores() == 6
    for text, expected in (("3", 3), ("64", 6), ("0", 1), ("3,2", 6)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert available_cores() == expected


def test_a_share_that_fails_ends_the_others(cores):
    cores(2)
    seen, failed = [], threading.Event()

    def work(share) -> None:
        for item in share:
            if item == 0:
                failed.set()
                raise ValueError("this picture is none")
            assert failed.wait(60)
            seen.append(item)

    items = range(100_000)
    with pytest.raises(ValueError, match="this picture is none"):
        in_shares(items, work, "numbers", lambda _: None)
    assert len(seen) < len(items) // 2


def test_no_items_are_no_share():
    assert in_shares([], list, "numbers", lambda _: None) == [[]]
