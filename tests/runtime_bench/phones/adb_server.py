"""An adb server on loopback that plays phones for the real `adb` program.

Spoken is what adb's documents call the smart socket, shell protocol 2 and sync. Commands of the
shell are run by ``sh`` with a phone's folder in place of ``/sdcard`` and a phone's tools on the
path, so that quoting is tested too. The texts that the tools print are from memory.
"""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.runtime_bench.phones.app import App

SHARED = "sdcard/Android/data/org.styleexport.harness/files"
PROPERTIES = """[ro.product.manufacturer]: [Acme]
[ro.product.model]: [Phone 7]
[ro.build.version.sdk]: [{api}]
[ro.build.version.release]: [15]
[ro.soc.model]: [Acme SoC]
[ro.hardware]: [{hardware}]
"""
THERMAL = "IsStatusOverride: false\nThermalEventListeners:\nThermal Status: {status}\n"
BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  status: 2
  level: {level}
  temperature: 312
"""
PACKAGE = """Packages:
  Package [org.styleexport.harness] (1a2b3c4):
    versionName=0.1.0
    flags=[{flags} HAS_CODE ALLOW_CLEAR_USER_DATA ]
"""
TOOLS = {
    "getprop": 'cat "$PHONE/getprop"',
    "dumpsys": 'cat "$PHONE/dumpsys_$1"',
    "pm": '[ -e "$PHONE/installed" ] && echo "package:/data/app/base.apk"',
    "pidof": '[ -e "$PHONE/alive" ] && echo 4711',
    "am": (
        'if [ "$1" = force-stop ]; then rm -f "$PHONE/alive"; exit; fi\n'
        'if [ -e "$PHONE/no-activity" ]; then\n'
        '  echo "Error: Activity class {org.styleexport.harness} does not exist."; exit 1; fi\n'
        'echo "$*" > "$PHONE/started"; touch "$PHONE/alive"\n'
        'echo "Starting: Intent { cmp=org.styleexport.harness/.BenchActivity }"; echo "Status: ok"'
    ),
}


@dataclass
class FakePhone:
    """A phone: a folder, its tools, the app.

    Attributes:
        folder: that stands for its disk.
        state: as ``adb devices`` prints it.
        fault: of the app; or ``full`` and ``unplugged`` of the phone.
        latency: seconds before each request is answered, as over a bridge to a hosted phone.
        drop_every: the connection is lost at every n-th request, for that request alone; 0: never.
        cut_sends: number of transfers to it that end in the middle.
        session: number of requests after which its session ends.
        requests: number of requests so far.
    """

    folder: Path
    state: str = "device"
    fault: str = ""
    thermal: int = 0
    api: int = 35
    level: int = 81
    hardware: str = "acme"
    debuggable: bool = False
    latency: float = 0.0
    drop_every: int = 0
    cut_sends: int = 0
    session: int = 1_000_000
    requests: int = 0
    commands: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "tools").mkdir(parents=True)
        for name, body in TOOLS.items():
            tool = self.folder / "tools" / name
            tool.write_text(f"#!/bin/sh\n{body}\n")
            tool.chmod(0o755)
        (self.folder / "installed").touch()
        self.app = App(self.folder / SHARED, "android", self.fault)
        self.warm()

    def warm(self) -> None:
        """Write what its tools print."""
        (self.folder / "getprop").write_text(
            PROPERTIES.format(api=self.api, hardware=self.hardware)
        )
        (self.folder / "dumpsys_thermalservice").write_text(THERMAL.format(status=self.thermal))
        (self.folder / "dumpsys_battery").write_text(BATTERY.format(level=self.level))
        flags = " DEBUGGABLE" if self.debuggable else ""
        (self.folder / "dumpsys_package").write_text(PACKAGE.format(flags=flags))

    def request(self) -> str | None:
        """Count a request; return why the bridge refuses it, or None."""
        self.requests += 1
        time.sleep(self.latency)
        if self.requests > self.session:
            self.state = ""
            return "device 'A1' not found"
        dropped = self.drop_every and self.requests % self.drop_every == 0
        return "device offline" if dropped else None

    def path(self, remote: str) -> Path:
        return self.folder / remote.lstrip("/")

    def _moved(self, command: str) -> str:
        """Return a command whose paths lead into the folder."""
        for top in ("/sdcard/", "/data/local/tmp/"):
            command = command.replace(top, f"{self.folder}{top}")
        return command

    def shell(self, command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command as the phone does, and the app where it was started."""
        self.commands.append(command)
        search = f"{self.folder / 'tools'}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", self._moved(command)],
            env={"PATH": search, "PHONE": str(self.folder)},
            capture_output=True,
            check=False,
        )
        started = self.folder / "started"
        if started.exists():
            words = started.read_text().split()
            started.unlink()
            extras = {words[at + 1]: words[at + 2] for at, w in enumerate(words) if w == "--es"}
            if not self.app.run(extras["job"], extras["artifact"]):
                (self.folder / "alive").unlink()
            if self.fault == "unplugged":
                self.state = ""
        return done


