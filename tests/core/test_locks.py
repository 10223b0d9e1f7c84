"""Locks between processes: who waits says for whom, and a killed process holds none."""

import contextlib
import multiprocessing
import os
import re
import threading
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from styleexport.core import locks
from styleexport.core.errors import DeviceError
from styleexport.core.files import replace_folder
from styleexport.core.locks import FOLDER_LOCK, change_lock, lock_of, shared_file_lock

FORK = multiprocessing.get_context("fork")


def hold(path: Path, held: Event, go_on: Event, kill: bool) -> None:
    """Hold the lock of a path until told to go on."""
    with change_lock(path, print):
        held.set()
        go_on.wait(60)
        if kill:
            os._exit(9)


@contextlib.contextmanager
def another_process(path: Path, *, kill: bool = False) -> Iterator[tuple[int, Event]]:
    """A process that holds a lock until its event is set."""
    held, go_on = FORK.Event(), FORK.Event()
    process = FORK.Process(target=hold, args=(path, held, go_on, kill))
    process.start()
    assert held.wait(60)
    assert process.pid is not None
    yield process.pid, go_on
    go_on.set()
    process.join()


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_who_waits_says_who_holds_it_since_when(tmp_path, monkeypatch, kind, kill):
    monkeypatch.setattr(locks, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr("sys.argv", ["styleexport", "onnx", "/home/me/secret/net.onnx"])
    path = tmp_path / "out"
    if kind == "folder":
        path.mkdir()
    said: list[str] = []
    with another_process(path, kill=kill) as (pid, go_on):
        threading.Timer(0.5, go_on.set).start()
        started = time.monotonic()
        with change_lock(path, said.append):
            assert time.monotonic() - started >= 0.4
            assert lock_of(path).exists()
    (line,) = said
    assert re.fullmatch(
        rf"waiting for {re.escape(str(path))}, held by process {pid} \(styleexport onnx net\.onnx\)"
        r" since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC",
        line,
    )
    assert list(tmp_path.rglob(f"*{FOLDER_LOCK}")) == []


def test_a_lock_that_a_killed_process_left_is_free(tmp_path):
    with another_process(tmp_path, kill=True) as (_, go_on):
        go_on.set()
    assert (tmp_path / FOLDER_LOCK).exists()
    with change_lock(tmp_path, pytest.fail):
        pass
    assert not (tmp_path / FOLDER_LOCK).exists()


def test_one_of_many_holds_it(tmp_path):
    def add(number: int) -> None:
        with change_lock(tmp_path / "count", lambda _: None):
            value = int((tmp_path / "count").read_text() or 0)
            time.sleep(0.002)
            (tmp_path / "count").write_text(str(value + number))

    def add_often() -> None:
        for _ in range(5):
            add(1)

    (tmp_path / "count").touch()
    processes = [FORK.Process(target=add_often) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert (tmp_path / "count").read_text() == "40"
    assert [path.name for path in tmp_path.iterdir()] == ["count"]


def test_who_waits_for_a_folder_gets_the_one_that_took_its_place(tmp_path):
    (tmp_path / "out").mkdir()
    inodes: list[int] = []

    def change() -> None:
        with change_lock(tmp_path / "out", lambda _: None):
            inodes.append((tmp_path / "out" / FOLDER_LOCK).parent.stat().st_ino)

    with replace_folder(tmp_path / "out"):
        waiting = threading.Thread(target=change)
        waiting.start()
        time.sleep(0.3)
        assert inodes == []
    waiting.join()
    assert inodes == [(tmp_path / "out").stat().st_ino]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_changed_without(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(locks, "_open", refuse)
    with change_lock(tmp_path, pytest.fail):
        pass


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_something_else_at_its_place_is_said(tmp_path, make):
    make(tmp_path / FOLDER_LOCK)
    with pytest.raises((DeviceError, OSError)), change_lock(tmp_path, print):
        pytest.fail("it is held")


def test_shared_holders_do_not_wait_for_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "QUIET_SECONDS", 0.0)
    path, said = tmp_path / "host.lock", list[str]()
    with (
        shared_file_lock(path, "this machine", said.append, exclusive=False),
        shared_file_lock(path, "this machine", said.append, exclusive=False),
    ):
        assert said == []

        def measure() -> None:
            with shared_file_lock(path, "this machine", said.append, exclusive=True):
                said.append("measured")

        waiting = threading.Thread(target=measure)
        waiting.start()
        time.sleep(0.3)
    waiting.join()
    assert said[0].startswith("waiting for this machine, held by process ")
    assert said[-1] == "measured"
    assert path.exists()
