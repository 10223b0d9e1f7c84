"""Qualcomm AI Hub: phones and boards of a service, which runs uploaded files as jobs.

An inference job on the artifact's probe proves the file on the device; a profile job then gives raw
samples and the compute unit of each layer. Nothing is uploaded unless the request allows it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from styleexport.core.build import commit, version
from styleexport.core.errors import DeviceError, UsageError
from styleexport.core.manifest import ParityFact, SizeFact
from styleexport.core.thresholds import allowed_on_device
from styleexport.core.types import Progress
from styleexport.runtime_bench.contract.cell import Cell
from styleexport.runtime_bench.contract.latency import (
    CellFact,
    HarnessFact,
    LatencyReport,
    MachineFact,
    ProtocolFact,
    StateFact,
)
from styleexport.runtime_bench.contract.remote import MeasureRequest
from styleexport.runtime_bench.parity import measure_parity, probe_inputs, read_probe
from styleexport.runtime_bench.runners._runner import RemoteRunner
from styleexport.runtime_bench.runners.aihub import _client
from styleexport.runtime_bench.runners.aihub._client import HubClient, HubDevice, HubJob
from styleexport.runtime_bench.runners.aihub._profile import profile_of
from styleexport.runtime_bench.runners.aihub._tensors import dataset_of, outputs_of

AGAIN = "look at the job in AI Hub's list, and measure again"


class AiHub(RemoteRunner):
    """Measures files on a device of AI Hub.

    The service was never used by the project: it is tested against a fake of its client.
    """

    name = "aihub"
    suffixes = (".tflite", ".onnx")
    other_machine = True
    uploads_to = "Qualcomm AI Hub"
    choices = MappingProxyType({"units": ("all", "npu", "gpu", "cpu")})
    texts = ("device",)

    def unavailable(self, settings: Mapping[str, str] = MappingProxyType({})) -> str | None:
        """Return how to get the client, or that a device must be named; None where it can run."""
        reason = _client.missing()
        if reason is None and not settings.get("device"):
            return "aihub needs a device: type --runner 'aihub:device=Samsung Galaxy S24'"
        return reason

    def measure(self, request: MeasureRequest, progress: Progress) -> LatencyReport:
        """Return the report of a device; see `RemoteRunner.measure`."""
        names = {cell.choice.settings["device"] for cell in request.cells}
        if len(names) > 1:
            raise UsageError(
                f"aihub measures one device a run, got {' and '.join(sorted(names))}: a report is "
                "of one machine; run `styleexport bench` once for each"
            )
        if not request.device.upload:
            raise UsageError(
                "aihub uploads files and probes to Qualcomm AI Hub, which was not allowed: type "
                "--yes"
            )
        created = datetime.datetime.now(datetime.UTC)
        client = _client.connect()
        device = _client.find_device(client, names.pop())
        jobs = _submitted(client, device, request, progress)
        cells = tuple(_measured(client, device, job, progress) for job in jobs)
        return _report(device, cells, request, created)


class _CellJob(msgspec.Struct, frozen=True):
    """A cell with its uploaded file and its inference job."""

    cell: Cell
    model: object
    job: HubJob

    @property
    def options(self) -> str:
        """Options of its jobs."""
        return _options(self.cell)


def _submitted(
    client: HubClient, device: HubDevice, request: MeasureRequest, progress: Progress
) -> list[_CellJob]:
    """Return the inference job of each cell; every file is uploaded once."""
    models: dict[Path, object] = {}
    jobs: list[_CellJob] = []
    for cell in request.cells:
        path = cell.path
        with _client.hub_errors(f"{path.name} cannot be uploaded", _client.CONFIGURE):
            if path not in models:
                progress(f"AI Hub: uploading {path.name}, {path.stat().st_size / 1e6:.1f} MB")
                models[path] = client.upload_model(str(path))
            probe = read_probe(cell.artifact, cell.probes[0])
            inputs = dataset_of(path, probe_inputs(probe, cell.file, path.name))
            job = client.submit_inference_job(
                models[path], device, inputs, path.name, _options(cell), profile=False
            )
        jobs.append(_CellJob(cell, models[path], job))
    return jobs


def _options(cell: Cell) -> str:
    units = cell.choice.settings.get("units", "all")
    return f"--compute_unit {units}"


def _measured(
    client: HubClient, device: HubDevice, submitted: _CellJob, progress: Progress
) -> CellFact:
    """Return the fact of a cell: proven by its inference job, then timed by a profile job."""
    cell, path = submitted.cell, submitted.cell.path
    effective = {"device": device.name, "system": device.os, "job": submitted.job.job_id}
    fact = CellFact(
        subject=cell.subject,
        runner="aihub",
        requested=dict(cell.choice.settings),
        effective=effective,
        size=SizeFact.of(cell.size),
        status="failed",
    )
    try:
        progress(f"AI Hub: {path.name} on {device.name}: job {submitted.job.job_id}")
        parity = _parity(submitted)
        if not parity.passed:
            message = (
                f"{parity.measured_db} dB on the probe, at least {parity.allowed_db:g} allowed"
            )
            return msgspec.structs.replace(fact, status="wrong", message=message, parity=parity)
        with _client.hub_errors(f"{path.name} cannot be profiled", AGAIN):
            job = client.submit_inference_job(
                submitted.model, device, None, path.name, submitted.options, profile=True
            )
            progress(f"AI Hub: {path.name} proven; profile job {job.job_id}")
            _check_success(job, path)
            profile = profile_of(job.download_profile())
    except DeviceError as error:
        return msgspec.structs.replace(fact, message=str(error)[:400])
    return msgspec.structs.replace(
        fact,
        status="measured",
        parity=parity,
        effective=effective | {"profile job": job.job_id},
        rounds_ns=(profile.samples_ns,),
        loads_ns=profile.loads_ns,
        peak_rss_bytes=profile.peak_bytes,
        placement=dict(profile.placement),
        operations=profile.operations,
    )


def _parity(submitted: _CellJob) -> ParityFact:
    """Return the parity of a cell's inference job on the probe.

    Raises:
        DeviceError: the job failed, or returned something else.
    """
    cell, path = submitted.cell, submitted.cell.path
    with _client.hub_errors(f"{path.name} did not run", AGAIN):
        _check_success(submitted.job, path)
        outputs = outputs_of(path, cell.file, submitted.job.download_output_data())
        return measure_parity(
            lambda _: outputs,
            cell.file,
            [read_probe(cell.artifact, cell.probes[0])],
            label=path.name,
            runner="aihub",
            allowed_db=allowed_on_device(cell.file),
        )


def _check_success(job: HubJob, path: Path) -> None:
    """Wait for a job.

    Raises:
        DeviceError: it failed.
    """
    status = job.wait()
    if not status.success:
        raise DeviceError(
            f"AI Hub: job {job.job_id} of {path.name} failed: {status.message or 'no reason'}"
        )


def _report(
    device: HubDevice,
    cells: tuple[CellFact, ...],
    request: MeasureRequest,
    created: datetime.datetime,
) -> LatencyReport:
    attributes = [device.attributes] if isinstance(device.attributes, str) else device.attributes
    chip = next((a.split(":", 1)[1] for a in attributes if a.startswith("chipset:")), "unknown")
    return LatencyReport(
        schema_version=1,
        harness=HarnessFact(name="aihub", version=version(), commit=commit()),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=request.command[:400],
        machine=MachineFact(
            device=device.name,
            os=f"system {device.os}",
            processor=chip,
            cores=0,
            memory_bytes=0,
            features=tuple(attributes[:100]),
        ),
        before=StateFact(),
        after=StateFact(),
        protocol=ProtocolFact(
            rounds=1,
            seconds=0.0,
            min_samples=max(1, min((len(c.samples_ns) for c in cells if c.rounds_ns), default=1)),
            warm_up="that of AI Hub's profiler",
            interleaved=False,
            own_process=True,
            clock="of AI Hub's profiler",
            clock_resolution_ns=1_000.0,
        ),
        cells=cells,
    )


RUNNER = AiHub()
