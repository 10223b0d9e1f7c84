"""Library versions that are tested together, the same as in `constraints.txt`."""

from __future__ import annotations

TESTED = {
    "click": "8.5.1",
    "jinja2": "3.1.6",
    "markupsafe": "3.0.4",
    "msgspec": "0.22.0",
    "numpy": "2.3.5",
    "onnx": "1.23.2",
    "onnxruntime": "1.31.1",
    "onnxscript": "0.7.2",
    "pillow": "13.0.0",
    "psutil": "7.2.2",
    "safetensors": "0.8.0",
    "scipy": "1.17.1",
    "segno": "1.6.6",
    "torch": "2.13.0",
}
EXTRAS = {
    "coreai": {"coreai-core": "1.0.0b3", "coreai-torch": "0.4.3"},
    "coreml": {"coremltools": "9.0", "scikit-learn": "1.9.1"},
    "tflite": {
        "ai-edge-litert": "2.3.0",
        "ai-edge-quantizer": "0.10.0",
        "litert-torch": "0.10.0",
    },
    "executorch": {"executorch": "1.5.1", "torchao": "0.18.0"},
    "bench": {"openvino": "2026.4.1"},
    "sweep": {"distributed": "2026.8.0"},
    "gpu": {"nvidia-ml-py": "13.615.71"},
}
