"""What other quantizers make of an fp32 file, by default recipes, with the same pictures."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from styleexport.core import environments
from styleexport.core.errors import UnsupportedOp
from styleexport.core.quiet import quiet
from styleexport.runtime_bench.runners._litert import load
from styleexport.runtime_bench.runners._litert_tensors import native_quiet

Feeds = Sequence[dict[str, NDArray[np.float32]]]

# Of wall time, in seconds; at 512x512 onnx2tf did not end in 200.
ONNX2TF_LIMIT = 120.0
FAILURE = re.compile(r"(?m)^[\w.]*?(\w*(?:Error|Exception): .+)$")


@dataclass(frozen=True)
class Peer:
    """A tool with its default recipe. It may write to the file that it reads, as onnx2tf does.

    Attributes:
        name: of tool and recipe.
        reads: suffix of the fp32 file that it takes.
        writes: suffix of the int8 file.
        make: fp32 file, int8 file, calibration inputs (images [1, 3, H, W]); it raises what the
            tool raises.
    """

    name: str
    reads: str
    writes: str
    make: Callable[[Path, Path, Feeds], None]


class _Reader(CalibrationDataReader):
    """Hands out calibration inputs one by one."""

    def __init__(self, feeds: Feeds) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return next(self.feeds, None)


def _onnxruntime(source: Path, target: Path, feeds: Feeds) -> None:
    with quiet():
        quantize_static(source, target, _Reader(feeds))


def _onnxruntime_documented(source: Path, target: Path, feeds: Feeds) -> None:
    """As its documentation has it: pre-process first; per channel for accuracy."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared)
        quantize_static(prepared, target, _Reader(feeds), per_channel=True)


def _nncf(source: Path, target: Path, feeds: Feeds) -> None:
    import nncf

    with quiet():
        onnx.save(nncf.quantize(onnx.load(source), nncf.Dataset(list(feeds))), target)


def _ai_edge_quantizer(source: Path, target: Path, feeds: Feeds) -> None:
    from ai_edge_quantizer import quantizer, recipe

    turned = [{name: _channels_last(value) for name, value in inputs.items()} for inputs in feeds]
    with quiet(), native_quiet():
        (signature,) = load(source, delegate=False).get_signature_list()
        tool = quantizer.Quantizer(str(source), recipe.static_wi8_ai8())
        tool.quantize(tool.calibrate({signature: turned})).export_model(str(target))


def _onnx2tf(source: Path, target: Path, feeds: Feeds) -> None:
    environment = environments.find("onnx2tf")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        arguments = ["-m", "onnx2tf", "--not_use_onnxsim", "--non_verbose", "-oiqt", "-o", "out"]
        arguments += ["-i", str(source.absolute())]
        for name in feeds[0]:
            value = np.concatenate([_channels_last(inputs[name]) for inputs in feeds])
            np.save(folder / f"{name}.npy", value)
            zero, one = (str(np.full([1] * value.ndim, x).tolist()) for x in (0, 1))
            arguments += ["-cind", name, f"{name}.npy", zero, one]
        done = environments.run(environment, arguments, folder, ONNX2TF_LIMIT)
        made = sorted((folder / "out").glob("*_integer_quant.tflite"))
        if not made:
            failure = FAILURE.search(done.output)
            ending = f"signal {-done.code}" if done.code < 0 else f"exit code {done.code}"
            raise UnsupportedOp(failure[1] if failure else f"no file, ended by {ending}")
        target.write_bytes(made[0].read_bytes())


def _channels_last(value: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1)) if value.ndim == 4 else value


PEERS = (
    Peer("ONNX Runtime quantize_static", ".onnx", ".onnx", _onnxruntime),
    Peer(
        "ONNX Runtime quantize_static, pre-processed, per channel",
        ".onnx",
        ".onnx",
        _onnxruntime_documented,
    ),
    Peer("NNCF quantize", ".onnx", ".onnx", _nncf),
    Peer("ai-edge-quantizer static_wi8_ai8", ".tflite", ".tflite", _ai_edge_quantizer),
    Peer("onnx2tf -oiqt", ".onnx", ".tflite", _onnx2tf),
)
