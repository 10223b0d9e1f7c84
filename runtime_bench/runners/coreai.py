"""Apple's Core AI runtime, in `coreai-core`: on Linux an interpreter, which proves and never times.

On macOS, compute units are chosen and times mean something, but nobody has run it there for us:
times come from the iOS harness.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from styleexport.core.arrays import Arrays
from styleexport.core.errors import BadArtifact, UsageError, first_line
from styleexport.core.quiet import quiet
from styleexport.runtime_bench.formats._coreai import (
    AGAIN,
    Mlir,
    body_of,
    check_asset,
    functions_of,
    parse,
    result_names,
    tensor_name,
    tested_betas,
)
from styleexport.runtime_bench.runners._litert_tensors import native_quiet
from styleexport.runtime_bench.runners._runner import Runner, RunOptions, Session

SYSTEMS = ("Linux", "Darwin")
Results = dict[str, NDArray[np.float32]]
Shapes = Mapping[str, tuple[int | None, ...]]


class Coreai(Runner):
    """Runs ``.aimodel`` folders in Apple's runtime."""

    name = "coreai"
    suffixes = (".aimodel",)
    timed = False

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return why this machine cannot run it; None on Linux and macOS."""
        if platform.system() in SYSTEMS:
            return None
        return f"Core AI runs on macOS and Linux, this is {platform.system()}"

    def start(self) -> None:
        """Import the runtime; see `Runner.start`."""
        with tested_betas():
            import coreai.runtime as _  # noqa: F401

    @contextlib.contextmanager
    def open(self, path: Path, options: RunOptions) -> Generator[Session]:
        """Return a session on the asset; see `Runner.open`."""
        check_asset(path)
        if options.batch > 1:
            raise UsageError(f"Core AI takes {path.name} one picture at a time; type --batch 1")
        with _running(path, parse(path)) as call:
            fed: dict[str, NDArray[np.float32]] = {}
            results: dict[str, NDArray[np.float32]] = {}

            def feed(inputs: Arrays) -> None:
                fed.clear()
                fed.update(inputs)

            yield Session(
                feed=feed,
                invoke=lambda: results.update(call(fed)),
                fetch=lambda: dict(results),
            )

    def layers(
        self, path: Path, inputs: Arrays, tensors: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return inner tensors, from a program that returns them too; see `Runner.layers`."""
        check_asset(path)
        module = parse(path)
        _return_tensors(module, tensors)
        with _running(path, module) as call:
            found = call(inputs)
        return {name: found[name] for name in tensors if name in found}


@contextlib.contextmanager
def _running(path: Path, module: Mlir) -> Generator[Callable[[Arrays], Results]]:
    """Return a function that runs a program, which is compiled and so used up.

    Raises:
        BadArtifact: the runtime cannot load the program.
    """
    with tested_betas():
        from coreai._compiler._mlir_libs._coreaiIR import _bindings
        from coreai.runtime import AIModel
        from coreai.runtime import NDArray as Values

    compiler: Any = _bindings.compiler  # pyright: ignore
    with tempfile.TemporaryDirectory(suffix=".aimodelx") as folder, asyncio.Runner() as loop:
        compiled = Path(folder)
        try:
            with quiet(), native_quiet():
                compiler.compile_to_binary(module=module, output_directory=compiled)
                compiler.serialize_module(module=module, path=compiled / "main-universal.odix")
                model = loop.run(AIModel.load(compiled))
                functions = [model.load_function(name) for name in model.function_names]
        except Exception as error:
            raise BadArtifact(
                f"Core AI cannot load {path}: {first_line(error)}; {AGAIN}"
            ) from error
        shapes = [_shapes(function.desc) for function in functions]

        def call(inputs: Arrays) -> Results:
            given = {name: np.asarray(value, np.float32) for name, value in inputs.items()}
            found = _fitting(path, shapes, {name: value.shape for name, value in given.items()})
            fed: Any = {name: Values(np.ascontiguousarray(x)) for name, x in given.items()}
            try:
                made: Any = loop.run(functions[found](fed))
            except Exception as error:
                raise BadArtifact(f"{path} does not run: {first_line(error)}; {AGAIN}") from error
            return {name: np.array(value.numpy(), np.float32) for name, value in made.items()}

        yield call


def _shapes(description: Any) -> Shapes:  # noqa: ANN401 - the runtime's own class
    """Return name → shape of the inputs of a function."""
    return {
        name: tuple(description.input_descriptor(name).shape) for name in description.input_names
    }


def _fitting(path: Path, functions: Sequence[Shapes], given: Shapes) -> int:
    """Return the index of the function that takes some inputs.

    Raises:
        UsageError: there is none.
    """
    for index, shapes in enumerate(functions):
        if shapes == given:
            return index
    taken = "; or ".join(map(_in_words, functions))
    raise UsageError(
        f"{path.name} takes {taken}; got {_in_words(given) or 'nothing'}: export another size with "
        "--size"
    )


def _in_words(shapes: Shapes) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items()))


def _return_tensors(module: Mlir, names: Sequence[str]) -> None:
    """Make the functions of a program return inner tensors too, as far as they have them."""
    for function in functions_of(module).values():
        *body, last = body_of(function)
        outputs = dict(zip(result_names(function), last.operands, strict=True))
        for index, operation in enumerate(body):
            for result, value in enumerate(operation.results):
                name = tensor_name(operation, index, result)
                if name in names:
                    outputs[name] = value
        with module.context, function.location:
            function.set_outputs_spec_from_dict(outputs)


RUNNER = Coreai()
