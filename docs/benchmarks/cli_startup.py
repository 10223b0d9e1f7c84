"""CPU seconds of `styleexport --help`, against an interpreter that does nothing.

Run: python docs/benchmarks/cli_startup.py [RUNS]
"""

import resource
import statistics
import subprocess
import sys


def cpu_seconds(command: list[str]) -> float:
    """Return user and system seconds of one run of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: int) -> None:
    """Run both in turn and print the median, least and most of each."""
    commands = {
        "styleexport --help": [sys.executable, "-m", "styleexport", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs + 1):
        for name, command in commands.items():
            samples[name].append(cpu_seconds(command))
    for name, values in samples.items():
        kept = values[1:]
        print(
            f"{name}: median {statistics.median(kept):.3f} s, "
            f"{min(kept):.3f} to {max(kept):.3f} s, {runs} runs"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
