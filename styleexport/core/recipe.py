"""Int8 recipe: which blocks of a graph are quantized and how, as data that every target applies.

A recipe refers to the layers of a captured graph by name. A *block* is a convolution with the
activation after it, which every runtime computes as one operation; its name is that of the
convolution. In the file, blocks that stay in float are called ``islands``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from styleexport.core.documents import DocumentKind, read_document
from styleexport.core.errors import UsageError
from styleexport.core.files import replace_file
from styleexport.core.input_files import read_input
from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.types import Role

SCHEMA_VERSION = 1

RangeMethod = Literal["min-max", "percentile", "entropy", "mse"]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that do not depend on the calibration pictures.

    Attributes:
        weights: one weight scale per output channel, or one per convolution.
        ranges: method that derives the range of an activation from calibration.
        equalize: strength of the equalization of an activation's channels before quantization, 0
            (none) to 1 (equal ranges); exact in float.
        bias_correction: whether biases compensate the mean error of each channel.
        rounding: rounding of weights: to nearest, or so that a convolution's output on calibration
            pictures changes least.
        activation_bits: bits of an activation between integer operations.
        weight_bits: bits of a stored weight; of 4, each is one of 16 values of int8, in a table for
            every 16 output channels.
        segments: whether outputs whose rounding costs the picture most come in segments of their
            range; see `Int8Recipe`.
    """

    weights: Literal["per-channel", "per-tensor"] = "per-channel"
    ranges: RangeMethod = "min-max"
    equalize: Annotated[float, Meta(ge=0, le=1)] = 0.0
    bias_correction: bool = False
    rounding: Literal["nearest", "reconstructed"] = "nearest"
    activation_bits: Literal[8, 16] = 8
    weight_bits: Literal[4, 8] = 8
    segments: bool = False

    @property
    def levels(self) -> int:
        """Number of steps of an activation's range."""
        return 2**self.activation_bits - 1

    @property
    def name(self) -> str:
        """Name composed of the settings: ``w8c-a8-mse-eq50-bias-recon-seg``."""
        parts = [f"w{self.weight_bits}{'c' if self.weights == 'per-channel' else 't'}"]
        parts += [f"a{self.activation_bits}", self.ranges]
        if self.equalize:
            parts.append(f"eq{round(100 * self.equalize)}")
        if self.bias_correction:
            parts.append("bias")
        if self.rounding == "reconstructed":
            parts.append("recon")
        if self.segments:
            parts.append("seg")
        return "-".join(parts)


class Range(Struct, frozen=True, array_like=True):
    """Range of an activation; values outside are clipped."""

    low: float
    high: float


class FloatLayer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Block that stays in float, with the reason.

    Attributes:
        layer: name of the convolution in the captured graph.
        reason: reason in words.
        weight: name of its weight in the network's state dict; "" if it has none of its own.
    """

    layer: str
    reason: str
    weight: str = ""


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Candidate of a search, written, timed and measured.

    Attributes:
        settings: settings of the candidate.
        float_layers: blocks in float in addition to the default ones.
        forced_int8: blocks in int8 that are in float by default.
        psnr_db: pooled PSNR on the quality probes.
        style_change: relative change of the style distance; None for style codes.
        time_share: inference time relative to the float32 file, measured in turns in ONNX Runtime.
        inside: whether it meets the budget.
        on_front: whether no other candidate is both better and faster.
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
    """Int8 quantization of one graph.

    Attributes:
        schema_version: version of this schema.
        role: role of the graph.
        size: size of the graph.
        settings: settings that do not depend on the pictures.
        float_layers: blocks that stay in float.
        ranges: layer or input → range of its values, for all that may be quantized.
        calibration: source of the ranges.
        trials: candidates of the search for this recipe; () for a fixed recipe.
        segments: convolution → bounds between the segments of its output's range, rising; each
            segment has 255 steps of its own.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    role: Role
    size: SizeFact
    settings: Settings
    float_layers: tuple[FloatLayer, ...] = field(name="islands")
    ranges: dict[str, Range]
    calibration: CalibrationFact
    trials: tuple[Trial, ...] = ()
    segments: dict[str, tuple[float, ...]] = {}

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
    remedy = "type the path of a recipe, which lies in an artifact's recipes/"
    return read_document(read_input(path, remedy=remedy), RECIPE, str(path))


def write_recipe(recipe: Int8Recipe, path: Path) -> None:
    """Write a recipe, whole or not at all."""
    with replace_file(path) as part:
        part.write_bytes(recipe.encoded())
