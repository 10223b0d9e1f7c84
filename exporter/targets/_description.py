"""Description of a file in words, for formats that hold one: author, licence, role, tensors."""

from __future__ import annotations

from dataclasses import dataclass

from styleexport.core.manifest import NetworkFact, TensorFact
from styleexport.exporter.graph.graph import Graph

ROLES = {
    "stylize": "paints a photograph",
    "encode": "turns a painting into a style code",
    "transform": "paints a photograph in the style of a code",
    "content": "turns a photograph into the content target of an optimization",
    "features": "is a pass over the tiles of a photograph that does not depend on the style",
    "render": "is a pass over the tiles of a photograph that depends on the style",
    "step": "gives the loss of a picture and its gradient, for an optimization of the picture",
}
KINDS = {
    "image": "RGB picture",
    "style_code": "style code: what the network keeps of a painting",
    "content_target": "content target: what is to be kept of the photograph",
    "loss": "loss: distance from the content target and the style",
    "gradient": "gradient of the loss by the picture",
    "map": "window of a feature map",
    "statistic": "statistic of a map: the tile's as an output, the photograph's as an input",
    "region": "top, left, bottom and right of the tile in its window, in pixels",
    "strength": "strength of the style, 0 (the photograph) to 1 (full)",
}


@dataclass(frozen=True)
class Metadata:
    """Metadata of a file.

    Attributes:
        author: paper of the network.
        licence: licence of its weights.
        version: start of the digest of its weights.
        text: network and role in a sentence each.
        facts: facts of the manifest, by their names in the file.
    """

    author: str
    licence: str
    version: str
    text: str
    facts: dict[str, str]


def describe(graph: Graph, network: NetworkFact) -> Metadata:
    """Return the metadata of a file.

    Args:
        graph: graph that it was made from.
        network: origin of the graph.
    """
    return Metadata(
        author=f"{network.paper}; exported by styleexport",
        licence=network.licence,
        version=network.source_sha256[:12],
        text=f"{network.name}, {network.summary}. This role {ROLES[graph.role]}.",
        facts={
            "styleexport.network": network.name,
            "styleexport.role": graph.role,
            "styleexport.roles": ", ".join(network.roles),
            "styleexport.weights": ", ".join(network.source),
        },
    )


def in_words(fact: TensorFact) -> str:
    """Return what an input or output holds."""
    role = {"content": "the photograph", "style": "the painting", "image": "the result"}
    return f"{role[fact.name]}, {KINDS['image']}" if fact.kind == "image" else KINDS[fact.kind]
