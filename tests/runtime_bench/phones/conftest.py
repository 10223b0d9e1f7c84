"""Phones that are not there: a fake adb server for the real adb."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from styleexport.runtime_bench.phones import android_phone, measuring
from tests.runtime_bench.browser.conftest import needed
from tests.runtime_bench.phones.adb_server import FakeAdbServer, FakePhone

ROOT = Path(__file__).parents[3]
QUICK = {"poll": 0.01, "unreachable": 0.2, "start": 0.5, "cell": 0.2, "turn": 0.1}


@pytest.fixture
def colour() -> Path:
    """The contract's artifact: two roles at 8x12, for three targets, with a pack of styles."""
    return ROOT / "tests" / "contract" / "artifacts" / "colour-transfer"


@pytest.fixture
def adb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeAdbServer]:
    """A server without phones, which Debian's adb takes for its own."""
    needed(None if shutil.which("adb") else "adb is not installed: apt-get install adb")
    server = FakeAdbServer()
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.server_address[1]))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT", "ANDROID_SERIAL", "ADB_VENDOR_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(measuring, "Timeouts", partial(measuring.Timeouts, **QUICK))
    monkeypatch.setattr(android_phone, "Patience", partial(android_phone.Patience, 0.3, 0.01))
    yield server
    server.close()


@pytest.fixture
def plug(adb: FakeAdbServer, tmp_path: Path) -> Callable[..., FakePhone]:
    """Connect a phone."""

    def connect(serial: str = "A1", **facts) -> FakePhone:
        adb.phones[serial] = FakePhone(tmp_path / f"phone-{serial}", **facts)
        return adb.phones[serial]

    return connect
