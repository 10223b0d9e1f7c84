"""Runner and settings, as they are typed: ``torch:dtype=bf16,mode=compile``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RunnerChoice:
    """A runner with settings.

    Attributes:
        name: name of the runner.
        settings: settings that were typed; the others keep their defaults.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        settings = ",".join(f"{key}={value}" for key, value in sorted(self.settings.items()))
        return f"{self.name}:{settings}" if settings else self.name
