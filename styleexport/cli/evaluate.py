"""`styleexport evaluate`: figures of a network's paintings of folders of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, say, weights_key_option
from styleexport.cli._levels import levels_option
from styleexport.cli._types import FOLDER, NETWORK, SIZE, WEIGHTS, Number
from styleexport.core.assets import DEFAULT_NETWORK
from styleexport.core.errors import UsageError
from styleexport.core.types import Size

if TYPE_CHECKING:
    from styleexport.models.network_spec import NetworkSpec
    from styleexport.models.training.evaluation import Evaluation


@click.command(
    short_help="Measure how well a network paints.",
    epilog="Example: styleexport evaluate adain-residual --content photos/ --style paintings/ "
    "--loss-weights vgg16.pth --lpips-heads lin.npz --sheet sheet.png",
)
@click.argument("network", type=NETWORK, default=DEFAULT_NETWORK)
@click.option(
    "--checkpoint", "checkpoints", type=WEIGHTS, multiple=True, help="Weights; repeatable."
)
@weights_key_option
@levels_option
@click.option("--content", type=FOLDER, required=True, help="Folder of photographs.")
@click.option("--style", type=FOLDER, required=True, help="Folder of paintings.")
@click.option("--loss-weights", type=WEIGHTS, required=True, help="ImageNet VGG-16 weights.")
@click.option(
    "--lpips-heads", type=WEIGHTS, help="LPIPS heads for VGG-16; LPIPS is left out without them."
)
@click.option(
    "--size",
    type=SIZE,
    default="256",
    help="Size of the pictures, which are square.",
)
@click.option(
    "--strength",
    "--alpha",
    "alpha",
    type=Number(0, 1),
    default=1.0,
    help="Strength of the style.",
)
@click.option(
    "--pairs",
    type=click.IntRange(1),
    help="Measure this many pairs, spread over both folders.  [default: all]",
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
    size: Size,
    alpha: float,
    pairs: int | None,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Measure NETWORK on pairs of two folders: style distance, gain beyond colour, and LPIPS.

    Gain beyond colour is the style distance that the paintings save over photographs whose colours
    were moved to the style's: 0 or less for a colour filter, above 0 for brush strokes. It is
    measured at SIZE, 1/2 and 1/4 of it, so type --size 512.
    """
    import torch

    from styleexport.core.images import check_picture_out, write_image
    from styleexport.core.types import Role
    from styleexport.models.networks._open import open_network
    from styleexport.models.training.contact_sheet import sheet_of, squares
    from styleexport.models.training.data import image_files
    from styleexport.models.training.evaluation import evaluate as measure

    if sheet is not None:
        check_picture_out(sheet)
    loaded = open_network(network, checkpoints)
    if Role.ENCODE not in loaded.roles:
        raise UsageError(f"{network} encodes no style pictures: evaluate takes two-image networks")
    encode, transform = loaded.role_module(Role.ENCODE), loaded.role_module(Role.TRANSFORM)
    strength = torch.tensor([alpha])
    side = _side(size)
    contents = squares(image_files([content]), side)
    styles = squares(image_files([style]), side)
    figures, outputs = measure(
        lambda c, s: transform(c, encode(s), strength),
        contents,
        styles,
        loss_weights,
        lpips_heads,
        pairs,
    )
    if sheet is not None:
        write_image(sheet_of(contents, styles, outputs), sheet)
    print_json(figures) if as_json else _print(figures)


def _print(figures: Evaluation) -> None:
    say(f"pairs {figures.pairs} at {figures.size}x{figures.size}")
    say(
        f"style distance {figures.style_distance:.4f} "
        f"(the photographs themselves {figures.unstyled_distance:.4f})"
    )
    for gain in figures.gain_beyond_colour:
        say(f"gain beyond colour at {gain.size} {gain.mean:+.3f}, above 0 on {gain.positive:.0%}")
    say(f"above 0 at every size on {figures.positive_at_all:.0%} of the pairs")
    if figures.lpips is not None:
        say(f"LPIPS to the content {figures.lpips:.4f}")


def _side(size: Size) -> int:
    """Return the side of square pictures.

    Raises:
        UsageError: the size is not square, or too small to measure.
    """
    if size.height != size.width or size.height < 32:
        raise UsageError(
            f"--size {size}: pictures are square here, 32 pixels a side or more; type --size 256"
        )
    return size.height


SECTION = "measure"
COMMAND = evaluate
