"""`styleexport bench`: how long files take, on every runtime of this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from styleexport.cli._bench_compare import compare
from styleexport.cli._common import PATH, json_option, print_json, print_table, talk
from styleexport.core.errors import DeviceError, ParityFailure, UsageError
from styleexport.runtime_bench.contract import defaults

if TYPE_CHECKING:
    from styleexport.runtime_bench.bench import BenchRequest
    from styleexport.runtime_bench.contract.latency import CellFact, LatencyReport

HEADER = (
    "network",
    "role",
    "file",
    "runner",
    "batch",
    "median ms",
    "95 % interval",
    "min",
    "p90",
    "first",
    "load",
    "peak MB",
    "PSNR dB",
    "status",
)
EXAMPLE = """\b
Example: styleexport bench adain-lite-onnx-int8 --runner onnxruntime --runner openvino
         styleexport bench adain-lite-onnx --runner torch:dtype=bf16,mode=compile --size 512
         styleexport bench adain-lite-tflite-int8 --runner litert --runner android:delegate=gpu
         styleexport bench compare before.json after.json --fail-above 10%
"""


class Bench(click.Command):
    """A command on artifacts, one word of which, ``compare``, is a command of its own."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Return the context of the command that was typed."""
        if args[:1] == ["compare"]:
            return compare.make_context(f"{info_name} compare", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


class Options(TypedDict):
    """What was typed of how to measure."""

    runners: tuple[str, ...]
    sizes: tuple[str, ...]
    roles: tuple[str, ...]
    precisions: tuple[str, ...]
    batches: tuple[int, ...]
    threads: int | None
    affinity: str | None
    rounds: int
    seconds: float
    min_samples: int
    warm_up: float
    no_peak: bool
    profile: bool
    serial: str | None
    allow_hot: bool
    binary: Path | None


@click.command(cls=Bench, epilog=EXAMPLE)
@click.argument("artifacts", nargs=-1, required=True, type=PATH, metavar="ARTIFACT...")
@click.option(
    "--runner",
    "runners",
    multiple=True,
    metavar="NAME[:SETTING=VALUE,...]",
    help="Repeatable; phones are measured where they are named.  "
    "[default: every one that can run here]",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="HxW",
    help="Of the pictures; repeatable.  [default: every one of the files]",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="encode, transform or stylize; repeatable.  [default: all]",
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    metavar="PRECISION",
    help="Of the files; repeatable.  [default: all]",
)
@click.option(
    "--batch",
    "batches",
    type=int,
    multiple=True,
    default=(1,),
    show_default=True,
    help="Pictures at once; repeatable.",
)
@click.option("--threads", type=int, help="Of each runtime.  [default: one a processor]")
@click.option("--affinity", metavar="LIST", help="Processors to stay on: 0,1 or 0-3.")
@click.option(
    "--rounds", type=int, default=defaults.ROUNDS, show_default=True, help="Turns of each cell."
)
@click.option(
    "--seconds",
    type=float,
    default=defaults.SECONDS,
    show_default=True,
    help="Of a turn, at least.",
)
@click.option(
    "--min-samples",
    type=int,
    default=defaults.MIN_SAMPLES,
    show_default=True,
    help="Of a turn, at least; fewer for files of many seconds.",
)
@click.option(
    "--warm-up",
    type=float,
    default=defaults.WARM_UP_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="To become stable in, at most.",
)
@click.option("--no-peak", is_flag=True, help="Leave out the probe of what the machine can do.")
@click.option("--profile", is_flag=True, help="Time every operation too, after the rounds.")
@click.option("--serial", help="Of the phone, where several are connected.")
@click.option("--allow-hot", is_flag=True, help="Measure a phone that already slows itself down.")
@click.option(
    "--benchmark-binary",
    "binary",
    type=PATH,
    metavar="PROGRAM",
    help="Run benchmark_model or onnxruntime_perf_test on the phone instead of the app.",
)
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="The report; a phone's beside this machine's gets "
    "NAME-android.json.  [default: NETWORK-latency.json]",
)
@click.option("--overwrite", is_flag=True, help="Replace a report that is there.")
@json_option
def bench(
    artifacts: tuple[Path, ...],
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Unpack[Options],
) -> None:
    """Measure the latency of every file of ARTIFACT: one process a cell, in rounds, raw samples.

    A cell is a file on a runner at a size. It is checked on the artifact's probe before it is
    timed, and gets no latency where it fails. `styleexport report` makes a page of the reports.
    """
    from styleexport.runtime_bench.bench import bench_everywhere
    from styleexport.runtime_bench.contract.latency import write_report

    request = _request(artifacts, options)
    paths = _free_paths(artifacts, request, out, overwrite)
    measured: list[LatencyReport] = []
    for found in bench_everywhere(request, talk):
        _check_any_ran(found)
        path = paths.get(found.harness.name, paths["desktop"])
        write_report(found, path)
        talk(f"report: {path}")
        measured.append(found)
    if as_json:
        print_json(measured if len(measured) > 1 else measured[0])
    else:
        _print(measured)
    for found in measured:
        _check_any_right(found)


