"""Options, call and table shared by the commands that write artifacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click

from styleexport.cli._common import (
    PATH,
    detail,
    human_bytes,
    json_option,
    print_json,
    print_table,
    say,
    talk,
    weights_key_option,
)
from styleexport.cli._levels import levels_option
from styleexport.cli._pixels import pixel_options
from styleexport.cli._types import (
    BUDGET,
    FOLDER,
    NETWORK,
    PRECISION,
    RECIPE,
    ROLE,
    SIZE,
    WEIGHTS,
    merge_precisions,
    precision_type,
)
from styleexport.core.assets import DEFAULT_NETWORK
from styleexport.core.types import Precision, Role, Size, Sizing

if TYPE_CHECKING:
    from styleexport.core.manifest import FileFact
    from styleexport.exporter.pipeline import Exported
    from styleexport.exporter.targets._target import Target
    from styleexport.models.network import LoadedNetwork
    from styleexport.models.network_spec import NetworkSpec
    from styleexport.runtime_bench.quality.budget import Budget

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.argument("network", type=NETWORK, default=DEFAULT_NETWORK),
    click.option(
        "--checkpoint",
        "checkpoints",
        type=WEIGHTS,
        multiple=True,
        help="Weights file; repeat it for a network that takes two.",
    ),
    weights_key_option,
    click.option(
        "--role",
        "roles",
        type=ROLE,
        multiple=True,
        help="encode, transform or stylize; encode, content or step of a network that optimizes "
        "the picture; repeatable.  [default: all that are needed]",
    ),
    click.option(
        "--size",
        "sizes",
        type=SIZE,
        multiple=True,
        help="Height x width in pixels, or one number for both; repeatable.  [default: 512]",
    ),
    click.option(
        "--calibration",
        type=FOLDER,
        help="Folder of photographs for int8, or one with content/ and style/ inside.",
    ),
    click.option(
        "--budget",
        type=BUDGET,
        help="Quality limits of int8 files.  [default: 'psnr>=35, style<=+5%'; auto: 38]",
    ),
    click.option(
        "--recipe", type=RECIPE, help="Follow this int8 recipe, from recipes/ of an artifact."
    ),
    click.option(
        "--allow-degraded",
        is_flag=True,
        help="Write int8 files that miss the budget, with -degraded in their names.",
    ),
    click.option(
        "-o", "--out", type=PATH, help="Artifact folder.  [default: NETWORK-TARGET-PRECISION]"
    ),
    click.option(
        "--overwrite",
        is_flag=True,
        help="Replace an artifact even if it holds style packs or altered files.",
    ),
    click.option(
        "--full",
        is_flag=True,
        help="Write files too that paint pictures of any size in tiles, seamless: --size is that "
        "of a tile's window.",
    ),
    click.option(
        "--no-rewrite",
        "without",
        multiple=True,
        metavar="NAME",
        help="Turn off an exact rewrite, such as phase-transposed-convs; the manifest lists those "
        "that were applied. Repeatable.",
    ),
    click.option("--trust", is_flag=True, help="Load a .pt2 that could run code."),
    click.option(
        "--dequantize",
        is_flag=True,
        help="Take the float network back out of a quantized .onnx file.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1, 64),
        envvar="STYLEEXPORT_JOBS",
        help="Processes that export roles, sizes and targets at the same time.  [default: 2, or 1 "
        "on one core or above 1024 pixels]",
    ),
    json_option,
)


class Common(TypedDict):
    """The values of `OPTIONS`."""

    network: NetworkSpec
    checkpoints: tuple[Path, ...]
    roles: tuple[Role, ...]
    sizes: tuple[Size, ...]
    calibration: Path | None
    budget: Budget | None
    recipe: Path | None
    allow_degraded: bool
    out: Path | None
    overwrite: bool
    full: bool
    without: tuple[str, ...]
    trust: bool
    dequantize: bool
    jobs: int | None
    as_json: bool


def export_options(command: F) -> F:
    """Give a command the options that every export takes."""
    command = levels_option(pixel_options(command))
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def precision_option(help_text: str) -> Callable[[F], F]:
    """Return the option that names precisions; every precision is one more file."""
    return click.option(
        "--precision",
        "--quantize",
        "precisions",
        type=PRECISION,
        multiple=True,
        callback=lambda _context, _option, values: merge_precisions(values),
        help=f"{help_text} Repeatable; all writes every one but auto.",
    )


arithmetic_option = click.option(
    "--arithmetic",
    type=precision_type("--arithmetic fp16"),
    help="fp16 or fp32, for what is not in int8 and for compressed weights.  [default: fp16; fp32 "
    "where --precision names it and not fp16]",
)


def arithmetic_of(precisions: tuple[Precision, ...], asked: Precision | None) -> Precision:
    """Return the arithmetic of what is in float: what was asked for, or what precisions imply."""
    only_fp32 = Precision.FP32 in precisions and Precision.FP16 not in precisions
    return asked or (Precision.FP32 if only_fp32 else Precision.FP16)


def run_export(
    targets: tuple[str | Callable[[], Target], ...],
    precisions: tuple[Precision, ...],
    *,
    sizing: Sizing = Sizing.FIXED,
    skip_missing: bool = False,
    **common: Unpack[Common],
) -> Exported:
    """Export with the options of a command, print the files, and return their facts.

    Args:
        targets: names of targets, or functions that return one with settings of its own, called
            when all that needs no library has been checked.
        precisions: see `ExportRequest`.
        sizing: see `ExportRequest`.
        skip_missing: see `ExportRequest`.
        common: values of `OPTIONS`.
    """
    from styleexport.core.recipe import read_recipe
    from styleexport.exporter.out_folder import check_out

    recipe = read_recipe(common["recipe"]) if common["recipe"] else None
    if common["out"]:
        check_out(common["out"], overwrite=common["overwrite"])

    from styleexport.exporter.pipeline import ExportRequest, export
    from styleexport.exporter.processes import default_jobs

    opened = tuple(item if isinstance(item, str) else item() for item in targets)
    loaded = _opened(common)
    sizes = common["sizes"] or loaded.default_sizes
    folder = common["out"] or _folder(loaded.network.name, opened, precisions)
    exported = export(
        ExportRequest(
            network=loaded,
            out=folder,
            targets=opened,
            precisions=precisions,
            roles=tuple(dict.fromkeys(common["roles"])) or None,
            sizes=sizes,
            sizing=sizing,
            calibration=common["calibration"],
            overwrite=common["overwrite"],
            budget=str(common["budget"]) if common["budget"] else None,
            recipe=recipe,
            allow_degraded=common["allow_degraded"],
            skip_missing=skip_missing,
            full=common["full"],
            without=tuple(dict.fromkeys(common["without"])),
            jobs=common["jobs"] or default_jobs(sizes),
        ),
        talk,
    )
    if common["as_json"]:
        print_json(exported.manifest)
    else:
        _print_details(exported)
        print_export(exported)
        say(f"artifact: {folder}")
    return exported


def _print_details(exported: Exported) -> None:
    """Print what was rewritten, what stays in float and why, and versions, where -v asks."""
    manifest = exported.manifest
    for fact in manifest.files:
        for each in fact.passes:
            why = "; ".join((f"{each.applied} places", *each.reasons, *each.refused))
            detail(f"{fact.path}: {each.name}: {why}")
        for island in fact.quantization.float_islands if fact.quantization else ():
            detail(f"{fact.path}: float: {', '.join(island.ops)}: {island.reason}")
    versions = ", ".join(f"{name} {version}" for name, version in manifest.tools.items())
    detail(f"written with {versions}")


def _opened(common: Common) -> LoadedNetwork:
    """Return the network that the options name, and print what opening it found."""
    from styleexport.models.networks._open import open_network

    spec = _dequantized(common["network"]) if common["dequantize"] else common["network"]
    loaded = open_network(spec, common["checkpoints"], trusted=common["trust"])
    for remark in loaded.remarks:
        talk(remark)
    return loaded


def _dequantized(spec: NetworkSpec) -> NetworkSpec:
    from styleexport.core.errors import UsageError
    from styleexport.models.network_spec import NetworkSource

    if spec.source is not NetworkSource.ONNX:
        raise UsageError(f"--dequantize is for .onnx files, and {spec} is none: leave it out")
    return replace(spec, dequantize=True)


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
    """Return the quality of an int8 file in a few words."""
    quality = fact.quality
    if quality is None:
        return ""
    style = "" if quality.style_change is None else f", style {quality.style_change:+.1%}"
    return f"{quality.psnr_db:.1f} dB{style}{' DEGRADED' if quality.failures else ''}"


def _memory(fact: FileFact) -> tuple[str, str]:
    """Return the memory that an app needs for a file (an estimate), and a verdict per phone."""
    from styleexport.runtime_bench.machine.phone_memory import needed_bytes, verdicts

    needed = needed_bytes(fact)
    return ("-", "") if needed is None else (human_bytes(needed), "/".join(verdicts(fact).values()))


def print_export(exported: Exported) -> None:
    """Print a line per file, and what is known of all of them."""
    _print_files(exported)
    manifest = exported.manifest
    if manifest.network.pixels is not None:
        say(f"parity is against the network with {manifest.network.pixels.summary}")
    for pair in manifest.agreements:
        talk(f"{pair.a} and {pair.b} agree by {pair.measured_db:.1f} dB")
    known: dict[str, int] = {}
    # Risks of ONNX files are those of providers that an app must ask for: `inspect` says them.
    for fact in (fact for fact in manifest.files if not fact.path.endswith(".onnx")):
        for remark in {f"{risk.reason}; {risk.remedy}" for risk in fact.risks}:
            known[remark] = known.get(remark, 0) + 1
    for remark, count in known.items():
        talk(f"risk in {count} of {len(manifest.files)} files: {remark}")


def _print_files(exported: Exported) -> None:
    """Print a line per file: precision, size, memory, parity, quality and seconds."""
    from styleexport.runtime_bench.machine.phone_memory import DEVICE_CLASSES

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
            for fact in exported.manifest.files
        ],
    )
