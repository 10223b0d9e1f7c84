"""A fake of AI Hub's Python client: its calls with their names and results, and jobs run here.

Made by the real client's signatures, version 0.56. Inference jobs run the uploaded file in this
machine's own runtime, so that layouts and names are really proven.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

LAYERS = [
    {"name": "conv1", "type": "CONV_2D", "compute_unit": "NPU", "execution_time": 300},
    {"name": "pad", "type": "PAD", "compute_unit": "CPU", "execution_time": 100},
]
SUMMARY = {
    "estimated_inference_time": 400,
    "estimated_inference_peak_memory": 90_000_000,
    "first_load_time": 1_374_293,
    "warm_load_time": 277_823,
    "all_inference_times": [410, 405, 402, 400],
}


@dataclass
class Device:
    """As ``qai_hub.Device``."""

    name: str
    os: str = ""
    attributes: list[str] = field(default_factory=list)


@dataclass
class Status:
    """As ``qai_hub.JobStatus``."""

    success: bool
    message: str | None = None


@dataclass
class Job:
    """As ``qai_hub.InferenceJob``."""

    hub: Hub
    job_id: str
    path: Path
    inputs: dict[str, list[np.ndarray]] | None
    options: str
    profiles: bool

    def wait(self) -> Status:
        sys.stdout.write("progress that the client prints on stdout\n")
        failing = self.hub.fault == ("profile" if self.profiles else "inference")
        return Status(not failing, "the device rebooted" if failing else None)

    def download_output_data(self) -> dict[str, list[np.ndarray]] | None:
        assert self.inputs is not None
        outputs = run_here(self.path, self.inputs)
        if self.hub.fault == "wrong":
            outputs = {name: [value * 0.5] for name, (value,) in outputs.items()}
        if self.hub.fault == "renamed":
            outputs = {f"output_{n}": value for n, value in enumerate(outputs.values())}
        return outputs

    def download_profile(self) -> dict[str, Any]:
        summary = {k: v for k, v in SUMMARY.items() if self.hub.fault != "old" or k[:3] != "all"}
        return {"execution_summary": summary, "execution_detail": LAYERS}


class Hub(ModuleType):
    """The module ``qai_hub``, whose `Client` is itself."""

    def __init__(self, fault: str = "") -> None:
        super().__init__("qai_hub")
        self.fault = fault
        self.uploads: list[str] = []
        self.jobs: list[Job] = []
        self.devices = [
            Device("Samsung Galaxy S24", "14", ["format:phone", "chipset:snapdragon-8gen3"]),
            Device("Google Pixel 8", "14", ["format:phone"]),
        ]

    def Client(self) -> Hub:  # noqa: N802 - the client's name
        if self.fault == "unconfigured":
            raise RuntimeError("Failed to load configuration file.\nmore")
        return self

    def get_devices(self, name: str = "") -> list[Device]:
        return [device for device in self.devices if not name or device.name == name]

    def upload_model(self, model: str, name: str | None = None) -> Path:
        self.uploads.append(model)
        return Path(model)

    def submit_inference_job(
        self, model, device, inputs=None, name=None, options="", retry=True, profile=True
    ) -> Job:
        assert retry
        job = Job(self, f"j{len(self.jobs)}", model, inputs, options, profile)
        self.jobs.append(job)
        return job


def run_here(path: Path, inputs: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """Run a file as a device does: raw inputs and outputs in the file's own layout."""
    if path.suffix == ".onnx":
        import onnxruntime as ort

        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [item.name for item in session.get_outputs()]
        values = session.run(names, {name: value for name, (value,) in inputs.items()})
        return {name: [value] for name, value in zip(names, values, strict=True)}
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    runner = interpreter.get_signature_runner()
    return {n: [v] for n, v in runner(**{name: value for name, (value,) in inputs.items()}).items()}
