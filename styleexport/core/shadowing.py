"""Protection of libraries from files of the same name in the user's folder.

`python -m styleexport` searches the present folder first, and so does the look-up of a factory: a
user's ``onnx.py`` there would be imported in place of the library, by this package and by others.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# Imported, some of them late, by this package or by a library that it uses.
LIBRARIES = frozenset(
    (
        "ai_edge_litert", "ai_edge_quantizer", "click", "coreai",
        "coreai_torch", "coremltools", "dask", "distributed", "executorch",
        "flatbuffers", "google", "jinja2", "litert_torch", "markupsafe", "ml_dtypes", "msgspec",
        "numpy", "onnx", "onnx_ir", "onnxruntime", "onnxscript", "openvino", "PIL", "psutil",
        "rich", "safetensors", "scipy", "segno", "skimage", "sklearn", "sympy", "tensorflow",
        "torch", "torchao", "torchvision", "tqdm", "typing_extensions",
    )
) | sys.stdlib_module_names  # fmt: skip


def is_protected(module: str) -> bool:
    """Whether a module is part of a library that a user's file must not replace."""
    return module.partition(".")[0] in LIBRARIES


class _InstalledFirst:
    """Finder that looks for libraries everywhere but in the present folder."""

    @staticmethod
    def find_spec(
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of a library; None for other modules, and where it is not installed."""
        if path is not None or fullname not in LIBRARIES:
            return None
        here = {"", str(Path.cwd())}
        elsewhere = [entry for entry in sys.path if entry not in here]
        return PathFinder.find_spec(fullname, elsewhere, target)


def protect_libraries() -> None:
    """Let installed libraries be found before files of the present folder, once a process."""
    if _InstalledFirst not in sys.meta_path:
        # Behind the finders of built-in and frozen modules, in front of that of sys.path.
        sys.meta_path.insert(max(0, sys.meta_path.index(PathFinder)), _InstalledFirst)
