"""The address of the page in words: its QR code, and what a browser will not allow at it."""

from __future__ import annotations

import io
import ipaddress
import socket

ANY = ("0.0.0.0", "::", "")
# Reserved for documentation: nothing is sent there, it only makes the system choose an interface.
ELSEWHERE = ("192.0.2.1", 9)


def reachable_host(host: str) -> str:
    """Return the address by which others reach a server that listens on ``host``."""
    if host not in ANY:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def is_local(host: str) -> bool:
    """Whether browsers trust plain http at a host: this machine's own addresses alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def advice(host: str, port: int, token: str, *, secure: bool) -> tuple[str, ...]:
    """Return what to know and what to type, in lines."""
    if secure:
        return ("the browser will warn of a certificate that it does not know: that is yours",)
    cable = (
        f"by cable, everything works: `adb reverse tcp:{port} tcp:{port}`, then open "
        f"http://localhost:{port}/{token}/ on the phone"
    )
    if is_local(host):
        return (
            "only this machine reaches it: --lan opens it to the local network",
            f"a phone {cable}",
        )
    return (
        "plain http on a network: browsers will give this page one thread, no WebGPU and no camera",
        f"a phone {cable}",
        "by network: serve with --cert cert.pem --key key.pem",
    )


def qr_code(url: str) -> str:
    """Return the QR code of an address as lines of block characters."""
    import segno

    drawn = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()
