"""Workers in processes of their own: those that are killed, crash, hang or answer nonsense."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from styleexport.core.types import Role, Size
from styleexport.runtime_bench.bench import BenchRequest, messages
from styleexport.runtime_bench.bench.process import WorkerProcess
from styleexport.runtime_bench.bench.run import bench
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice

TURN = messages.Turn()
DEADLINE = 60.0


@pytest.fixture
def worker(worker_command):
    started = []

    def start(mode: str) -> WorkerProcess:
        started.append(WorkerProcess(1, worker_command(mode).argv))
        return started[-1]

    yield start
    for process in started:
        process.end()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("mode", "status", "message", "killed"),
    [
        ("killed", "out-of-memory", "the worker was killed, as the system does where", True),
        ("aborted", "out-of-memory", "the worker ended with SIGABRT: terminate called", True),
        ("crashed", "failed", "the worker ended with SIGSEGV: Illegal tensor", True),
        ("left", "failed", "the worker ended with code 3: loading the fake runtime", False),
        ("nonsense", "failed", "the worker answered nonsense: ", False),
    ],
)
def test_what_became_of_a_worker(worker, mode, status, message, killed):
    process = worker(mode)
    assert isinstance(process.ask(messages.CheckProbes(), DEADLINE), messages.Checked)
    answer = process.ask(TURN, DEADLINE)
    assert isinstance(answer, messages.Refused)
    assert (answer.status, answer.killed) == (status, killed)
    assert answer.message.startswith(message)


def test_a_worker_that_does_not_answer_is_killed(worker, worker_command):
    process = worker("hangs")
    process.ask(messages.CheckProbes(), DEADLINE)
    answer = process.ask(TURN, 0.2)
    assert (answer.status, answer.message) == ("failed", "no answer within 0 s")
    pid = int(worker_command("hangs").log.read_text().split()[1])
    assert not alive(pid)
    assert isinstance(process.ask(TURN, 0.2), messages.Refused)


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="sessions of POSIX")
def test_a_worker_is_out_of_the_terminals_reach(worker, worker_command):
    worker("good").ask(messages.CheckProbes(), DEADLINE)
    assert os.getsid(int(worker_command("good").log.read_text().split()[1])) != os.getsid(0)


def request(artifact: Path) -> BenchRequest:
    return BenchRequest(
        (artifact,),
        (RunnerChoice("onnxruntime"), RunnerChoice("openvino")),
        (Size(64, 96),),
        (Role.TRANSFORM,),
        plan=PlanFact(rounds=2),
        peak=False,
    )


def spawning(worker_command, **modes: str):
    return lambda cell: WorkerProcess(1, worker_command(modes[cell.choice.name]).argv)


def test_killed_mid_run_is_tried_once_more_then_marked(artifact, worker_command):
    pytest.importorskip("openvino")
    spawn = spawning(worker_command, onnxruntime="killed", openvino="good")
    killed, good = bench(request(artifact), lambda _: None, spawn=spawn).cells
    assert killed.status == "out-of-memory"
    assert killed.message == "the worker was killed, as the system does where memory runs out"
    assert killed.rounds_ns == ()
    assert killed.parity is not None
    assert worker_command("killed").log.read_text().count("born") == 2
    assert good.rounds_ns == ((3, 4), (3, 4))


def test_killed_once_is_measured_by_a_second_worker(artifact, worker_command):
    pytest.importorskip("openvino")
    spawn = spawning(worker_command, onnxruntime="killed-once", openvino="good")
    first, second = bench(request(artifact), lambda _: None, spawn=spawn).cells
    assert (first.status, first.rounds_ns) == ("measured", ((3, 4), (3, 4)))
    assert first.effective["turns"] == "alone: its first worker was lost"
    assert "turns" not in second.effective
    assert worker_command("killed-once").log.read_text().count("born") == 2


def test_a_crash_is_tried_once_more(artifact, worker_command):
    pytest.importorskip("openvino")
    spawn = spawning(worker_command, onnxruntime="crashed", openvino="left")
    crashed, left = bench(request(artifact), lambda _: None, spawn=spawn).cells
    assert (crashed.status, left.status) == ("failed", "failed")
    assert worker_command("crashed").log.read_text().count("born") == 2
    assert worker_command("left").log.read_text().count("born") == 1


def test_no_worker_outlives_an_interrupt(artifact, worker_command):
    pytest.importorskip("openvino")
    spawn = spawning(worker_command, onnxruntime="good", openvino="good")

    def report(line: str) -> None:
        if "rounds of" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(request(artifact), report, spawn=spawn)
    born = worker_command("good").log.read_text().split()[1::2]
    assert len(born) == 2
    assert not any(alive(int(pid)) for pid in born)


SERVE = """
import sys
from styleexport.runtime_bench.bench.process import WorkerProcess
from styleexport.runtime_bench.bench import messages
worker = WorkerProcess(1, sys.argv[1:])
worker.ask(messages.CheckProbes(), 60)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_worker_ends_when_the_harness_is_killed(worker_command, tmp_path):
    command = worker_command("good")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    harness = subprocess.Popen(
        [sys.executable, "-c", SERVE, *command.argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert harness.stdout is not None
    assert harness.stdout.readline() == b"ready\n"
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    harness.stdin.close()
    pid = int(command.log.read_text().split()[1])
    end = time.monotonic() + 20
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(pid)


LOUD = """
import os
from styleexport.runtime_bench.bench import messages, worker
class Loud(worker.WorkerState):
    def answer(self, command):
        print("a library says hello", flush=True)
        os.write(1, b"and so does compiled code\\n")
        return messages.Peaked(peak_rss_bytes=7)
worker.WorkerState = Loud
worker.main()
"""


def test_what_libraries_print_is_no_answer():
    process = WorkerProcess(1, (sys.executable, "-c", LOUD))
    try:
        for _ in range(2):
            assert process.ask(messages.Peak(), DEADLINE) == messages.Peaked(peak_rss_bytes=7)
    finally:
        process.end()


def test_the_real_worker_measures(artifact):
    wanted = BenchRequest(
        (artifact,),
        (RunnerChoice("onnxruntime"),),
        (Size(64, 64),),
        (Role.ENCODE,),
        plan=PlanFact(rounds=2, seconds=0.01, threads=1),
        affinity=(min(os.sched_getaffinity(0)),) if hasattr(os, "sched_getaffinity") else (),
        peak=False,
    )
    lines: list[str] = []
    (cell,) = bench(wanted, lines.append).cells
    assert cell.status == "measured", cell.message
    assert len(cell.rounds_ns) == 2
    assert all(len(samples) >= 5 for samples in cell.rounds_ns)
    assert min(cell.samples_ns) > 0
    assert cell.parity.passed
    assert cell.effective["threads"] == "1"
    assert 10e6 < cell.idle_rss_bytes < cell.peak_rss_bytes < 2e9
    assert lines[-3:] == [
        "1/1 adain-lite encode fp32 64x64 on onnxruntime",
        "1/2 rounds of 1 at 64x64",
        "2/2 rounds of 1 at 64x64",
    ]
