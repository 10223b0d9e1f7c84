"""Latency report from headless Chromium: serves the page, opens it, and waits for the report."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Generator
from pathlib import Path

import msgspec

from styleexport.core.errors import DeviceError, MissingExtra
from styleexport.core.manifest import read_manifest
from styleexport.core.types import Progress, Size
from styleexport.runtime_bench.contract.latency import LatencyReport
from styleexport.runtime_bench.runners.browser import _packages
from styleexport.runtime_bench.runners.browser._chromium import chromium
from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
from styleexport.runtime_bench.runners.browser._reports import Inbox
from styleexport.runtime_bench.runners.browser._server import Address, PageServer

# Per cell in addition to its turns: two loads, its probe, and the warm-up.
SECONDS_PER_CELL = 60.0
SECONDS_TO_START = 120.0
POLL_SECONDS = 0.2


def bench_in_browser(
    artifact: Path,
    selected: Collection[tuple[str, Size]] | None,
    plan: PagePlanFact,
    progress: Progress = lambda _: None,
    timeout_seconds: float | None = None,
) -> LatencyReport:
    """Return headless Chromium's report on an artifact's files.

    Cells that Chromium cannot run, or that fail their probe, are in the report with their reason.

    Args:
        artifact: folder of the artifact.
        selected: path and size of the files; None selects all that a browser runs.
        plan: measuring plan.
        progress: receives lines of progress.
        timeout_seconds: time limit; None takes the longest time that the plan may need.

    Raises:
        BadArtifact: the artifact is incomplete.
        DeviceError: there is no Chromium, it died, the page failed, or it took too long.
        MissingExtra: the page's packages are not installed.
        UsageError: a browser runs none of the files.
    """
    if reason := _packages.missing():
        raise MissingExtra(reason)
    manifest = read_manifest(artifact, check_files=False)
    job = job_of(manifest, msgspec.structs.replace(plan, auto=True), selected)
    turns = plan.rounds * (plan.seconds + 1) + SECONDS_PER_CELL
    limit = timeout_seconds or SECONDS_TO_START + len(job.cells) * turns
    with tempfile.TemporaryDirectory(prefix="styleexport-reports-") as folder:
        server = PageServer(Address(port=0), artifact, job, Path(folder))
        with serving(server) as url:
            progress(f"browser: {len(job.cells)} files")
            with chromium(f"{url}?auto=1", webgpu=plan.backend == "webgpu") as process:
                return _wait(server.inbox, process, limit)


@contextlib.contextmanager
def serving(server: PageServer) -> Generator[str]:
    """Yield the local address of the page; the server stops when the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    scheme = "https" if server.secure else "http"
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}/{server.token}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _wait(inbox: Inbox, process: subprocess.Popen[bytes], limit_seconds: float) -> LatencyReport:
    """Wait for the report."""
    end = time.monotonic() + limit_seconds
    while not inbox.arrived.wait(POLL_SECONDS):
        if process.poll() is not None:
            raise DeviceError(
                f"Chromium ended with code {process.returncode} before it sent a report: type "
                "`styleexport serve ARTIFACT` and open the address in a browser of yours"
            )
        if time.monotonic() > end:
            raise DeviceError(
                f"Chromium sent no report within {limit_seconds:.0f} s: measure fewer files, or "
                "smaller ones with --size"
            )
    if inbox.report is None:
        raise DeviceError(f"the page failed in Chromium: {inbox.error}")
    return inbox.report
