"""ExecuTorch files: one partition, the network's numbers, integers by the recipe, bad calls."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from styleexport.core.errors import BadArtifact, MissingExtra, UnsupportedOp, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.core.psnr import psnr_db
from styleexport.core.recipe import Range
from styleexport.core.types import Precision
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.quantize.blocks import find_blocks
from styleexport.exporter.quantize.plan import make_plan
from styleexport.exporter.quantize.simulate import weight_scales
from styleexport.exporter.rewrites.choices import for_integers
from styleexport.exporter.targets._target import Recipe
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner
from tests.conftest import ROOT
from tests.exporter.conftest import feeds_of, graph_of, shown
from tests.zoo import case

pytest.importorskip("executorch")

from styleexport.exporter.targets.executorch import TARGET
from styleexport.runtime_bench.execution import describe_execution
from styleexport.runtime_bench.formats._format import describe
from styleexport.runtime_bench.formats._pte import read_pte


class Small(nn.Module):
    """Down, a norm, and up again: what style networks are made of."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
        self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.body = nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")
        self.up = nn.Conv2d(16, 8, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect")

    def forward(self, content: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.down(functional.relu(self.first(content))))
        x = functional.relu(functional.instance_norm(self.body(x))) + x
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return torch.clamp(self.last(functional.relu(self.up(x))) * 0.5 + 0.5, 0.0, 1.0)


@pytest.fixture(scope="module")
def small() -> Graph:
    return graph_of(Small())


@pytest.fixture(scope="module")
def exported(small, tmp_path_factory):
    """The fp32 and the int8 file, with the plan of the latter."""
    folder = tmp_path_factory.mktemp("pte")
    float32 = TARGET.write(small, Recipe(), folder / "fp32.pte", list)
    graph, _ = for_integers(small, target="executorch")
    applied = make_plan(graph, shown(graph), share_phase_scales=True).applied(expand_norms=True)
    recipe = Recipe(Precision.INT8, int8=applied.recipe)
    int8 = TARGET.write(applied.graph, recipe, folder / "int8.pte", lambda: feeds_of(small))
    return folder, float32, int8, applied


def painted(path, graph: Graph, threads: int = 1) -> np.ndarray:
    with find_runner("executorch").open(path, RunOptions(threads=threads)) as session:
        (output,) = session(feeds_of(graph)[0]).values()
        assert session.effective()["threads"] == str(threads)
        assert session.effective()["partitions"].startswith("1 of XnnpackBackend; 0 calls")
    return output


def expected(graph: Graph) -> np.ndarray:
    (content,) = feeds_of(graph)[0].values()
    with torch.no_grad():
        return graph.reading(torch.from_numpy(content)).numpy()


def test_the_float_file_is_one_partition_and_the_network(exported, small):
    folder, written, _, _ = exported
    file = read_pte(folder / "fp32.pte")
    assert (len(file.partitions), file.kernels) == (1, {})
    assert (list(file.inputs), list(file.outputs)) == (["content"], ["image"])
    assert str(file.inputs["content"]) == "float32 [1, 3, 32, 48]"
    assert [(p.name, p.applied, p.refused) for p in written.passes][-1] == ("partitions", 1, ())
    for threads in (1, 2):
        assert psnr_db(painted(folder / "fp32.pte", small, threads), expected(small), 1.0) > 100


def test_the_int8_file_computes_all_convolutions_in_integers(exported, small):
    folder, float32, written, _ = exported
    path = folder / "int8.pte"
    assert len(read_pte(path).partitions) == 1
    assert (float32.int8_mac_share, written.int8_mac_share) == (0, 1)
    assert written.quantization.scheme == "static"
    assert psnr_db(painted(path, small), expected(small), 1.0) > 30
    execution = describe_execution(path)
    assert all(item.integer for item in execution.convolutions)
    assert execution.float_round_trips == 0
    assert describe(path).bytes_by_dtype["int8"] > 5000
    assert {item.layer.split()[0] for item in execution.convolutions} == {
        "Conv2d",
        "ConvTranspose2d",
    }


def test_an_output_of_finer_steps_than_its_sums_is_widened(exported, small, tmp_path):
    """XNNPACK refuses such a file when it is loaded."""
    _, _, _, applied = exported
    blocks = find_blocks(applied.graph.reading)
    tiny = {**applied.recipe.ranges, blocks[1].output: Range(0.0, 1e-6)}
    recipe = Recipe(Precision.INT8, int8=msgspec.structs.replace(applied.recipe, ranges=tiny))
    TARGET.write(applied.graph, recipe, tmp_path / "x.pte", lambda: feeds_of(small))
    assert np.isfinite(painted(tmp_path / "x.pte", small)).all()


def test_phases_share_scales_and_biases(exported):
    _, _, _, applied = exported
    module = applied.graph.reading
    (shuffle,) = (n for n in module.graph.nodes if "pixel_shuffle" in str(n.target))
    conv = shuffle.args[0] if "conv" in str(shuffle.args[0].target) else shuffle.args[0].args[0]
    weight, bias = (getattr(module.network, conv.args[i].target.split(".")[-1]) for i in (1, 2))
    scales = weight_scales(weight, transposed=False, per_channel=True, phases=4)
    steps = weight / scales
    assert float((steps - steps.round()).abs().max()) < 1e-3
    assert torch.equal(bias, bias[::4].repeat_interleave(4))


@pytest.mark.parametrize("name", [case("fast-style")])
def test_a_feed_forward_network_is_what_react_native_asks_for(name, zoo):
    """`useStyleTransfer`: forward, one picture [1, 3, H, W] in 0..1, one back, never outside."""
    from executorch.runtime import Runtime

    out = zoo.exported(name, "executorch")
    facts = read_manifest(out).files
    assert {fact.precision for fact in facts} >= {Precision.FP32, Precision.INT8}
    for fact in facts:
        path = out / fact.path
        assert "forward" in Runtime.get().load_program(path).method_names
        file = read_pte(path)
        (given,), (made,) = file.inputs.values(), file.outputs.values()
        side = fact.size.size()
        shape = (1, 3, side.height, side.width)
        assert (given.dtype, given.shape) == (made.dtype, made.shape) == ("float32", shape)
        assert len(file.partitions) == 1
        with find_runner("executorch").open(path, RunOptions(threads=1)) as session:
            steep = np.indices(shape).sum(0).astype(np.float32) % 2
            (image,) = session({next(iter(file.inputs)): steep}).values()
        assert 0 <= image.min() <= image.max() <= 1
    with find_runner("executorch").open(out / facts[0].path, RunOptions()) as session:
        assert sorted(session({"content": steep})) == ["image"]


def test_the_same_graph_gives_the_same_bytes(exported, small, tmp_path):
    TARGET.write(small, Recipe(), tmp_path / "again.pte", list)
    assert (tmp_path / "again.pte").read_bytes() == (exported[0] / "fp32.pte").read_bytes()


def test_an_operation_that_xnnpack_leaves_is_named(tmp_path):
    class Left(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, content: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(self.conv(torch.cumsum(self.conv(content), 2)))

    path = tmp_path / "left.pte"
    written = TARGET.write(graph_of(Left()), Recipe(), path, list)
    (fact,) = (fact for fact in written.passes if fact.name == "partitions")
    assert fact.applied == 2
    (line,) = fact.refused
    assert line.startswith("cumsum (aten.cumsum.default, [1, 3, 32, 48]) runs outside: XNNPACK ave")
    assert "mean or sum: those are rewritten" in line
    (risk,) = describe(path).risks
    assert risk.where == "aten::cumsum.out x1"
    assert "reduces nothing else: the graph has 2 partitions" in risk.reason
    assert "mean or sum" in risk.remedy


def test_an_operation_without_a_lowering_is_refused(small, monkeypatch, tmp_path):
    def fail(*_arguments, **_options):
        raise RuntimeError("Missing out variants: {'mine::op'}")

    monkeypatch.setattr("executorch.exir.to_edge_transform_and_lower", fail)
    with pytest.raises(UnsupportedOp, match=r"the network: .*Missing out variants: \{'mine::op'"):
        TARGET.write(small, Recipe(), tmp_path / "x.pte", list)
    assert not (tmp_path / "x.pte").exists()


def test_another_interface_names_the_tested_version(small, monkeypatch, tmp_path):
    monkeypatch.delattr("executorch.exir.to_edge_transform_and_lower")
    with pytest.raises(MissingExtra, match=r"another interface .*pip install executorch==1\.5\.1"):
        TARGET.write(small, Recipe(), tmp_path / "x.pte", list)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:4] + b"ET99" + data[8:], "of version ET99 of the format"),
        (lambda data: b"junk" + b"junk" * 4, "not a .pte file"),
        (lambda data: data[: len(data) // 2], "cut off or altered"),
        (lambda data: data.replace(b"XN01", b"XN77"), "of another version of XNNPACK's format"),
    ],
)
def test_files_that_are_not_whole(exported, tmp_path, damage, message):
    path = tmp_path / "x.pte"
    path.write_bytes(damage((exported[0] / "fp32.pte").read_bytes()))
    with pytest.raises(BadArtifact, match=message):
        describe(path)
    runner = find_runner("executorch")
    with pytest.raises(BadArtifact, match=message), runner.open(path, RunOptions()):
        pass


