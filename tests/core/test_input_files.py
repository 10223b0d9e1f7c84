"""Only regular files are read: nothing that a user names can block or never end."""

import os
import socket
from pathlib import Path

import pytest

from styleexport.core.errors import BadImage, UsageError
from styleexport.core.input_files import check_input, open_input, read_input


def make_special(kind: str, path: Path) -> Path:
    """Make something at a path that is no regular file; return what a user would type."""
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a character device":
        return Path("/dev/zero")
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))  # an address has at most 108 bytes
    else:
        path.symlink_to(path)
    return path


SPECIAL = {
    "a named pipe": "is a named pipe, expected a regular file",
    "a folder": "is a folder, expected a regular file",
    "a character device": "is a character device, expected a regular file",
    "a socket": "is a socket, expected a regular file",
    "an endless link": "cannot be read: Too many levels of symbolic links",
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("use", [open_input, read_input, check_input])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, monkeypatch, kind, use):
    monkeypatch.chdir(tmp_path)
    path = make_special(kind, tmp_path / "special")
    with pytest.raises(BadImage) as caught:
        use(path, "image", error=BadImage, remedy="type a picture")
    assert f"image {path} {SPECIAL[kind]}; type a picture" == str(caught.value)


def test_a_link_to_a_regular_file_is_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"whole")
    (tmp_path / "link").symlink_to("file")
    assert read_input(tmp_path / "link") == b"whole"
    with open_input(tmp_path / "link") as file:
        assert file.read(2) == b"wh"
    check_input(tmp_path / "link")


def test_a_link_to_a_pipe_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(UsageError, match="link is a named pipe"):
        read_input(tmp_path / "link")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent", "absent does not exist; type the path of a file"),
        ("file/below", "file/below does not exist"),
        ("n" * 300, "cannot be read: File name too long"),
        ("nul\0", "is no path: embedded null byte"),
    ],
)
def test_a_path_that_leads_nowhere_is_said(tmp_path, name, said):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        read_input(tmp_path / name)
    assert said in str(caught.value)


def test_a_pipe_that_replaces_the_file_in_between_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "swapped"
    path.touch()
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda _: regular)
    with pytest.raises(UsageError, match="is a named pipe"):
        open_input(path)
