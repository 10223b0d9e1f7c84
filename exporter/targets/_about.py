"""Description that every format stores in a file: author, licence, origin, role, tensors.

Every format has a place for it, under names of its own: `metadata_props` of ONNX, the metadata of
TFLite, the description of a Core ML package. The same words go into all of them, so that a file
says what it is where its manifest is not. Nothing of it depends on the machine or the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from styleexport.core.manifest import NetworkFact, TensorFact
from styleexport.core.types import Role
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
    "style_code": "style code: what the network keeps of a painting",
    "content_target": "content target: what is to be kept of the photograph",
    "loss": "loss: distance from the content target and the style",
    "gradient": "gradient of the loss by the picture",
    "map": "window of a feature map",
    "statistic": "statistic of a map: the tile's as an output, the photograph's as an input",
    "region": "top, left, bottom and right of the tile in its window, in pixels",
    "strength": "strength of the style, 0 (the photograph) to 1 (full)",
}
IMAGES = {"content": "the photograph", "style": "the painting", "image": "the result"}


@dataclass(frozen=True)
class About:
    """Description of a file, apart from its graph.

    Attributes:
        name: name of the network.
        description: network and role, in a sentence each.
        author: publication of the network, and this program.
        licence: licence of the weights.
        version: first twelve digits of the weights' sha256.
        facts: name → what is known beside the above.
        inputs: description of each input, in order.
        outputs: description of each output, in order.
    """

    name: str
    description: str
    author: str
    licence: str
    version: str
    facts: dict[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def named(self) -> dict[str, str]:
        """All that is not about a tensor, by the names that `Description.about` has."""
        said = {"description": self.description, "author": self.author, "licence": self.licence}
        return {**said, "version": self.version, **self.facts}


def about(
    network: NetworkFact, role: Role, inputs: Sequence[TensorFact], outputs: Sequence[TensorFact]
) -> About:
    """Return what a file says of itself.

    Args:
        network: origin of its graph.
        role: role of its graph.
        inputs: inputs as the file has them.
        outputs: outputs as the file has them.
    """
    layout = None if network.code_layout is None else str(network.code_layout)
    pixels = dict.fromkeys(_pixels(fact) for fact in (*inputs, *outputs) if fact.kind == "image")
    facts = {
        "network": network.name,
        "role": role.value,
        "roles": ", ".join(network.roles),
        "paper": network.paper,
        "weights": ", ".join(network.source),
        "weights_sha256": network.source_sha256,
        "pixels": "; ".join(pixels),
        "code_layout": layout or "",
    }
    return About(
        name=network.name,
        description=f"{network.name}, {network.summary}. This role {ROLES[role]}.",
        author=f"{network.paper}; exported by styleexport",
        licence=network.licence,
        version=network.source_sha256[:12],
        facts={f"styleexport.{name}": text for name, text in facts.items() if text},
        inputs=tuple(_in_words(fact, layout) for fact in inputs),
        outputs=tuple(_in_words(fact, layout) for fact in outputs),
    )


def about_graph(network: NetworkFact | None, graph: Graph) -> About | None:
    """Return what a file with the inputs and outputs of a graph says; None without a network."""
    return None if network is None else about(network, graph.role, graph.inputs, graph.outputs)


def _in_words(fact: TensorFact, layout: str | None) -> str:
    """Return a tensor in words: the same for a file of every size."""
    if fact.kind == "image":
        return f"{IMAGES[fact.name]}: {_pixels(fact)}"
    code = f"; {layout}" if fact.kind == "style_code" and layout else ""
    return KINDS[fact.kind] + code


def _pixels(fact: TensorFact) -> str:
    """Return range, channel order, type and order of axes of a picture."""
    low, high = fact.pixel_range or (0.0, 1.0)
    where = "a pixel buffer" if fact.layout == "pixels" else f"{fact.dtype} {fact.layout}"
    return f"{fact.colour_order or 'RGB'} in {low:g}..{high:g}, {where}"
