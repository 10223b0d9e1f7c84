"""Profiler of captured programs: runs them operation by operation, each timed to its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.macs import operation_macs
from styleexport.core.program import load_program
from styleexport.runtime_bench.profiles._profiler import Profile, TimedOperation, repeated
from styleexport.runtime_bench.runners._runner import RunOptions
from styleexport.runtime_bench.runners._torch_threads import torch_threads
from styleexport.runtime_bench.runners.torch import AUTOCAST, LAYOUTS, RUNNER


class Timing(torch.fx.Interpreter):
    """Times the operations of a program.

    Args:
        module: module of the program.
        device: device that it runs on.
    """

    def __init__(self, module: torch.fx.GraphModule, device: str) -> None:
        super().__init__(module)
        self.finish = torch.cuda.synchronize if device == "cuda" else _at_once
        self.samples: dict[str, list[int]] = {}
        self.kinds: dict[str, str] = {}
        self.macs: dict[str, int] = {}
        self._node = ""

    def run_node(self, n: torch.fx.Node) -> Any:  # noqa: ANN401 - as its base has it
        """Store the name of the operation."""
        self._node = n.name
        return super().run_node(n)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:  # noqa: ANN401
        """Run one operation, timed without the interpreter's own work."""
        before = time.perf_counter_ns()
        value = target(*args, **kwargs)
        self.finish()
        elapsed = time.perf_counter_ns() - before
        self.samples.setdefault(self._node, []).append(elapsed)
        self.kinds[self._node] = str(target).removesuffix(".default")
        self.macs[self._node] = _macs(self.kinds[self._node], args, value)
        return value


def profiler(
    path: Path, options: RunOptions, inputs: Arrays, layers: Mapping[str, str]
) -> Profile | None:
    """Return the program's profile; None where it is compiled into a few kernels.

    The program's operations are the layers: ``layers`` is not used.
    """
    settings = {name: RUNNER.setting(options.settings, name) for name in RUNNER.choices}
    if settings["mode"] == "compile":
        return None
    device, layout = settings["device"], LAYOUTS[settings["layout"]]
    module = load_program(path).module(check_guards=False).to(device)
    module = module.to(memory_format=layout)  # pyright: ignore[reportCallIssue] - torch's stub
    assert isinstance(module, torch.fx.GraphModule)
    timing = Timing(module, device)
    fed = [_on(device, layout, value) for value in inputs.values()]

    def whole() -> None:
        module.forward(*fed)
        timing.finish()

    with (
        torch_threads(options.threads),
        torch.inference_mode(),
        _rounded(device, settings["dtype"]),
    ):
        timing.run(*fed)
        timing.samples.clear()
        runs = repeated(whole, lambda: timing.run(*fed))
    return Profile(
        tuple(
            TimedOperation(name, timing.kinds[name], tuple(times), timing.macs[name], device)
            for name, times in timing.samples.items()
        ),
        runs,
    )


def _on(device: str, layout: torch.memory_format, value: NDArray[np.float32]) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(value)).to(device)
    return tensor.contiguous(memory_format=layout) if tensor.dim() == 4 else tensor


@contextlib.contextmanager
def _rounded(device: str, dtype: str) -> Generator[None]:
    """Compute in the requested type inside the block."""
    cast = AUTOCAST.get(dtype)
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = dtype == "tf32"
    try:
        with torch.autocast(device, cast, enabled=cast is not None):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _at_once() -> None:
    """Do nothing: on the CPU an operation is finished when it returns."""


def _macs(kind: str, args: tuple[Any, ...], value: Any) -> int:  # noqa: ANN401
    """Return the MACs of one operation as it was called."""
    if not isinstance(value, torch.Tensor):
        return 0
    shapes = [x.shape for x in args if isinstance(x, torch.Tensor)]
    return operation_macs(kind, shapes, value.shape)


PROFILER = profiler
