"""`styleexport networks`: the networks that can be exported, with their sizes."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import json_option, print_json, say

if TYPE_CHECKING:
    from styleexport.models.network import StyleNetwork
    from styleexport.models.network_facts import NetworkFacts


@click.command(
    short_help="List the networks, or describe one.",
    epilog="Example: styleexport networks adain-mobilenetv2",
)
@click.argument("network", required=False)
@json_option
def networks(network: str | None, as_json: bool) -> None:
    """List the networks with their sizes, or describe NETWORK.

    A description names the publication, the checkpoints that are read, and the encoders and taps
    that can be chosen. Sizes are those of the default variant: another --encoder or --tap has
    others.
    """
    from styleexport.core import plugins
    from styleexport.models.network_facts import facts_of
    from styleexport.models.network_spec import NETWORKS
    from styleexport.models.networks._open import find

    names = (network,) if network else plugins.names(NETWORKS)
    listed = [(described, facts_of(described)) for described in map(find, names)]
    if as_json:
        print_json([_as_json(*entry) for entry in listed])
    elif network:
        _describe(*listed[0])
    else:
        _list(listed)


def _as_json(network: StyleNetwork, facts: NetworkFacts) -> dict[str, object]:
    from msgspec import to_builtins

    return {
        "name": network.name,
        "family": network.family,
        "summary": network.summary,
        "paper": network.paper,
        "licence": network.licence,
        "checkpoints": network.checkpoints,
        "shipped_weights": network.weights is not None,
        "min_side": network.min_side,
        "parameters": facts.parameters,
        "code_values": facts.code_values,
        "code_layout": to_builtins(facts.code_layout),
    }


def _describe(network: StyleNetwork, facts: NetworkFacts) -> None:
    from styleexport.models.networks._describe import description

    say(f"{network.name}: {network.summary}")
    for label, value in description(network, facts):
        say(f"    {label:<12} {value}")


def _list(listed: list[tuple[StyleNetwork, NetworkFacts]]) -> None:
    """Print the networks of each family, those with shipped weights marked."""
    by_family = sorted(listed, key=lambda entry: entry[0].family)
    for family, entries in groupby(by_family, key=lambda entry: entry[0].family):
        say(f"{family}")
        for network, facts in entries:
            shipped = ", shipped" if network.weights is not None else ""
            say(f"  {network.name}: {facts}{shipped}")
            say(f"      {network.summary}")
    say("Your own")
    say("  package.module:factory, or the path of a .pt2 program or an .onnx file")
    say("Type `styleexport networks NAME` for the publication, checkpoints and choices of one.")


SECTION = "make"
COMMAND = networks
