"""How one check ended: passed, failed, or not possible here, with what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "not possible here"]


@dataclass(frozen=True)
class Outcome:
    """One check.

    Attributes:
        name: what was checked.
        status: how it ended.
        lines: what it found, or why it was not possible.
    """

    name: str
    status: Status
    lines: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, faults: list[str], done: str) -> Outcome:
        """Return the outcome of a check that found these faults, or did this."""
        return cls(name, "failed" if faults else "passed", tuple(faults) or (done,))
