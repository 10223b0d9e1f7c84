"""The commands as functions: names, defaults, results and errors are the commands'."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import styleexport as se
from styleexport import api
from styleexport.cli import cli
from styleexport.cli._called import command_of, keywords
from styleexport.core.assets import DEMO_CONTENT, DEMO_STYLE, folder
from tests.conftest import ROOT
from tools import api_options

QUICK = {"rounds": 1, "seconds": 0.0, "min_samples": 1, "no_peak": True, "warm_up": 0}


class TinyNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.enter, self.leave = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.leave(torch.relu(self.enter(image))))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    out = tmp_path_factory.mktemp("api") / "tiny"
    return out, se.export(TinyNet().train(), out, size=(64, se.Size(40, 56)))


@pytest.mark.parametrize("name", api_options.COMMANDS)
def test_a_function_has_the_options_and_defaults_of_its_command(name, monkeypatch):
    monkeypatch.delenv("STYLEEXPORT_JOBS", raising=False)
    assert name in cli.list_commands(None)
    function = getattr(se, name)
    shown = inspect.signature(function).parameters
    context = command_of(name).make_context(name, [], resilient_parsing=True, parent=_parents(name))
    for keyword, option in keywords(name).items():
        assert keyword in shown
        assert f"    {keyword}: {option.help}" in function.__doc__ or keyword in _own(function)
        default = context.params.get(option.name)
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert shown[keyword].default == default, keyword


def _own(function) -> dict[str, object]:
    return dict(function.__kwdefaults__ or {}) | dict.fromkeys(
        function.__code__.co_varnames[: function.__code__.co_argcount]
    )


def _parents(name):
    import click

    return click.Context(command_of(name), info_name=name, parent=click.Context(cli))


def test_the_types_of_keywords_are_those_of_the_commands():
    written = (ROOT / "styleexport" / "api_options.py").read_text(encoding="utf-8")
    assert written == api_options.source(), "type: python -m tools.api_options"


def test_a_module_is_exported_as_a_copy(exported):
    out, result = exported
    module = TinyNet().train()
    assert [fact.path for fact in result.manifest.files] == [
        "tiny-net_stylize_64x64_fp32.onnx",
        "tiny-net_stylize_40x56_fp32.onnx",
    ]
    network = se.open_network(module)
    assert module.training
    assert module.enter.weight.requires_grad
    assert not network.module.training
    assert network.source_sha256 == result.manifest.network.source_sha256
    assert se.verify(out).keys() == {fact.path for fact in result.manifest.files}


def test_verify_raises_for_an_altered_file(exported, tmp_path):
    import shutil

    folder = shutil.copytree(exported[0], tmp_path / "altered")
    (folder / "tiny-net_stylize_64x64_fp32.onnx").write_bytes(b"no")
    with pytest.raises(se.StyleExportError, match="was altered"):
        se.verify(folder)


def test_pictures_in_memory_are_painted_in_memory(exported, tmp_path, monkeypatch, capfd):
    out, _ = exported
    monkeypatch.chdir(tmp_path)
    with Image.open(folder() / DEMO_CONTENT) as photo:
        painted = se.stylize(out, photo.resize((90, 70)), max_side=64)
    assert isinstance(painted, Image.Image)
    assert painted.size == (90, 70)
    assert not list(tmp_path.iterdir())
    (written,) = se.stylize(out, folder() / DEMO_CONTENT)
    assert written.name == f"{folder().joinpath(DEMO_CONTENT).stem}-stylized.png"
    assert written.exists()
    assert capfd.readouterr() == ("", "")


def test_styles_may_be_pictures_in_memory(zoo):
    artifact = zoo.artifact(
        "api",
        zoo.network("adain-lite"),
        sizes=(se.Size(40, 56),),
        roles=(se.Role.ENCODE, se.Role.TRANSFORM),
    )
    with Image.open(folder() / DEMO_CONTENT) as photo, Image.open(folder() / DEMO_STYLE) as style:
        both = se.stylize(artifact, photo, style, strength=0.5)
        path = se.stylize(artifact, photo, folder() / DEMO_STYLE, strength=0.5)
    assert np.array_equal(np.asarray(both), np.asarray(path))


def test_bench_gives_a_report_and_writes_it_where_it_is_told(exported, tmp_path, monkeypatch):
    out, _ = exported
    monkeypatch.chdir(tmp_path)
    report = se.bench(out, runner="onnxruntime", size=64, **QUICK)
    (cell,) = report.cells
    assert cell.status == "measured"
    assert report.command.startswith("styleexport bench --runner=onnxruntime --size=64")
    assert "onnxruntime at 64x64" in repr(report)
    assert report._repr_html_().count("<tr>") == 2
    assert not list(tmp_path.iterdir())


def test_compare_gives_the_figures_and_the_pictures(exported):
    (compared,) = se.compare(exported[0], size="40x56")
    assert compared.comparison.quality.psnr_db > 90
    assert len(compared.candidate) == len(compared.probes)


def test_prune_reports(tmp_path):
    lines: list[str] = []
    report = se.prune("adain-lite", size=64, dry_run=True, progress=lines.append)
    assert report.weights is None
    assert report.costs.parameters.before > 0


def test_a_request_is_an_export_of_its_own(tmp_path):
    request = se.ExportRequest(
        se.open_network(TinyNet()), tmp_path / "out", sizes=(se.Size(40, 56),)
    )
    assert repr(se.export(request)).startswith(
        "<Exported: <Manifest of tiny-net: 1 file, onnx fp32,"
    )
    with pytest.raises(se.StyleExportError, match="leave out the other arguments"):
        se.export(request, tmp_path / "other")


def test_a_manifest_is_a_table_in_a_notebook(exported):
    manifest = se.read_manifest(exported[0])
    table = manifest._repr_html_()
    assert table.startswith("<table><caption>tiny-net</caption>")
    assert table.count("<tr>") == 3
    assert repr(manifest).startswith("<Manifest of tiny-net: 2 files, onnx fp32, ")


def test_options_that_do_not_exist_name_the_nearest():
    with pytest.raises(se.StyleExportError, match=r"no option 'round': .* did you mean rounds"):
        se.bench("artifact", round=1)
    with pytest.raises(se.StyleExportError, match="Missing argument"):
        se.bench()
    with pytest.raises(se.StyleExportError, match="size 'q' is not a size"):
        se.export("adain-lite", size="q")
    with pytest.raises(se.StyleExportError, match="name 'candy' is for modules"):
        se.export("adain-lite", name="candy")
    with pytest.raises(se.StyleExportError, match="name 'a/b': expected small letters"):
        se.export(TinyNet(), name="a/b")
    with pytest.raises(se.StyleExportError, match="Missing option '--content'"):
        se.train("adain-lite")


def test_modules_that_are_no_networks_are_refused(tmp_path):
    class TwoPictures(nn.Module):
        def forward(self, content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
            return content + style

    with pytest.raises(se.StyleExportError, match="its forward takes 2 inputs"):
        se.export(TwoPictures(), tmp_path / "out")
    with pytest.raises(se.StyleExportError, match=r"load weights\.pth into it"):
        (tmp_path / "weights.pth").touch()
        se.open_network(TinyNet(), [tmp_path.joinpath("weights.pth").relative_to(tmp_path)])


def test_options_become_what_would_be_typed():
    typed = list(
        api_typed(
            "prune", refit=False, sensitivity=True, retrain=["a", "b"], size=[64, se.Size(32, 48)]
        )
    )
    assert typed == [
        *("--no-refit", "--sensitivity", "--retrain=a", "--retrain=b", "--size=64"),
        "--size=32x48",
    ]
    assert list(api_typed("export", precision=se.Precision.INT8, mean=(0.5, 0.5, 0.5))) == [
        "--precision=int8",
        "--mean=0.5,0.5,0.5",
    ]


def api_typed(name, **options):
    from styleexport.cli import _called

    return _called._typed(name, options)


def test_functions_are_at_the_front_door():
    for name in (*api_options.COMMANDS, "verify"):
        assert getattr(se, name) is getattr(api, name)
