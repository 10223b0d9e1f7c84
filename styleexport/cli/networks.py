"""`styleexport networks`: the networks that can be exported, with their sizes."""

from __future__ import annotations

import click

from styleexport.cli._common import json_option, print_json, say


@click.command(short_help="List the networks.", epilog="Example: styleexport networks --json")
@json_option
def networks(as_json: bool) -> None:
    """List the networks, where they were published, and the checkpoints they take.

    Parameters and code values are those of the default variant: a network with --tap or --encoder
    has others.
    """
    from msgspec import to_builtins

    from styleexport.core import plugins
    from styleexport.models.network_facts import facts_of
    from styleexport.models.network_spec import NETWORKS
    from styleexport.models.networks._open import find

    listed = [(network, facts_of(network)) for network in map(find, plugins.names(NETWORKS))]
    if as_json:
        print_json(
            [
                {
                    "name": network.name,
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
                for network, facts in listed
            ]
        )
        return
    for network, facts in listed:
        say(f"{network.name}: {network.summary}")
        say(f"    size         {facts}")
        if facts.code_layout is not None:
            say(f"    style code   {facts.code_layout}")
        say(f"    paper        {network.paper}")
        say(f"    --checkpoint {network.checkpoints}")
    say("package.module:factory: your own torch.nn.Module; or the path of a .pt2 program")


SECTION = "make"
COMMAND = networks
