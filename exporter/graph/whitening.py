"""Whitening in a graph: a map multiplied by a root of its own covariance.

With S = x·xᵀ (or xᵀ·x, of few pixels), an iteration of matrix products from S to M, and M·x (x·M),
the rounding errors of x along
a direction that x hardly has are multiplied by the inverse of its deviation. Such directions are
the more, the deeper the features: few pixels, many channels. The first whitening of a chain has the
deepest; what follows starts from a picture.
"""

from __future__ import annotations

from torch.fx import Graph, Node

from styleexport.exporter.graph.graph import operation_of

PRODUCTS = ("matmul", "bmm", "mm")
TURNS = ("transpose", "permute", "t", "mT")
# What a product of matrices may be seen through: shapes alone.
VIEWS = ("view", "reshape", "expand", "unsqueeze", "squeeze", "_unsafe_view", "clone")
# A root takes more products than any layer that multiplies by a matrix of its input.
LEAST_PRODUCTS = 4

WHITENED = "whitening multiplies rounding errors of directions that the features hardly have"


def before_first_whitening(graph: Graph) -> frozenset[str]:
    """Return the names of the first whitening and of all that it depends on; none without one."""
    above: dict[Node, set[Node]] = {}
    # Node → covariances that it is computed of, each with the products since.
    origins: dict[Node, dict[Node, int]] = {}
    for node in graph.nodes:
        known: dict[Node, int] = {}
        for factor in node.all_input_nodes:
            for covariance, products in origins.get(factor, {}).items():
                known[covariance] = max(products, known.get(covariance, 0))
        if operation_of(node) in PRODUCTS:
            factors = {_unviewed(factor) for factor in node.all_input_nodes}
            if any(
                products >= LEAST_PRODUCTS and not factors.isdisjoint(above[covariance])
                for covariance, products in known.items()
            ):
                return frozenset(item.name for item in (node, *ancestors(node)))
            known = {covariance: products + 1 for covariance, products in known.items()}
            if is_square(node):
                above[node] = ancestors(node)
                known[node] = 0
        if known:
            origins[node] = known
    return frozenset()


def ancestors(node: Node) -> set[Node]:
    """Return the nodes that a node depends on."""
    found, pending = set[Node](), list(node.all_input_nodes)
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += current.all_input_nodes
    return found


def is_square(node: Node) -> bool:
    """Whether a product is of a map and its own transpose, on either side."""
    factors = [_unviewed(item) for item in node.all_input_nodes]
    return len(factors) == 2 and any(
        operation_of(turned) in TURNS and _unviewed(turned.all_input_nodes[0]) is other
        for turned, other in (factors, factors[::-1])
    )


def _unviewed(node: Node) -> Node:
    """Return what a node shows in another shape."""
    while operation_of(node) in VIEWS:
        node = node.all_input_nodes[0]
    return node
