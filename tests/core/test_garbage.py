"""Thresholds of garbage collection, changed for a while."""

from __future__ import annotations

import gc
import weakref

import pytest

from styleexport.core.garbage import THRESHOLDS, collect_rarely, rare_collections


class Node:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_frozen():
    """As in a process of a user; the tests' own processes freeze what they have imported."""
    frozen, thresholds = gc.get_freeze_count(), gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*thresholds)
    if frozen:
        gc.freeze()


def test_a_process_of_this_package_collects_rarely() -> None:
    collect_rarely()
    assert gc.get_threshold() == THRESHOLDS


def test_collections_are_rarer_inside_and_as_before_after() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyError), rare_collections():
        with rare_collections():
            assert gc.get_threshold() == THRESHOLDS
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 0
        raise KeyError
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_garbage_of_the_block_is_collected() -> None:
    with rare_collections():
        gone = weakref.ref(Node())
        gc.collect()
        assert gone() is None
