"""PyTorch on the captured float program of an artifact."""

from __future__ import annotations

import contextlib
import importlib
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import DeviceError, first_line
from styleexport.core.file_names import FileName
from styleexport.core.program import load_program
from styleexport.core.types import Role
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session
from styleexport.runtime_bench.runners._torch_threads import torch_threads

# Types in which autocast computes convolutions.
AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}
OUTPUTS = {
    Role.ENCODE: ("style_code",),
    Role.CONTENT: ("content_target",),
    Role.STEP: ("loss", "gradient"),
}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
COMPILERS = ("c++", "g++", "clang++", "cl")

Module = Callable[..., torch.Tensor]


class TorchRunner(Runner):
    """Runs ``.pt2`` programs, eager or compiled, in float32 or under autocast."""

    name = "torch"
    suffixes = (".pt2",)
    choices = MappingProxyType(
        {
            "device": ("cpu", "cuda"),
            "dtype": ("fp32", "tf32", "fp16", "bf16"),
            "mode": ("eager", "compile"),
            "layout": tuple(LAYOUTS),
        }
    )

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return what this machine lacks for the settings; None where it lacks nothing."""
        device = self.setting(settings, "device")
        if device == "cuda" and not torch.cuda.is_available():
            built = torch.version.cuda
            return f"torch {torch.__version__} " + (
                f"finds no CUDA device (built for CUDA {built})" if built else "has no CUDA"
            )
        if device == "cpu" and self.setting(settings, "dtype") == "tf32":
            return "TF32 is a type of CUDA devices: add device=cuda"
        compiles = device == "cpu" and self.setting(settings, "mode") == "compile"
        if compiles and not any(map(shutil.which, COMPILERS)):
            return "torch.compile needs a C++ compiler, none was found"
        return None

    def start(self) -> None:
        """Import the modules that torch imports lazily to read a program; see `Runner.start`."""
        for name in ("torch.export.pt2_archive", "torch.fx.experimental.symbolic_shapes"):
            importlib.import_module(name)

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the program; see `Runner.open`."""
        device, dtype = (self.setting(options.settings, key) for key in ("device", "dtype"))
        layout = LAYOUTS[self.setting(options.settings, "layout")]
        module = _module(path, device, layout)
        if self.setting(options.settings, "mode") == "compile":
            module = torch.compile(module)

        fed: list[torch.Tensor] = []
        results: list[torch.Tensor] = []
        names = _output_names(path)

        def feed(inputs: Arrays) -> None:
            fed[:] = [_on(device, layout, value) for value in inputs.values()]
            _finish(device)

        def invoke() -> None:
            with torch.inference_mode(), _autocast(device, dtype):
                made = module(*fed)
                results[:] = made if isinstance(made, tuple | list) else [made]
            _finish(device)

        def fetch() -> dict[str, NDArray[np.float32]]:
            outputs = [value.float().cpu().contiguous().numpy() for value in results]
            return dict(zip(names, outputs, strict=True))

        with torch_threads(options.threads), _tf32(dtype):
            yield Session(feed, invoke, fetch, lambda: _effective(options, device, dtype))

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the outputs of the program's own operations; see `Runner.layers`."""
        kept: dict[str, NDArray[np.float32]] = {}

        class Keep(torch.fx.Interpreter):
            """Keeps the requested tensors."""

            def run_node(self, n: torch.fx.Node) -> object:
                value = super().run_node(n)
                if n.name in tensors and isinstance(value, torch.Tensor):
                    kept[n.name] = value.float().numpy()
                return value

        module = load_program(path).module(check_guards=False)
        assert isinstance(module, torch.fx.GraphModule)
        with torch.inference_mode():
            Keep(module).run(*(torch.from_numpy(np.ascontiguousarray(x)) for x in inputs.values()))
        return kept


def _module(path: Path, device: str, layout: torch.memory_format) -> torch.nn.Module:
    """Return a program as a module that takes any number of pictures."""
    module = load_program(path).module(check_guards=False)
    # The remaining guards of the export refuse any batch but the captured one.
    module._forward_pre_hooks.clear()  # pyright: ignore[reportPrivateUsage]
    try:
        return module.to(device).to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    except RuntimeError as error:
        raise DeviceError(
            f"torch cannot use {device}: {first_line(error)}; type torch:device=cpu"
        ) from error


def _output_names(path: Path) -> tuple[str, ...]:
    """Return the names of a program's outputs, as files of its role have them."""
    try:
        role = FileName.parse(path.name).role
    except ValueError:
        role = Role.STYLIZE
    return OUTPUTS.get(role, ("image",))


def _on(device: str, layout: torch.memory_format, value: NDArray[np.float32]) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(value)).to(device)
    return tensor.contiguous(memory_format=layout) if tensor.dim() == 4 else tensor


def _finish(device: str) -> None:
    """Wait for all work on a device."""
    if device == "cuda":
        torch.cuda.synchronize()


def _autocast(device: str, dtype: str) -> contextlib.AbstractContextManager[object]:
    if dtype not in AUTOCAST:
        return contextlib.nullcontext()
    return torch.autocast(device, AUTOCAST[dtype])


@contextlib.contextmanager
def _tf32(dtype: str) -> Generator[None]:
    """Let CUDA round factors to TF32 inside the block on request, and otherwise not."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _effective(options: RunOptions, device: str, dtype: str) -> dict[str, str]:
    settings = {"device": device, "dtype": dtype, "mode": options.settings.get("mode", "eager")}
    if device == "cuda":
        return {
            **settings,
            "device": torch.cuda.get_device_name(),
            "cudnn": str(torch.backends.cudnn.version()),
        }
    return {
        **settings,
        "threads": str(torch.get_num_threads()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "onednn": "yes" if torch.backends.mkldnn.is_available() else "no",
    }


RUNNER = TorchRunner()
