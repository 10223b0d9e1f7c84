"""Pages of the networks and encoders under docs/networks, written from their descriptions.

    python -m tools.network_pages [DOCS]

A page holds what the network's file says of it: its docstring, sizes, publication, checkpoints and
choices, and the commands that it takes. ``make pages`` writes them; a test compares.
"""

from __future__ import annotations

import importlib
import sys
from itertools import groupby
from pathlib import Path

from styleexport.core import plugins
from styleexport.models.encoders._encoder import ENCODERS, Encoder, encoder_names, find_encoder
from styleexport.models.network import StyleNetwork
from styleexport.models.network_facts import NetworkFacts, facts_of
from styleexport.models.network_spec import NETWORKS
from styleexport.models.networks._describe import description
from styleexport.models.networks._open import find

DOCS = Path(__file__).parents[1] / "docs"
MADE = "<!-- Written by `make pages` from the description of the network; do not edit. -->"
EXPORTED = "<!-- not run: tests/exporter exports every network by the same functions -->"


def pages() -> dict[str, str]:
    """Return the text of each page by its path under docs/networks."""
    networks = [(each, facts_of(each)) for each in map(find, plugins.names(NETWORKS))]
    made = {"README.md": _index(networks), "encoders.md": _encoders()}
    return made | {f"{network.name}.md": _page(network, facts) for network, facts in networks}


def _index(networks: list[tuple[StyleNetwork, NetworkFacts]]) -> str:
    lines = [MADE, "", "# Networks", "", "`styleexport networks` prints this list.", ""]
    by_family = sorted(networks, key=lambda entry: entry[0].family)
    for family, entries in groupby(by_family, key=lambda entry: entry[0].family):
        lines += [f"## {family}", ""]
        lines += ["| network | parameters | style code | |", "| --- | ---: | ---: | --- |"]
        for network, facts in entries:
            code = f"{facts.code_values:,}" if facts.code_values else "one style"
            name = f"[{network.name}]({network.name}.md)"
            lines.append(f"| {name} | {facts.parameters:,} | {code} | {network.summary} |")
        lines.append("")
    return "\n".join([*lines, "[Encoders and their taps](encoders.md)", ""])


def _page(network: StyleNetwork, facts: NetworkFacts) -> str:
    lines = [MADE, EXPORTED, "", f"# {network.name}", "", f"{_sentence(network.summary)}", ""]
    lines += _docstring(NETWORKS, network.name)
    lines += ["| | |", "| --- | --- |"]
    lines += [f"| {label} | {value} |" for label, value in description(network, facts)]
    lines += ["", "```bash", *_commands(network), "```", ""]
    return "\n".join(lines)


def _commands(network: StyleNetwork) -> list[str]:
    """Return the commands from training to a checked artifact."""
    name, given = network.name, ""
    lines: list[str] = []
    if network.weights is None:
        given = f" --checkpoint runs/{name}/weights.safetensors" if network.trains else ""
        given = given or " --checkpoint WEIGHTS"
    if network.trains:
        backbone = " --backbone ENCODER" if network.backbone else ""
        lines.append(
            f"styleexport train {name}{backbone} --content photos/ --style paintings/ "
            "--loss-weights vgg16.pth"
        )
    lines.append(f"styleexport export {name}{given} --precision all -o artifact")
    lines.append("styleexport verify artifact")
    return lines


def _encoders() -> str:
    lines = [MADE, "", "# Encoders", ""]
    lines += [
        "`styleexport train adain --encoder NAME --tap TAP` takes any of these. Parameters are",
        "those up to the tap; the stride is the picture's side over that of the features.",
        "",
    ]
    for encoder in map(find_encoder, encoder_names()):
        lines += _encoder(encoder)
    return "\n".join(lines)


def _encoder(encoder: Encoder) -> list[str]:
    lines = [f"## {encoder.name}", "", f"{_sentence(encoder.summary)} {encoder.paper}.", ""]
    lines += _docstring(ENCODERS, encoder.name)
    lines += [f"Weights: {encoder.checkpoints}. Default tap: `{encoder.default_tap}`.", ""]
    lines += ["| tap | channels | stride | parameters |", "| --- | ---: | ---: | ---: |"]
    for tap in encoder.taps:
        lines.append(f"| `{tap.name}` | {tap.channels} | {tap.stride} | {tap.parameters:,} |")
    return [*lines, ""]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _docstring(package: str, name: str) -> list[str]:
    """Return the docstring of an entry's file without its first line, which names it."""
    module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    text = (module.__doc__ or "").replace("``", "`").partition("\n\n")[2].strip()
    return [text, ""] if text else []


def main() -> None:
    """Write the pages into the folder given on the command line, or into docs."""
    docs = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    folder = docs / "networks"
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for stale in {path.name for path in folder.glob("*.md")} - made.keys():
        (folder / stale).unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
