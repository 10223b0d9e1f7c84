"""The server: what it hands out, what it takes, and what it refuses."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import re
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from safetensors.numpy import load_file

from styleexport.core.errors import BadArtifact, DeviceError, UsageError
from styleexport.core.manifest import read_manifest
from styleexport.runtime_bench.contract.latency import read_report
from styleexport.runtime_bench.runners.browser import _reports, _server
from styleexport.runtime_bench.runners.browser._address import (
    advertised,
    advice,
    is_local,
    reachable_host,
)
from styleexport.runtime_bench.runners.browser._assets import assets_of
from styleexport.runtime_bench.runners.browser._connections import Connections
from styleexport.runtime_bench.runners.browser._drive import serving
from styleexport.runtime_bench.runners.browser._job import PagePlanFact, job_of
from styleexport.runtime_bench.runners.browser._server import Address, PageServer
from tests.runtime_bench.browser.conftest import Client, report_of


def stored(client: Client) -> list[Path]:
    return sorted(client.server.inbox.folder.glob("*"))


def test_the_page_is_isolated_and_runs_its_own_scripts_alone(client):
    page = client.get("")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    policy = page.headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy
    inline = re.search(rb'<script type="importmap">(.*?)</script>', page.body, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline[1]).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "python" not in page.headers["Server"].lower()


def test_every_listed_file_comes_with_its_type(client, artifact):
    manifest = read_manifest(artifact)
    for fact in (*manifest.files, *manifest.probes):
        answer = client.get(f"artifact/{fact.path}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/octet-stream")
        assert hashlib.sha256(answer.body).hexdigest() == fact.sha256
    for name, kind in (
        ("page/app.js", "text/javascript; charset=utf-8"),
        ("page/style.css", "text/css; charset=utf-8"),
        ("page/icon.svg", "image/svg+xml"),
        ("examples/content_lake.jpg", "image/jpeg"),
        ("job.json", "application/json"),
    ):
        assert client.get(name).headers["Content-Type"] == kind


def test_codes_that_ship_for_the_weights_are_offered(artifact, int8_artifact):
    manifest = read_manifest(int8_artifact)
    shipped = job_of(manifest, PagePlanFact()).shipped
    assert shipped is not None
    assert shipped.paintings["water-lilies"] == "Water Lilies, Claude Monet, 1919"
    served = assets_of(int8_artifact, manifest)[f"examples/{shipped.file}"].path
    assert set(load_file(served)) == set(shipped.paintings)
    # Those of other weights would be numbers without meaning.
    assert job_of(read_manifest(artifact), PagePlanFact()).shipped is None


def test_texts_and_packages_are_compressed(client, tmp_path, monkeypatch):
    plain = client.get("page/app.js")
    packed = client.get("page/app.js", Accept_Encoding="gzip, br")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    name = "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"
    path = client.server.assets[f"packages/{name}"].path
    assert client.get(f"packages/{name}").status in (200, 404)
    wasm = tmp_path / "a.wasm"
    wasm.write_bytes(b"\0asm")
    wasm.with_name("a.wasm.gz").write_bytes(gzip.compress(b"\0asm"))
    asset = _server.Asset(wasm, lasting=True)
    monkeypatch.setitem(client.server.assets, f"packages/{name}", asset)
    answer = client.get(f"packages/{name}", Accept_Encoding="gzip")
    assert answer.headers["Content-Type"] == "application/wasm"
    assert gzip.decompress(answer.body) == b"\0asm"
    assert client.get(f"packages/{name}").body == b"\0asm"
    assert path.name in name


def test_head_has_no_body(client):
    answer = client("HEAD", f"/{client.server.token}/")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 500


def test_nothing_without_the_token(client):
    token = client.server.token
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    for path in (
        "/",
        "//",
        f"/{token}",
        f"/{wrong}/",
        f"/{token}x/",
        f"/{token[:-1]}/",
        "/job.json",
        f"/x/{token}/",
        f"/{token.swapcase()}/",
    ):
        answer = client("GET", path)
        assert (answer.status, answer.text) == (404, "Not Found\n"), path
    body = json.dumps(report_of(client.job())).encode()
    sent = client("POST", f"/{wrong}/reports", body, Content_Type="application/json")
    assert sent.status == 404
    assert stored(client) == []


def test_tokens_differ_and_are_long(client, artifact, tmp_path):
    job = job_of(read_manifest(artifact), PagePlanFact())
    other = PageServer(Address(port=0), artifact, job, tmp_path)
    other.server_close()
    assert len(other.token) >= 20
    assert other.token != client.server.token


@pytest.mark.parametrize(
    "name",
    [
        "../manifest.json",
        "artifact/../manifest.json",
        "artifact/manifest.json",
        "artifact/%2e%2e/manifest.json",
        "artifact/..%2fmanifest.json",
        "artifact//etc/passwd",
        "artifact/",
        "artifact/programs/",
        "page/../__init__.py",
        "page/index.html",
        "page/package.json",
        "packages/../../x",
        "packages/onnxruntime-web/package.json",
        "page/app.js/",
        "page\\app.js",
        "job.json/..",
        "reports",
    ],
)
def test_only_listed_names_are_handed_out(client, name):
    assert client.get(name).status == 404


def test_files_of_the_artifact_that_no_browser_needs_stay(client, artifact):
    for fact in read_manifest(artifact).programs:
        assert (artifact / fact.path).is_file()
        assert client.get(f"artifact/{fact.path}").status == 404
    (artifact / "notes.onnx").write_bytes(b"mine")
    try:
        assert client.get("artifact/notes.onnx").status == 404
    finally:
        (artifact / "notes.onnx").unlink()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused_in_one_line(client, method):
    answer = client(method, f"/{client.server.token}/reports")
    assert answer.status == 501
    assert answer.text == f"Unsupported method ('{method}')\n"


def test_a_report_is_stored_under_a_name_of_the_servers(client):
    heard: list[str] = []
    client.server.on_report = heard.append
    answers = [client.post("reports", report_of(client.job())) for _ in range(3)]
    assert [answer.status for answer in answers] == [201] * 3
    names = [path.name for path in stored(client)]
    assert sorted(answer.text.strip() for answer in answers) == names
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-\d+\.json", name) for name in names)
    assert len(set(names)) == 3
    assert [Path(path).name for path in heard] == [answer.text.strip() for answer in answers]
    report = read_report(stored(client)[0])
    assert report.machine.device == "Pixel 9"
    assert report.cells[0].samples_ns == (5_000_000, 6_000_000)


def test_a_nonce_is_good_for_one_report(client):
    report = report_of(client.job())
    assert client.post("reports", report).status == 201
    again = client.post("reports", report)
    assert again.status == 400
    assert "bears no nonce of this server, or one that was used" in again.text
    assert client.post("reports", {**report, "nonce": None}).status == 400
    assert client.post("reports", {**report, "nonce": "x"}).status == 400
    assert len(stored(client)) == 1


def test_a_refused_report_does_not_use_up_its_nonce(client):
    report = report_of(client.job())
    assert client.post("reports", {**report, "cells": []}).status == 400
    assert client.post("reports", report).status == 201


def test_old_nonces_are_forgotten(client, monkeypatch):
    monkeypatch.setattr(_reports, "MOST_NONCES", 2)
    first = client.job()
    for _ in range(2):
        client.job()
    assert client.post("reports", report_of(first)).status == 400


def test_reports_do_not_fill_the_disk(client, monkeypatch):
    monkeypatch.setattr(_reports, "MOST_REPORTS", 1)
    assert client.post("reports", report_of(client.job())).status == 201
    answer = client.post("reports", report_of(client.job()))
    assert (answer.status, answer.text) == (400, "1 reports are stored: start the server again\n")


def changed(**values: Any) -> Any:
    return lambda report: report.update(values)


def in_cell(**values: Any) -> Any:
    return lambda report: report["cells"][0].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(schema_version=2), "has report schema version 2, expected 1"),
        (changed(schema_version="1"), "expected 1"),
        (changed(surprise=1), "is not a latency report"),
        (changed(created="yesterday"), "is not a latency report"),
        (changed(cells=[]), "is not a latency report"),
        (changed(harness={"name": "desktop", "version": "1"}), "expected a browser"),
        (in_cell(rounds_ns=[[-1]]), "is not a latency report"),
        (in_cell(rounds_ns=[[0.5]]), "is not a latency report"),
        (in_cell(rounds_ns=[]), "must hold samples"),
        (in_cell(picture="<script>"), "is not a latency report"),
        (in_cell(runner="onnxruntime"), "not a file that this server handed out"),
        (in_cell(size={"height": 9, "width": 9}), "at 9x9, which is not a file"),
        (in_cell(parity=None), "did not pass its probe"),
        (lambda r: r["cells"][0]["subject"].update(path="../x"), "../x at 64x96, which is not"),
        (lambda r: r["cells"][0]["subject"].update(sha256="0" * 64), "not a file that this"),
        (lambda r: r["cells"][0]["subject"].update(macs=1), "not a file that this"),
        (lambda r: r["cells"][0]["parity"].update(measured_db=20.0), "did not pass its probe"),
        (lambda r: r["cells"][0]["parity"].update(allowed_db=1.0), "did not pass its probe"),
    ],
)
def test_a_report_that_is_not_what_was_asked_for_is_refused_in_one_line(client, change, message):
    report = report_of(client.job())
    change(report)
    answer = client.post("reports", report)
    assert answer.status == 400
    assert message in answer.text
    assert answer.text.count("\n") == 1
    assert stored(client) == []


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": {}}']
)
def test_garbage_is_refused_in_one_line(client, raw):
    answer = client.post("reports", raw)
    assert answer.status == 400
    assert answer.text.startswith("what was sent")
    assert answer.text.count("\n") == 1
    assert stored(client) == []
    assert client.get("job.json").status == 200


def said(client: Client, head: str) -> str:
    """The first line that the server answers to the head of a request."""
    address = ("127.0.0.1", client.server.server_port)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head.format(token=client.server.token).encode())
        return connection.makefile("rb").readline().decode().strip()


POST = "POST /{token}/reports HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (POST + "Content-Length: 8000001\r\n\r\n", "413 Request Entity Too Large"),
        (POST + "Content-Length: 99999999999999\r\n\r\n", "411 Length Required"),
        (POST + "Content-Length: -5\r\n\r\n", "411 Length Required"),
        (POST + "Transfer-Encoding: chunked\r\n\r\n", "411 Length Required"),
        (POST + "\r\n", "411 Length Required"),
        (POST.replace("json", "xml") + "Content-Length: 2\r\n\r\n{{}}", "415 Unsupported"),
        ("GET /" + "a" * 70_000 + " HTTP/1.1\r\n\r\n", "414 "),
        ("nonsense\r\n\r\n", "Bad request syntax"),
        ("GET /\u00ff{token}/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
    ],
)
def test_an_odd_request_is_refused_by_its_head(client, head, answer):
    assert answer in said(client, head)
    assert stored(client) == []


def test_a_client_that_breaks_off_stops_nothing(client, capfd):
    address = ("127.0.0.1", client.server.server_port)
    for head in (b"", b"GET /", POST.encode() + b"Content-Length: 50\r\n\r\n{"):
        with socket.create_connection(address) as connection:
            connection.sendall(head.replace(b"{token}", client.server.token.encode()))
    assert client.get("").status == 200
    assert capfd.readouterr().err == ""


HOSTS = ("localhost", "LOCALHOST:8765", "127.0.0.1", "127.0.0.2:1", "[::1]:80", "[::1]")
FOREIGN = ("", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.7")
FOREIGN += ("127.0.0.1@evil.example", "evil.example:8765", "[::1", "a b", "localhost, evil.example")


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_of_this_machine(client, host):
    assert client.get("", Host=host).status == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_a_host_that_is_not_this_server(client, host):
    answer = client.get("", Host=host)
    assert answer.status == 421
    assert answer.text == (
        "the Host header names another server: open the address that was printed\n"
    )
    body = json.dumps(report_of(client.job())).encode()
    assert client.post("reports", body, Host=host).status == 421
    assert stored(client) == []


def test_a_server_on_all_addresses_is_called_by_those_it_advertises(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Workshop")
    names = advertised("0.0.0.0")
    assert {"workshop", "workshop.local", reachable_host("0.0.0.0")} <= names
    assert advertised("192.168.1.5") == {"192.168.1.5"}


def test_no_request_without_a_host(client):
    token = client.server.token
    assert "421 " in said(client, f"GET /{token}/ HTTP/1.1\r\n\r\n")


def test_a_request_that_trickles_is_ended(client, monkeypatch):
    monkeypatch.setattr(_server, "REQUEST_SECONDS", 0.3)
    address = ("127.0.0.1", client.server.server_port)
    with socket.create_connection(address, timeout=10) as slow:
        start, sent = time.monotonic(), 0
        with pytest.raises(OSError):
            while time.monotonic() - start < 10:
                slow.sendall(b"G" if not sent else b"E")
                sent += 1
                time.sleep(0.05)
        assert time.monotonic() - start < 8
    monkeypatch.undo()
    assert client.get("").status == 200


def test_a_body_that_trickles_is_ended(client, monkeypatch):
    monkeypatch.setattr(_server, "REQUEST_SECONDS", 0.3)
    address = ("127.0.0.1", client.server.server_port)
    head = POST.format(token=client.server.token) + "Content-Length: 5000\r\n\r\n"
    with socket.create_connection(address, timeout=10) as slow:
        slow.sendall(head.encode())
        start = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - start < 10:
                slow.sendall(b" ")
                time.sleep(0.05)
        assert time.monotonic() - start < 8
    assert stored(client) == []


def test_a_crowd_without_the_token_keeps_nobody_out(client):
    address = ("127.0.0.1", client.server.server_port)
    with contextlib.ExitStack() as stack:
        crowd = [
            stack.enter_context(socket.create_connection(address, timeout=10))
            for _ in range(2 * _server.MOST_CONNECTIONS)
        ]
        for one in crowd[-_server.STRANGERS :]:
            one.sendall(b"GET / HTTP/1.1\r\n")
        assert all(client.get("").status == 200 for _ in range(3))
        # The first to come were closed for those that followed.
        assert crowd[0].recv(10) == b""


def test_places_are_counted():
    now = [0.0]
    pairs = [socket.socketpair() for _ in range(6)]
    ends = [pair[0] for pair in pairs]
    found = Connections(4, 2, lambda: now[0])
    assert found.admit(ends[0], 10)
    assert found.admit(ends[1], 10)
    found.recognise(ends[0])
    found.recognise(ends[1])
    assert found.admit(ends[2], 10)
    assert found.admit(ends[3], 10)
    # Full: the stranger that waited longest goes, and never one with the token.
    assert found.admit(ends[4], 10)
    assert pairs[2][1].recv(1) == b""
    found.recognise(ends[3])
    found.recognise(ends[4])
    assert not found.admit(ends[5], 10)
    found.release(ends[3])
    assert found.admit(ends[5], 10)
    found.expect(ends[0], 100)
    now[0] = 50
    found.end_late()
    assert pairs[1][1].recv(1) == b""
    pairs[0][1].setblocking(False)
    with pytest.raises(BlockingIOError):
        pairs[0][1].recv(1)
    for pair in pairs:
        for end in pair:
            end.close()


def test_the_page_may_say_that_it_cannot_begin(client):
    assert client.post("trouble", {"message": "no WebAssembly"}).status == 201
    assert client.server.inbox.error == "no WebAssembly"
    assert client.post("trouble", {"text": "x"}).status == 400


def test_a_port_in_use_is_named(client, artifact, tmp_path):
    port = client.server.server_port
    with pytest.raises(
        DeviceError, match=f"127.0.0.1 port {port} is in use: type --port {port + 1}"
    ):
        PageServer(Address(port=port), artifact, client.server.inbox.job, tmp_path)


def test_an_address_that_is_not_ours_is_refused(client, artifact, tmp_path):
    with pytest.raises(DeviceError, match=r"cannot listen on 203\.0\.113\.9 port 0: .*--host 127"):
        PageServer(Address("203.0.113.9", 0), artifact, client.server.inbox.job, tmp_path)


def test_an_altered_artifact_is_not_served(artifact, tmp_path):
    import shutil

    copy = shutil.copytree(artifact, tmp_path / "copy")
    manifest = read_manifest(copy)
    (copy / manifest.files[0].path).write_bytes(b"other")
    with pytest.raises(BadArtifact, match="was altered"):
        PageServer(Address(port=0), copy, job_of(manifest, PagePlanFact()), tmp_path)


def test_https_with_a_certificate(artifact, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
            "-subj",
            "/CN=test",
        ],
        check=True,
        capture_output=True,
    )
    job = job_of(read_manifest(artifact), PagePlanFact())
    address = Address(port=0, certificate=(certificate, key))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with serving(PageServer(address, artifact, job, tmp_path)) as url:
        assert url.startswith("https://")
        host = ("127.0.0.1", int(url.split(":")[2].split("/")[0]))
        # One who says nothing must not keep the others waiting.
        with (
            socket.create_connection(host),
            urllib.request.urlopen(url, context=context, timeout=10) as answer,
        ):
            assert answer.status == 200
    with pytest.raises(UsageError, match=r"are not a certificate and its key: .*openssl req"):
        PageServer(Address(port=0, certificate=(key, key)), artifact, job, tmp_path)


def test_the_job_holds_every_file_at_its_sizes(client, artifact):
    job = client.job()
    manifest = read_manifest(artifact)
    assert [cell["subject"]["path"] for cell in job["cells"]] == [f.path for f in manifest.files]
    assert {cell["allowed_db"] for cell in job["cells"]} == {90.0}
    for cell in job["cells"]:
        assert cell["probe"] in {probe.path for probe in manifest.probes}
    assert job["packages"] == {"@litertjs/core": "2.5.3", "onnxruntime-web": "1.30.0"}
    assert job["nonce"] != client.job()["nonce"]


def test_a_job_of_chosen_files(artifact):
    manifest = read_manifest(artifact)
    fact = manifest.files[0]
    assert fact.size is not None
    wanted = [(fact.path, fact.size.size())]
    assert [c.subject.path for c in job_of(manifest, PagePlanFact(), wanted).cells] == [fact.path]
    with pytest.raises(UsageError, match="holds no file to be run"):
        job_of(manifest, PagePlanFact(), [("x.onnx", fact.size.size())])
    with pytest.raises(UsageError, match="holds not all of the files to be run"):
        job_of(manifest, PagePlanFact(), [*wanted, ("x.onnx", fact.size.size())])


def test_what_plain_http_costs_is_said():
    there = " ".join(advice("192.168.0.7", 8765, "TOKEN", secure=False))
    assert "one thread, no WebGPU and no camera" in there
    assert "adb reverse tcp:8765 tcp:8765" in there
    assert "--cert cert.pem --key key.pem" in there
    here = " ".join(advice("127.0.0.1", 8765, "TOKEN", secure=False))
    assert "no WebGPU" not in here
    assert "--lan" in here
    assert len(advice("192.168.0.7", 8765, "TOKEN", secure=True)) == 1


def test_addresses_of_this_machine():
    assert reachable_host("127.0.0.1") == "127.0.0.1"
    assert reachable_host("0.0.0.0") != "0.0.0.0"
    assert [is_local(host) for host in ("127.0.0.1", "::1", "localhost", "192.168.0.7")] == [
        True,
        True,
        True,
        False,
    ]


def test_thumbnails_are_handed_out_as_pictures_and_in_no_other_format():
    folder = Path(__file__).parents[2] / "contract/artifacts/colour-transfer"
    manifest = read_manifest(folder)
    (pack,) = manifest.styles
    names = [f"artifact/{thumbnail.path}" for thumbnail in pack.thumbnails]
    served = assets_of(folder, manifest)
    assert [served[name].media_type for name in names] == ["image/jpeg"] * 2
    pages = tuple(
        msgspec.structs.replace(fact, path=fact.path.replace(".jpg", ".html"))
        for fact in pack.thumbnails
    )
    styles = (msgspec.structs.replace(pack, thumbnails=pages),)
    other = assets_of(folder, msgspec.structs.replace(manifest, styles=styles))
    assert set(served) - set(other) == set(names)
    assert not set(other) - set(served)
