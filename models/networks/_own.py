"""Networks of the user's that are modules: their description, and what is asked of them."""

from __future__ import annotations

import copy
import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from styleexport.core.errors import UsageError, first_line
from styleexport.models.network import LoadedNetwork, StyleNetwork
from styleexport.models.network_spec import NetworkSource, NetworkSpec

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)


def module_spec(module: nn.Module, name: str | None = None) -> NetworkSpec:
    """Return the specification of a module of this process.

    Args:
        module: the module with its weights: ``forward(content)``, or ``encode(style)`` and
            ``transfer(content, code, strength)``.
        name: name of the network, which begins its files' names; None makes one of its class's.

    Raises:
        UsageError: the name cannot begin a file's name.
    """
    if name is None:
        words = re.sub("(?<=[a-z0-9])(?=[A-Z])", "-", type(module).__name__)
        name = words.lower().replace("_", "-").strip("-") or "network"
    if not NAME.fullmatch(name):
        raise UsageError(
            f"name {name!r}: expected small letters, digits, '-', '_' and '.', a letter or digit "
            "first; type for example name='candy'"
        )
    return NetworkSpec(name, NetworkSource.MODULE, module=module)


def from_module(spec: NetworkSpec, checkpoints: Sequence[Path]) -> LoadedNetwork:
    """Return the network of a specification's module: a copy in inference mode, on the CPU.

    Raises:
        UsageError: it cannot be copied, is no network, or checkpoints are named.
    """
    if checkpoints:
        raise UsageError(
            f"{spec.name} is a module with its weights: load {checkpoints[0]} into it, or name it "
            "as package.module:factory"
        )
    assert isinstance(spec.module, nn.Module)
    check_forward(spec.name, spec.module)
    try:
        module = copy.deepcopy(spec.module).to("cpu", torch.float32)
    except Exception as error:
        raise UsageError(
            f"module {spec.name} cannot be copied: {first_line(error)}; remove hooks such as "
            "weight norm (torch.nn.utils.remove_weight_norm), or name it as package.module:factory"
        ) from error
    module.eval().requires_grad_(False)
    network = user_network(spec.name, type(module).__name__, lambda: module, lambda _: module)
    return LoadedNetwork(network, module, (), state_sha256(module))


def user_network(
    name: str,
    origin: str,
    build: Callable[[], nn.Module],
    read: Callable[[Sequence[Path]], nn.Module],
) -> StyleNetwork:
    """Return the description of a network of the user's.

    Args:
        name: name of the network.
        origin: where it came from, in place of the paper.
        build: returns the module with fresh weights.
        read: returns the module with the weights of checkpoint files.
    """
    return StyleNetwork(
        name=name,
        summary="a network of yours",
        paper=origin,
        licence="that of your weights",
        build=build,
        read=read,
        checkpoints="a state dict of your module",
    )


def check_forward(spec: str, module: nn.Module) -> None:
    """Refuse a module that has no interface of a network.

    Raises:
        UsageError: its forward takes several inputs, and it has no encode and transfer.
    """
    if hasattr(module, "encode") and hasattr(module, "transfer"):
        return
    images = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(images) != 1:
        raise UsageError(
            f"network {spec!r}: its forward takes {len(images)} inputs; expected forward(content) "
            "for one style, or methods encode(style) and transfer(content, code, strength)"
        )


def state_sha256(module: nn.Module) -> str:
    """Return the sha256 over a module's weights and their names."""
    digest = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
