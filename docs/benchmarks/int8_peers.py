"""What other quantizers make of an fp32 file, by default recipes, with the same pictures."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from int8_environments import Feeds, quantize, telling_error
from int8_report import Kind
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from styleexport.core import environments
from styleexport.core.errors import UnsupportedOp
from styleexport.core.quiet import quiet
from styleexport.runtime_bench.runners._litert import load
from styleexport.runtime_bench.runners._litert_tensors import native_quiet

# At 512x512 it did not end in 200.
ONNX2TF_LIMIT_S = 120.0


@dataclass(frozen=True)
class Work:
    """Inputs of a tool, and its time limit.

    Attributes:
        source: fp32 file, a copy that the tool may write to, as onnx2tf does.
        target: int8 file to write.
        feeds: calibration inputs (images [1, 3, H, W]).
        environments: folder of the environments of tools that have their own.
        limit_s: wall time in s after which a tool in an environment is killed.
    """

    source: Path
    target: Path
    feeds: Feeds
    environments: Path
    limit_s: float


@dataclass(frozen=True)
class Peer:
    """A tool with its default recipe.

    Attributes:
        name: of tool and recipe.
        reads: suffix of the fp32 file that it takes.
        writes: suffix of the file that it makes.
        make: makes the file; it raises what the tool raises.
        tool: name of its environment; "" for a tool of this one.
        kind: kind of the file that it makes.
    """

    name: str
    reads: str
    writes: str
    make: Callable[[Work], None]
    tool: str = ""
    kind: Kind = "peer"


class _Reader(CalibrationDataReader):
    """Hands out calibration inputs one by one."""

    def __init__(self, feeds: Feeds) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return next(self.feeds, None)


def _onnxruntime(work: Work) -> None:
    with quiet():
        quantize_static(work.source, work.target, _Reader(work.feeds))


def _onnxruntime_documented(work: Work) -> None:
    """As its documentation has it: pre-process first; per channel for accuracy."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(work.source, prepared)
        quantize_static(prepared, work.target, _Reader(work.feeds), per_channel=True)


def _ai_edge_quantizer(work: Work) -> None:
    from ai_edge_quantizer import quantizer, recipe

    turned = [
        {name: _channels_last(value) for name, value in inputs.items()} for inputs in work.feeds
    ]
    with quiet(), native_quiet():
        (signature,) = load(work.source, delegate=False).get_signature_list()
        tool = quantizer.Quantizer(str(work.source), recipe.static_wi8_ai8())
        tool.quantize(tool.calibrate({signature: turned})).export_model(str(work.target))


def _onnx2tf(work: Work) -> None:
    environment = environments.find("onnx2tf")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        arguments = ["-m", "onnx2tf", "--not_use_onnxsim", "--non_verbose", "-oiqt", "-o", "out"]
        arguments += ["-i", str(work.source.absolute())]
        for name in work.feeds[0]:
            value = np.concatenate([_channels_last(inputs[name]) for inputs in work.feeds])
            np.save(folder / f"{name}.npy", value)
            zero, one = (str(np.full([1] * value.ndim, x).tolist()) for x in (0, 1))
            arguments += ["-cind", name, f"{name}.npy", zero, one]
        done = environments.run(environment, arguments, folder, min(work.limit_s, ONNX2TF_LIMIT_S))
        made = sorted((folder / "out").glob("*_integer_quant.tflite"))
        if not made:
            # What follows the first is what onnx2tf tried next.
            raise UnsupportedOp(telling_error(done, 0))
        work.target.write_bytes(made[0].read_bytes())


def _channels_last(value: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1)) if value.ndim == 4 else value


def _in_environment(tool: str, work: Work) -> None:
    quantize(tool, work.environments, work.source, work.target, work.feeds, work.limit_s)


def _peer(
    name: str, tool: str, reads: str = ".onnx", writes: str = ".onnx", kind: Kind = "peer"
) -> Peer:
    """Return a tool that has an environment of its own; see int8_tools/quantize.py."""
    make = functools.partial(_in_environment, tool)
    return Peer(name, reads, writes, make, tool.partition("-")[0], kind)


PEERS = (
    Peer("ONNX Runtime quantize_static", ".onnx", ".onnx", _onnxruntime),
    Peer(
        "ONNX Runtime quantize_static, pre-processed, per channel",
        ".onnx",
        ".onnx",
        _onnxruntime_documented,
    ),
    _peer("NNCF quantize", "nncf"),
    _peer("AMD Quark A8W8", "quark"),
    _peer("AIMET-onnx min-max", "aimet"),
    _peer("Olive OnnxStaticQuantization", "olive"),
    _peer("ModelOpt int8", "modelopt"),
    Peer("ai-edge-quantizer static_wi8_ai8", ".tflite", ".tflite", _ai_edge_quantizer),
    Peer("onnx2tf -oiqt", ".onnx", ".tflite", _onnx2tf),
    _peer("ExecuTorch XNNPACK fp32", "executorch-fp32", ".pt2", ".pte", "float"),
    _peer("ExecuTorch PT2E, XNNPACK", "executorch", ".pt2", ".pte"),
    _peer("coreai-opt W8A8", "coreai", ".pt2", ".pt2"),
)