def _request(artifacts: tuple[Path, ...], options: Options) -> BenchRequest:
    """Return what the options ask for."""
    from styleexport.cli._parse import parse_precision, parse_roles, parse_sizes
    from styleexport.runtime_bench.bench import BenchRequest
    from styleexport.runtime_bench.contract.job import PlanFact
    from styleexport.runtime_bench.contract.remote import DeviceOptions
    from styleexport.runtime_bench.runners._choice import parse_runner

    precisions = (parse_precision(text, "--precision int8") for text in options["precisions"])
    return BenchRequest(
        artifacts=artifacts,
        runners=tuple(parse_runner(text) for text in options["runners"]),
        sizes=parse_sizes(options["sizes"]),
        roles=parse_roles(options["roles"]) or (),
        precisions=tuple(precisions),
        batches=options["batches"],
        plan=PlanFact(
            rounds=options["rounds"],
            seconds=options["seconds"],
            min_samples=options["min_samples"],
            warm_up_seconds=options["warm_up"],
            threads=options["threads"],
        ),
        affinity=_processors(options["affinity"] or ""),
        peak=not options["no_peak"],
        profile=options["profile"],
        command=" ".join(["styleexport", *sys.argv[1:]]),
        device=DeviceOptions(options["serial"], options["allow_hot"], options["binary"]),
    )


def _processors(text: str) -> tuple[int, ...]:
    """Return the processors of a list such as ``0,2-3``.

    Raises:
        UsageError: it is not one.
    """
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise UsageError(
                f"--affinity {text!r} is no list of processors: type for example --affinity 0,1"
            )
        found |= set(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def _free_paths(
    artifacts: tuple[Path, ...], request: BenchRequest, out: Path | None, overwrite: bool
) -> dict[str, Path]:
    """Return where the report of each harness goes: one alone to ``out``, phones else beside it.

    Raises:
        BadArtifact: the first folder is not an artifact.
        UsageError: there is a file already.
    """
    from styleexport.core.manifest import read_manifest
    from styleexport.runtime_bench.runners._runner import on_other_machine

    if out is None:
        network = read_manifest(artifacts[0], check_files=False).network.name
        out = Path(f"{network}-latency.json")
    names = dict.fromkeys(choice.name for choice in request.runners)
    phones = [name for name in names if on_other_machine(name)]
    if len(phones) == len(names) == 1:
        paths = {"desktop": out}
    else:
        beside = {name: out.with_stem(f"{out.stem}-{name}") for name in phones}
        paths = beside if len(phones) == len(names) > 0 else beside | {"desktop": out}
    for path in paths.values():
        if path.is_dir() or (path.exists() and not overwrite):
            raise UsageError(f"{path} is there already: add --overwrite or choose another with -o")
    return paths | {"desktop": out}


def _print(measured: Sequence[LatencyReport]) -> None:
    for found in measured:
        if len(measured) > 1:
            click.echo(f"{found.machine.device}, {found.machine.os}")
        _print_cells(found)


def _print_cells(found: LatencyReport) -> None:
    for size in dict.fromkeys(cell.size.size() for cell in found.cells):
        click.echo(f"{size}, {found.protocol.rounds} rounds")
        print_table(HEADER, [_row(cell) for cell in found.cells if cell.size.size() == size])
    for cell in found.cells:
        if cell.message:
            click.echo(_story(cell))


def _row(cell: CellFact) -> tuple[str, ...]:
    from styleexport.runtime_bench.stats import summarise

    psnr = f"{cell.parity.measured_db:.1f}" if cell.parity else "-"
    kind = f"{cell.subject.target} {cell.subject.precision}"
    head = (cell.subject.network, cell.subject.role, kind, cell.runner_label, str(cell.batch))
    if cell.status != "measured":
        return (*head, *["-"] * 7, psnr, cell.status)
    figures = summarise(cell.rounds_ns)
    first, load, peak = cell.first_ns or 0, max(cell.loads_ns[:1], default=0), cell.peak_rss_bytes
    return (
        *head,
        _ms(figures.median_ns),
        f"{_ms(figures.low_ns)} to {_ms(figures.high_ns)}",
        *(_ms(value) for value in (figures.min_ns, figures.p90_ns, first, load)),
        f"{peak / 1e6:.0f}" if peak else "-",
        psnr,
        cell.status,
    )


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.2f}"


def _check_any_ran(found: LatencyReport) -> None:
    """Refuse a report that says nothing of any file.

    Raises:
        DeviceError: none could run.
    """
    if all(cell.parity is None and cell.status != "measured" for cell in found.cells):
        raise DeviceError(f"nothing was measured: {_story(found.cells[0])}")


def _check_any_right(found: LatencyReport) -> None:
    """Refuse a report in which nothing was timed.

    Raises:
        DeviceError: what ran did not end.
        ParityFailure: what ran differs from its network.
    """
    if not any(cell.status == "measured" or _is_proven(cell) for cell in found.cells):
        wrong = [cell for cell in found.cells if cell.status == "wrong"]
        kind = ParityFailure if wrong else DeviceError
        raise kind(f"nothing was measured: {_story((wrong or found.cells)[0])}")


def _is_proven(cell: CellFact) -> bool:
    """Whether a runner that never times has proven the file."""
    from styleexport.runtime_bench.runners._runner import any_runner

    proven = cell.parity is not None and cell.parity.passed
    return proven and not any_runner(cell.runner).timed


def _story(cell: CellFact) -> str:
    return f"{cell.subject.path} on {cell.runner_label}: {cell.message}"


COMMAND = bench
