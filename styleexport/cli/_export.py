"""What the commands that write artifacts share: options, the call, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click

from styleexport.cli._common import PATH, human_bytes, json_option, print_json, print_table, talk
from styleexport.core.types import Precision, Sizing

if TYPE_CHECKING:
    from styleexport.core.manifest import FileFact
    from styleexport.exporter.pipeline import Exported
    from styleexport.exporter.targets._target import Target

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.argument("network", default="adain-lite"),
    click.option(
        "--checkpoint",
        "checkpoints",
        type=PATH,
        multiple=True,
        help="Weights; repeat it where the network takes two files.",
    ),
    click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="ROLE",
        help="encode, transform or stylize; repeatable.  [default: all that are needed]",
    ),
    click.option(
        "--size",
        "sizes",
        multiple=True,
        metavar="HxW",
        help="Height x width in pixels, or one number; repeatable.  [default: 512]",
    ),
    click.option(
        "--calibration",
        type=PATH,
        help="Folder of photographs for int8, or one with content/ and style/ inside.",
    ),
    click.option(
        "--budget",
        metavar="TEXT",
        help="What int8 files may lose.  [default: 'psnr>=35, style<=+5%'; auto: 38]",
    ),
    click.option("--recipe", type=PATH, help="An int8 recipe to follow, from an artifact."),
    click.option(
        "--allow-degraded", is_flag=True, help="Write int8 files over budget, and name them so."
    ),
    click.option(
        "-o", "--out", type=PATH, help="Artifact folder.  [default: NETWORK-TARGET-PRECISION]"
    ),
    click.option("--overwrite", is_flag=True, help="Replace a folder that holds other files too."),
    click.option("--trust", is_flag=True, help="Read a .pt2 that can run code."),
    json_option,
)


class Common(TypedDict):
    """The values of `OPTIONS`."""

    network: str
    checkpoints: tuple[Path, ...]
    roles: tuple[str, ...]
    sizes: tuple[str, ...]
    calibration: Path | None
    budget: str | None
    recipe: Path | None
    allow_degraded: bool
    out: Path | None
    overwrite: bool
    trust: bool
    as_json: bool


def export_options(command: F) -> F:
    """Give a command the options that every export takes."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def quantize_option(help_text: str) -> Callable[[F], F]:
    """Return the option that names precisions; every precision is one more file."""
    return click.option(
        "--quantize",
        "precisions",
        multiple=True,
        metavar="PRECISION",
        help=f"{help_text} Repeatable; all writes every one but auto.",
    )


def run_export(
    targets: tuple[str | Target, ...],
    precisions: tuple[str, ...],
    *,
    sizing: Sizing = Sizing.FIXED,
    skip_missing: bool = False,
    **common: Unpack[Common],
) -> None:
    """Export as a command asked, and print what came out."""
    from styleexport.cli._parse import parse_precisions, parse_roles, parse_sizes

    wanted, roles = parse_precisions(precisions), parse_roles(common["roles"])
    sizes = parse_sizes(common["sizes"])
    from styleexport.core.recipe import read_recipe
    from styleexport.exporter.pipeline import ExportRequest, export
    from styleexport.models.networks._open import open_network

    loaded = open_network(common["network"], common["checkpoints"], trusted=common["trust"])
    folder = common["out"] or _folder(loaded.network.name, targets, wanted)
    exported = export(
        ExportRequest(
            network=loaded,
            out=folder,
            targets=targets,
            precisions=wanted,
            roles=roles,
            sizes=sizes or loaded.default_sizes,
            sizing=sizing,
            calibration=common["calibration"],
            overwrite=common["overwrite"],
            budget=common["budget"],
            recipe=read_recipe(common["recipe"]) if common["recipe"] else None,
            allow_degraded=common["allow_degraded"],
            skip_missing=skip_missing,
        ),
        talk,
    )
    if common["as_json"]:
        print_json(exported.manifest)
        return
    print_export(exported)
    click.echo(f"artifact: {folder}")


def _folder(
    network: str, targets: tuple[str | Target, ...], precisions: tuple[Precision, ...]
) -> Path:
    """Return the folder of an artifact that the user did not name."""
    from styleexport.exporter.targets._target import find_target

    first, *others = targets
    if others:
        return Path(f"{network}-artifact")
    target = find_target(first) if isinstance(first, str) else first
    kept = precisions or (target.default_precision,)
    precision = kept if len(kept) == 1 else ()
    return Path("-".join((network, target.name, *precision)))


def _quality(fact: FileFact) -> str:
    """Return what an int8 file loses, short."""
    quality = fact.quality
    if quality is None:
        return ""
    style = "" if quality.style_change is None else f", style {quality.style_change:+.1%}"
    return f"{quality.psnr_db:.1f} dB{style}{' DEGRADED' if quality.failures else ''}"


def _memory(fact: FileFact) -> tuple[str, str]:
    """Return what an app needs for a file, an estimate, and what that means for phones."""
    from styleexport.runtime_bench.machine.phone_memory import needed_bytes, verdicts

    needed = needed_bytes(fact)
    return ("-", "") if needed is None else (human_bytes(needed), "/".join(verdicts(fact).values()))


def print_export(exported: Exported) -> None:
    """Print a line a file: what it is, what it weighs, how true it is, how long it took."""
    from styleexport.runtime_bench.machine.phone_memory import DEVICE_CLASSES

    manifest = exported.manifest
    phones = f"phone of {'/'.join(phone.name.split()[0] for phone in DEVICE_CLASSES)} GB"
    print_table(
        (
            "file",
            "bytes",
            "memory",
            phones,
            "precision",
            "int8 MACs",
            "parity",
            "allowed",
            "quality",
            "seconds",
        ),
        [
            (
                fact.path,
                human_bytes(fact.size_bytes),
                *_memory(fact),
                fact.precision,
                f"{fact.int8_mac_share:.0%}",
                f"{fact.worst.measured_db:.1f} dB",
                f"{fact.worst.allowed_db:g} dB",
                _quality(fact),
                f"{exported.seconds[fact.path]:.1f}",
            )
            for fact in manifest.files
        ],
    )
    for found in manifest.agreements:
        talk(f"{found.a} and {found.b} agree by {found.measured_db:.1f} dB")
    known: dict[str, int] = {}
    for fact in manifest.files:
        for remark in {f"{risk.reason}; {risk.remedy}" for risk in fact.risks}:
            known[remark] = known.get(remark, 0) + 1
    for remark, count in known.items():
        talk(f"risk in {count} of {len(manifest.files)} files: {remark}")
