"""`styleexport evaluate`: style distance and LPIPS of a network on folders of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, say, weights_key_option
from styleexport.cli._types import NETWORK
from styleexport.core.errors import UsageError

if TYPE_CHECKING:
    from styleexport.models.network_spec import NetworkSpec


@click.command(
    short_help="Measure style distance and LPIPS of a network.",
    epilog="Example: styleexport evaluate adain-lite --content photos/ --style paintings/ "
    "--loss-weights vgg16.pth --lpips-heads lin.npz --sheet sheet.png",
)
@click.argument("network", type=NETWORK, default="adain-lite")
@click.option("--checkpoint", "checkpoints", type=PATH, multiple=True, help="Weights; repeatable.")
@weights_key_option
@click.option("--content", type=PATH, required=True, help="Folder of photographs.")
@click.option("--style", type=PATH, required=True, help="Folder of paintings.")
@click.option("--loss-weights", type=PATH, required=True, help="ImageNet VGG-16 weights.")
@click.option(
    "--lpips-heads", type=PATH, help="LPIPS heads for VGG-16; LPIPS is left out without them."
)
@click.option(
    "--size",
    type=click.IntRange(32),
    default=256,
    show_default=True,
    help="Side of the square pictures in pixels.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Strength of the style.",
)
@click.option("--sheet", type=PATH, help="Write a contact sheet of all pairs here.")
@json_option
def evaluate(
    network: NetworkSpec,
    checkpoints: tuple[Path, ...],
    content: Path,
    style: Path,
    loss_weights: Path,
    lpips_heads: Path | None,
    size: int,
    alpha: float,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Measure NETWORK on every pair of two folders: style distance, and LPIPS to the content."""
    import torch

    from styleexport.core.images import write_image
    from styleexport.core.types import Role
    from styleexport.models.networks._open import open_network
    from styleexport.models.training.contact_sheet import sheet_of, squares
    from styleexport.models.training.data import image_files
    from styleexport.models.training.evaluation import evaluate as measure

    loaded = open_network(network, checkpoints)
    if Role.ENCODE not in loaded.roles:
        raise UsageError(f"{network} encodes no style pictures: evaluate takes two-image networks")
    encode, transform = loaded.role_module(Role.ENCODE), loaded.role_module(Role.TRANSFORM)
    strength = torch.tensor([alpha])
    contents = squares(image_files([content]), size)
    styles = squares(image_files([style]), size)
    figures, outputs = measure(
        lambda c, s: transform(c, encode(s), strength), contents, styles, loss_weights, lpips_heads
    )
    if sheet is not None:
        write_image(sheet_of(contents, styles, outputs), sheet)
    if as_json:
        print_json(figures)
        return
    say(f"pairs {figures.pairs} at {figures.size}x{figures.size}")
    say(
        f"style distance {figures.style_distance:.4f} "
        f"(the photographs themselves {figures.unstyled_distance:.4f})"
    )
    if figures.lpips is not None:
        say(f"LPIPS to the content {figures.lpips:.4f}")


SECTION = "measure"
COMMAND = evaluate
