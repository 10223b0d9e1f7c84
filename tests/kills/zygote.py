"""A process that has imported the library and forks for every run, which then costs no import.

It has computed nothing and started no thread, so that a fork of it may do both. A line on stdin is
a job, ``action scenario folder argument`` as JSON; the answer is the exit status of its process.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path

from tests.kills import recorder
from tests.kills.scenarios import SCENARIOS


def run(action: str, name: str, folder: Path, argument: str) -> None:
    """Do one job: prepare, record (into a folder), kill (before a change), check, or go on."""
    scenario = SCENARIOS[name]
    os.chdir(folder)
    if action == "prepare":
        scenario.prepare(folder)
    elif action == "record":
        recorder.record(folder, Path(argument), lambda: scenario.run(folder))
    elif action == "kill":
        recorder.kill_before(folder, int(argument), lambda: scenario.run(folder))
    elif action == "check":
        scenario.check(folder)
    else:
        scenario.go_on(folder)


def main() -> None:
    """Serve jobs until stdin ends."""
    for line in sys.stdin:
        action, name, folder, argument = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    run(action, name, Path(folder), argument)
                code = 0
            except BaseException:  # noqa: BLE001 - whatever it is, the test sees it
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
