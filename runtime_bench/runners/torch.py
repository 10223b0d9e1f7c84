"""PyTorch eager on the captured float program that every artifact keeps."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from styleexport.core.program import load_program
from styleexport.runtime_bench.runners._runner import Arrays, Runner, RunOptions, Session
from styleexport.runtime_bench.runners._torch_threads import torch_threads


class TorchRunner(Runner):
    """Runs ``.pt2`` programs, float32 on the CPU."""

    name = "torch"
    suffix = ".pt2"

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the program; see `Runner.open`."""
        program = load_program(path)
        module = program.module(check_guards=False)

        fed: list[torch.Tensor] = []
        results: list[torch.Tensor] = []

        def feed(inputs: Arrays) -> None:
            fed[:] = [torch.from_numpy(np.ascontiguousarray(x)) for x in inputs.values()]

        def invoke() -> None:
            with torch.inference_mode():
                results[:] = [module(*fed)]

        def fetch() -> dict[str, NDArray[np.float32]]:
            (output,) = results
            return {"style_code" if output.dim() == 2 else "image": output.numpy()}

        with torch_threads(options.threads):
            yield Session(feed, invoke, fetch)

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the outputs of the program's own operations; see `Runner.layers`."""
        found: dict[str, NDArray[np.float32]] = {}

        class Keep(torch.fx.Interpreter):
            """Keeps what was asked for."""

            def run_node(self, n: torch.fx.Node) -> object:
                value = super().run_node(n)
                if n.name in tensors and isinstance(value, torch.Tensor):
                    found[n.name] = value.float().numpy()
                return value

        module = load_program(path).module(check_guards=False)
        assert isinstance(module, torch.fx.GraphModule)
        with torch.inference_mode():
            Keep(module).run(*(torch.from_numpy(np.ascontiguousarray(x)) for x in inputs.values()))
        return found


RUNNER = TorchRunner()
