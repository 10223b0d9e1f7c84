"""Importance of filters: L2 norm, L1 norm, distance to the others, or a function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from styleexport.core import plugins
from styleexport.core.errors import UsageError, first_line

DEFAULT = "l2"

Criterion = Callable[[Tensor], Tensor]


def l2_norms(weight: Tensor) -> Tensor:
    """Return the L2 norm of each filter of a kernel [O, I, h, w], as [O]."""
    return weight.detach().flatten(1).norm(dim=1)


def l1_norms(weight: Tensor) -> Tensor:
    """Return the L1 norm of each filter of a kernel [O, I, h, w], as [O]."""
    return weight.detach().flatten(1).abs().sum(1)


def distances(weight: Tensor) -> Tensor:
    """Return the sum of the distances of each filter of [O, I, h, w] to all others, [O].

    Filters near the geometric median are the most redundant (He et al., Filter Pruning via
    Geometric Median, CVPR 2019, equation 6).
    """
    flat = weight.detach().flatten(1)
    return torch.cdist(flat, flat).sum(1)


CRITERIA: Mapping[str, Criterion] = MappingProxyType(
    {"l2": l2_norms, "l1": l1_norms, "geometric-median": distances}
)


def find_criterion(name: str) -> Criterion:
    """Return a function that maps a kernel [O, I, h, w] to the importance of its filters, [O].

    Args:
        name: key of `CRITERIA`, or ``package.module:function``, looked up in the present folder
            first.

    Raises:
        UsageError: no such criterion.
    """
    if name in CRITERIA:
        return CRITERIA[name]
    if not plugins.is_function_path(name):
        raise UsageError(
            f"unknown criterion {name!r}: expected one of {', '.join(CRITERIA)}, or "
            "package.module:function; type --criterion l1"
        )
    return _checked(name, plugins.users_function("criterion", name))


def _checked(name: str, criterion: Callable[[Tensor], object]) -> Criterion:
    def checked(weight: Tensor) -> Tensor:
        try:
            figures = torch.as_tensor(criterion(weight.detach()), dtype=torch.float32)
        except Exception as error:
            raise UsageError(
                f"criterion {name!r} failed on a kernel {list(weight.shape)} with "
                f"{first_line(error)}; expected one figure a filter"
            ) from error
        if figures.shape != weight.shape[:1] or not bool(torch.isfinite(figures).all()):
            raise UsageError(
                f"criterion {name!r} returned {list(figures.shape)} for a kernel "
                f"{list(weight.shape)}, expected {weight.shape[0]} finite figures, one a filter"
            )
        return figures

    return checked
