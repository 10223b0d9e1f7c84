"""An int8 recipe: what is quantized and how, as data that every target follows.

A recipe speaks of the layers of a captured graph, by name. A *block* is a convolution with
the activation behind it, which every runtime computes as one operation; it bears the name of its
convolution. In the file, blocks that stay in float are its ``islands``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from styleexport.core.documents import DocumentKind, read_document
from styleexport.core.errors import UsageError
from styleexport.core.files import replace_file
from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.types import Role

SCHEMA_VERSION = 1

RangeMethod = Literal["min-max", "percentile", "entropy", "mse"]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The choices that do not depend on the pictures.

    Attributes:
        weights: one scale an output channel, or one a convolution.
        ranges: how an activation's range is taken from what calibration saw.
        equalize: how far the channels of an activation are brought to one range before it is
            quantized, 0 (not at all) to 1 (wholly); exact in float.
        bias_correction: whether biases take back the mean error of each channel.
        rounding: of weights: to the nearest, or so that a convolution's output on calibration
            pictures changes least.
    """

    weights: Literal["per-channel", "per-tensor"] = "per-channel"
    ranges: RangeMethod = "min-max"
    equalize: Annotated[float, Meta(ge=0, le=1)] = 0.0
    bias_correction: bool = False
    rounding: Literal["nearest", "reconstructed"] = "nearest"

    @property
    def name(self) -> str:
        """A name that decodes: ``w8c-a8-mse-eq50-bias-recon``."""
        parts = ["w8c" if self.weights == "per-channel" else "w8t", "a8", self.ranges]
        if self.equalize:
            parts.append(f"eq{round(100 * self.equalize)}")
        if self.bias_correction:
            parts.append("bias")
        if self.rounding == "reconstructed":
            parts.append("recon")
        return "-".join(parts)


class Range(Struct, frozen=True, array_like=True):
    """Least and largest value that an activation keeps; values beyond are clipped."""

    low: float
    high: float


class FloatLayer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A block that stays in float, and why.

    Attributes:
        layer: the convolution's name in the captured graph.
        reason: why.
        weight: its weight's name in the network's state dict, or "" where it has none of its own.
    """

    layer: str
    reason: str
    weight: str = ""


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One candidate of a search, written, run and judged.

    Attributes:
        settings: the choices.
        float_layers: blocks in float, beside those that are by default.
        forced_int8: blocks in int8 that are in float by default.
        psnr_db: over the quality probes.
        style_change: relative; None for style codes.
        time_share: of the float32 file's time, both in ONNX Runtime here, in turns.
        inside: whether it stays inside the budget.
        on_front: whether no other trial is both better and faster.
    """

    settings: Settings
    float_layers: tuple[str, ...] = field(name="islands")
    forced_int8: tuple[str, ...] = field(name="lifted")
    psnr_db: float
    style_change: float | None
    time_share: float
    inside: bool
    on_front: bool = False


class Int8Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one graph is computed in int8.

    Attributes:
        schema_version: of this file.
        role: of the graph.
        size: of the graph.
        settings: the choices.
        float_layers: blocks that stay in float.
        ranges: layer or input → range of its values, for all that may be quantized.
        calibration: where the ranges came from.
        trials: of the search that found it; () for a fixed recipe.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    role: Role
    size: SizeFact
    settings: Settings
    float_layers: tuple[FloatLayer, ...] = field(name="islands")
    ranges: dict[str, Range]
    calibration: CalibrationFact
    trials: tuple[Trial, ...] = ()

    def encoded(self) -> bytes:
        """Return the recipe as indented JSON, ending in a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


RECIPE = DocumentKind(
    struct=Int8Recipe,
    name="a recipe",
    if_damaged="recipes lie in an artifact's recipes/",
    error=UsageError,
)


def read_recipe(path: Path) -> Int8Recipe:
    """Return the recipe of a file.

    Raises:
        UsageError: missing, or not a recipe.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; type the path of a recipe, which lies in "
            "an artifact's recipes/"
        ) from error
    return read_document(raw, RECIPE, str(path))


def write_recipe(recipe: Int8Recipe, path: Path) -> None:
    """Write a recipe, whole or not at all."""
    with replace_file(path) as part:
        part.write_bytes(recipe.encoded())
