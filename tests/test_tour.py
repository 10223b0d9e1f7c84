"""The notebook docs/tour.ipynb runs, cell by cell."""

from __future__ import annotations

import json

from PIL import Image

import styleexport as se
from tests.conftest import ROOT

NOTEBOOK = json.loads((ROOT / "docs" / "tour.ipynb").read_text(encoding="utf-8"))
CODE = ["".join(c["source"]) for c in NOTEBOOK["cells"] if c["cell_type"] == "code"]


def test_the_notebook_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, code in enumerate(CODE):
        # As written but for the size, of which half takes half the time.
        small = code.replace("size=128", "size=64").replace("seconds=0.2", "seconds=0")
        exec(compile(small, f"cell {number}", "exec"), names)
    assert names["report"].cells[0].status == "measured"
    assert isinstance(names["painted"], Image.Image)
    assert set(names["checked"]) == {file.path for file in names["exported"].manifest.files}
    assert se.read_manifest(tmp_path / "sepia").network.name == "sepia"
    assert capsys.readouterr().out.startswith("---\nlicense:")


def test_the_notebook_is_stored_without_outputs():
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
