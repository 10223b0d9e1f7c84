"""Parser of ``--runner``: ``torch:dtype=bf16,mode=compile``."""

from __future__ import annotations

from styleexport.core.errors import UsageError
from styleexport.runtime_bench.contract.runner_choice import RunnerChoice
from styleexport.runtime_bench.runners._runner import AnyRunner, any_runner


def parse_runner(text: str) -> RunnerChoice:
    """Return the choice that a text names: a runner, a colon, ``setting=value`` by commas.

    Raises:
        UsageError: there is no such runner, setting or value.
        MissingExtra: the runner's library is not installed.
    """
    name, _, rest = text.partition(":")
    runner = any_runner(name.strip())
    pairs = [part.partition("=") for part in rest.split(",") if part.strip()]
    settings: dict[str, str] = {}
    for key, equals, typed in pairs:
        if key.strip() in runner.texts and typed.strip(" '\""):
            settings[key.strip()] = typed.strip(" '\"")
            continue
        allowed = runner.choices.get(key.strip())
        if allowed is None or not equals:
            raise UsageError(f"{runner.name} has no setting {key.strip()!r}: {_allowed(runner)}")
        value = typed.strip().lower()
        if value not in allowed:
            raise UsageError(
                f"{runner.name} takes {key.strip()}={' or '.join(allowed)}, got {typed.strip()!r}; "
                f"type --runner {runner.name}:{key.strip()}={allowed[0]}"
            )
        settings[key.strip()] = value
    return RunnerChoice(runner.name, settings)


def _allowed(runner: AnyRunner) -> str:
    if not runner.choices:
        return f"it takes none; type --runner {runner.name}"
    known = [f"{key}={'|'.join(values)}" for key, values in runner.choices.items()]
    choices = "; ".join([*known, *(f"{key}=TEXT" for key in runner.texts)])
    key, values = next(iter(runner.choices.items()))
    return f"expected {choices}; type --runner {runner.name}:{key}={values[0]}"
