"""Programs of many small cases, saved once a module and evaluated case by case."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from styleexport.core import plugins
from styleexport.core.quiet import quiet
from styleexport.runtime_bench.coreml_program.interpreter import FAMILIES, Interpreter
from styleexport.runtime_bench.coreml_program.package import read_package
from styleexport.runtime_bench.coreml_program.program import Package


def save(program: Any, opset: str, path: Path, *, passes: bool = False, **options: Any) -> Path:
    """Save a MIL program, by default without any pass, so that its operations stay."""
    import coremltools as ct

    with quiet():
        model = ct.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            pass_pipeline=ct.PassPipeline.DEFAULT if passes else ct.PassPipeline.EMPTY,
            minimum_deployment_target=getattr(ct.target, opset),
            skip_model_load=True,
            **{"compute_precision": ct.precision.FLOAT32} | options,
        )
        model.save(str(path))
    return path


def part(package: Package, prefix: str) -> Package:
    """The operations that the outputs called ``prefix`` and a number need, and their inputs."""
    outputs = tuple(f for f in package.outputs if f.name.rpartition("_")[0] == prefix)
    needed = {feature.name for feature in outputs}
    kept = []
    for operation in reversed(package.operations):
        if needed & {item.name for item in operation.outputs}:
            kept.append(operation)
            needed |= set(operation.reads())
    inputs = tuple(feature for feature in package.inputs if feature.name in needed)
    return replace(package, operations=tuple(kept[::-1]), outputs=outputs, inputs=inputs)


def evaluate(package: Package, arrays: dict[str, Any], *, rounding: bool = False) -> list[Any]:
    inputs = {feature.name: torch.as_tensor(arrays[feature.name]) for feature in package.inputs}
    found = Interpreter(package, rounding=rounding).run(inputs)
    return [found[feature.name].numpy() for feature in package.outputs]


def as_outputs(result: Any) -> list[Any]:
    """What a builder returned, each variable of a type that a package can return."""
    from coremltools.converters import mil
    from coremltools.converters.mil.mil import types

    kinds = (types.fp32, types.fp16, types.int32)
    items = result if isinstance(result, (tuple, list)) else [result]
    return [v if v.dtype in kinds else mil.Builder.cast(x=v, dtype="int32") for v in items]


def build(cases: dict[str, Any], opset: str) -> Any:
    """One program with the branches of all cases; a case's arrays are its inputs."""
    import coremltools as ct
    from coremltools.converters import mil
    from coremltools.converters.mil.mil import Function, Program, types

    placeholders = {
        f"in{c}_{i}": mil.Builder.placeholder(
            shape=array.shape, dtype=types.int32 if array.dtype.kind == "i" else types.fp32
        )
        for c, (_, arrays, _) in enumerate(cases.values())
        for i, array in enumerate(map(np.asarray, arrays))
    }
    program = Program()
    with Function(placeholders, opset_version=getattr(ct.target, opset)) as function:
        outputs = []
        for c, (make, arrays, _) in enumerate(cases.values()):
            inputs = [function.inputs[f"in{c}_{i}"] for i in range(len(arrays))]
            for i, variable in enumerate(as_outputs(make(*inputs))):
                outputs.append(mil.Builder.identity(x=variable, name=f"out{c}_{i}"))
        function.set_outputs(outputs)
    program.add_function("main", function)
    return program


@dataclass
class Cases:
    """The table of a test module: opset → case → (builder, arrays, expected)."""

    tables: dict[str, dict[str, Any]]
    folder: Path
    packages: dict[str, Package] = field(default_factory=dict)

    def package(self, opset: str) -> Package:
        if opset not in self.packages:
            program = build(self.tables[opset], opset)
            path = save(program, opset, self.folder / f"{opset}.mlpackage")
            self.packages[opset] = read_package(path)
        return self.packages[opset]

    def check(self, opset: str, name: str) -> None:
        """Run one case and compare with its torch expression."""
        _, arrays, expected = self.tables[opset][name]
        number = list(self.tables[opset]).index(name)
        package = part(self.package(opset), f"out{number}")
        assert name.split()[0] in {operation.kind for operation in package.operations}
        feeds = {f"in{number}_{i}": np.asarray(array) for i, array in enumerate(arrays)}
        results = evaluate(package, feeds)
        wanted = expected(*map(torch.as_tensor, arrays)) if callable(expected) else expected
        wanted = wanted if isinstance(wanted, (tuple, list)) else [wanted]
        assert len(results) == len(wanted)
        for result, want in zip(results, wanted, strict=True):
            want = np.asarray(want)
            assert result.shape == want.shape
            np.testing.assert_allclose(result, want.astype(result.dtype), rtol=2e-5, atol=2e-5)

    def value_inference(self, opset: str, name: str) -> None:
        """Run one case and compare with what coremltools itself computes of constants."""
        import coremltools as ct
        from coremltools.converters import mil

        make, arrays, _ = self.tables[opset][name]
        found = []

        @mil.Builder.program(
            input_specs=[mil.Builder.TensorSpec((1,))], opset_version=getattr(ct.target, opset)
        )
        def _(x):
            result = make(*[np.asarray(array) for array in arrays])
            found.extend(result if isinstance(result, (tuple, list)) else [result])
            return x

        assert all(variable.val is not None for variable in found), "no value inference"
        number = list(self.tables[opset]).index(name)
        feeds = {f"in{number}_{i}": np.asarray(array) for i, array in enumerate(arrays)}
        results = evaluate(part(self.package(opset), f"out{number}"), feeds)
        for result, variable in zip(results, found, strict=True):
            np.testing.assert_allclose(result, np.asarray(variable.val), rtol=2e-5, atol=2e-5)

    def untested(self, families: tuple[str, ...]) -> set[str]:
        """Operations of families that no case of this module names."""
        known = set()
        for family in families:
            known |= set(plugins.load(FAMILIES, family.replace("_", "-"), "OPS"))
        return known - {name.split()[0] for table in self.tables.values() for name in table}


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return Cases(request.module.CASES, tmp_path_factory.mktemp("programs"))


@pytest.fixture(name="save", scope="session")
def save_fixture():
    return save


@pytest.fixture(name="evaluate", scope="session")
def evaluate_fixture():
    return evaluate
