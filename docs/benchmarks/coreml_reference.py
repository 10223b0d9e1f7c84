"""Seconds of the Core ML reference interpreter beside PyTorch and ONNX Runtime on the same network.

Run: python docs/benchmarks/coreml_reference.py [ROUNDS] [NETWORK [CHECKPOINT ...]]
"""

import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

from styleexport.core.types import Precision, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.networks._open import open_network
from styleexport.runtime_bench.parity import read_probe
from styleexport.runtime_bench.runners._runner import RunOptions, find_runner

SIZES = (Size(256, 256), Size(512, 512))
OPTIONS = RunOptions(threads=2)


def main(rounds: int, name: str, checkpoints: list[Path]) -> None:
    """Run every candidate in turn at each size and print medians."""
    reference = find_runner("coreml-reference")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        out = Path(folder) / "artifact"
        loaded = open_network(name, checkpoints)
        role = loaded.default_roles[-1]
        request = ExportRequest(
            loaded, out, ("onnx", "coreml"), (Precision.FP32, Precision.FP16), (role,), SIZES
        )
        manifest = export(request, lambda line: print(line, file=sys.stderr)).manifest
        for size in SIZES:
            stem = f"{loaded.network.name}_{role}_{size}"
            package = out / f"{stem}_fp16.mlpackage"
            candidates = {
                "coreml-reference, device-like": (reference, package),
                "coreml-reference, float32": (reference.in_float32(), package),
                "torch": (find_runner("torch"), out / f"programs/{stem}.pt2"),
                "onnxruntime fp32": (find_runner("onnxruntime"), out / f"{stem}_fp32.onnx"),
            }
            opened = {
                label: stack.enter_context(runner.open(path, OPTIONS))
                for label, (runner, path) in candidates.items()
            }
            probe = next(p for p in manifest.probes if p.size.size() == size)
            names = [fact.name for fact in manifest.files[0].inputs]
            inputs = {key: read_probe(out, probe)[key] for key in names}
            samples: dict[str, list[float]] = {label: [] for label in opened}
            for _ in range(rounds + 1):
                for label, session in opened.items():
                    started = time.perf_counter()
                    session(inputs)
                    samples[label].append(time.perf_counter() - started)
            for label, values in samples.items():
                kept = values[1:]
                print(
                    f"{size} {label}: median {statistics.median(kept):.2f} s, "
                    f"{min(kept):.2f} to {max(kept):.2f} s, {rounds} rounds"
                )


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 7,
        sys.argv[2] if len(sys.argv) > 2 else "adain-lite",
        [Path(text) for text in sys.argv[3:]],
    )
