"""Killed at every change of a file, each command leaves what can be read and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kills import recorder

ROOT = Path(__file__).parents[2]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Changes at which each command is killed for real too, spread over all of its kinds.
KILLS = 2
Job = Callable[..., int]
COMMANDS = {
    "export": ["rename"],
    "export-over": ["exchange"],
    "export-over-without-exchange": [".old"],
    "styles-pack": ["rename", "manifest.json", "styles/thumbnails"],
    "styles-pack-over": [
        "styles/2/mine",
        "os.remove out/styles/mine",
        "os.remove out/styles/thumbnails",
    ],
    "prune": ["exchange"],
    "train": ["last.pt", "weights.safetensors", "open run/log.jsonl"],
    "distill": ["distill.json", "report.json", "card.md"],
    "sweep": ["sqlite UPDATE", "sqlite COMMIT"],
    "sweep-restart": ["sqlite DROP"],
    "bench": ["r.json"],
    "bench-over": ["os.rename .r.json"],
    "serve": ["rename without replacing"],
    "harness-sync": ["exchange"],
}


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    """Do a job of the zygote; return how its process ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kills.zygote"],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None

        def do(action: str, name: str, folder: Path, argument: object = "") -> int:
            zygote.stdin.write(f"{json.dumps([action, name, str(folder), str(argument)])}\n")
            zygote.stdin.flush()
            return int(zygote.stdout.readline())

        yield do
        zygote.stdin.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_state_that_a_kill_leaves_is_good(job: Job, tmp_path: Path, name: str):
    start, copies = tmp_path / "start", tmp_path / "copies"
    start.mkdir()
    copies.mkdir()
    assert job("prepare", name, start) == 0
    place = Path(shutil.copytree(start, tmp_path / "place"))
    assert job("record", name, place, copies) == 0
    changes = dict(line.split("\t") for line in (copies / "kinds").read_text().splitlines())
    for expected in COMMANDS[name]:
        assert any(expected in kind for kind in changes.values()), changes
    states = sorted(path for path in copies.iterdir() if path.is_dir())
    assert len(states) > 2
    left = {state.name: recorder.names(state) for state in states}
    for state in states:
        assert job("check", name, state) == 0, changes[str(int(state.name))]
    whole = {state: [name for name in left[state.name] if ".part" not in name] for state in states}
    for state in {str(names): state for state, names in whole.items()}.values():
        assert job("go on", name, state) == 0, changes[str(int(state.name))]

    numbers = sorted(map(int, changes))[:-1]
    for number in numbers[:: -(-len(numbers) // KILLS)]:
        shutil.rmtree(place)
        shutil.copytree(start, place)
        assert job("kill", name, place, number) == -signal.SIGKILL, changes[str(number)]
        assert recorder.names(place) in left.values(), changes[str(number)]
