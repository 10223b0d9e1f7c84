"""HTTP server of the page: hands out a fixed list of files and receives reports, by token."""

from __future__ import annotations

import base64
import errno
import hashlib
import hmac
import re
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from styleexport.core.errors import DeviceError, StyleExportError, UsageError
from styleexport.core.input_files import check_input
from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.runners.browser._address import advertised, host_of, is_local
from styleexport.runtime_bench.runners.browser._assets import INDEX, Asset, assets_of
from styleexport.runtime_bench.runners.browser._connections import Connections
from styleexport.runtime_bench.runners.browser._job import PageJobFact
from styleexport.runtime_bench.runners.browser._packages import PAGE
from styleexport.runtime_bench.runners.browser._reports import Inbox

MOST_BYTES = 8_000_000
MOST_CONNECTIONS = 64
# Of them, for clients that have not shown the token.
STRANGERS = 24
SILENCE_SECONDS = 30
# For a whole request, however slowly it trickles in, and for a whole answer.
REQUEST_SECONDS = 60
ANSWER_SECONDS = 600
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
HEADERS = {
    # Together they isolate the page, without which browsers give it no threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'sha256-{digest}'; "
    "worker-src 'self' blob:; style-src 'self'; img-src 'self' blob: data:; media-src 'self' "
    "blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def content_security_policy() -> str:
    """Return the page's policy; its import map is the only inline script, allowed by sha256."""
    page = (PAGE / "index.html").read_bytes()
    inline = re.search(rb'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    assert inline is not None
    digest = base64.b64encode(hashlib.sha256(inline[1]).digest()).decode()
    return POLICY.format(digest=digest)


@dataclass(frozen=True)
class Address:
    """Address to listen on.

    Attributes:
        host: address of this machine; 0.0.0.0 is all of them.
        port: port; 0 takes a free one.
        certificate: certificate chain and private key as PEM files, for https.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    certificate: tuple[Path, Path] | None = None


class PageServer(ThreadingHTTPServer):
    """Serves one artifact to clients that know the token.

    Args:
        address: address to listen on.
        artifact: folder of the artifact; every file is checked against the manifest first.
        job: job of the page.
        reports: folder for its reports.

    Raises:
        BadArtifact: the artifact is incomplete.
        DeviceError: the port is taken or not allowed.
        UsageError: the certificate cannot be read.
    """

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, address: Address, artifact: Path, job: PageJobFact, reports: Path) -> None:
        self.token = secrets.token_urlsafe(16)
        self.inbox = Inbox(job, reports)
        self.assets = assets_of(artifact, read_manifest(artifact))
        self.policy = content_security_policy()
        self.on_report: Callable[[str], None] = lambda _: None
        self.connections = Connections(MOST_CONNECTIONS, STRANGERS)
        self._names = advertised(address.host)
        try:
            super().__init__((address.host, address.port), _Handler)
        except (OSError, OverflowError) as error:
            raise _cannot_listen(address, error) from error
        self.secure = address.certificate is not None
        if address.certificate is not None:
            self._encrypt(*address.certificate)

    def _encrypt(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            for path in (certificate, key):
                check_input(path, remedy="type the path of a PEM file")
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            self.server_close()
            raise UsageError(
                f"{certificate} and {key} are not a certificate and its key: {error}; make some "
                "with `openssl req -x509 -newkey rsa:2048 -nodes -days 30 -out cert.pem "
                "-keyout key.pem -subj /CN=styleexport`"
            ) from error
        # The handshake runs in the thread of the connection, not in the one that accepts.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer in a new thread; close the connection where all threads are busy."""
        if not self.connections.admit(request, REQUEST_SECONDS):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """End the connections whose time is over; the loop calls this twice a second."""
        self.connections.end_late()

    def is_ours(self, header: str, connection: socket.socket) -> bool:
        """Whether a ``Host`` header names this server.

        Args:
            header: the header.
            connection: connection that it came by, whose own address is one of the server's.
        """
        host = host_of(header)
        return is_local(host) or host in {*self._names, connection.getsockname()[0]}

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Log nothing: a client that disconnects is not an error of the server."""


def _cannot_listen(address: Address, error: Exception) -> DeviceError:
    where = f"{address.host} port {address.port}"
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return DeviceError(
            f"{where} is in use: type --port {address.port + 1}, or --port 0 for a free one"
        )
    return DeviceError(f"cannot listen on {where}: {error}; type --host 127.0.0.1 --port 0")


class _Handler(BaseHTTPRequestHandler):
    """Handler of one connection. Nothing that a client sends becomes part of a path on disk."""

    server: PageServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    server_version = "styleexport"
    sys_version = ""
    timeout = SILENCE_SECONDS

    def handle_one_request(self) -> None:
        """Answer one request, with a time limit for all of it."""
        self.server.connections.expect(self.connection, REQUEST_SECONDS)
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Return whether the head of a request is one, and names this server as its host."""
        if not super().parse_request():
            return False
        if not self.server.is_ours(self.headers.get("Host", ""), self.connection):
            self._refuse(
                HTTPStatus.MISDIRECTED_REQUEST,
                "the Host header names another server: open the address that was printed",
            )
            return False
        return True

    def do_GET(self) -> None:
        """Send a listed file, or the job."""
        name = self._name()
        if name == "job.json":
            self._answer(HTTPStatus.OK, msgspec.json.encode(self.server.inbox.new_job()), JSON)
        elif name is not None and name in self.server.assets:
            self._send_asset(name, self.server.assets[name])
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Receive a report, or the error of a page that cannot start."""
        inbox = self.server.inbox
        take = {"reports": inbox.take, "trouble": inbox.fail}.get(self._name() or "")
        if take is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        raw = self._body()
        if raw is None:
            return
        try:
            stored = take(raw)
        except StyleExportError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, " ".join(str(error).split()))
            return
        name = stored.name if stored else "noted"
        if stored:
            self.server.on_report(str(stored))
        self._answer(HTTPStatus.CREATED, f"{name}\n".encode(), TEXT)

    def _name(self) -> str | None:
        """Return the requested path below the token; None without the token."""
        path = self.path.partition("?")[0]
        token, slash, name = path.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode(errors="replace"), self.server.token.encode())
        if known:
            self.server.connections.recognise(self.connection)
        return name if known and slash else None

    def _body(self) -> bytes | None:
        """Return the request body; None where it was refused unread."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not re.fullmatch(r"\d{1,12}", length):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed")
        elif int(length) > MOST_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{length} bytes are too many: at most {MOST_BYTES} are taken",
            )
        elif self.headers.get_content_type() != JSON:
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected {JSON}")
        else:
            raw = self.rfile.read(int(length))
            if len(raw) == int(length):
                return raw
            self.close_connection = True
        return None

    def _send_asset(self, name: str, asset: Asset) -> None:
        packed = asset.compressed if "gzip" in self.headers.get("Accept-Encoding", "") else None
        extra = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if packed else {})
        if name == INDEX:
            extra["Content-Security-Policy"] = self.server.policy
        try:
            body = packed or asset.path.read_bytes()
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._answer(HTTPStatus.OK, body, asset.media_type, extra, lasting=asset.lasting)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer with one line and close the connection; the rest of the request is not read."""
        self.close_connection = True
        self._answer(status, f"{message}\n".encode(), TEXT, {"Connection": "close"})

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with one line instead of an HTML page."""
        status = HTTPStatus(code)
        self._refuse(status, message or status.phrase)

    def _answer(
        self,
        status: HTTPStatus,
        body: bytes,
        media_type: str,
        extra: dict[str, str] | None = None,
        *,
        lasting: bool = False,
    ) -> None:
        self.server.connections.expect(self.connection, ANSWER_SECONDS)
        self.send_response(status)
        kept = "private, max-age=3600" if lasting else "no-store"
        for key, value in {
            "Content-Type": media_type,
            "Content-Length": str(len(body)),
            "Cache-Control": kept,
            **HEADERS,
            **(extra or {}),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: addresses hold the token."""
