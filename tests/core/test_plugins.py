from __future__ import annotations

import pytest

from styleexport.core import plugins
from styleexport.core.errors import MissingExtra, UsageError


def make_package(tmp_path, monkeypatch, shelf, **files):
    folder = tmp_path / shelf
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


def test_public_modules_are_entries_with_dashes(tmp_path, monkeypatch):
    make_package(tmp_path, monkeypatch, "shelf_a", my_thing="THING = 1", _plumbing="")
    assert plugins.names("shelf_a") == ("my-thing",)
    assert plugins.load("shelf_a", "my-thing", "THING") == 1


def test_unknown_entry_is_named_with_the_nearest(tmp_path, monkeypatch):
    make_package(tmp_path, monkeypatch, "shelf_b", other_thing="THING = 1")
    with pytest.raises(UsageError, match=r"unknown thing 'other-thin'.*did you mean other-thing"):
        plugins.load("shelf_b", "other-thin", "THING")


def test_a_missing_optional_library_is_told_from_a_broken_file(tmp_path, monkeypatch):
    make_package(
        tmp_path,
        monkeypatch,
        "shelf_c",
        optional="import coremltools.absent",
        broken="import no_such_library",
    )
    with pytest.raises(MissingExtra, match=r"pip install 'styleexport\[coreml\]'"):
        monkeypatch.setitem(__import__("sys").modules, "coremltools", None)
        plugins.load("shelf_c", "optional", "THING")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        plugins.load("shelf_c", "broken", "THING")


def test_a_folder_is_an_entry_too(tmp_path, monkeypatch):
    make_package(tmp_path, monkeypatch, "shelf_d", plain="THING = 1")
    for name in ("my_folder", "_hidden", "no_package"):
        (tmp_path / "shelf_d" / name).mkdir()
    (tmp_path / "shelf_d" / "my_folder" / "__init__.py").write_text("THING = 2")
    (tmp_path / "shelf_d" / "_hidden" / "__init__.py").write_text("")
    assert plugins.names("shelf_d") == ("my-folder", "plain")
    assert plugins.load("shelf_d", "my-folder", "THING") == 2


@pytest.mark.parametrize(
    ("library", "extra"), [("ai_edge_litert", "tflite"), ("sklearn", "coreml")]
)
def test_what_needs_an_absent_library_says_which_extra(library, extra, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    message = rf"the table needs {library}, .*pip install 'styleexport\[{extra}\]'"
    with pytest.raises(MissingExtra, match=message), plugins.needs("the table"):
        __import__(f"{library}.inner")


def test_other_errors_pass_through():
    with pytest.raises(ModuleNotFoundError, match="no_such_library"), plugins.needs("the table"):
        __import__("no_such_library")
    with pytest.raises(ValueError, match="mine"), plugins.needs("the table"):
        raise ValueError("mine")
