"""One role of a network at one size becomes a Graph, its shapes and layout checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from styleexport.core.code_layout import Blending
from styleexport.core.errors import UnsupportedOp, UsageError, first_line
from styleexport.core.manifest import TensorFact
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.graph import Graph, example_inputs, trace
from styleexport.models.code_layouts import code_layout, declared_layout
from styleexport.models.network import LoadedNetwork, RoleModule


def capture(network: LoadedNetwork, role: Role, size: Size, *, dynamic: bool = False) -> Graph:
    """Return one role of a network, captured at one size.

    Args:
        network: with its weights.
        role: which of its roles.
        size: size of the content image (the style image for ``encode``), in pixels.
        dynamic: whether the graph is to take any size of at least the network's smallest side.

    Raises:
        UsageError: a role or size that the network does not have.
        UnsupportedOp: it cannot be captured, or its output has the wrong shape or values.
    """
    module = network.role_module(role)
    check_size(network, role, size)
    if network.objection:
        raise UsageError(network.objection)
    if dynamic and role in (Role.CONTENT, Role.STEP):
        raise UsageError(
            f"{network.network.name} ({role}) is made for one size, as its content target is: "
            "leave out --dynamic and --enumerated, and name the sizes with --size"
        )
    code_length = _code_length(module, network.network.min_side, size)
    lengths = {"style_code": code_length, "content_target": _target_length(module, size)}
    inputs, outputs = _facts(module, size, dynamic, lengths)
    examples = example_inputs(inputs, size)
    _check_output(network, module, examples, outputs, size)
    program = trace(module, examples, inputs, dynamic, network.network.min_side)
    graph = Graph(program, role, size, dynamic, network.network.min_side, inputs, outputs)
    return replace(graph, exact_code=role is Role.ENCODE and _is_matched(network.module))


def check_size(network: LoadedNetwork, role: Role, size: Size) -> None:
    """Check that a network takes pictures of a size.

    Raises:
        UsageError: it is too small, or the network was captured at another.
    """
    smallest = network.network.min_side
    if min(size.height, size.width) < smallest:
        raise UsageError(
            f"size {size} is too small for {network.network.name} ({role}): each side needs at "
            f"least {smallest} pixels; type for example --size {max(256, smallest)}"
        )
    fixed = getattr(network.module, "fixed_size", None)
    if fixed is not None and fixed != (size.height, size.width):
        raise UsageError(
            f"program {network.source[0]} was captured at {fixed[0]}x{fixed[1]}, not {size}: "
            f"type --size {fixed[0]}x{fixed[1]}"
        )


def _is_matched(module: nn.Module) -> bool:
    """Whether the codes of a network are compared, and their last digits decide."""
    layout = declared_layout(module)
    return layout is not None and layout.blending is Blending.NONE


def _code_length(module: RoleModule, side: int, size: Size) -> int:
    """Return the length of a style code, 0 for a fixed-style network.

    Raises:
        UnsupportedOp: encode does not run, or its code's length follows the style's size.
        UsageError: the network declares codes of another length.
    """
    if "style" not in module.input_names() and "style_code" not in module.input_names():
        return 0
    encode = module.for_role(Role.ENCODE)
    smallest = Size(side, side)
    lengths = {measured: _encoded(encode, measured) for measured in (smallest, size)}
    if lengths[smallest] != lengths[size]:
        raise UnsupportedOp(
            f"encode's code has {lengths[smallest]} values at {smallest} and {lengths[size]} at "
            f"{size}; a style code has one length: pool it, for example to channel means, or let "
            "encode resize the style to one size"
        )
    code_layout(module.network, lengths[size])
    return lengths[size]


def _target_length(module: RoleModule, size: Size) -> int:
    """Return the length of a content target at a size, 0 for roles without one."""
    if "content_target" not in (*module.input_names(), *module.output_names):
        return 0
    with torch.no_grad():
        target = module.for_role(Role.CONTENT)(torch.full((1, 3, size.height, size.width), 0.5))
    return int(target.shape[1])


def _encoded(encode: RoleModule, size: Size) -> int:
    """Return the length of the code of a style of one size."""
    try:
        with torch.no_grad():
            code = encode(torch.full((1, 3, size.height, size.width), 0.5))
    except Exception as error:
        raise UnsupportedOp(
            f"encode does not run on images of {size}: {first_line(error)}; expected "
            "encode(style [N, 3, H, W]) -> code [N, K]"
        ) from error
    if not isinstance(code, Tensor) or code.dim() != 2 or code.shape[0] != 1:
        found = list(code.shape) if isinstance(code, Tensor) else type(code).__name__
        raise UnsupportedOp(f"encode returned {found}, expected a style code [N, K]: flatten it")
    return int(code.shape[1])


def _facts(
    module: RoleModule, size: Size, dynamic: bool, lengths: Mapping[str, int]
) -> tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]:
    """Return the facts of inputs and outputs; ``lengths`` are those of flat tensors."""

    def fact(name: str) -> TensorFact:
        if name == "style_code" or name == "content_target":
            shape = (1, lengths[name])
            return TensorFact(name=name, kind=name, shape=shape, dtype="float32", layout="NK")
        if name == "strength" or name == "loss":
            return TensorFact(name=name, kind=name, shape=(1,), dtype="float32", layout="N")
        if name == "gradient":
            shape = (1, 3, size.height, size.width)
            return TensorFact(name=name, kind=name, shape=shape, dtype="float32", layout="NCHW")
        prefix = "style_" if name == "style" and module.role is Role.STYLIZE else ""
        scale = module.scale if name == "image" else 1
        prefix = f"{scale}*" if scale != 1 else prefix
        sides = (
            (f"{prefix}height", f"{prefix}width")
            if dynamic
            else (scale * size.height, scale * size.width)
        )
        return TensorFact(
            name=name,
            kind="image",
            shape=(1, 3, *sides),
            dtype="float32",
            layout="NCHW",
            pixel_range=(0.0, 1.0),
            colour_order="RGB",
        )

    return tuple(map(fact, module.input_names())), tuple(map(fact, module.output_names))


def _check_output(
    network: LoadedNetwork,
    module: RoleModule,
    examples: tuple[Tensor, ...],
    outputs: tuple[TensorFact, ...],
    size: Size,
) -> None:
    """Run the network once, before anything is built on it."""
    try:
        with torch.no_grad():
            results = module.outputs(*examples)
    except Exception as error:
        raise UnsupportedOp(
            f"{network.network.name} ({module.role}) does not run on images of {size}: "
            f"{first_line(error)}; expected a tensor [1, 3, H, W] in and out"
        ) from error
    for fact, output in zip(outputs, results, strict=True):
        expected = (
            (1, 3, module.scale * size.height, module.scale * size.width)
            if fact.kind == "image"
            else fact.shape
        )
        if tuple(output.shape) != expected:
            raise UnsupportedOp(
                f"{network.network.name} ({module.role}) returned {list(output.shape)} at size "
                f"{size}, expected {list(expected)}: its output must be RGB and no smaller than "
                "its input"
            )
        if not bool(torch.isfinite(output).all()):
            raise UnsupportedOp(
                f"{network.network.name} ({module.role}) returned NaN or infinite values: the "
                "weights are damaged or an operation divides by zero"
            )
