"""What the tests of the browser share: a server, a client, and a report as the page sends it."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.runners.browser import _chromium, _packages
from styleexport.runtime_bench.runners.browser._drive import serving
from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
from styleexport.runtime_bench.runners.browser._server import Address, PageServer

# The packages lie in the user's cache; the tests have one of their own, from the first test on.
INSTALLED = _packages.packages_folder()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """A browser that sends what it is told to."""

    def __init__(self, server: PageServer) -> None:
        self.server = server

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask for a path as it is, without the token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        try:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, name: str, **headers: str) -> Answer:
        """Ask for a name below the token."""
        return self("GET", f"/{self.server.token}/{name}", **headers)

    def post(self, name: str, value: object, **headers: str) -> Answer:
        """Send JSON to a name below the token."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        sent = {"Content_Type": "application/json", **headers}
        return self("POST", f"/{self.server.token}/{name}", body, **sent)

    def job(self) -> dict[str, Any]:
        return json.loads(self.get("job.json").body)


@pytest.fixture
def client(artifact: Path, tmp_path: Path) -> Iterator[Client]:
    """A client of a server that runs."""
    job = job_of(read_manifest(artifact), PagePlanFact())
    server = PageServer(Address(port=0), artifact, job, tmp_path / "reports")
    with serving(server):
        yield Client(server)


def cell_of(wish: dict[str, Any]) -> dict[str, Any]:
    parity = {
        "runner": "browser",
        "metric": "psnr",
        "measured_db": 120.0,
        "probes": 1,
        "allowed_db": wish["allowed_db"],
        "max_abs_error": 1e-6,
    }
    return {
        "subject": wish["subject"],
        "runner": "browser",
        "size": wish["size"],
        "status": "measured",
        "parity": parity,
        "rounds_ns": [[5_000_000, 6_000_000]],
    }


def report_of(job: dict[str, Any]) -> dict[str, Any]:
    """A report as the page sends it."""
    return {
        "schema_version": 1,
        "harness": {"name": "browser", "version": "0.1.0"},
        "created": "2026-11-21T12:00:00.123Z",
        "nonce": job["nonce"],
        "machine": {
            "device": "Pixel 9",
            "os": "Android 16",
            "processor": "arm 64",
            "cores": 8,
            "memory_bytes": 0,
        },
        "before": {},
        "after": {},
        "protocol": {
            "rounds": 1,
            "seconds": 0.5,
            "min_samples": 2,
            "warm_up": "none",
            "interleaved": True,
            "own_process": False,
            "clock": "performance.now",
            "clock_resolution_ns": 5000,
        },
        "cells": [cell_of(wish) for wish in job["cells"]],
    }


def needed(reason: str | None) -> None:
    """Skip where something is missing; in CI it must be there."""
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The JavaScript packages, where the user's cache has them."""
    monkeypatch.setattr(_packages, "packages_folder", lambda: INSTALLED)
    monkeypatch.setattr(
        "styleexport.runtime_bench.runners.browser._assets.packages_folder", lambda: INSTALLED
    )
    needed(_packages.missing())
    return INSTALLED


@pytest.fixture
def browser(packages: Path) -> Path:
    """Chromium and the packages."""
    needed(_chromium.missing())
    return packages


Change = Callable[[dict[str, Any]], object]
