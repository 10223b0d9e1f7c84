"""Copies and digests of modules."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from styleexport.core.quiet import quiet


def with_tensors(
    module: torch.fx.GraphModule, tensor: Callable[[Tensor], Tensor]
) -> torch.fx.GraphModule:
    """Return a module, whose graph is its own already, with other weights and constants.

    It takes inputs of any size, as a copy does: the checks of a program are hooks, and those are
    dropped. A graph with graphs inside shares those with its program, and is copied whole.
    """
    module._forward_pre_hooks.clear()  # pyright: ignore[reportPrivateUsage]
    if sum(isinstance(part, torch.fx.GraphModule) for part in module.modules()) > 1:
        whole = copied(module)
        assert isinstance(whole, torch.fx.GraphModule)
        return whole.requires_grad_(False)
    made: dict[int, Tensor] = {}
    for part in module.modules():
        for held in (part._parameters, part._buffers):  # pyright: ignore[reportPrivateUsage]
            for name, value in held.items():
                if value is not None and id(value) not in made:
                    new = tensor(value)
                    is_weight = isinstance(value, nn.Parameter)
                    made[id(value)] = nn.Parameter(new, requires_grad=False) if is_weight else new
                if value is not None:
                    held[name] = made[id(value)]  # pyright: ignore[reportArgumentType]
    return module


def copied(module: nn.Module) -> nn.Module:
    """Return a deep copy, without torch's warning about its own pytrees."""
    with quiet():
        return copy.deepcopy(module)


def digest_of(structure: str, tensors: Mapping[str, object]) -> str:
    """Return the sha256 over a structure and its tensors, in order of their names."""
    digest = hashlib.sha256(structure.encode())
    for name, value in sorted(tensors.items()):
        if isinstance(value, Tensor):
            digest.update(f"{name} {tuple(value.shape)}".encode())
            digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
