"""How the networks that ship paint: strokes, likeness to the photograph, and flicker on a pan.

Run: python docs/benchmarks/default_network.py IMAGES VGG16 LPIPS_HEADS [--microast FOLDER]
    [--pairs N]

IMAGES holds ``eval/content`` and ``eval/style``; FOLDER the four published files of MicroAST, for
scale. Writes default_network.json and default_network.md beside this file.

Flicker: a window of 512 pixels moves over a photograph by 5 pixels a frame, six frames with one
style code; see `runtime_bench.quality.flicker`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from styleexport.core.assets import DEFAULT_NETWORK
from styleexport.core.images import array_from_image, read_image, resize_shorter
from styleexport.core.types import Role
from styleexport.models.compress.cost import parameters_of
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network
from styleexport.models.training.contact_sheet import squares
from styleexport.models.training.data import image_files
from styleexport.models.training.evaluation import Evaluation, evaluate
from styleexport.runtime_bench.quality.flicker import translation, warping_error

HERE = Path(__file__).parent
SIZE, SHIFT, FRAMES, PANS = 512, 5, 6, 4
MICROAST = "tests.networks_in_the_wild.microast"


class Figures(Struct, frozen=True, kw_only=True):
    """Figures of one network.

    Attributes:
        parameters: number of parameters.
        evaluation: means over the pairs.
        flicker: mean over the pans, 0..1.
    """

    parameters: int
    evaluation: Evaluation
    flicker: float


@torch.inference_mode()
def measured(network: LoadedNetwork, given: argparse.Namespace) -> Figures:
    """Return the figures of a network on the evaluation pictures."""
    encode, transform = (network.role_module(role) for role in (Role.ENCODE, Role.TRANSFORM))
    full = torch.ones(1)
    contents, styles = (
        image_files([given.images / "eval" / kind]) for kind in ("content", "style")
    )
    painted = lambda content, style: transform(content, encode(style), full)  # noqa: E731
    pictures = squares(contents, SIZE), squares(styles, SIZE)
    evaluation, _ = evaluate(painted, *pictures, given.loss_weights, given.heads, given.pairs)
    errors: list[float] = []
    for pan, style in zip(map(frames, contents[:PANS]), pictures[1].split(1), strict=False):
        code = encode(style)
        painted_pan = [transform(frame, code, full).numpy() for frame in pan]
        errors += [warping_error(a, b, translation(SHIFT, 0)) for a, b in pairwise(painted_pan)]
    parameters = parameters_of(network)
    return Figures(parameters=parameters, evaluation=evaluation, flicker=sum(errors) / len(errors))


def frames(photograph: Path) -> list[Tensor]:
    """Return windows of a photograph, [1, 3, SIZE, SIZE] each, that move to the right."""
    image = resize_shorter(read_image(photograph), SIZE + SHIFT * FRAMES)
    pixels = torch.from_numpy(array_from_image(image))[:, :, :SIZE]
    return [pixels[..., SHIFT * n : SHIFT * n + SIZE] for n in range(FRAMES)]


def microast(folder: Path) -> LoadedNetwork:
    """Return MicroAST with its four published files."""
    network, module = open_network(f"{MICROAST}:build"), importlib.import_module(MICROAST)
    files = {part: next(folder.glob(f"{part}_iter_*")) for part in module.PARTS}
    tensors = {part: torch.load(file, weights_only=True) for part, file in files.items()}
    network.module.load_state_dict(module.joined(tensors))
    return network


def page(table: dict[str, Figures]) -> str:
    """Return the page."""
    pairs = table[DEFAULT_NETWORK].evaluation.pairs
    lines = [
        "# How the shipped networks paint",
        "",
        "Written by `python docs/benchmarks/default_network.py`; its first lines define flicker.",
        f"{pairs} pairs of evaluation pictures at {SIZE}x{SIZE}, float32, judged by VGG-16. Gain",
        "beyond colour: share of the style distance that the painting saves over the photograph",
        f"with the style's colours. `{DEFAULT_NETWORK}` is the default.",
        "",
        "| network | parameters | gain at 512 | at 256 | at 128 | above 0 at all three "
        "| style distance | LPIPS to the photograph | flicker |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        judged = row.evaluation
        gains = " | ".join(f"{gain.mean:+.2f}" for gain in judged.gain_beyond_colour)
        lines.append(
            f"| {name} | {row.parameters:,} | {gains} | {judged.positive_at_all:.0%} "
            f"| {judged.style_distance:.3f} | {judged.lpips:.3f} | {row.flicker:.4f} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Measure the networks and write the page."""
    parser = argparse.ArgumentParser(description="Measure how the shipped networks paint.")
    parser.add_argument("images", type=Path, help="folder that holds eval/content and eval/style")
    parser.add_argument("loss_weights", type=Path, help="ImageNet VGG-16 weights")
    parser.add_argument("heads", type=Path, help="LPIPS heads for VGG-16")
    parser.add_argument("--microast", type=Path, help="folder with the published files")
    parser.add_argument("--pairs", type=int, help="pairs to measure; all without it")
    given = parser.parse_args(arguments)
    networks = {name: open_network(name) for name in (DEFAULT_NETWORK, "adain-lite")}
    if given.microast is not None:
        networks["MicroAST"] = microast(given.microast)
    table: dict[str, Figures] = {}
    for name, network in networks.items():
        table[name] = measured(network, given)
        sys.stderr.write(f"{name} {table[name]}\n")
        encoded = msgspec.json.format(msgspec.json.encode(table), indent=1)
        (HERE / "default_network.json").write_bytes(encoded + b"\n")
        (HERE / "default_network.md").write_text(page(table))


if __name__ == "__main__":
    main(sys.argv[1:])
