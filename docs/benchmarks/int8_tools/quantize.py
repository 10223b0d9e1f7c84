"""int8 file of one tool, made in the tool's own environment by its documented recipe.

Run by int8_peers.py with the environment's Python: quantize.py TOOL SOURCE CALIBRATION TARGET.
SOURCE is an fp32 `.onnx` file, or the captured program `.pt2` for tools that take PyTorch;
CALIBRATION is an `.npz` of the inputs by name, stacked along a first axis of their own; TARGET is
the `.onnx`, `.pte` or `.pt2` file to write. An exception ends the process with its traceback.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np


class Reader:
    """Hands out calibration inputs one by one, as onnxruntime.quantization asks for them."""

    def __init__(self, feeds):
        self.feeds, self.left = feeds, iter(feeds)

    def get_next(self):
        return next(self.left, None)

    def rewind(self):
        self.left = iter(self.feeds)

    def get_first(self):
        return self.feeds[0]

    def __len__(self):
        return len(self.feeds)

    def __iter__(self):
        return iter(self.feeds)

    def __next__(self):
        return next(self.left)


def quark(source, feeds, target):
    """AMD Quark's A8W8 configuration, the one for CPUs and GPUs (XINT8 is for its NPU)."""
    from quark.onnx import ModelQuantizer, QConfig

    quantizer = ModelQuantizer(QConfig.get_default_config("A8W8"))
    quantizer.quantize_model(str(source), str(target), Reader(feeds))


def aimet(source, feeds, target):
    """AIMET: min-max encodings of a simulation model with its default configuration."""
    import onnx
    from aimet_onnx import QuantizationSimModel

    simulation = QuantizationSimModel(onnx.load(source), param_type="int8", activation_type="int8")
    simulation.compute_encodings(feeds)
    onnx.save(simulation.to_onnx_qdq(), target)


def olive(source, feeds, target):
    """Olive's OnnxStaticQuantization pass with its defaults (int8, QDQ, min-max)."""
    os.environ["OLIVE_DISABLE_TELEMETRY"] = "1"
    from olive.data.config import DataComponentConfig, DataConfig
    from olive.data.registry import Registry
    from olive.hardware.accelerator import DEFAULT_CPU_ACCELERATOR
    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.quantization import OnnxStaticQuantization

    @Registry.register_dataset()
    def calibration(**_):
        return [(feed, 0) for feed in feeds]

    data = DataConfig(
        name="calibration",
        load_dataset_config=DataComponentConfig(type="calibration"),
        dataloader_config=DataComponentConfig(type="no_auto_batch_dataloader"),
    )
    step = create_pass_from_dict(
        OnnxStaticQuantization,
        {"data_config": data},
        disable_search=True,
        accelerator_spec=DEFAULT_CPU_ACCELERATOR,
    )
    with tempfile.TemporaryDirectory() as folder:
        made = step.run(ONNXModelHandler(str(source)), folder)
        target.write_bytes(Path(made.model_path).read_bytes())


def modelopt(source, feeds, target):
    """NVIDIA ModelOpt's int8 mode with its defaults (entropy), calibrated and kept for a CPU."""
    from modelopt.onnx.quantization import quantize

    stacked = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    quantize(
        str(source),
        quantize_mode="int8",
        calibration_data=stacked,
        calibration_eps=["cpu"],
        # fp16 is its default for what stays float, which no CPU kernel computes.
        high_precision_dtype="fp32",
        output_path=str(target),
    )


def executorch(source, feeds, target):
    """ExecuTorch: PT2E with XNNPACKQuantizer, symmetric and per channel, lowered to XNNPACK."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    program = torch.export.load(str(source))
    examples = [tuple(map(torch.from_numpy, feed.values())) for feed in feeds]
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
    module = prepare_pt2e(program.module(), quantizer)
    with torch.no_grad():
        for example in examples:
            module(*example)
    module = convert_pt2e(module)
    _lower(torch.export.export(module, examples[0]), target)


def coreai(source, feeds, target):
    """coreai-opt's default configuration, int8 weights and activations, simulated in PyTorch."""
    import torch
    from coreai_opt import ExportBackend
    from coreai_opt.quantization import Quantizer, QuantizerConfig

    examples = [tuple(map(torch.from_numpy, feed.values())) for feed in feeds]
    quantizer = Quantizer(torch.export.load(str(source)).module(), QuantizerConfig())
    prepared = quantizer.prepare(examples[0])
    with quantizer.calibration_mode(), torch.no_grad():
        for example in examples:
            prepared(*example)
    module = quantizer.finalize(backend=ExportBackend.Torch)
    torch.export.save(torch.export.export(module, examples[0]), str(target))


def executorch_fp32(source, _, target):
    """ExecuTorch: the program lowered to XNNPACK as it is, which int8 times are compared with."""
    import torch

    _lower(torch.export.load(str(source)), target)


def _lower(program, target):
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    target.write_bytes(lowered.to_executorch().buffer)


def nncf(source, feeds, target):
    """NNCF's quantize with its defaults."""
    import nncf
    import onnx

    onnx.save(nncf.quantize(onnx.load(source), nncf.Dataset(feeds)), target)


TOOLS = {
    "quark": quark,
    "aimet": aimet,
    "olive": olive,
    "modelopt": modelopt,
    "coreai": coreai,
    "executorch": executorch,
    "executorch-fp32": executorch_fp32,
    "nncf": nncf,
}


def main(tool, source, calibration, target):
    """Write the file."""
    stacked = np.load(calibration)
    feeds = [
        {name: stacked[name][number] for name in stacked.files}
        for number in range(len(stacked[stacked.files[0]]))
    ]
    TOOLS[tool](Path(source), feeds, Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
