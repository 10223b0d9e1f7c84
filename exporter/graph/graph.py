"""Graph, the one intermediate representation: a captured program and the facts of its inputs."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from styleexport.core.errors import UnsupportedOp, first_line
from styleexport.core.macs import operation_macs
from styleexport.core.manifest import TensorFact
from styleexport.core.quiet import quiet
from styleexport.core.thresholds import CHOICES
from styleexport.core.types import MAX_SIDE, Role, Size
from styleexport.exporter.graph.modules import digest_of, with_tensors
from styleexport.exporter.graph.proof import in_float64, run_exactly
from styleexport.exporter.graph.sample import Sample, run_and_sample
from styleexport.exporter.graph.small_proof import follows, resized, small_size

# Why what an arg max depends on is computed in float32, and kept out of int8.
CHOSEN_BY = "its last digits decide which of nearly equal patches is taken"
# Activations that act on each value alone, with constants, and that int8 files fuse.
RECTIFIERS = ("relu", "relu6", "leaky_relu", "hardtanh", "clamp")
CHECKS = ("_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range")


@dataclass(frozen=True)
class SmallRun:
    """Seeded random inputs of a smaller size, and a graph's outputs for them, in float64."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Graph:
    """One role of a network at one size, as a `torch.export` program.

    Attributes:
        program: captured program, float32.
        role: role that it computes.
        size: height and width of the image it was captured with.
        dynamic: whether it takes images of any size.
        min_side: smallest side it takes when dynamic, in pixels.
        inputs: facts of the inputs, in order.
        outputs: facts of the outputs, in order.
        sizes: sizes it is to take, when they are several but not any.
        exact_code: whether the style code that it makes is compared with others' values, so that
            its last digits decide.
    """

    program: ExportedProgram
    role: Role
    size: Size
    dynamic: bool
    min_side: int
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]
    sizes: tuple[Size, ...] = ()
    exact_code: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """Return the graph for another process: its fields alone, the program as torch saves it."""
        buffer = io.BytesIO()
        with quiet():
            torch.export.save(self.program, buffer)
        state = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**state, "program": buffer.getvalue()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        with quiet():
            program = torch.export.load(io.BytesIO(state["program"]))
        self.__dict__.update(state, program=program)

    def layer_names(self) -> tuple[str, ...]:
        """Return the names of its operations that make a tensor of activations, in order."""
        return tuple(
            node.name
            for node in self.program.graph.nodes
            if node.op == "call_function"
            and isinstance(node.meta.get("val"), Tensor)
            and node.meta["val"].is_floating_point()
        )

    @property
    def parameters(self) -> int:
        """The number of weights and biases (stored tensors of two or more elements)."""
        stored = {**self.program.state_dict, **self.program.constants}
        return sum(x.numel() for x in stored.values() if isinstance(x, Tensor) and x.numel() > 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products; 0 when sizes are open."""
        return 0 if self.dynamic else sum(map(node_macs, self.program.graph.nodes))

    def digest(self) -> str:
        """Return the sha256 over its operations and weights."""
        tensors = {**self.program.state_dict, **self.program.constants}
        return digest_of(str(self.program.graph), tensors)

    def with_sizes(self, sizes: tuple[Size, ...]) -> Graph:
        """Return the graph, captured with open sizes, as one that takes these."""
        return replace(self, sizes=sizes)

    @property
    def chooses(self) -> bool:
        """Whether it paints by choosing: an arg max turns last digits into another index."""
        operations = {operation_of(node) for node in self.reading.graph.nodes}
        return self.outputs[0].kind == "image" and not operations.isdisjoint(CHOICES)

    @cached_property
    def reading(self) -> torch.fx.GraphModule:
        """The program as a module to look at and to run, never to be changed; see `module`."""
        return self._new_module(torch.Tensor.detach)

    @cached_property
    def _run(self) -> tuple[dict[str, Sample], tuple[Tensor, ...]]:
        inputs = example_inputs(self.inputs, self.size)
        return run_and_sample(self.reading, set(self.layer_names()), inputs)

    @property
    def samples(self) -> dict[str, Sample]:
        """Layer → sample, of one run on seeded random inputs."""
        return self._run[0]

    @property
    def float_outputs(self) -> tuple[Tensor, ...]:
        """The outputs of that run, float32."""
        return self._run[1]

    @cached_property
    def exact_outputs(self) -> tuple[Tensor, ...]:
        """The outputs in float64 on seeded random inputs, by which rewrites are proven."""
        inputs = tuple(x.double() for x in example_inputs(self.inputs, self.size))
        return run_exactly(in_float64(self.module()), inputs)

    @cached_property
    def small_run(self) -> SmallRun | None:
        """Inputs of a smaller size, and the outputs in float64; None where it takes its own alone.

        See `small_proof`.
        """
        small = None if self.dynamic else small_size(self.inputs, self.size, self.min_side)
        if small is None:
            return None
        facts = resized(self.inputs, self.size, small)
        inputs = tuple(x.double() for x in example_inputs(facts, small))
        try:
            outputs = run_exactly(in_float64(self.module()), inputs)
        except Exception:  # noqa: BLE001 - whatever an operation says of a size
            return None
        return (
            SmallRun(inputs, outputs) if follows(outputs, self.outputs, self.size, small) else None
        )

    def module(self) -> torch.fx.GraphModule:
        """Return the program as a module to be rewritten; its weights are copies.

        Constants that the network held as plain tensors are buffers of it, and follow its type.
        """
        return self._new_module(lambda value: value.detach().clone())

    def _new_module(self, tensor: Callable[[Tensor], Tensor]) -> torch.fx.GraphModule:
        """Return the program as a module, each weight and constant as a function gives it."""
        module = self.program.module(check_guards=False)
        assert isinstance(module, torch.fx.GraphModule)
        for part in module.modules():
            for name, value in list(vars(part).items()):
                if isinstance(value, Tensor):
                    delattr(part, name)
                    part.register_buffer(name, value)
        return with_tensors(module, tensor)

    def with_module(self, module: nn.Module) -> Graph:
        """Return the graph of a rewritten module, captured with the same inputs."""
        examples = example_inputs(self.inputs, self.size)
        program = trace(module, examples, self.inputs, self.dynamic, self.min_side)
        return replace(self, program=program)


def node_macs(node: torch.fx.Node) -> int:
    """Return the multiply-accumulates of one operation; 0 for what is no ATen operation.

    Where sizes are open, they are those of the size that the graph was captured at.
    """
    value, name = node.meta.get("val"), str(node.target)
    if not name.startswith("aten.") or not isinstance(value, Tensor):
        return 0
    values = (x.meta.get("val") for x in node.args if isinstance(x, torch.fx.Node))
    shapes = [captured_shape(x) for x in values if isinstance(x, Tensor)]
    return operation_macs(name, shapes, captured_shape(value))


def captured_shape(value: Tensor) -> tuple[int, ...]:
    """Return a value's shape where it was captured, which does not fix sizes that are open."""
    sides = list[int | torch.SymInt](value.shape)
    return tuple(x if isinstance(x, int) else int(x.node.hint or 0) for x in sides)


def operation_of(node: object) -> str:
    """Return the operation of a node without namespace and overload, for example ``conv2d``."""
    if not isinstance(node, torch.fx.Node) or node.op != "call_function":
        return ""
    parts = str(node.target).split(".")
    return parts[1] if parts[0] == "aten" and len(parts) > 1 else str(node.target)


def example_inputs(facts: tuple[TensorFact, ...], size: Size) -> tuple[Tensor, ...]:
    """Return seeded random inputs in range, float32; axes of any length take those of ``size``."""
    generator = torch.Generator().manual_seed(0)
    region = torch.tensor([0.0, 0.0, size.height, size.width])
    sides = {"height": size.height, "width": size.width}
    return tuple(
        region
        if fact.kind == "region"
        else torch.rand(
            [
                axis if isinstance(axis, int) else sides.get(axis, size.height)
                for axis in fact.shape
            ],
            generator=generator,
        )
        for fact in facts
    )


def trace(
    module: nn.Module,
    examples: tuple[Tensor, ...],
    facts: tuple[TensorFact, ...],
    dynamic: bool,
    min_side: int,
) -> ExportedProgram:
    """Return the module as a program for inputs of these shapes.

    Raises:
        UnsupportedOp: torch.export cannot capture the module.
    """
    shapes: tuple[dict[int, Any] | None, ...] | None = None
    if dynamic:
        shapes = tuple(
            {
                index: Dim(axis, min=min_side, max=MAX_SIDE)
                for index, axis in enumerate(fact.shape)
                if isinstance(axis, str)
            }
            or None
            for fact in facts
        )
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(
                _Positional(module, len(examples)),
                examples,
                dynamic_shapes=(shapes,) if shapes is not None else None,
                strict=False,
                prefer_deferred_runtime_asserts_over_guards=dynamic,
            )
            return without_checks(program) if dynamic else program
    except Exception as error:
        kind = " with dynamic sizes" if dynamic else ""
        raise UnsupportedOp(
            f"torch.export cannot capture the network{kind}: {first_line(error)}; "
            + (
                "leave out --dynamic and name sizes with --size"
                if dynamic
                else "data-dependent Python branches and in-place tricks must go from its forward"
            )
        ) from error


def without_checks(program: ExportedProgram) -> ExportedProgram:
    """Drop what torch.export asserts of open sizes.

    Traced at sides that no stride divides, a program asserts that its output is larger than the
    picture before the cut, and would raise_over_budget the sizes at which it is not.
    """
    nodes = program.graph_module.graph
    for node in list(nodes.nodes):
        if any(word in str(node.target) for word in CHECKS):
            nodes.erase_node(node)
    nodes.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
    program.graph_module.recompile()
    return program


class _Positional(nn.Module):
    """Gives a traced module's inputs one signature, whatever they were called."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network = network
        self.count = count

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.network(*inputs)
