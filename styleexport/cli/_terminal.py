"""Terminal of a command: results on stdout; progress, remarks and errors on stderr.

On a terminal, a line at the bottom shows what is at work and for how long, with a bar for each
loop. Elsewhere progress is plain lines, and one that says so after ten seconds without any.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Literal, TextIO

import click

from styleexport.core.counted import Tally
from styleexport.core.terminal import RESULT, one_line, visible

if TYPE_CHECKING:
    from styleexport.cli._live import Live

Color = Literal["auto", "always", "never"]
# Seconds between two plain lines of a loop, and of silence before a line breaks it.
EVERY, SILENCE = 5.0, 10.0


class Terminal:
    """Where a command prints.

    Attributes:
        verbosity: -1 prints results and errors alone, 1 details too, 2 tracebacks of errors.
        color: whether text is coloured; ``auto`` colours a terminal unless ``NO_COLOR`` is set.
    """

    def __init__(self) -> None:
        self.verbosity = 0
        self.color: Color = "auto"
        self._lock = threading.RLock()
        self._started = self._said = self._since = time.monotonic()
        self._activity = ""
        self._stderr: TextIO | None = None
        self._live: Live | None = None
        self._ended: threading.Event | None = None

    def begin(self, activity: str) -> None:
        """Show that a command is at work, until `end`."""
        self.end()
        self._started = self._said = self._since = time.monotonic()
        self._activity = activity
        self._stderr = sys.stderr  # which is another while a library is kept quiet
        if self.verbosity >= 0:
            self._ended = threading.Event()
            threading.Thread(target=self._watch, args=(self._ended,), daemon=True).start()

    def end(self) -> None:
        """Show no longer that something is at work."""
        with self._lock:
            if self._ended is not None:
                self._ended.set()
                self._ended = None
            if self._live is not None:
                self._live.stop()
                self._live = None
            self._stderr = None

    def say(self, line: object) -> None:
        """Print a line of a result on stdout."""
        self.document(one_line(str(line), RESULT))

    def document(self, text: str, *, err: bool = False) -> None:
        """Print a text of several lines, whole; nothing is at work any longer."""
        self.end()
        click.echo(visible(text), nl=not text.endswith("\n"), err=err)

    def talk(self, message: str) -> None:
        """Print a remark or a line of progress on stderr; a `Tally` may be a bar."""
        if self.verbosity < 0:
            return
        line = self._timed(one_line(message))
        with self._lock:
            if (live := self._shown()) is not None:
                live.show(message if isinstance(message, Tally) else line)
                return
            now = time.monotonic()
            if not isinstance(message, Tally):
                self._activity, self._since = line, now
            elif now - self._said < EVERY or message.done == message.total:
                return
            self._said = now
            click.echo(line, file=self._err)

    def detail(self, message: str) -> None:
        """Print a line on stderr that only ``-v`` asks for."""
        if self.verbosity > 0:
            self.talk(message)

    def complain(self, message: str) -> None:
        """Print an error on stderr, however quiet the command is."""
        self.end()
        colored = self.colors(self._err.isatty())
        word = click.style("error:", fg="red", bold=True) if colored else "error:"
        click.echo(f"{word} {one_line(message)}", file=self._err, color=colored)

    def colors(self, is_terminal: bool) -> bool:
        """Return whether text on a stream is coloured."""
        if self.color != "auto":
            return self.color == "always"
        return is_terminal and not os.environ.get("NO_COLOR")

    def _timed(self, line: str) -> str:
        if self.verbosity < 1:
            return line
        return f"[{time.monotonic() - self._started:6.1f} s] {line}"

    @property
    def _err(self) -> TextIO:
        return self._stderr or sys.stderr

    def _shown(self) -> Live | None:
        """Return the lines at the bottom of a terminal; None where there are none."""
        terminal = self._err.isatty() and os.environ.get("TERM") != "dumb"
        if self._live is None and self._ended is not None and terminal:
            from styleexport.cli._live import Live

            self._live = Live(self._activity, self._err, color=self.colors(True))
        return self._live

    def _watch(self, ended: threading.Event) -> None:
        """Show what is at work after a second, or say so every ten where nothing else is said."""
        while not ended.wait(1.0):
            with self._lock:
                now = time.monotonic()
                if ended.is_set() or self._shown() is not None or now - self._said < SILENCE:
                    continue
                self._said = now
                click.echo(f"{self._activity}: {now - self._since:.0f} s so far", file=self._err)


TERMINAL = Terminal()
