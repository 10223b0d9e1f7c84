"""Network specifications: the text by which a user names a network.

A text is one of four: a name of `styleexport networks`; ``package.module:factory``, a
function of the user's that returns a module; the path of a ``.pt2`` program; or the path of an
``.onnx`` file. The last three take settings: ``candy.onnx,pixels=0..255,content=input``; a name
takes the levels of a network that has several: ``wct,levels=543``. From Python, a specification may
also hold a module itself.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from styleexport.core import plugins
from styleexport.core.errors import UsageError
from styleexport.models.pixels import SILENT, PixelDeclaration, PixelFormat

# Setting as it is typed → field of the declaration; the first name of a field is its own.
PIXEL_SETTINGS: Mapping[str, str] = {
    "pixels": "pixels",
    "input-pixels": "input_pixels",
    "output-pixels": "output_pixels",
    "mean": "mean",
    "std": "std",
    "bgr": "bgr",
    "scale": "scale",
    "pixel-range": "pixels",
}
SETTING_NAMES = {field: field.replace("_", "-") for field in PIXEL_SETTINGS.values()}
# Package whose entries are the names of networks.
NETWORKS = "styleexport.models.networks"
WEIGHTS_SUFFIXES = (".pth", ".pt", ".safetensors", ".npz", ".ckpt", ".bin")
MODULE_SOURCES = "a name of `styleexport networks`, or package.module:factory"


class NetworkSource(enum.Enum):
    """Source of a network's architecture."""

    REGISTRY = "name"
    FACTORY = "factory"
    PROGRAM = ".pt2"
    ONNX = ".onnx"
    MODULE = "module"


@dataclass(frozen=True)
class NetworkSpec:
    """A network as the user names it.

    Attributes:
        name: registry name, factory path, or file path, without settings.
        source: form of the specification.
        declared: what is said of the network's pictures.
        content: name of an ONNX file's content input; None to infer it.
        style: name of an ONNX file's style input; None to infer it.
        styles: name of an ONNX file's input that weighs its own styles; None for none.
        dequantize: whether the float network is taken out of a quantized ONNX file.
        levels: levels to keep of a network that has several, the deepest first; "" for all.
        module: the ``torch.nn.Module`` itself, where that is the source.
    """

    name: str
    source: NetworkSource
    declared: PixelDeclaration = SILENT
    content: str | None = None
    style: str | None = None
    styles: str | None = None
    dequantize: bool = False
    levels: str = ""
    module: object | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> NetworkSpec:
        """Return the specification that a text is.

        Names are looked up later, when the network is opened.

        Raises:
            UsageError: the text is another file, a factory that is not written as one, or has an
                unknown setting or pixel format.
        """
        for suffix, source in ((".pt2", NetworkSource.PROGRAM), (".onnx", NetworkSource.ONNX)):
            if text.endswith(suffix) or f"{suffix}," in text:
                stem, found, settings = text.partition(f"{suffix},")
                return cls(stem + found.rstrip(","), source)._with_settings(settings)
        if ":" in text:
            name, _, settings = text.partition(",")
            if not plugins.is_function_path(name):
                raise UsageError(f"network {text!r} is not a factory: type package.module:factory")
            return cls(name, NetworkSource.FACTORY)._with_settings(settings)
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
        name, _, settings = text.partition(",")
        return cls(name, NetworkSource.REGISTRY)._with_settings(settings)

    def _with_settings(self, text: str) -> NetworkSpec:
        """Return the specification with settings as they are typed: ``pixels=-1..1,scale=2``."""
        spec = self
        if self.source is NetworkSource.REGISTRY:
            return self._with_levels(text)
        inputs = ("content", "style", "styles") if self.source is NetworkSource.ONNX else ()
        for setting in filter(None, text.split(",")):
            key, _, value = setting.partition("=")
            if setting == "dequantize" and inputs:
                spec = replace(spec, dequantize=True)
                continue
            if key in inputs:
                spec = replace(spec, **{key: value})
                continue
            field = PIXEL_SETTINGS.get(key)
            if field is None:
                known = ", ".join((*PIXEL_SETTINGS, *inputs, *(["dequantize"] if inputs else [])))
                raise UsageError(
                    f"unknown setting {key!r} of {self.name}: expected {known}; type "
                    f"{self.name},pixels=0..255"
                )
            declared = spec.declared.saying(field, value, f"{self.name}: setting {key}: ")
            spec = replace(spec, declared=declared)
        return spec

    def _with_levels(self, text: str) -> NetworkSpec:
        """Return a network of the registry with its one setting: ``levels=543``."""
        key, _, value = text.partition("=")
        if text and key != "levels":
            raise UsageError(
                f"unknown setting {text!r} of {self.name}: expected levels, of a network that has "
                "several; type for example wct,levels=543"
            )
        return replace(self, levels=value)

    def check(self) -> None:
        """Check that there is such a network, without importing or reading it.

        Raises:
            UsageError: there is no such name, module or file, or it is a network of the user's, of
                which levels are chosen.
        """
        if self.levels and self.source is not NetworkSource.REGISTRY:
            raise UsageError(
                f"{self.name} has no levels to choose: leave out --levels, which is for networks "
                "of `styleexport networks`"
            )
        if self.source is NetworkSource.REGISTRY:
            plugins.check_name(NETWORKS, self.name, "network")
        elif self.source is NetworkSource.FACTORY:
            plugins.check_module("network", self.name)
        elif self.is_graph and not self.path.exists():
            kind = "program" if self.source is NetworkSource.PROGRAM else "network"
            raise UsageError(
                f"{kind} {self.path} does not exist; type the path of a {self.source.value} file"
            )

    def __str__(self) -> str:
        said = {key: getattr(self.declared, field) for field, key in SETTING_NAMES.items()}
        shown = {key: _typed(value) for key, value in said.items() if value is not None}
        shown |= {key: v for key in ("content", "style", "styles") if (v := getattr(self, key))}
        shown |= {"levels": self.levels} if self.levels else {}
        flags = ["dequantize"] if self.dequantize else []
        return ",".join([self.name, *(f"{key}={value}" for key, value in shown.items()), *flags])

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
        settings = str(self).removeprefix(self.name)
        return re.sub("[:/]", "-", Path(self.name).name + settings)

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


def _typed(value: object) -> str:
    """Return the value of a setting as it is typed."""
    if isinstance(value, PixelFormat):
        return value.typed
    return "/".join(f"{x:g}" for x in value) if isinstance(value, tuple) else str(value).lower()
