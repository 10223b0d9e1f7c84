"""Geometry of a graph: its feature maps, and what it computes of whole maps.

Of operations that `exporter/tiling/operations.py` does not know, such as those that match patches,
it is measured how far they reach (`exporter/tiling/reach.py`): from the maps that they read to the
next map of their size. What reaches over the picture is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch.fx import Graph as Nodes
from torch.fx import Node

from styleexport.core.errors import UnsupportedOp
from styleexport.exporter.graph.graph import operation_of
from styleexport.exporter.graph.rewrite import argument
from styleexport.exporter.tiling.field import INSIDE, Field, UnknownOperation, refusal, shape_of
from styleexport.exporter.tiling.operations import field_of

# Given a map and those that it is computed of by operations that are not known here; returns how
# many places further it reaches.
Reach = Callable[[Node, Sequence[Node]], int]


def fields_of(
    nodes: Nodes, given: Mapping[str, Field], reach: Reach
) -> tuple[dict[Node, Field], list[Node]]:
    """Return the field of every node that is a map, and the nodes that reduce a map to no map.

    Args:
        nodes: graph whose nodes know their shapes.
        given: input → its field; all others are no maps.
        reach: tells how far operations reach that are not known here.

    Raises:
        UnsupportedOp: an operation reads a map in a way that cannot be taken out; names it.
    """
    fields: dict[Node, Field] = {}
    reductions: list[Node] = []
    for node in nodes.nodes:
        if node.op == "placeholder":
            if node.name in given:
                fields[node] = given[node.name]
        elif node.op == "call_function":
            read = {item: fields[item] for item in node.all_input_nodes if item in fields}
            inside = any(field.flat == INSIDE for field in read.values())
            if read and not inside and _is_reduction(node, read):
                reductions.append(node)
            elif read:
                fields[node] = _field_or_inside(node, read, fields, reach)
    return fields, reductions


def _field_or_inside(
    node: Node, read: Mapping[Node, Field], fields: Mapping[Node, Field], reach: Reach
) -> Field:
    """Return the field of a node, also behind operations that are not known."""
    if all(field.flat != INSIDE for field in read.values()):
        try:
            return field_of(node, read)
        except UnknownOperation:
            pass
    maps = maps_before(node, fields)
    first = fields[maps[0]]
    if any(fields[item].stride != first.stride for item in maps):
        raise UnsupportedOp(refusal(node))
    shape = shape_of(node)
    if len(shape) != 4 or shape[0] != 1 or shape[2:] != shape_of(maps[0])[2:]:
        return Field(first.stride, flat=INSIDE)
    further = reach(node, maps)
    for item in maps[1:]:
        first = first.joined(fields[item], node.name)
    return first.each(lambda ends, _: (ends[0] + further, ends[1] + further))


def maps_before(node: Node, fields: Mapping[Node, Field]) -> list[Node]:
    """Return the nearest maps [1, C, H, W] that a node is computed of."""
    found, pending = dict[Node, None](), [n for n in node.all_input_nodes if n in fields]
    seen: set[Node] = set()
    while pending:
        item = pending.pop()
        if item in seen:
            continue
        seen.add(item)
        if len(shape_of(item)) == 4 and not fields[item].flat:
            found[item] = None
        else:
            pending += [n for n in item.all_input_nodes if n in fields]
    return list(found)


def _is_reduction(node: Node, read: Mapping[Node, Field]) -> bool:
    """Whether a node adds up a map over all its places."""
    operation = operation_of(node)
    if operation in ("matmul", "bmm", "mm"):
        a, b = node.args[:2]
        flats = [read[item].flat for item in (a, b) if item in read]  # pyright: ignore
        return flats == [1, 2]
    if operation not in ("mean", "sum"):
        return False
    (field,), rank = read.values(), len(shape_of(node.args[0]))
    axes = argument(node, 1, "dim", ()) or tuple(range(rank))
    axes = {a % rank for a in (axes if isinstance(axes, list | tuple) else [axes])}  # pyright: ignore
    return axes == ({rank - 2, rank - 1} if not field.flat else {rank - field.flat})
