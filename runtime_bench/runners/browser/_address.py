"""Address of the page: its QR code, and advice on what browsers allow there."""

from __future__ import annotations

import io
import ipaddress
import re
import socket

ANY = ("0.0.0.0", "::", "")
# Reserved for documentation: nothing is sent, it only makes the system choose an interface.
EXTERNAL = ("192.0.2.1", 9)


def reachable_host(host: str) -> str:
    """Return the address at which other machines reach a server that listens on ``host``."""
    if host not in ANY:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(EXTERNAL)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def is_local(host: str) -> bool:
    """Whether browsers trust plain http at a host, which they do for loopback addresses only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def advertised(host: str) -> frozenset[str]:
    """Return the host names and addresses by which a page is opened, besides loopback ones.

    A page of another site can make a browser send requests here under that site's own name, when
    the name is made to lead to this machine (DNS rebinding): such a name is not among them.

    Args:
        host: address that the server listens on.
    """
    names = {host, reachable_host(host)}
    if host in ANY:
        own = socket.gethostname()
        names |= {own, own.removesuffix(".local") + ".local"}
    return frozenset(name.lower() for name in names - set(ANY))


def host_of(header: str) -> str:
    """Return the host of a ``Host`` header, without port and brackets, in lower case."""
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]+)(:\d{1,5})?", header.strip())
    return match[1].strip("[]").lower() if match else ""


def advice(host: str, port: int, token: str, *, secure: bool) -> tuple[str, ...]:
    """Return lines of advice for opening the page."""
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

    lines = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(lines, compact=True)
    return lines.getvalue()
