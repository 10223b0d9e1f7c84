"""Open connections of the page server: how many, for whom, and for how long."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class _Connection:
    """Connection: the time at which it ends, and whether its client has shown the token."""

    deadline: float
    known: bool = False


class Connections:
    """Connections that are open. A place is kept for clients with the token.

    Clients that have not shown it share a part of the places. Where that is full, the one that has
    waited longest is closed for the next, so a crowd of them keeps nobody out.

    Args:
        most: number of places.
        strangers: number of them for clients that have not shown the token.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self, most: int, strangers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._strangers, self._clock = most, strangers, clock
        self._lock = threading.Lock()
        self._open: dict[socket.socket, _Connection] = {}

    def admit(self, connection: socket.socket, seconds: float) -> bool:
        """Return whether a new connection has a place; it must send its request in ``seconds``."""
        with self._lock:
            strangers = [other for other, state in self._open.items() if not state.known]
            full = len(self._open) >= self._most
            if strangers and (full or len(strangers) >= self._strangers):
                self._end(strangers[0])
            elif full:
                return False
            self._open[connection] = _Connection(self._clock() + seconds)
            return True

    def expect(self, connection: socket.socket, seconds: float) -> None:
        """End a connection unless its request or answer is complete in ``seconds`` from now."""
        with self._lock:
            if connection in self._open:
                self._open[connection].deadline = self._clock() + seconds

    def recognise(self, connection: socket.socket) -> None:
        """Note that the client of a connection has shown the token."""
        with self._lock:
            if connection in self._open:
                self._open[connection].known = True

    def release(self, connection: socket.socket) -> None:
        """Free the place of a connection."""
        with self._lock:
            self._open.pop(connection, None)

    def end_late(self) -> None:
        """End the connections whose time is over."""
        now = self._clock()
        with self._lock:
            for connection in [c for c, state in self._open.items() if state.deadline < now]:
                self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        """Free a place, and make the thread of its connection stop reading and writing."""
        del self._open[connection]
        # Of the plain socket: that of TLS would first take its encryption from a thread in use.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
