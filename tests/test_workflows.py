"""The workflow that users copy: its run-commands are executed here, from the export on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from styleexport.runtime_bench.contract.latency import read_report, write_report

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / "docs" / "guides" / "benchmark-pull-request.yml"
ARTIFACT = ROOT / "tests" / "contract" / "artifacts" / "colour-transfer"
DESKTOP = ROOT / "tests" / "contract" / "reports" / "desktop.json"
QUICK = "--runner onnxruntime --role transform --rounds 3 --seconds 0.02 --warm-up 0.1 --no-peak"
# Measures nothing: of a commit whose artifact is named slow, it writes a report that is slower.
PLAYED = """#!/bin/sh
if [ "$2" = compare ]; then exec "{python}" -m styleexport "$@"; fi
for last; do :; done
case "$(cat "$2/speed")" in slow) cp "{slower}" "$last";; *) cp "{normal}" "$last";; esac
"""
REAL = """#!/bin/sh
exec "{python}" -m styleexport "$@"
"""


def steps() -> dict[str, str]:
    """The run-commands of the workflow by name."""
    job = yaml.safe_load(WORKFLOW.read_text())["jobs"]["latency"]
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path):
    """A repository of two commits whose export is a copy, and its run-commands' environment."""
    folder, tools = tmp_path / "repository", tmp_path / "tools"
    folder.mkdir(), tools.mkdir()
    git(folder, "init", "-q")
    (folder / "export.sh").write_text(
        f'mkdir -p "$(dirname "$2")"; cp -r "{ARTIFACT}" "$2"; cp speed "$2/speed"\n'
    )
    commits = []
    for speed in ("normal", "slow"):
        (folder / "speed").write_text(speed)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", speed)
        commits.append(git(folder, "rev-parse", "HEAD"))
    report = read_report(DESKTOP)
    slow = tuple(
        replace(c, rounds_ns=tuple(tuple(int(1.3 * s) for s in r) for r in c.rounds_ns))
        for c in report.cells
    )
    write_report(replace(report, cells=slow, created="2026-12-01T00:00:00Z"), tmp_path / "s.json")

    def run(script: str, allowed: str, base: int = 0, head: int = 1) -> dict[str, int]:
        values = {"python": sys.executable, "slower": tmp_path / "s.json", "normal": DESKTOP}
        (tools / "styleexport").write_text(script.format(**values))
        (tools / "styleexport").chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "EXPORT": f"sh {folder / 'export.sh'}",
            "BENCH": QUICK,
            "ALLOWED": allowed,
            "BASE": commits[base],
            "HEAD": commits[head],
        }
        codes = {}
        for name, command in steps().items():
            if name != "Install":  # it needs the package index
                shell = ["bash", "-eo", "pipefail", "-c", command]
                done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True)
                codes[name] = done.returncode
        return codes

    return folder, run


@pytest.mark.slow
def test_the_run_commands_measure_two_commits_and_draw_them(repository):
    folder, run = repository
    codes = run(REAL, allowed="900%")
    assert set(codes.values()) == {0}
    assert len(list((folder / "reports").glob("*.json"))) == 2
    assert "Latency by commit" in (folder / "latency.html").read_text()


@pytest.mark.slow
def test_a_commit_that_is_slower_than_allowed_is_measured_again_and_fails_and_is_drawn(repository):
    folder, run = repository
    codes = run(PLAYED, allowed="10%")
    assert codes["Compare, and measure again before it fails"] == 5
    assert codes["Draw the course"] == 0
    assert len(list((folder / "again").glob("*.json"))) == 2
    shutil.rmtree(folder / "again")
    allowed = run(PLAYED, allowed="40%")
    assert allowed["Compare, and measure again before it fails"] == 0
    assert not list((folder / "again").glob("*.json"))


def test_the_workflow_installs_what_it_calls_and_names_its_guide():
    text = WORKFLOW.read_text()
    assert steps()["Install"] == "pip install 'styleexport[bench]'"
    guide = WORKFLOW.with_name("benchmark_pull_requests.md")
    assert guide.name in text
    assert WORKFLOW.name in guide.read_text()