class FakeAdbServer(socketserver.ThreadingTCPServer):
    """Serves phones by their serial."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Socket)
        self.phones: dict[str, FakePhone] = {}
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    def there(self) -> dict[str, FakePhone]:
        return {serial: phone for serial, phone in self.phones.items() if phone.state}

    def handle_error(self, request, client_address) -> None:
        """Say nothing of connections that were cut."""


class _Socket(socketserver.StreamRequestHandler):
    server: FakeAdbServer

    def handle(self) -> None:
        phone: FakePhone | None = None
        while (request := self._request()) is not None:
            if request == "host:version":
                self._okay("0029")
            elif request == "host:devices":
                self._okay("".join(f"{s}\t{p.state}\n" for s, p in self.server.there().items()))
            elif request.startswith(("host-serial:", "host:features", "host-transport-id:")):
                if not request.endswith("features"):
                    self._fail(f"unknown host service {request}")
                elif ready := self._ready(request.split(":")[1]):
                    assert ready
                    self._okay("shell_v2,cmd")
            elif request.startswith(("host:transport:", "host:tport:serial:")):
                phone = self._ready(request.rsplit(":", 1)[1])
                if phone is None:
                    return
                self.wfile.write(b"OKAY" + (b"\x01" + b"\0" * 7 if ":tport:" in request else b""))
                continue
            elif phone and request.startswith("shell,v2"):
                self._shell(phone, request.partition(":")[2])
            elif phone and request == "sync:":
                self._sync(phone)
            else:
                self._fail(f"unknown service {request}")
            return

    def _request(self) -> str | None:
        length = self.rfile.read(4)
        return self.rfile.read(int(length, 16)).decode() if length else None

    def _okay(self, text: str) -> None:
        self.wfile.write(f"OKAY{len(text.encode()):04x}{text}".encode())

    def _fail(self, text: str) -> None:
        self.wfile.write(f"FAIL{len(text.encode()):04x}{text}".encode())

    def _ready(self, serial: str) -> FakePhone | None:
        phone = self.server.there().get(serial)
        if phone is None:
            self._fail(f"device '{serial}' not found")
            return None
        if phone.state != "device":
            self._fail(f"device {phone.state}")
            return None
        refused = phone.request()
        if refused is not None:
            self._fail(refused)
            return None
        return phone

    def _shell(self, phone: FakePhone, command: str) -> None:
        self.wfile.write(b"OKAY")
        done = phone.shell(command)
        for kind, data in ((1, done.stdout), (2, done.stderr), (3, bytes([done.returncode]))):
            if data:
                self.wfile.write(struct.pack("<BI", kind, len(data)) + data)

    def _sync(self, phone: FakePhone) -> None:
        self.wfile.write(b"OKAY")
        while head := self.rfile.read(8):
            kind, length = struct.unpack("<4sI", head)
            if kind == b"QUIT":
                return
            text = self.rfile.read(length).decode()
            if kind == b"STAT":
                self._stat(phone.path(text))
            elif kind == b"RECV":
                self._recv(phone.path(text))
            elif kind == b"SEND":
                self._send(phone, text.rpartition(",")[0])

    def _stat(self, path: Path) -> None:
        found = path.stat() if path.exists() else None
        facts = (found.st_mode, found.st_size, int(found.st_mtime)) if found else (0, 0, 0)
        self.wfile.write(b"STAT" + struct.pack("<III", *facts))

    def _recv(self, path: Path) -> None:
        data = path.read_bytes()
        for begin in range(0, len(data), 65536):
            part = data[begin : begin + 65536]
            self.wfile.write(b"DATA" + struct.pack("<I", len(part)) + part)
        self.wfile.write(b"DONE" + struct.pack("<I", 0))

    def _send(self, phone: FakePhone, remote: str) -> None:
        data = b""
        if phone.cut_sends:
            phone.cut_sends -= 1
            self.connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        while True:
            kind, length = struct.unpack("<4sI", self.rfile.read(8))
            if kind == b"DONE":
                break
            data += self.rfile.read(length)
        if phone.fault == "full" and len(data) > 1000:
            words = b"couldn't create file: No space left on device"
            self.wfile.write(b"FAIL" + struct.pack("<I", len(words)) + words)
            return
        path = phone.path(remote)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        phone.received.append(remote.removeprefix(f"/{SHARED}/"))
        self.wfile.write(b"OKAY" + struct.pack("<I", 0))
