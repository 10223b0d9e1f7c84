"""Runs of an ExecuTorch file in ExecuTorch's own environment, on request.

Run by int8_sessions.py: run_pte.py FILE THREADS. Each line of standard input is a JSON object:
``inputs`` and ``outputs`` are `.npy`-like archives (`.npz`) to read and to write, arrays in the
order of the program; ``repeats`` runs follow one that is not counted. Each answer is a line of JSON
with ``ns`` of one run.
"""

from __future__ import annotations

import gc
import json
import sys
import time

import numpy as np
import torch
from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
from executorch.runtime import Runtime


def main(path, threads):
    """Answer until standard input ends."""
    # Libraries print to it; only answers may.
    answers, sys.stdout = sys.stdout, sys.stderr
    _unsafe_reset_threadpool(int(threads))
    method = Runtime.get().load_program(path).load_method("forward")
    gc.disable()
    print(json.dumps({"ns": 0}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        with np.load(request["inputs"]) as stored:
            inputs = [torch.from_numpy(stored[name]) for name in stored.files]
        outputs = method.execute(inputs)
        repeats = request["repeats"]
        started = time.perf_counter_ns()
        for _ in range(repeats):
            outputs = method.execute(inputs)
        ns = (time.perf_counter_ns() - started) // max(1, repeats)
        if request["outputs"]:
            np.savez(request["outputs"], *(output.numpy() for output in outputs))
        print(json.dumps({"ns": ns}), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
