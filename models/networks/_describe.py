"""Description of a network for a reader: sizes, publication, checkpoints, encoders, taps."""

from __future__ import annotations

import torch

from styleexport.core.errors import UsageError
from styleexport.models.encoders._encoder import encoder_names, find_encoder
from styleexport.models.network import StyleNetwork
from styleexport.models.network_facts import NetworkFacts


def description(network: StyleNetwork, facts: NetworkFacts) -> list[tuple[str, str]]:
    """Return the facts of a network for a reader, a label and a line each."""
    lines = [
        ("size", str(facts)),
        ("pictures", f"{network.min_side} pixels and more a side; {network.input_pixels}"),
        *([("style code", str(facts.code_layout))] if facts.code_layout else []),
        ("paper", network.paper),
        ("licence", network.licence),
        ("--checkpoint", network.checkpoints),
    ]
    if network.backbone:
        lines.append(("--backbone", network.backbone))
    encoders = (network.encoder,)
    if "encoder" in network.choices:
        encoders = [name for name in encoder_names() if _builds(network, encoder=name)]
        lines.append(("--encoder", f"{', '.join(encoders)}; default {network.encoder}"))
    if "tap" in network.choices:
        encoder = find_encoder(network.encoder)
        taps = ", ".join(str(tap) for tap in encoder.taps if _builds(network, tap=tap.name))
        of = f" of {encoder.name}" if len(encoders) > 1 else ""
        lines.append(("--tap", f"{taps}{of}; default {encoder.default_tap}"))
    if network.select is not None:
        levels = "some of those that the checkpoint has, the deepest first: 5,4,3; default all"
        lines.append(("--levels", levels))
    return lines


def _builds(network: StyleNetwork, **variant: str) -> bool:
    """Return whether there is such a variant."""
    try:
        with torch.device("meta"):
            network.build(**variant)
    except UsageError:
        return False
    return True
