"""Lines at the bottom of a terminal that show what is at work."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from styleexport.core.counted import Tally


class Live:
    """A line for what is at work, a bar for each loop; both go when the work ends.

    Args:
        activity: what is at work first.
        stream: the terminal.
        color: whether it is coloured.
    """

    def __init__(self, activity: str, stream: TextIO, *, color: bool) -> None:
        self._console = Console(file=stream, no_color=not color, highlight=False, soft_wrap=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counts]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._activity = self._progress.add_task(activity, total=None, counts="")
        self._bars: dict[str, TaskID] = {}
        self._progress.start()

    def show(self, line: str) -> None:
        """Print a line above, which is what is at work now; draw a `Tally` as a bar."""
        if isinstance(line, Tally):
            self._draw(line)
            return
        self._console.print(line, markup=False)
        self._progress.reset(self._activity, description=line)

    def _draw(self, tally: Tally) -> None:
        each = tally.seconds / max(tally.done, 1)
        left = each * (tally.total - tally.done)
        counts = f"{tally.done}/{tally.total}  {each:.1f} s each, {left:.0f} s left"
        if tally.what not in self._bars:
            self._bars[tally.what] = self._progress.add_task(tally.what, counts=counts)
        bar = self._bars[tally.what]
        self._progress.update(bar, total=tally.total, completed=tally.done, counts=counts)
        if tally.done == tally.total:
            self._progress.remove_task(self._bars.pop(tally.what))

    def stop(self) -> None:
        """Clear the lines."""
        self._progress.stop()
