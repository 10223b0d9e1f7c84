"""What runs inside the emulated machine: one file, a few times, on the inputs of its probe.

It is started as a script by the guest's own Python and imports nothing of styleexport.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import onnxruntime

RUNS = 3


def main(model: str, inputs: str, outputs: str) -> None:
    """Run a file and write what it computes.

    Args:
        model: the ``.onnx`` file.
        inputs: ``.npz``, by name.
        outputs: ``.npz``, by name; written.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    feeds = dict(np.load(inputs))
    os.getppid()  # a mark for the plug-in that counts, here and below
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    os.getppid()
    found = []
    for _ in range(RUNS):
        found = session.run(None, feeds)
        os.getppid()
    names = [output.name for output in session.get_outputs()]
    arrays = {name: np.asarray(value) for name, value in zip(names, found, strict=True)}
    np.savez(outputs, **arrays)  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    main(*sys.argv[1:4])
