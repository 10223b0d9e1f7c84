"""Files and folders appear whole or not at all."""

import os
from pathlib import Path

import pytest

from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.files import replace_file, replace_folder


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
