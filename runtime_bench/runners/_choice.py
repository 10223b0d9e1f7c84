"""A runner and the settings that were asked of it, as typed: ``torch:dtype=bf16,mode=compile``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from styleexport.core.errors import UsageError
from styleexport.runtime_bench.runners._runner import Runner, find_runner


@dataclass(frozen=True)
class RunnerChoice:
    """A runner with settings.

    Attributes:
        name: of the runner.
        settings: that differ from its defaults or were named.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        asked = ",".join(f"{key}={value}" for key, value in sorted(self.settings.items()))
        return f"{self.name}:{asked}" if asked else self.name


def parse_runner(text: str) -> RunnerChoice:
    """Return the choice that a text names: a runner, a colon, ``setting=value`` by commas.

    Raises:
        UsageError: no such runner, setting or value.
        MissingExtra: the runner's library is not installed.
    """
    name, _, rest = text.partition(":")
    runner = find_runner(name.strip())
    pairs = [part.partition("=") for part in rest.split(",") if part.strip()]
    settings: dict[str, str] = {}
    for key, equals, value in pairs:
        allowed = runner.choices.get(key.strip())
        if allowed is None or not equals:
            raise UsageError(f"{runner.name} has no setting {key.strip()!r}: {_allowed(runner)}")
        wanted = value.strip().lower()
        if wanted not in allowed:
            raise UsageError(
                f"{runner.name} takes {key.strip()}={' or '.join(allowed)}, got {value.strip()!r}; "
                f"type --runner {runner.name}:{key.strip()}={allowed[0]}"
            )
        settings[key.strip()] = wanted
    return RunnerChoice(runner.name, settings)


def _allowed(runner: Runner) -> str:
    if not runner.choices:
        return f"it takes none; type --runner {runner.name}"
    choices = "; ".join(f"{key}={'|'.join(values)}" for key, values in runner.choices.items())
    key, values = next(iter(runner.choices.items()))
    return f"expected {choices}; type --runner {runner.name}:{key}={values[0]}"
