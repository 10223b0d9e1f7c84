"""A runner without a runtime, on a clock without time; and a worker that misbehaves on demand."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

from styleexport.core import plugins
from styleexport.core.types import Role, Size
from styleexport.runtime_bench.bench import BenchRequest, cells, run, timing, worker
from styleexport.runtime_bench.bench.worker import WorkerState
from styleexport.runtime_bench.contract.job import PlanFact
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.runners._runner import (
    PACKAGE,
    Runner,
    RunOptions,
    Session,
    find_runner,
)

MS = 1_000_000


@dataclass
class Clock:
    """Monotonic nanoseconds that pass only when something says so."""

    now: int = 0

    def __call__(self) -> int:
        return self.now

    def spend(self, nanoseconds: float) -> None:
        self.now += round(nanoseconds)


@dataclass
class Fake(Runner):
    """Answers with the probe's own output, in the time that it is told.

    Attributes:
        cost_ms: of the next inference.
        answer: what becomes of the right output.
        trouble: raised by the inference of that number.
        reason: why it is unavailable.
        opened: with what options, each time.
        invoked: how often.
    """

    clock: Clock
    name: str = "fake"
    cost_ms: Callable[[], float] = lambda: 2.0
    answer: Callable[[np.ndarray], np.ndarray] = lambda value: value
    trouble: Mapping[int, Exception] = field(default_factory=dict)
    reason: str | None = None
    opened: list[RunOptions] = field(default_factory=list)
    invoked: int = 0
    suffixes = (".onnx",)
    choices = MappingProxyType({"speed": ("fast", "slow")})

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        return self.reason

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions):
        self.opened.append(options)
        self.clock.spend(40 * MS / len(self.opened))
        fed: dict[str, np.ndarray] = {}
        probe = {"image": expected(path), "style_code": expected(path)}

        def feed(inputs):
            self.clock.spend(0.3 * MS)
            fed.update(inputs)

        def invoke():
            self.invoked += 1
            if self.invoked in self.trouble:
                raise self.trouble[self.invoked]
            self.clock.spend(self.cost_ms() * MS)

        def fetch():
            self.clock.spend(0.1 * MS)
            batch = next(iter(fed.values())).shape[0]
            return {
                name: self.answer(np.repeat(value, batch, axis=0)) for name, value in probe.items()
            }

        yield Session(feed, invoke, fetch, lambda: {"threads": str(options.threads)})


def expected(path: Path) -> np.ndarray:
    """The golden output of the probe that belongs to a file."""
    from safetensors.numpy import load_file

    folder, name = path.parent, path.stem.rsplit("_", 1)[0]
    if path.suffix == ".pt2":
        folder, name = path.parents[1], path.stem
    tensors = load_file(folder / "probes" / f"{name}.safetensors")
    return tensors.get("image", tensors.get("style_code"))


@dataclass
class InProcess:
    """A worker that lives in this process."""

    station: WorkerState
    asked: list[object]
    ended: bool = False

    def ask(self, command, seconds):
        assert not self.ended, "asked after its end"
        self.asked.append(command)
        return self.station.answer(command)

    def end(self):
        self.ended = True


@dataclass
class Bench:
    """A bench on fakes: what it was told, and its workers."""

    artifact: Path
    clock: Clock
    runners: dict[str, Fake]
    asked: list[tuple[str, object]] = field(default_factory=list)
    workers: list[InProcess] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def spawn(self, cell) -> InProcess:
        asked = Named(cell.choice.name, self.asked)
        self.workers.append(InProcess(WorkerState(find_runner, self.clock), asked))
        return self.workers[-1]

    def __call__(self, *runners: str, **changes) -> LatencyReport:
        settings = {
            "runners": tuple(RunnerChoice(name) for name in runners),
            "roles": (Role.TRANSFORM,),
            "sizes": (Size(64, 96),),
            "peak": False,
            **changes,
        }
        plan = {name: settings.pop(name) for name in PlanFact.__struct_fields__ if name in changes}
        settings["plan"] = PlanFact(**{"rounds": 3, "seconds": 0.02, "threads": 1, **plan})
        request = BenchRequest((self.artifact,), **settings)
        return run.bench(request, self.lines.append, spawn=self.spawn)


@dataclass
class Named:
    """Notes who was asked."""

    name: str
    notes: list[tuple[str, object]]

    def append(self, command: object) -> None:
        self.notes.append((self.name, command))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench(artifact: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench whose runner ``fake`` takes 2 ms by a clock that nothing else moves."""
    found = Bench(artifact, clock, {"fake": Fake(clock)})
    load = plugins.load

    def fake_load(package: str, name: str, constant: str) -> object:
        is_fake = package == PACKAGE and name in found.runners
        return found.runners[name] if is_fake else load(package, name, constant)

    known = SimpleNamespace(names=lambda package: tuple(sorted(found.runners)))
    monkeypatch.setattr(cells, "plugins", known)
    monkeypatch.setattr(plugins, "load", fake_load)
    # Its workers live in this process, whose garbage is large.
    for module in (timing, worker):
        monkeypatch.setattr(module.gc, "collect", lambda: 0)
    return found


def noisy(seed: int, cost_ms: float) -> Callable[[], float]:
    """A cost with the noise of a machine: 2 % a run, and now and then a long one."""
    drawn = random.Random(seed)
    return lambda: cost_ms * (1 + abs(drawn.gauss(0, 0.02))) * (3 if drawn.random() < 0.02 else 1)


SCRIPT = """
import json, os, signal, sys, time
mode, log = sys.argv[1], sys.argv[2]
parity = {"runner": "fake", "metric": "psnr", "measured_db": 99.0, "allowed_db": 90.0,
          "max_abs_error": 0.0, "probes": 1, "float32_db": None}
answers = {
    "load": {"type": "loaded", "idle_rss_bytes": 5, "loads_ns": [2, 1], "effective": {}},
    "check": {"type": "checked", "first_ns": 7, "parity": parity, "picture": None},
    "warm": {"type": "warmed", "warm_up_ns": [7], "stable": True},
    "turn": {"type": "turned", "samples_ns": [3, 4], "pre_ns": [1, 1], "post_ns": [1, 1]},
    "peak": {"type": "peaked", "peak_rss_bytes": 9},
}
open(log, "a").write("born %d\\n" % os.getpid())
print("loading the fake runtime", file=sys.stderr)
for line in sys.stdin:
    kind = json.loads(line)["type"]
    if kind == "turn" and mode != "good":
        if mode == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "killed-once" and open(log).read().count("born") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if mode == "aborted":
            print("terminate called after throwing 'std::bad_alloc'", file=sys.stderr)
            sys.stderr.flush()
            os.abort()
        if mode == "crashed":
            print("Illegal tensor", file=sys.stderr)
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        if mode == "left":
            sys.exit(3)
        if mode == "hangs":
            time.sleep(60)
        if mode == "nonsense":
            print("hello", flush=True)
            continue
    print(json.dumps(answers[kind]), flush=True)
"""


@pytest.fixture
def worker_command(tmp_path: Path) -> Callable[[str], SimpleNamespace]:
    """Return the command of a worker with a fault, and the log of its births."""
    script = tmp_path / "worker.py"
    script.write_text(SCRIPT)

    def make(mode: str) -> SimpleNamespace:
        log = tmp_path / f"{mode}.log"
        return SimpleNamespace(argv=(sys.executable, str(script), mode, str(log)), log=log)

    return make
