"""`styleexport serve`: a web page that runs and measures an artifact in any browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from styleexport.cli._common import PATH, document, json_option, print_json, say, talk
from styleexport.cli._types import KEY_FILE
from styleexport.core.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from styleexport.runtime_bench.runners.browser._server import Address, PageServer


@click.command(
    short_help="Serve an artifact as a web page.",
    epilog="Example: styleexport serve adain-residual-onnx-int8 --lan",
)
@click.argument("artifact", type=PATH, required=False)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--lan", is_flag=True, help="Listen on all addresses, like --host 0.0.0.0.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--cert", type=KEY_FILE, help="Certificate for https, PEM; needs --key.")
@click.option("--key", type=KEY_FILE, help="Private key of --cert, PEM.")
@click.option(
    "--reports",
    type=PATH,
    default=Path("reports"),
    help="Folder for the reports that browsers send.",
)
@click.option("--install", is_flag=True, help="Install the page's JavaScript packages with npm.")
@json_option
def serve(
    artifact: Path | None,
    host: str,
    lan: bool,
    port: int,
    cert: Path | None,
    key: Path | None,
    reports: Path,
    install: bool,
    as_json: bool,
) -> None:
    """Serve ARTIFACT as a web page, on which any phone paints with it and measures it.

    The address contains a random token; whoever has it can read the artifact's files and store
    reports. Stop the server with Ctrl-C.
    """
    from styleexport.runtime_bench.runners.browser import _packages

    if install:
        talk(f"packages: {_packages.install(talk)}")
    if artifact is None:
        if not install:
            raise UsageError("name an artifact: styleexport serve ARTIFACT")
        return
    if reason := _packages.missing():
        raise MissingExtra(reason)
    address = _address("0.0.0.0" if lan else host, port, cert, key)
    _serve(_server(address, artifact, reports), address, as_json=as_json)


def _address(host: str, port: int, cert: Path | None, key: Path | None) -> Address:
    from styleexport.runtime_bench.runners.browser._server import Address

    if (cert is None) != (key is None):
        raise UsageError("--cert and --key belong together: type --cert cert.pem --key key.pem")
    return Address(host, port, (cert, key) if cert is not None and key is not None else None)


def _server(address: Address, artifact: Path, reports: Path) -> PageServer:
    from styleexport.core.manifest import read_manifest
    from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
    from styleexport.runtime_bench.runners.browser._server import PageServer

    job = job_of(read_manifest(artifact, check_files=False), PagePlanFact())
    server = PageServer(address, artifact, job, reports)
    server.on_report = lambda path: talk(f"report: {path}")
    return server


def _serve(server: PageServer, address: Address, *, as_json: bool) -> None:
    from styleexport.runtime_bench.runners.browser._address import advice, qr_code, reachable_host

    host, port = reachable_host(address.host), server.server_port
    url = f"{'https' if server.secure else 'http'}://{host}:{port}/{server.token}/"
    if as_json:
        print_json({"url": url, "reports": str(server.inbox.folder)})
    else:
        say(url)
        document(qr_code(url), err=True)
    for line in advice(host, port, server.token, secure=server.secure):
        talk(line)
    with server:
        server.serve_forever()


SECTION = "apps"
COMMAND = serve
