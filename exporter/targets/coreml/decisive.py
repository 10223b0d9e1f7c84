"""Operations of an ML program that an index depends on: float32, whatever the file's precision."""

from __future__ import annotations

from coremltools.converters.mil.mil import Operation

CHOICES = ("reduce_argmax", "reduce_argmin")
# Where float16 values come from: what reads them starts from their rounding.
BODY = ("conv", "conv_transpose", "relu", "leaky_relu", "prelu", "max_pool")


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
