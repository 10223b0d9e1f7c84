"""Operations of an ML program that stay float32, whatever the file's precision."""

from __future__ import annotations

from coremltools.converters.mil.mil import Operation

from styleexport.core.thresholds import CHOICES

# Where float16 values come from: what reads them starts from their rounding.
BODY = ("conv", "conv_transpose", "relu", "leaky_relu", "prelu", "max_pool")
# Reductions that are not made safe by their rewrite stay in float32, whatever the precision.
FLOAT32_OPS = (
    "reduce_sum",
    "reduce_sum_square",
    "reduce_l1_norm",
    "reduce_l2_norm",
    "reduce_log_sum_exp",
    "instance_norm",
    "layer_norm",
    "l2_norm",
    "local_response_norm",
)
ELEMENTWISE = ("add", "sub", "mul", "real_div")
ROOTS = ("sqrt", "rsqrt", "inverse")


def is_matrix(operation: Operation) -> bool:
    """Whether an operation sums a map to a square matrix, or computes one of such matrices.

    Roots of covariances lose in float16 what separates small eigenvalues. Attention is told apart
    by its shape: its sums are shorter than its sides, and its factors two maps.
    """
    outputs = operation.outputs or ()
    shape = (outputs[0].shape or ()) if outputs else ()
    if len(shape) != 3 or shape[1] != shape[2]:
        return False
    if operation.op_type not in (*ELEMENTWISE, "matmul"):
        return False
    inputs = operation.inputs
    if operation.op_type == "matmul":
        turned = inputs.get("transpose_x")
        axis = -2 if turned is not None and bool(turned.val) else -1
        return (inputs["x"].shape or (0, 0))[axis] >= shape[1] or _is_covariance(operation)
    return any(map(_is_statistic, _makers(operation)))


def _is_covariance(operation: Operation) -> bool:
    """Whether a product is of a map and its own transpose, which may have few columns."""
    x, y = operation.inputs["x"], operation.inputs["y"]
    flags = (operation.inputs.get(f"transpose_{name}") for name in ("x", "y"))
    if x is y:
        return len({flag is not None and bool(flag.val) for flag in flags}) == 2
    turns = [item.op for item in (x, y) if item.op is not None and item.op.op_type == "transpose"]
    return any(turn.inputs["x"] in (x, y) for turn in turns)


def is_norm(operation: Operation) -> bool:
    """Whether an operation computes one number of a matrix, of a sum of it: a trace or a norm.

    The sum of a covariance's squares passes 65504, and a share of 1e-6 of its trace vanishes.
    """
    outputs = operation.outputs or ()
    shape = (outputs[0].shape or ()) if outputs else ()
    if len(shape) != 3 or tuple(shape[1:]) != (1, 1):
        return False
    if operation.op_type not in (*ELEMENTWISE, *ROOTS):
        return False
    return any(map(_is_statistic, _makers(operation)))


def _is_statistic(operation: Operation) -> bool:
    return operation.op_type in FLOAT32_OPS or is_norm(operation) or is_matrix(operation)


def _makers(operation: Operation) -> list[Operation]:
    """Return the operations that make its operands."""
    operands = (operation.inputs.get(name) for name in ("x", "y"))
    return [operand.op for operand in operands if operand is not None and operand.op is not None]


def decides(operation: Operation, *, exact_code: bool) -> bool:
    """Whether an index depends on an operation, with no convolution on the way to it.

    Args:
        operation: operation of a program that is being converted.
        exact_code: whether the output of the program is a style code that is compared.
    """
    pending, seen = [operation], set[int]()
    while pending:
        current = pending.pop()
        if id(current) in seen or current.op_type in BODY:
            continue
        seen.add(id(current))
        if current.op_type in CHOICES:
            return True
        results = current.enclosing_block.outputs
        if exact_code and any(output in results for output in current.outputs or ()):
            return True
        pending += [reader for output in current.outputs or () for reader in output.child_ops]
    return False
