"""`styleexport bench`: latency of files on the runtimes of this machine and of phones."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from styleexport.cli._bench_compare import compare
from styleexport.cli._bench_tables import error_line, print_reports
from styleexport.cli._common import PATH, json_option, print_json, talk, typed_command
from styleexport.cli._group import DefaultCommand, DefaultGroup
from styleexport.cli._types import DOUBTS, NUMBER, PROCESSORS, ROLE, RUNNER, SIZE, precision_type
from styleexport.core.errors import DeviceError, ParityFailure, UsageError
from styleexport.runtime_bench.contract import defaults

if TYPE_CHECKING:
    from styleexport.core.types import Precision, Role, Size
    from styleexport.runtime_bench.bench import BenchRequest
    from styleexport.runtime_bench.contract.latency import CellFact, Doubt, LatencyReport
    from styleexport.runtime_bench.runners._choice import RunnerChoice

EXAMPLE = """\b
Example: styleexport bench adain-residual-onnx-int8 --runner onnxruntime --runner openvino
         styleexport bench adain-residual-onnx --runner torch:dtype=bf16,mode=compile --size 512
         styleexport bench adain-residual-tflite-int8 --runner litert --runner android:delegate=gpu
         styleexport bench compare before.json after.json --fail-above 10%
"""


class Options(TypedDict):
    """Options of a measurement, as typed."""

    runners: tuple[RunnerChoice, ...]
    sizes: tuple[Size, ...]
    roles: tuple[Role, ...]
    precisions: tuple[Precision, ...]
    batches: tuple[int, ...]
    threads: int | None
    affinity: tuple[int, ...] | None
    rounds: int
    seconds: float
    min_samples: int
    warm_up: float
    no_peak: bool
    profile: bool
    yes: bool
    lease: str | None
    serial: str | None
    suppress: tuple[Doubt, ...] | None
    binary: Path | None


@click.command(short_help="Measure the latency of an artifact.", cls=DefaultCommand, epilog=EXAMPLE)
@click.argument("artifacts", nargs=-1, required=True, type=PATH, metavar="ARTIFACT...")
@click.option(
    "--runner",
    "runners",
    type=RUNNER,
    multiple=True,
    help="Runtime to measure on; repeatable. Phones are measured only when named.  "
    "[default: every one that can run here]",
)
@click.option(
    "--size",
    "sizes",
    type=SIZE,
    multiple=True,
    help="Picture size; repeatable.  [default: every size of the files]",
)
@click.option(
    "--role",
    "roles",
    type=ROLE,
    multiple=True,
    help="encode, transform or stylize; repeatable.  [default: all]",
)
@click.option(
    "--precision",
    "precisions",
    type=precision_type("--precision int8"),
    multiple=True,
    help="Precision of the files; repeatable.  [default: all]",
)
@click.option(
    "--batch",
    "batches",
    type=int,
    multiple=True,
    default=(1,),
    help="Pictures per call; repeatable.",
)
@click.option("--threads", type=int, help="Threads of each runtime.  [default: one per processor]")
@click.option("--affinity", type=PROCESSORS, help="Pin the runs to these processors: 0,1 or 0-3.")
@click.option(
    "--rounds",
    type=int,
    default=defaults.ROUNDS,
    help="Number of rounds per cell.",
)
@click.option(
    "--seconds",
    type=NUMBER,
    default=defaults.SECONDS,
    help="Minimum seconds per round.",
)
@click.option(
    "--min-samples",
    type=int,
    default=defaults.MIN_SAMPLES,
    help="Minimum runs per round; fewer for files that take many seconds.",
)
@click.option(
    "--warm-up",
    type=NUMBER,
    default=defaults.WARM_UP_SECONDS,
    metavar="SECONDS",
    help="Stop warming up after this many seconds.",
)
@click.option(
    "--no-peak", is_flag=True, help="Skip the micro-benchmark of the machine's peak arithmetic."
)
@click.option("--profile", is_flag=True, help="Also time every operation, after the rounds.")
@click.option(
    "--lease",
    metavar="COMMAND",
    help="Run COMMAND acquire before the phone is measured, which may print its serial number, and "
    "COMMAND release after, however it ends.",
)
@click.option("--serial", help="Serial number of the phone, if several are connected.")
@click.option(
    "--suppress",
    type=DOUBTS,
    help="Measure a phone in spite of these doubts about it: debuggable, emulator, low-battery, "
    "thermal; separated by commas.",
)
@click.option(
    "--benchmark-binary",
    "binary",
    type=PATH,
    metavar="PROGRAM",
    help="Run this benchmark_model or onnxruntime_perf_test on the phone, not the app.",
)
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="Report to write; a phone's is written beside it as "
    "NAME-android.json.  [default: NETWORK-latency.json]",
)
@click.option("--yes", is_flag=True, help="Upload what a service measures without asking.")
@click.option("--overwrite", is_flag=True, help="Replace an existing latency report.")
@json_option
def bench(
    artifacts: tuple[Path, ...],
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Unpack[Options],
) -> tuple[LatencyReport, ...]:
    """Measure the latency of every file of ARTIFACT, in one process per cell and in rounds.

    A cell is a file on a runner at a size. Its output is checked on the artifact's probe before it
    is timed; a cell that fails gets no latency. `styleexport report` turns reports into a page.
    """
    from styleexport.runtime_bench.bench import bench_everywhere
    from styleexport.runtime_bench.contract.latency import write_report

    request = _request(artifacts, options)
    paths = _free_paths(artifacts, request, out, overwrite)
    request = _allow_upload(request, options["yes"])
    measured: list[LatencyReport] = []
    for report in bench_everywhere(request, talk):
        _check_any_ran(report)
        path = paths.get(report.harness.name, paths["desktop"])
        write_report(report, path)
        talk(f"report: {path}")
        measured.append(report)
    if as_json:
        print_json(measured if len(measured) > 1 else measured[0])
    else:
        print_reports(measured)
    for report in measured:
        _check_any_right(report)
    return tuple(measured)


def _request(artifacts: tuple[Path, ...], options: Options) -> BenchRequest:
    """Return the request that the options describe."""
    from styleexport.runtime_bench.bench import BenchRequest
    from styleexport.runtime_bench.contract.job import PlanFact
    from styleexport.runtime_bench.contract.remote import DeviceOptions

    return BenchRequest(
        artifacts=artifacts,
        runners=options["runners"],
        sizes=options["sizes"],
        roles=tuple(dict.fromkeys(options["roles"])),
        precisions=options["precisions"],
        batches=options["batches"],
        plan=PlanFact(
            rounds=options["rounds"],
            seconds=options["seconds"],
            min_samples=options["min_samples"],
            warm_up_seconds=options["warm_up"],
            threads=options["threads"],
        ),
        affinity=options["affinity"] or (),
        peak=not options["no_peak"],
        profile=options["profile"],
        command=typed_command(),
        device=DeviceOptions(
            options["serial"], options["suppress"] or (), options["binary"], options["lease"]
        ),
    )


def _allow_upload(request: BenchRequest, yes: bool) -> BenchRequest:
    """Return the request with leave to upload, where a runner does and the user agrees.

    Raises:
        UsageError: the user does not, or cannot be asked.
    """
    from styleexport.runtime_bench.runners._runner import remote_runner

    names = dict.fromkeys(choice.name for choice in request.runners)
    runners = [runner for name in names if (runner := remote_runner(name))]
    services = [runner.uploads_to for runner in runners if runner.uploads_to]
    if not services:
        return request
    folders = ", ".join(map(str, request.artifacts))
    what = f"the measured files of {folders} and their probes are uploaded to {services[0]}"
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{what}: nothing was; type --yes to allow it")
        if not click.confirm(f"{what[0].upper()}{what[1:]}. Continue?", err=True):
            raise UsageError(f"nothing was uploaded to {services[0]}, and nothing was measured")
    talk(what)
    return replace(request, device=replace(request.device, upload=True))


def _free_paths(
    artifacts: tuple[Path, ...], request: BenchRequest, out: Path | None, overwrite: bool
) -> dict[str, Path]:
    """Return where the report of each harness goes: one alone to ``out``, phones else beside it.

    Raises:
        BadArtifact: the first folder is not an artifact.
        UsageError: there is a file already; one that is no report is never replaced.
    """
    from styleexport.core.files import check_replaceable
    from styleexport.core.manifest import read_manifest
    from styleexport.runtime_bench.contract.latency import PRODUCT
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
        check_replaceable(path, PRODUCT)
        if path.exists() and not overwrite:
            raise UsageError(f"{path} is there already: add --overwrite or choose another with -o")
    return paths | {"desktop": out}


def _check_any_ran(report: LatencyReport) -> None:
    """Refuse a report that says nothing of any file.

    Raises:
        DeviceError: none could run.
    """
    if all(cell.parity is None and cell.status != "measured" for cell in report.cells):
        raise DeviceError(f"nothing was measured: {error_line(report.cells[0])}")


def _check_any_right(report: LatencyReport) -> None:
    """Refuse a report in which nothing was timed.

    Raises:
        DeviceError: what ran did not end.
        ParityFailure: what ran differs from its network.
    """
    if not any(cell.status == "measured" or _is_proven(cell) for cell in report.cells):
        wrong = [cell for cell in report.cells if cell.status == "wrong"]
        kind = ParityFailure if wrong else DeviceError
        raise kind(f"nothing was measured: {error_line((wrong or report.cells)[0])}")


def _is_proven(cell: CellFact) -> bool:
    """Whether a runner that never times has proven the file."""
    from styleexport.runtime_bench.runners._runner import any_runner

    proven = cell.parity is not None and cell.parity.passed
    return proven and not any_runner(cell.runner).timed


SECTION = "measure"
COMMAND = DefaultGroup(bench, compare, operand="the folder of an artifact")