def test_bad_inputs_are_refused(exported, small):
    runner = find_runner("executorch")
    path = exported[0] / "fp32.pte"
    with runner.open(path, RunOptions()) as session:
        with pytest.raises(UsageError, match=r"takes content of shape \[1, 3, 32, 48\], got noth"):
            session({})
        with pytest.raises(UsageError, match=r"got shape \[1, 3, 4, 4\]"):
            session({"content": np.zeros((1, 3, 4, 4), np.float32)})
    with pytest.raises(UsageError, match=r"type --batch 1"), runner.open(path, RunOptions(batch=2)):
        pass


def test_the_library_prints_nothing_of_its_search_for_cpus(exported):
    """Once a process, when its threads start, whatever is run."""
    code = (
        "import sys; from pathlib import Path\n"
        "from styleexport.runtime_bench.runners._runner import RunOptions, find_runner\n"
        "runner = find_runner('executorch')\n"
        "with runner.open(Path(sys.argv[1]), RunOptions(threads=1)) as session:\n"
        "    print(session.effective()['threads'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, exported[0] / "fp32.pte"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    native = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert (done.stdout, native) == ("1\n", []), done.stderr


def test_what_the_library_says_of_a_file_is_in_the_error(exported, tmp_path, capfd, monkeypatch):
    whole = exported[0] / "fp32.pte"
    monkeypatch.setattr(
        "styleexport.runtime_bench.runners.executorch.read_pte", lambda _: read_pte(whole)
    )
    data = bytearray(whole.read_bytes())
    start = data.find(b"XN01") + 200
    data[start : start + 100] = b"\xff" * 100
    (tmp_path / "x.pte").write_bytes(data)
    runner = find_runner("executorch")
    with pytest.raises(BadArtifact) as caught, runner.open(tmp_path / "x.pte", RunOptions()):
        pass
    assert "Failed to load method forward" in str(caught.value)
    assert "FlatBuffer verification failed" in str(caught.value)  # printed: not in the exception
    assert capfd.readouterr().err == ""
