from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from styleexport.runtime_bench.runners.browser import _packages

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(_packages, "missing", lambda: None)


def test_without_the_packages_the_line_to_type_is_said(cli, artifact, own_cache):
    cli("serve", artifact).refused(4, "packages are not installed", "styleexport serve --install")


def test_an_artifact_is_needed(cli):
    cli("serve").refused(2, "name an artifact: styleexport serve ARTIFACT")


def test_a_folder_that_is_no_artifact(cli, installed, tmp_path):
    cli("serve", tmp_path).refused(2, "is not an artifact", "styleexport onnx")


def test_a_port_in_use(cli, installed, artifact):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("serve", artifact, "--port", port)
    done.refused(4, f"127.0.0.1 port {port} is in use", f"--port {port + 1}")


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(cli, artifact, port):
    cli("serve", artifact, "--port", port).refused(2, "--port")


def test_a_certificate_without_its_key(cli, installed, artifact):
    for name in ("cert.pem", "key.pem"):
        Path(name).touch()
    cli("serve", artifact, "--cert", "cert.pem").refused(2, "--cert and --key belong together")
    cli("serve", artifact, "--key", "key.pem").refused(2, "--cert and --key belong together")
    done = cli("serve", artifact, "--port", 0, "--cert", "cert.pem", "--key", "key.pem")
    done.refused(2, "are not a certificate and its key", "openssl req")


def test_installing_needs_npm(cli, own_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    cli("serve", "--install").refused(4, "npm is not installed", "Node.js")


def test_the_help_ends_with_an_example(cli):
    done = cli("serve", "--help")
    assert done.code == 0
    assert done.out.rstrip().endswith("Example: styleexport serve adain-residual-onnx-int8 --lan")


SERVE = """
import sys
from styleexport.runtime_bench.runners.browser import _packages
_packages.missing = lambda: None
from styleexport.__main__ import main
sys.argv = ["styleexport", "serve", *sys.argv[1:]]
main()
"""


def serve(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", SERVE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    return out, err


def test_the_address_is_printed_and_leads_to_the_page_until_ctrl_c(artifact, tmp_path):
    process = serve(artifact, "--port", 0, "--reports", tmp_path / "reports")
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b"<title>styleexport</title>" in answer.read()
    finally:
        out, err = ended(process)
    assert out == ""
    assert "█" in err
    assert "adb reverse tcp:" in err
    assert err.endswith("interrupted: nothing half-written was left behind\n")
    assert not (tmp_path / "reports").exists()


def test_json_names_the_address_and_the_folder(artifact, tmp_path):
    process = serve(artifact, "--port", 0, "--lan", "--json", "--reports", tmp_path / "reports")
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            lines.append(process.stdout.readline())
            assert lines[-1], "the server ended"
    finally:
        _, err = ended(process)
    found = json.loads("".join(lines))
    assert found["reports"] == str(tmp_path / "reports")
    assert found["url"].startswith("http://")
    assert "0.0.0.0" not in found["url"]
    assert "█" not in err
