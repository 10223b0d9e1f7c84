"""Layout of a network's style codes: what its module declares, checked against the codes it makes.

A two-image module may have an attribute ``code_layout``: a `CodeLayoutFact`, or the same as plain
data, so that a repository of the user's imports nothing from here::

    code_layout = {
        "parts": [{"name": "bank", "shape": [64, 8, 8]}],
        "blending": "none",
        "reason": "each patch of the photograph takes the nearest patch of one style",
    }
"""

from __future__ import annotations

import msgspec
from torch import nn

from styleexport.core.code_layout import Blending, CodeLayoutFact
from styleexport.core.errors import UsageError

UNDECLARED = "the network does not declare what its code holds"
EXPECTED = (
    'code_layout = {"parts": [{"name": "mean", "shape": [64]}, …], "blending": "exact", '
    '"approximate" or "none", "reason": "why not exactly"}'
)


def declared_layout(module: nn.Module) -> CodeLayoutFact | None:
    """Return the layout that a module declares; None where it declares none.

    Raises:
        UsageError: ``code_layout`` is something else.
    """
    declared = getattr(module, "code_layout", None)
    if declared is None:
        return None
    try:
        return msgspec.convert(declared, CodeLayoutFact)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"code_layout of {type(module).__name__} declares no style code: {error}; expected "
            f"{EXPECTED}"
        ) from error


def code_layout(module: nn.Module, length: int) -> CodeLayoutFact:
    """Return the layout of a module's style codes.

    Codes of a module that declares none are one part, which may be blended: most codes are
    statistics, and a blend that paints badly is seen at once.

    Args:
        module: module of a two-image network.
        length: number of values of the codes that it makes.

    Raises:
        UsageError: ``code_layout`` is none, or of codes of another length.
    """
    declared = declared_layout(module)
    if declared is None:
        return CodeLayoutFact.of({"code": (length,)}, Blending.APPROXIMATE, UNDECLARED)
    if declared.length != length:
        raise UsageError(
            f"code_layout of {type(module).__name__} declares {declared.length} values "
            f"({declared}), and encode returns {length}: correct the shapes"
        )
    return declared
