"""Hooks on the inputs of convolutions and matrix products: channel maxima and MAC counts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from styleexport.core.macs import operation_macs
from styleexport.core.types import Role, Size
from styleexport.models.network import LoadedNetwork

OnInput = Callable[[str, Tensor, int], None]


class LayerInputHook(TorchDispatchMode):
    """Calls a function with every input of a layer that mixes channels, and the call's MACs.

    It sees ATen operations, so it needs no hooks on modules and also covers weights that are used
    through ``torch.nn.functional``.

    Args:
        module: network whose weights are recognised.
        on_input: receives the layer's name, its input (a convolution's [N, C, …], a matrix
            product's [N, C]) and the multiply-accumulates of the call.
    """

    def __init__(self, module: nn.Module, on_input: OnInput) -> None:
        super().__init__()
        self.on_input = on_input
        self.layer_of_weight = {
            id(parameter): name.removesuffix(".weight")
            for name, parameter in module.named_parameters()
            if name.endswith(".weight") and parameter.dim() > 1
        }
        # Tensors stay alive, so that no two of them have one id.
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
        name, layers = func._schema.name, self.layer_of_weight
        if name == "aten::t" and id(args[0]) in layers:
            layers[id(result)] = layers[id(args[0])]
            self.alive.append(result)
        elif name == "aten::convolution" and id(args[1]) in layers:
            x, weight = args[:2]
            macs = operation_macs(name, (x.shape, weight.shape), result.shape, transposed=args[6])
            self.on_input(layers[id(weight)], x, macs)
        elif name in ("aten::addmm", "aten::mm") and id(args[-1]) in layers:
            x, weight = args[-2:]
            macs = operation_macs("aten::mm", (x.shape, weight.shape), result.shape)
            self.on_input(layers[id(weight)], x, macs)
        return result


class ChannelMaxima:
    """Largest magnitude of each input channel of each layer, over all calls.

    Attributes:
        by_layer: maxima [C] by layer name.
    """

    def __init__(self) -> None:
        self.by_layer: dict[str, Tensor] = {}

    def update(self, layer: str, x: Tensor, macs: int) -> None:
        """Take in one call's input, [N, C, …]; an `OnInput`."""
        maxima = x.abs().amax([d for d in range(x.dim()) if d != 1])
        previous = self.by_layer.get(layer)
        self.by_layer[layer] = maxima if previous is None else torch.maximum(previous, maxima)


@torch.no_grad()
def macs_of(network: LoadedNetwork, role: Role, size: Size) -> dict[str, int]:
    """Return the multiply-accumulates of each layer in one role, by layer name.

    Runs on PyTorch's meta device, where shapes are computed and values are not.

    Args:
        network: network that has the role.
        role: role to count.
        size: size of content and style.

    Raises:
        UsageError: the network has no such role.
    """
    totals: dict[str, int] = {}

    def add(layer: str, _: Tensor, macs: int) -> None:
        totals[layer] = totals.get(layer, 0) + macs

    module = copy.deepcopy(network.role_module(role)).to("meta")
    picture = torch.empty(1, 3, size.height, size.width, device="meta")
    inputs = {"content": picture, "style": picture, "strength": torch.empty(1, device="meta")}
    if role is Role.TRANSFORM:
        encode = copy.deepcopy(network.role_module(Role.ENCODE)).to("meta")
        inputs["style_code"] = encode(picture)
    with LayerInputHook(module.network, add):
        module(*[inputs[name] for name in module.input_names()])
    return totals
