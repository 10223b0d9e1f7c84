"""Files and folders appear whole or not at all."""

import json
import multiprocessing
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from styleexport.core import files, renaming
from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.files import (
    NEW,
    check_replaceable,
    json_product,
    recover,
    replace_file,
    replace_folder,
)
from styleexport.core.locks import FOLDER_LOCK


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    with replace_file(tmp_path / "new/a.txt") as part:
        part.write_text("whole")
        assert not (tmp_path / "new/a.txt").exists()
    assert (tmp_path / "new/a.txt").read_text() == "whole"
    assert names(tmp_path / "new") == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, UsageError])
def test_a_failed_file_leaves_the_old_one(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replace_file(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_file_on_a_full_disk_is_a_device_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(DeviceError) as caught, replace_file(tmp_path / "a.txt") as part:
        part.write_text("half")
    assert "a.txt: No space left on device; nothing was written" in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("replace", [replace_file, replace_folder])
def test_below_a_regular_file_is_a_device_error(tmp_path, replace):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DeviceError) as caught, replace(tmp_path / "file/below/out") as part:
        part.write_text("x")
    assert "file/below/out: Not a directory" in str(caught.value)
    assert "choose another place with -o" in str(caught.value)
    assert names(tmp_path) == ["file"]


def test_a_folder_appears_when_the_block_ends(tmp_path):
    with replace_folder(tmp_path / "deep/out") as part:
        (part / "sub").mkdir()
        (part / "sub/a.txt").write_text("whole")
        assert not (tmp_path / "deep/out").exists()
    assert (tmp_path / "deep/out/sub/a.txt").read_text() == "whole"
    assert names(tmp_path / "deep") == ["out"]
    assert (tmp_path / "deep/out").stat().st_mode & 0o777 == 0o755


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.txt").write_text("old")
    with replace_folder(tmp_path / "out") as part:
        (part / "new.txt").write_text("new")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["new.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, UsageError])
def test_a_failed_folder_leaves_the_old_one(tmp_path, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.txt").write_text("old")
    with pytest.raises(error), replace_folder(tmp_path / "out") as part:
        (part / "half.txt").write_text("half")
        raise error
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old.txt"]


def test_a_folder_on_a_full_disk_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with (
        pytest.raises(DeviceError, match="No space left on device"),
        replace_folder(tmp_path / "out") as part,
    ):
        (part / "half.txt").write_text("half")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old.txt"]


def test_the_old_folder_comes_back_when_the_last_step_fails(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.txt").write_text("old")
    rename = Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(renaming, "_rename", lambda *_: False)
    monkeypatch.setattr(Path, "rename", fail_once)
    with (
        pytest.raises(DeviceError, match="Input/output error"),
        replace_folder(tmp_path / "out") as part,
    ):
        (part / "new.txt").write_text("new")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old.txt"]


def test_a_link_stays_and_the_folder_behind_it_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/old.txt").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with replace_folder(tmp_path / "link") as part:
        (part / "new.txt").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path) == ["link", "real"]
    assert names(tmp_path / "real") == ["new.txt"]


NOTE = json_product("a note", "title", "text")


@pytest.fixture(params=["exchange", "rename"])
def moved(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How folders are put in their place: as the system can, and as others do."""
    if request.param == "rename":
        monkeypatch.setattr(renaming, "_rename", lambda *_: False)
    return request.param


@pytest.mark.usefixtures("moved")
def test_a_folder_is_replaced_however_the_system_does_it(tmp_path):
    for text in "one", "two":
        with replace_folder(tmp_path / "out") as part:
            (part / "a.txt").write_text(text)
        assert (tmp_path / "out/a.txt").read_text() == text
        assert names(tmp_path) == ["out"]
        assert names(tmp_path / "out") == ["a.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_at_no_moment_is_nothing_at_the_place(tmp_path):
    with replace_folder(tmp_path / "out") as part:
        (part / "a.txt").write_text("0")
    ended, missing = threading.Event(), 0

    def watch() -> None:
        nonlocal missing
        while not ended.is_set():
            missing += not (tmp_path / "out/a.txt").exists()

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(100):
        with replace_folder(tmp_path / "out") as part:
            (part / "a.txt").write_text(str(number))
    ended.set()
    watcher.join()
    assert missing == 0


def kinds_of_strangers() -> dict[str, Callable[[Path], object]]:
    return {
        "picture": lambda path: path.write_bytes(b"\xff\xd8 precious"),
        "json": lambda path: path.write_text('{"title": "mine"}'),
        "list": lambda path: path.write_text("[1, 2]"),
        "deep": lambda path: path.write_text("[" * 100_000),
        "folder": lambda path: (path.mkdir(), (path / "a").touch()),
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "broken link": lambda path: path.symlink_to("nowhere"),
        "endless link": lambda path: path.symlink_to(path.name),
    }


@pytest.mark.parametrize("stranger", kinds_of_strangers())
def test_a_file_takes_the_place_of_nothing_that_is_not_ours(tmp_path, stranger):
    check_kept(tmp_path / "precious", replace_file, stranger)


@pytest.mark.parametrize("stranger", ["picture", "json", "folder", "pipe", "device"])
def test_a_folder_takes_the_place_of_nothing_that_is_not_ours(tmp_path, stranger):
    check_kept(tmp_path / "precious", replace_folder, stranger)


def check_kept(path: Path, replace: Callable, stranger: str) -> None:
    """Check that nothing begins where a stranger is, and that it stays as it was."""
    kinds_of_strangers()[stranger](path)
    before = path.lstat()
    said = "is there already and is not a note, so it is kept: name another place for the output"
    with pytest.raises(UsageError, match=said), replace(path, NOTE):
        pytest.fail("it was begun")
    assert (path.lstat().st_ino, path.lstat().st_size) == (before.st_ino, before.st_size)
    assert names(path.parent) == ["precious"]


def test_ours_and_what_is_empty_is_replaced(tmp_path):
    path = tmp_path / "a.json"
    for _ in range(2):
        with replace_file(path, NOTE) as part:
            part.write_text(json.dumps({"title": "t", "text": "x", "added later": 1}))
    path.write_text("")
    check_replaceable(path, NEW)
    (tmp_path / "empty").mkdir()
    check_replaceable(tmp_path / "empty", NEW)
    (tmp_path / "empty" / FOLDER_LOCK).touch()  # of a process that was killed
    check_replaceable(tmp_path / "empty", NEW)


@pytest.mark.parametrize("replace", [replace_file, replace_folder])
@pytest.mark.usefixtures("moved")
def test_what_appears_meanwhile_is_kept(tmp_path, replace):
    path = tmp_path / "out"
    with pytest.raises(UsageError, match="is there already"), replace(path, NEW) as part:
        path.write_text("precious")
        (part / "a" if part.is_dir() else part).write_text("ours")
    assert path.read_text() == "precious"
    assert names(tmp_path) == ["out"]


@pytest.mark.usefixtures("moved")
def test_of_two_new_files_of_one_name_the_first_stays(tmp_path, monkeypatch):
    path = tmp_path / "out"
    put = renaming.rename_new

    def late(part: Path, place: Path) -> bool:
        path.write_text("first")
        return put(part, place)

    monkeypatch.setattr(files, "rename_new", late)
    with pytest.raises(UsageError, match="is there already"), replace_file(path, NEW) as part:
        part.write_text("second")
    assert path.read_text() == "first"


def leave_part(folder: Path, owned: object, go_on: object) -> None:
    """Write a part and end without clean-up when told to."""
    with replace_folder(folder / "out") as part:
        (part / "half").touch()
        with replace_file(folder / "a.txt") as file:
            file.write_text("half")
            owned.set()  # pyright: ignore[reportAttributeAccessIssue]
            go_on.wait(60)  # pyright: ignore[reportAttributeAccessIssue]
            os._exit(9)


def test_parts_of_the_living_are_kept_and_those_of_the_killed_removed(tmp_path):
    context = multiprocessing.get_context("fork")
    owned, go_on = context.Event(), context.Event()
    process = context.Process(target=leave_part, args=(tmp_path, owned, go_on))
    process.start()
    assert owned.wait(60)
    files.remove_leftovers(tmp_path)
    assert len(names(tmp_path)) == 2
    assert all(re.fullmatch(r"\.(out|a\.txt)\.styleexport-\w{8}\.part", n) for n in names(tmp_path))
    go_on.set()
    process.join()
    with replace_file(tmp_path / "other.txt") as part:
        part.write_text("x")
    assert names(tmp_path) == ["other.txt"]


def test_parts_of_others_are_kept(tmp_path):
    theirs = [".a.123.part", "a.part", ".a.styleexport-12.part", ".a.styleexport-zzzzzzzz.part"]
    for name in theirs:
        (tmp_path / name).touch()
    with replace_file(tmp_path / "a") as part:
        part.write_text("x")
    assert names(tmp_path) == sorted([*theirs, "a"])


def test_a_folder_that_was_moved_aside_comes_back(tmp_path):
    aside = tmp_path / ".out.styleexport-0123abcd.old"
    aside.mkdir()
    (aside / "old.txt").touch()
    aside.with_suffix(".part").mkdir()
    recover(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old.txt"]
    recover(tmp_path / "out")


def test_one_that_was_replaced_is_removed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / ".out.styleexport-0123abcd.old").mkdir()
    files.remove_leftovers(tmp_path)
    assert names(tmp_path) == ["out"]
