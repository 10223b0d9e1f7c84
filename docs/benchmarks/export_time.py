"""Time, CPU seconds and memory of exports, with an empty cache and again with a full one.

Run: python docs/benchmarks/export_time.py [--wave ml5_fast_wave.npz] [--size 512]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measured(command: list[str], cache: Path) -> tuple[float, float, float]:
    """Run a command; return wall seconds, CPU seconds, and the largest process's peak in GB."""
    environment = {**os.environ, "STYLEEXPORT_CACHE": str(cache)}
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, kilobytes / 1e6


def main() -> None:
    """Print a row of the table for each command and state of the cache."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wave", type=Path, help="weights of a fast-style network")
    parser.add_argument("--size", default="512")
    asked = parser.parse_args()
    commands = {
        "onnx --quantize int8": ["onnx", "--quantize", "int8"],
        "onnx adain-lite --quantize int8": ["onnx", "adain-lite", "--quantize", "int8"],
    }
    if asked.wave is not None:
        files = ["--target", "onnx", "--target", "tflite"]
        files += ["--quantize", "none", "--quantize", "int8"]
        name = "export fast-style, ONNX and TFLite, none and int8"
        commands[name] = ["export", "fast-style", "--checkpoint", str(asked.wave), *files]
    print("| command | cache | wall s | CPU s | peak GB, of the largest process |")
    print("|---|---|---|---|---|")
    for name, command in commands.items():
        with tempfile.TemporaryDirectory() as folder:
            out = ("--size", asked.size, "-q", "-o", str(Path(folder) / "out"))
            whole = [sys.executable, "-m", "styleexport", *command, *out]
            for cache in ("empty", "full"):
                wall, cpu, peak = measured(whole, Path(folder) / "cache")
                row = f"| `{name}` | {cache} | {wall:.0f} | {cpu:.0f} | {peak:.2f} |"
                print(row, flush=True)


if __name__ == "__main__":
    main()
