"""Guest program of the emulated machine: runs one file a few times on the inputs of its probe.

The guest's own Python starts it as a script; it imports nothing of styleexport.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import onnxruntime

RUNS = 3


def main(model: str, inputs: str, outputs: str) -> None:
    """Run a file and write its outputs.

    Args:
        model: path of the ``.onnx`` file.
        inputs: path of an ``.npz`` file with the inputs by name.
        outputs: path of the ``.npz`` file to write, with the outputs by name.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    feeds = dict(np.load(inputs))
    os.getppid()  # marks a point for the counting plug-in, here and below
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    os.getppid()
    results = []
    for _ in range(RUNS):
        results = session.run(None, feeds)
        os.getppid()
    names = [output.name for output in session.get_outputs()]
    arrays = {name: np.asarray(value) for name, value in zip(names, results, strict=True)}
    np.savez(outputs, **arrays)  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    main(*sys.argv[1:4])
