"""Reports that the languages of the contract write for one another.

``python -m tests.contract.exchange`` deletes old reports and writes those of Python and JavaScript,
before the checks of the apps read them and add those of Kotlin and Swift. Each language writes the
report of `reports/phone.json` to ``<folder>/<language>/report.json``, by its own writer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from styleexport.runtime_bench.contract.latency import LatencyReport, read_report, write_report

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests/contract/reports/phone.json"
JAVASCRIPT_TEST = ROOT / "tests/runtime_bench/browser/exchange.test.mjs"
VARIABLE = "STYLEEXPORT_CONTRACT_EXCHANGE"


def exchange_folder() -> Path:
    """Return the folder with a folder per language."""
    return Path(os.environ.get(VARIABLE) or ROOT / "build/contract-exchange")


def report_path(folder: Path, language: str) -> Path:
    """Return where a language writes its report."""
    return folder / language / "report.json"


def expected_report() -> LatencyReport:
    """Return the report that every language writes."""
    return read_report(FIXTURE)


def write_python(folder: Path) -> None:
    """Write Python's report."""
    path = report_path(folder, "python")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_report(expected_report(), path)


def run_javascript(folder: Path) -> str | None:
    """Write the page's report and check those of the others in node.

    Returns:
        The output of node if a test failed, else None.

    Raises:
        FileNotFoundError: node is not installed.
    """
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("node is not installed: install Node.js 20 or newer")
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(JAVASCRIPT_TEST)],
        env=os.environ | {VARIABLE: str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    passed = done.returncode == 0 and "# pass 2" in done.stdout
    return None if passed else done.stdout + done.stderr


def main() -> int:
    """Return the exit code."""
    folder = exchange_folder()
    shutil.rmtree(folder, ignore_errors=True)
    write_python(folder)
    try:
        failure = run_javascript(folder)
    except FileNotFoundError as error:
        sys.stdout.write(f"no report of javascript: {error}\n")
        return 0
    if failure:
        sys.stdout.write(failure)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
