"""Depth to space in the channel order of channels-last formats.

`torch.pixel_shuffle` reads channel o·s² + p for output channel o and phase p. With the channels
last, the order p·C + o makes it one transposition of whole rows of channels, so the convolution in
front of it gets its outputs in that order, and a channel shuffle is put between the two:

    pixel_shuffle(conv(x))  =  pixel_shuffle(channel_shuffle(conv'(x), s²))

`channels_last` writes the two shuffles as one operation.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from styleexport.core.manifest import PassFact
from styleexport.exporter.graph.graph import RECTIFIERS, Graph, operation_of
from styleexport.exporter.graph.rewrite import Outcome, Pass, add_weight, apply_passes, tensor_of

aten = torch.ops.aten


def with_phases_in_front(graph: Graph) -> tuple[Graph, tuple[PassFact, ...]]:
    """Return the graph with the phases of a shuffled convolution in front of its channels."""
    if not any(operation_of(n) == "pixel_shuffle" for n in graph.program.graph.nodes):
        return graph, ()
    return apply_passes(graph, (Pass("phases-in-front", 0, rewrite),))


def rewrite(module: GraphModule) -> Outcome:
    """Reorder every convolution whose outputs nothing but a depth to space reads."""
    applied, refused = 0, list[str]()
    for node in list(module.graph.nodes):
        if operation_of(node) != "pixel_shuffle":
            continue
        conv = _made_by(node)
        weight = None if conv is None else tensor_of(module, conv.args[1])
        if conv is None or weight is None:
            refused.append(f"{node.name} reads no convolution of its own")
            continue
        phases = int(node.args[1]) ** 2  # pyright: ignore[reportArgumentType]
        for position, value in enumerate(conv.args[1:3], 1):
            constant = tensor_of(module, value)
            if constant is not None:
                ordered = constant.unflatten(0, (-1, phases)).transpose(0, 1).flatten(0, 1)
                conv.update_arg(position, add_weight(module, conv, ordered))
        with module.graph.inserting_before(node):
            arguments = (node.args[0], phases)
            shuffled = module.graph.call_function(aten.channel_shuffle.default, arguments)  # pyright: ignore
        node.update_arg(0, shuffled)
        applied += 1
    return Outcome(applied, tuple(refused))


def _made_by(node: Node) -> Node | None:
    """Return the convolution behind which a depth to space alone stands."""
    source = node.args[0]
    while isinstance(source, Node) and len(source.users) == 1:
        if operation_of(source) == "conv2d":
            grouped = len(source.args) > 6 and source.args[6] != 1
            return None if grouped else source
        if operation_of(source) not in RECTIFIERS:
            break
        source = source.args[0]
    return None
