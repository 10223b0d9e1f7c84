"""Check of the Android app, as far as this machine can: ``python -m tools.android_check``.

Exit code 0: every step that can be done here passed; 1: a step failed.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from tools.android_check.outcome import Outcome, PieceMissing, StepFailed
from tools.android_check.pieces import Pieces, cache_folder
from tools.android_check.steps import BUILD, Steps

NEVER = (
    "the official build with Gradle and the Android Gradle plugin",
    "LiteRT's classes and libraries: the app's calls are checked against signatures by hand",
    "anything on a phone or an emulator: screens, camera, delegates, times",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of the check."""
    options = _options(arguments)
    pieces = Pieces(cache_folder(), offline=options.offline, say=_say)
    steps = Steps(pieces, options.build)
    with locked(options.build):
        outcomes = _run(steps, fetch_d8=options.with_d8)
    _sum_up(outcomes)
    return 1 if any(one.status == "failed" for one in outcomes) else 0


@contextlib.contextmanager
def locked(build: Path) -> Generator[None]:
    """Wait until no other process works in a build folder, and keep others out."""
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(steps: Steps, *, fetch_d8: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for name, needs, action in _plan(steps, fetch_d8):
        missing = next(
            (one for one in outcomes if one.step in needs and one.status != "passed"), None
        )
        outcomes.append(_outcome(name, action, missing))
        _say(f"{outcomes[-1].status:>8}: {name}: {outcomes[-1].detail}")
    return outcomes


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="android-check", description=__doc__)
    parser.add_argument("--offline", action="store_true", help="fetch nothing")
    parser.add_argument("--with-d8", action="store_true", help="fetch D8 (100 MB), for the APK")
    parser.add_argument("--build", type=Path, default=BUILD)
    return parser.parse_args(arguments)


def _plan(steps: Steps, fetch: bool) -> Sequence[tuple[str, tuple[str, ...], Callable[[], str]]]:
    """Return the name, the required steps, and the action of each step."""
    return (
        ("rules", (), steps.check_rules),
        ("compile :contract", (), steps.compile_contract),
        ("test :contract", ("compile :contract",), steps.test_contract),
        ("resources", (), steps.check_resources),
        ("compile :app", ("compile :contract", "resources"), steps.compile_app),
        ("package", ("compile :app",), lambda: steps.package(steps.pieces.d8(fetch=fetch))),
    )


def _outcome(name: str, action: Callable[[], str], missing: Outcome | None) -> Outcome:
    if missing is not None:
        return Outcome(name, "left out", f"it needs the step `{missing.step}`")
    try:
        return Outcome(name, "passed", action())
    except PieceMissing as error:
        return Outcome(name, "left out", str(error))
    except StepFailed as error:
        return Outcome(name, "failed", str(error))


def _sum_up(outcomes: Sequence[Outcome]) -> None:
    by_status = {
        status: [one for one in outcomes if one.status == status]
        for status in ("passed", "failed", "left out")
    }
    _say("")
    _say(f"android-check: {', '.join(f'{len(ones)} {name}' for name, ones in by_status.items())}")
    for one in by_status["left out"]:
        _say(f"  not done here: {one.step}: {one.detail}")
    for what in NEVER:
        _say(f"  never done by this check: {what}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
