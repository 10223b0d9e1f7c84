"""Network specifications: the text by which a user names a network.

A specification is one of four: a name of `styleexport networks`; ``package.module:factory``, a
function of the user's that returns a module; the path of a ``.pt2`` program; or the path of an
``.onnx`` file with optional settings, ``candy.onnx,pixel-range=0..255,content=input``.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from styleexport.core import plugins
from styleexport.core.errors import UsageError

PIXEL_RANGES: Mapping[str, tuple[float, float]] = {
    "0..1": (0.0, 1.0),
    "0..255": (0.0, 255.0),
    "-1..1": (-1.0, 1.0),
}
WEIGHTS_SUFFIXES = (".pth", ".pt", ".safetensors", ".npz", ".ckpt", ".bin")
MODULE_SOURCES = "a name of `styleexport networks`, or package.module:factory"


class NetworkSource(enum.Enum):
    """Source of a network's architecture."""

    REGISTRY = "name"
    FACTORY = "factory"
    PROGRAM = ".pt2"
    ONNX = ".onnx"


@dataclass(frozen=True)
class NetworkSpec:
    """A network as the user names it.

    Attributes:
        name: registry name, factory path, or file path, without settings.
        source: form of the specification.
        pixel_range: pixel range of an ONNX network's pictures, a key of `PIXEL_RANGES`; None to
            infer it from the output.
        content: name of an ONNX file's content input; None to infer it.
        style: name of an ONNX file's style input; None to infer it.
        styles: name of an ONNX file's input that weighs its own styles; None for none.
        dequantize: whether the float network is taken out of a quantized ONNX file.
    """

    name: str
    source: NetworkSource
    pixel_range: str | None = None
    content: str | None = None
    style: str | None = None
    styles: str | None = None
    dequantize: bool = False

    @classmethod
    def parse(cls, text: str) -> NetworkSpec:
        """Return the specification that a text is.

        Names are looked up later, when the network is opened.

        Raises:
            UsageError: the text is another file, a factory that is not written as one, or has an
                unknown setting or pixel range of an ONNX file.
        """
        if text.endswith(".pt2"):
            return cls(text, NetworkSource.PROGRAM)
        if text.endswith(".onnx") or ".onnx," in text:
            return cls._parse_onnx(text)
        if ":" in text:
            if not plugins.is_function_path(text):
                raise UsageError(f"network {text!r} is not a factory: type package.module:factory")
            return cls(text, NetworkSource.FACTORY)
        if text.lower().endswith(WEIGHTS_SUFFIXES):
            raise UsageError(
                f"network {text!r} is a weights file, expected {MODULE_SOURCES}: type NETWORK "
                f"--checkpoint {text}"
            )
        if Path(text).suffix and Path(text).exists():
            raise UsageError(
                f"network {text!r} is a {Path(text).suffix} file, expected a .pt2 or .onnx file, "
                f"{MODULE_SOURCES}"
            )
        if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", text):
            module, _, function = text.rpartition(".")
            raise UsageError(
                f"network {text!r} is not a factory: type package.module:factory; did you mean "
                f"{module}:{function}?"
            )
        return cls(text, NetworkSource.REGISTRY)

    @classmethod
    def _parse_onnx(cls, text: str) -> NetworkSpec:
        stem, suffix, settings = text.partition(".onnx,")
        spec = cls(stem + suffix.rstrip(","), NetworkSource.ONNX)
        for setting in filter(None, settings.split(",")):
            key, _, value = setting.partition("=")
            if setting == "dequantize":
                spec = replace(spec, dequantize=True)
                continue
            if key not in ("pixel-range", "content", "style", "styles"):
                raise UsageError(
                    f"unknown setting {key!r} of {spec.name}: expected pixel-range, content, "
                    f"style, styles or dequantize; type {spec.name},pixel-range=0..255"
                )
            spec = replace(spec, **{key.replace("-", "_"): value})
        if spec.pixel_range is not None and spec.pixel_range not in PIXEL_RANGES:
            raise UsageError(
                f"unknown pixel range {spec.pixel_range!r}: expected {', '.join(PIXEL_RANGES)}; "
                f"type {spec.name},pixel-range=0..255"
            )
        return spec

    def __str__(self) -> str:
        settings = {
            "pixel-range": self.pixel_range,
            "content": self.content,
            "style": self.style,
            "styles": self.styles,
        }
        flags = ["dequantize"] if self.dequantize else []
        return ",".join([self.name, *(f"{k}={v}" for k, v in settings.items() if v), *flags])

    @property
    def path(self) -> Path:
        """File that the network comes from."""
        assert self.is_graph, self
        return Path(self.name)

    @property
    def is_graph(self) -> bool:
        """Whether the network is a file with a fixed graph, not a module built in PyTorch."""
        return self.source in (NetworkSource.PROGRAM, NetworkSource.ONNX)

    @property
    def label(self) -> str:
        """Text that can be part of a file name, such as that of an output folder."""
        return Path(str(self).replace(":", "-")).name

    def require_module(self, reason: str, who: str = "") -> None:
        """Check that the network is a module built in PyTorch.

        Args:
            reason: why a graph does not do, as a relative clause: ``whose widths …``.
            who: what the network is for, as messages call it: ``student``.

        Raises:
            UsageError: it is a graph.
        """
        if self.is_graph:
            raise UsageError(
                f"{f'{who} ' if who else ''}{self} is a graph, {reason}; give the network that it "
                f"came from: {MODULE_SOURCES}"
            )
