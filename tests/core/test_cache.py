"""What is kept between runs, and what happens where it cannot be."""

from __future__ import annotations

import os
import stat

import msgspec
import pytest

from styleexport.core import cache
from styleexport.core.cache import VARIABLE, cache_folder, remembered


class Fact(msgspec.Struct, frozen=True):
    value: float


@pytest.fixture
def made():
    """Makes one value after another, so that a second call is seen."""
    calls: list[Fact] = []

    def make() -> Fact:
        calls.append(Fact(len(calls) + 0.5))
        return calls[-1]

    return make


def test_a_value_is_made_once_a_key(own_cache, made):
    assert remembered("kind", "a", Fact, made) == Fact(0.5)
    assert remembered("kind", "a", Fact, made) == Fact(0.5)
    assert remembered("kind", "b", Fact, made) == Fact(1.5)
    assert remembered("other", "a", Fact, made) == Fact(2.5)
    files = {path.relative_to(own_cache).as_posix() for path in own_cache.rglob("*.json")}
    assert files == {"kind/a.json", "kind/b.json", "other/a.json"}


@pytest.mark.parametrize("content", [b"", b"{", b'{"value": "no"}', b"\xff\xfe", b'{"value": 1'])
def test_a_damaged_file_is_made_again_and_mended(own_cache, made, content):
    remembered("kind", "a", Fact, made)
    path = own_cache / "kind" / "a.json"
    path.write_bytes(content)
    assert remembered("kind", "a", Fact, made) == Fact(1.5)
    assert remembered("kind", "a", Fact, made) == Fact(1.5)


def test_the_oldest_go_when_a_kind_takes_too_much(own_cache, made, monkeypatch):
    for day, key in enumerate("abc"):
        remembered("kind", key, Fact, made)
        os.utime(own_cache / "kind" / f"{key}.json", (day, day))
    remembered("other", "a", Fact, made)
    monkeypatch.setattr(cache, "MOST_BYTES", 2 * len('{"value":0.5}'))
    remembered("kind", "d", Fact, made)
    files = {path.relative_to(own_cache).as_posix() for path in own_cache.rglob("*.json")}
    assert files == {"kind/c.json", "kind/d.json", "other/a.json"}


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch, made):
    (tmp_path / "file").write_text("a file where the folder should be")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    assert remembered("kind", "a", Fact, made) == Fact(0.5)
    assert remembered("kind", "a", Fact, made) == Fact(1.5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_rights(own_cache, made):
    own_cache.mkdir()
    own_cache.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert remembered("kind", "a", Fact, made) == Fact(0.5)


def test_an_error_while_making_is_told_and_nothing_is_kept(own_cache):
    def fail() -> Fact:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        remembered("kind", "a", Fact, fail)
    assert not list(own_cache.rglob("*.json"))


def test_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "styleexport"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "styleexport"


def test_the_tests_have_a_cache_of_their_own(cache_of_the_tests):
    assert cache_folder() == cache_of_the_tests
