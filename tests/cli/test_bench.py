"""`styleexport bench`: a report from one command, and what it answers to bad calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from styleexport.runtime_bench.contract.latency import read_report, write_report
from tests.runtime_bench.cells import small_report

QUICK = ("--size", "64x64", "--rounds", 2, "--seconds", 0.01, "--threads", 1, "--no-peak")


def test_a_report_and_a_table(cli, artifact, tmp_path):
    done = cli("bench", artifact, "--runner", "onnxruntime", *QUICK)
    assert done.code == 0, done.err
    report = read_report(tmp_path / "adain-lite-latency.json")
    assert [cell.status for cell in report.cells] == ["measured", "measured"]
    assert report.command.startswith(f"styleexport bench {artifact.name} --runner onnxruntime")
    assert "/" not in report.command
    lines = done.out.splitlines()
    assert lines[0] == "64x64, 2 rounds"
    assert lines[1].split()[:4] == ["network", "role", "file", "runner"]
    assert [line.split()[1:5] for line in lines[2:4]] == [
        ["encode", "onnx", "fp32", "onnxruntime"],
        ["transform", "onnx", "fp32", "onnxruntime"],
    ]
    assert "report: adain-lite-latency.json" in done.err


def test_json_is_the_report(cli, artifact):
    done = cli(
        "bench",
        artifact,
        "--runner",
        "onnxruntime",
        "--role",
        "encode",
        *QUICK,
        "--json",
        "-o",
        "r.json",
    )
    (cell,) = json.loads(done.out)["cells"]
    assert cell["subject"]["role"] == "encode"
    assert len(cell["rounds_ns"]) == 2
    assert json.loads(done.out)["cells"] == json.loads(Path("r.json").read_text())["cells"]


def test_unavailable_beside_what_can_be_measured(cli, artifact):
    done = cli(
        "bench",
        artifact,
        "--runner",
        "onnxruntime",
        "--runner",
        "torch:dtype=tf32",
        "--role",
        "encode",
        *QUICK,
    )
    assert done.code == 0, done.err
    assert "unavailable" in done.out
    assert "torch:dtype=tf32: TF32 is a type of CUDA devices: add device=cuda" in done.out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--runner", "nothing"], ["unknown runner 'nothing': expected one of", "onnxruntime"]),
        (["--runner", "torch:dtype=fp8"], ["takes dtype=fp32", "type --runner torch:dtype=fp32"]),
        (["--runner", "torch:gpu=1"], ["no setting 'gpu'", "device=cpu|cuda"]),
        (["--size", "512"], ["holds 64x64, 64x96, not 512x512", "onnx adain-lite --size 512x512`"]),
        (["--size", "big"], ["size 'big' is not a size"]),
        (["--role", "paint"], ["unknown role 'paint'"]),
        (["--precision", "int9"], ["unknown precision 'int9'", "--precision int8"]),
        (["--precision", "int8"], ["no file has what was asked for", "--precision fp32"]),
        (["--rounds", "0"], ["--rounds is 0"]),
        (["--batch", "0"], ["--batch is 0"]),
        (["--threads", "-1"], ["--threads is -1"]),
        (["--affinity", "one"], ["--affinity 'one' is no list of processors"]),
        (["--affinity", "4095"], ["processor 4095 is not there"]),
        (["--runner", "coreml"], ["coreml reads none of the files"]),
    ],
)
def test_bad_calls(cli, artifact, tmp_path, options, parts):
    cli("bench", artifact, *options).refused(2, *parts)
    assert not list(tmp_path.glob("*.json"))


def test_a_folder_that_is_no_artifact(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    cli("bench", "empty").refused(2, "empty is not an artifact", "styleexport onnx")
    cli("bench", "nothing").refused(2, "nothing is not an artifact")


def test_an_altered_file_is_not_measured(cli, artifact, tmp_path):
    import shutil

    copy = shutil.copytree(artifact, tmp_path / "copy")
    (file,) = copy.glob("*_encode_64x64_fp32.onnx")
    file.write_bytes(file.read_bytes() + b"more")
    cli("bench", "copy").refused(2, "was altered")


def test_a_report_is_not_replaced_unasked(cli, artifact, tmp_path):
    out = tmp_path / "r.json"
    write_report(small_report(), out)
    before = out.read_bytes()
    cli("bench", artifact, "-o", "r.json").refused(2, "r.json is there already", "--overwrite")
    assert out.read_bytes() == before
    done = cli(
        "bench",
        artifact,
        "-o",
        "r.json",
        "--overwrite",
        "--runner",
        "onnxruntime",
        "--role",
        "encode",
        *QUICK,
    )
    assert done.code == 0, done.err
    assert read_report(out).cells


def test_nothing_that_could_run_leaves_no_report(cli, artifact, tmp_path):
    done = cli("bench", artifact, "--runner", "torch:dtype=tf32", "--role", "encode", *QUICK)
    assert done.code == 4
    assert "nothing was measured: programs/adain-lite_encode_64x64.pt2" in done.err
    assert not list(tmp_path.glob("*.json"))


def test_what_differs_from_its_network_is_reported_and_fails(cli, artifact, monkeypatch):
    from styleexport.core.manifest import ParityFact
    from styleexport.runtime_bench.bench import messages, run

    wrong = ParityFact(
        runner="onnxruntime",
        metric="psnr",
        measured_db=12.5,
        allowed_db=90.0,
        max_abs_error=0.5,
        probes=1,
    )
    answers = {
        messages.Load: messages.Loaded(idle_rss_bytes=1, loads_ns=(2, 1), effective={}),
        messages.CheckProbes: messages.Checked(first_ns=3, parity=wrong, picture=None),
    }

    class Worker:
        def ask(self, command, seconds):
            return answers[type(command)]

        def end(self):
            pass

    whole = run.bench_everywhere
    monkeypatch.setattr(
        "styleexport.runtime_bench.bench.bench_everywhere",
        lambda request, report: whole(request, report, spawn=lambda cell: Worker()),
    )
    done = cli("bench", artifact, "--runner", "onnxruntime", "--role", "encode", *QUICK)
    assert done.code == 3
    assert "psnr 12.5 dB measured, at least 90 allowed" in done.err.splitlines()[-1]
    assert "12.5  wrong" in done.out
    assert Path("adain-lite-latency.json").exists()


def test_compare_is_a_command_of_bench(cli, artifact):
    cli("bench", artifact, "--runner", "onnxruntime", "--role", "encode", *QUICK, "-o", "a.json")
    done = cli("bench", "compare", "a.json", "a.json")
    assert done.code == 0, done.err
    assert "adain-lite encode 64x64" in done.out
    cli("bench", "compare", "a.json", "none.json").refused(2, "none.json does not exist")
    cli("bench", "compare", "a.json").refused(2, "expected a second report", "--by precision")


def test_help_names_both(cli):
    done = cli("bench", "--help")
    assert done.code == 0
    assert "Example: styleexport bench" in done.out
    assert "styleexport bench compare before.json after.json" in done.out
    assert "--across-machines" in cli("bench", "compare", "--help").out
