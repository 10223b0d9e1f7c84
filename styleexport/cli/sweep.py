"""`styleexport sweep`: export and measure every combination of a plan, into one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, json_option, print_json, print_table, talk
from styleexport.cli._types import TARGETS
from styleexport.core.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from styleexport.runtime_bench.sweep import PlannedArtifact, SweepPlan, SweepRequest, SweepRow


@click.command(
    short_help="Export and measure every combination of a plan.",
    epilog="Example: styleexport sweep sweep.toml -o results.sqlite && styleexport report "
    "results.sqlite -o report.html",
)
@click.argument("file", type=PATH, metavar="SWEEP.TOML")
@click.option(
    "-o", "--out", type=PATH, help="Table to write.  [default: SWEEP.sqlite beside the file]"
)
@click.option(
    "--resume/--restart",
    default=True,
    help="Continue an earlier run, or start over.",
)
@click.option(
    "--workers",
    type=int,
    default=1,
    help="Number of exports that run in parallel.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Address of a dask scheduler whose workers see the same folders.",
)
@click.option("--dry-run", is_flag=True, help="Print the cells without running them.")
@json_option
def sweep(
    file: Path,
    out: Path | None,
    resume: bool,
    workers: int,
    scheduler: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Export and measure every combination of SWEEP.TOML, into one table.

    Exports run in parallel; after them, latency is measured one cell at a time on each machine. An
    example of a plan: networks = ["adain-residual"], sizes = [256, 512],
    runners = ["onnxruntime"], and a table [[recipes]] for each target and precision.
    """
    from styleexport.runtime_bench import sweep as engine

    plan = engine.read_plan(file)
    _check_names(plan)
    request = engine.SweepRequest(
        plan=plan,
        folder=file.parent,
        out=out or file.with_suffix(".sqlite"),
        suffixes=_suffixes(recipe.target for recipe in plan.recipes),
        restart=not resume,
        workers=workers,
        scheduler=scheduler,
    )
    rows = engine.current_rows(request) if dry_run else engine.sweep(request, export_one, talk)
    print_json(rows) if as_json else _print(rows)
    if not dry_run:
        _check_complete(rows, request)


def _check_names(plan: SweepPlan) -> None:
    """Check the names of networks and targets before a library is imported.

    Raises:
        UsageError: there is no such network or target.
    """
    from styleexport.core.plugins import check_name
    from styleexport.models.network_spec import NetworkSpec

    for network in plan.networks:
        NetworkSpec.parse(network if isinstance(network, str) else network.name).check()
    for recipe in plan.recipes:
        check_name(TARGETS, recipe.target, "target")


def _suffixes(targets: Iterable[str]) -> dict[str, str]:
    """Return target → what its files end in."""
    from styleexport.exporter.targets._target import find_target

    return {name: find_target(name).suffix for name in dict.fromkeys(targets)}


def export_one(item: PlannedArtifact, folder: Path) -> None:
    """Write the artifact of one network, recipe and size; other processes call this."""
    from styleexport.core.recipe import read_recipe
    from styleexport.core.types import Size
    from styleexport.exporter.pipeline import ExportRequest, export
    from styleexport.models.networks._open import open_network

    base = Path(item.folder)
    checkpoints = tuple(base / name for name in item.network.checkpoints)
    export(
        ExportRequest(
            network=open_network(
                item.network.name, checkpoints, weights_keys=item.network.weights_keys
            ),
            out=folder,
            overwrite=True,
            targets=(item.recipe.target,),
            precisions=(item.recipe.precision,),
            roles=item.roles or None,
            sizes=(Size.parse(item.size),),
            budget=item.recipe.budget,
            recipe=read_recipe(base / item.recipe.recipe) if item.recipe.recipe else None,
        )
    )


def _print(rows: Sequence[SweepRow]) -> None:
    print_table(
        ("network", "target", "precision", "size", "runner", "status", "why"),
        [(r.network, r.target, r.precision, r.size, r.runner, r.status, r.message) for r in rows],
    )


def _check_complete(rows: Sequence[SweepRow], request: SweepRequest) -> None:
    """Say where the table is, and fail where a cell of it is missing."""
    talk(f"table: {request.out}")
    missing = [row for row in rows if row.status != "measured"]
    if missing:
        raise DeviceError(
            f"{len(missing)} of {len(rows)} cells were not measured, the first on "
            f"{missing[0].runner}: {missing[0].message}; run the same command again to try those"
        )


SECTION = "measure"
COMMAND = sweep
