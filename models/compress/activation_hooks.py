"""What each convolution and matrix product reads while a network runs: peaks, and what it costs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from styleexport.core.types import Role, Size
from styleexport.models.network import LoadedNetwork

See = Callable[[str, Tensor, int], None]


class Readers(TorchDispatchMode):
    """Shows every input of a layer that mixes channels, and its multiply-accumulates.

    Args:
        module: whose layers are watched.
        see: takes a layer's name, what it reads, and the multiply-accumulates of the call.
    """

    def __init__(self, module: nn.Module, see: See) -> None:
        super().__init__()
        self.see = see
        self.weights = {
            id(parameter): name.removesuffix(".weight")
            for name, parameter in module.named_parameters()
            if name.endswith(".weight") and parameter.dim() > 1
        }
        self.alive: list[Tensor] = []

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function returns."""
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        if name == "aten::t" and id(args[0]) in self.weights:
            self.weights[id(result)] = self.weights[id(args[0])]
            self.alive.append(result)
        elif name == "aten::convolution" and id(args[1]) in self.weights:
            x, weight, transposed = args[0], args[1], args[6]
            each = weight[0].numel()
            self.see(self.weights[id(weight)], x, each * (x if transposed else result).numel())
        elif name in ("aten::addmm", "aten::mm"):
            x, weight = args[-2:]
            if id(weight) in self.weights:
                self.see(self.weights[id(weight)], x, x.shape[0] * weight.numel())
        return result


class Peaks:
    """The largest magnitude that each layer read in each channel, over all pictures shown."""

    def __init__(self) -> None:
        self.of: dict[str, Tensor] = {}

    def see(self, layer: str, x: Tensor, macs: int) -> None:
        """Remember the peaks of one call."""
        peak = x.abs().amax([d for d in range(x.dim()) if d != 1])
        before = self.of.get(layer)
        self.of[layer] = peak if before is None else torch.maximum(before, peak)


@torch.no_grad()
def macs_of(network: LoadedNetwork, role: Role, size: Size) -> dict[str, int]:
    """Return the multiply-accumulates of each layer in one role; nothing is computed.

    Args:
        network: whose role it is.
        role: one that it has.
        size: of content and style.
    """
    found: dict[str, int] = {}

    def see(layer: str, _: Tensor, macs: int) -> None:
        found[layer] = found.get(layer, 0) + macs

    module = copy.deepcopy(network.role_module(role)).to("meta")
    picture = torch.empty(1, 3, size.height, size.width, device="meta")
    given = {"content": picture, "style": picture, "strength": torch.empty(1, device="meta")}
    if role is Role.TRANSFORM:
        encode = copy.deepcopy(network.role_module(Role.ENCODE)).to("meta")
        given["style_code"] = encode(picture)
    with Readers(module.network, see):
        module(*[given[name] for name in module.input_names()])
    return found
