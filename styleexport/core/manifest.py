"""Manifest of an artifact: one JSON file that describes every other file.

The structs are the schema: `docs/manifest.schema.json` and the readers in other languages are
generated from them, and reading validates against them.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from styleexport.core.card_file import CARD_NAME, is_card
from styleexport.core.code_layout import CodeLayoutFact
from styleexport.core.documents import DocumentKind, read_document
from styleexport.core.errors import BadArtifact
from styleexport.core.fact_types import RelativePath, Sha256, SizeFact
from styleexport.core.files import Product, is_scratch, json_product, recover, replace_file
from styleexport.core.input_files import is_folder, open_input, read_input
from styleexport.core.notebook import html_table, human_bytes
from styleexport.core.schema import schema_of
from styleexport.core.style_packs import PackOwner, check_owner, is_style_pack
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import MAX_SIDE, Precision, Role

SCHEMA_VERSION = 4
FILE_NAME = "manifest.json"
# Three channels of the largest picture.
MAX_ELEMENTS = 3 * MAX_SIDE**2
# What the packages of a format hold.
PACKAGE_ENTRIES = {
    ".mlpackage": ("Manifest.json", "Data"),
    ".aimodel": ("main.hash", "main.mlirb", "metadata.json"),
}
# Folder of the thumbnails; a file in it is named by the beginning of its sha256.
THUMBNAILS = "styles/thumbnails"
THUMBNAIL_DIGITS = 16
# Of the table that a notebook shows.
MANIFEST_COLUMNS = ("file", "precision", "bytes", "parity", "quality")

Axis = Annotated[int | str, Meta(description="a length, or the name of an axis of any length")]


class TensorFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Input or output of a file.

    Attributes:
        name: name in the file.
        kind: an image, a style code, the strength (0 keeps the content, 1 is the full style), or
            of optimization the target of the content, the loss, and its gradient by the image; of
            passes over tiles a feature map, a statistic of one, and the tile's region in its window
            (top, left, bottom, right, in pixels).
        shape: axis lengths; a string names an axis of any length.
        dtype: element type; ``uint8`` images are pixel buffers of the platform.
        layout: order of the axes; ``pixels`` is the order of a pixel buffer of the platform.
        pixel_range: lowest and highest pixel value; images only.
        colour_order: order of the channels; images only.
    """

    name: str
    kind: Literal[
        "image",
        "style_code",
        "strength",
        "content_target",
        "loss",
        "gradient",
        "map",
        "statistic",
        "region",
    ]
    shape: tuple[Axis, ...]
    dtype: Literal["float32", "float16", "uint8"]
    layout: Literal["NCHW", "NHWC", "pixels", "NK", "N"]
    pixel_range: tuple[float, float] | None = None
    colour_order: Literal["RGB"] | None = None

    @property
    def has_places(self) -> bool:
        """Whether it has a height and a width."""
        return self.kind in ("image", "gradient", "map")

    def __post_init__(self) -> None:
        lengths = [axis for axis in self.shape if isinstance(axis, int)]
        if min(lengths, default=1) < 1 or math.prod(lengths) > MAX_ELEMENTS:
            raise ValueError(f"a tensor has 1 to {MAX_ELEMENTS} elements")


class CalibrationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calibration: source of the activation ranges.

    Attributes:
        method: method that derives a range from the observed activations.
        images: number of content images.
        styles: number of styles per content image; 0 for a fixed-style network.
        sha256: sha256 over the pixels of the images, in order.
        sizes: sizes at which each image was shown, of a graph that takes several; () for the size
            of the file.
    """

    method: str
    images: int
    styles: int
    sha256: Sha256
    sizes: tuple[SizeFact, ...] = ()


class FloatIslandFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Operations of an int8 file that stay in float, by type or node name, with the reason."""

    ops: tuple[str, ...]
    reason: str


class QuantizationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Quantization of a file.

    Attributes:
        scheme: ``qdq-static`` (ONNX) and ``static`` (TFLite) compute in integers with calibrated
            ranges; ``dynamic-range`` determines the ranges at run time; ``weights-only`` and
            ``palette`` store integers and compute in float.
        weight_dtype: type of the stored weights, or of a palette's indices.
        activation_dtype: type of the activations between integer operations; None for weights-only.
        per_channel: whether each output channel has its own weight scale.
        calibration: source of the activation ranges; None for weights-only.
        float_islands: operations that stay in float.
    """

    scheme: Literal["qdq-static", "static", "dynamic-range", "weights-only", "palette"]
    weight_dtype: Literal["int8", "uint4", "uint6", "uint8"]
    activation_dtype: Literal["uint8", "int8", "uint16", "int16"] | None
    per_channel: bool
    calibration: CalibrationFact | None
    float_islands: tuple[FloatIslandFact, ...]


class ConvolutionFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Convolution or matrix product, as the runtime computes it.

    Attributes:
        layer: name in the file.
        integer: whether activations and weights are multiplied as integers.
        macs: multiply-accumulates; 0 where sizes are open.
    """

    layer: str
    integer: bool
    macs: int


class ExecutionFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Operations that a runtime executes for a file, which may differ from those in the file.

    Attributes:
        runtime: name and version of the runtime.
        nodes: operation → number of executions, most frequent first.
        integer_mac_share: share of the MACs that is computed in integers, 0..1.
        convolutions: convolutions and matrix products, in order.
        float_round_trips: number of times that values are dequantized, moved without arithmetic,
            and quantized again.
        transposes: number of activations that are copied from one layout to another.
        quantizes: number of float activations that are quantized.
        dequantizes: number of integer activations that are dequantized.
        bytes_by_dtype: stored type → bytes of constants in the file.
    """

    runtime: str
    nodes: dict[str, int]
    integer_mac_share: float
    convolutions: tuple[ConvolutionFact, ...]
    float_round_trips: int
    transposes: int
    quantizes: int
    dequantizes: int
    bytes_by_dtype: dict[str, int]


class PassFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rewrite of the graph.

    Attributes:
        name: name of the rewrite.
        applied: number of places.
        refused: why it was not applied elsewhere.
        reasons: why it was chosen, where there is a choice.
    """

    name: str
    applied: int
    refused: tuple[str, ...]
    reasons: tuple[str, ...] = ()


class RiskFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Property of a file that is known to fail or to run slowly on some devices.

    Attributes:
        where: layer or subject.
        reason: effect, and the devices that show it.
        remedy: option to type or change to make.
    """

    where: str
    reason: str
    remedy: str


class ParityFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parity of a file with its float network, on the probes of its role and sizes.

    Attributes:
        runner: runner that computed the file's outputs.
        metric: peak signal-to-noise ratio; the peak is 1 for images and the largest absolute value
            of the reference for all else.
        measured_db: PSNR of the worst output on the worst probe.
        allowed_db: lowest PSNR that passes.
        max_abs_error: largest absolute difference of an element of any output.
        probes: number of probes.
        float32_db: PSNR with every tensor kept in float32, for files that declare float16 and a
            runner that can ignore it: the error apart from rounding.
    """

    runner: str
    metric: Literal["psnr"]
    measured_db: float
    allowed_db: float
    max_abs_error: float
    probes: int
    float32_db: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the file may be used."""
        return self.measured_db >= self.allowed_db


class SizeQualityFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Quality of a file that takes any size at one of them, which no range was taken from.

    Attributes:
        size: size of the pictures.
        psnr_db: as of `QualityFact`, as are all fields below.
        all_psnr_db: PSNR pooled over all pictures.
        worst_psnr_db: PSNR of the worst of all pictures.
        ssim: mean SSIM; None for style codes.
        style_change: relative change of the style distance; None for style codes.
    """

    size: SizeFact
    psnr_db: float
    all_psnr_db: float
    worst_psnr_db: float
    ssim: float | None
    style_change: float | None


class QualityFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Quality of a file against the float network, on the fixed quality probes.

    Attributes:
        runner: runner that computed the file's outputs.
        loss_network: network whose features measure style.
        pictures: number of pictures.
        psnr_db: PSNR of the squared error pooled over the stable pictures: pictures whose float
            output changes by less than −45 dB when the input is dithered by ±½ LSB. The ``psnr`` of
            a budget.
        all_psnr_db: PSNR of the squared error pooled over all pictures.
        worst_psnr_db: PSNR of the worst of all pictures.
        ssim: mean SSIM over the pictures; None for style codes, as are all fields below.
        style_change: relative change of the style distance; 0.05 is 5 % more.
        gram_change: relative change of the distance between Gram matrices.
        flicker_change: relative change of the flicker on clips with known motion; in artifacts of
            older versions, in a slow pan.
        budget: limits of the quality.
        failures: limits that the file misses, at any of its sizes; with any, the file is degraded.
        sizes: quality at other sizes, of a file that takes any; () for others.
    """

    runner: str
    loss_network: str
    pictures: int
    psnr_db: float
    all_psnr_db: float
    worst_psnr_db: float
    ssim: float | None
    style_change: float | None
    gram_change: float | None
    flicker_change: float | None
    budget: str
    failures: tuple[str, ...]
    sizes: tuple[SizeQualityFact, ...] = ()


class FileFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exported file.

    Attributes:
        path: path below the artifact directory.
        role: role of the graph.
        target: file format.
        precision: storage and arithmetic of the convolutions.
        float_dtype: type of the operations in float.
        version: version of the format, and the oldest system that loads the file.
        size: size of the content (or style) image; None where it takes several sizes or any.
        sizes: sizes that it takes, where they are several; () for one size, or for any.
        inputs: inputs, in order.
        outputs: outputs, in order.
        parameters: number of weights and biases of the network.
        macs: multiply-accumulates of convolutions and matrix products at ``size``; 0 when open.
        int8_mac_share: share of the MACs that the runtime computes in integers, 0..1.
        quantization: quantization of the file; None for float files.
        recipe: path of its int8 recipe, one of ``recipes``; None for float files.
        quality: quality of a file computed in int8 or with an arg max; None for others.
        execution: operations that the runtime executes for a file computed in int8, where the
            runtime reports them; None for others.
        passes: rewrites of the graph, in order.
        ops: operation → count.
        whitens: whether it multiplies features by a root of their covariance, which multiplies
            rounding errors along directions that they hardly have.
        layers: layer of the captured network → tensor of the file that holds its output, in the
            order of the network.
        scaled_layers: layers of ``layers`` whose channels are multiplied by gains in the file.
        peak_activation_bytes: estimated peak memory of the activations, each freed after its last
            use; None when sizes are open.
        risks: properties known to fail or to be slow on some devices.
        parity: parity with the float network, one entry per runner.
        size_bytes: size of the file, or of all files of a package.
        sha256: sha256 of the file; for a package, over the lines ``sha256  path`` of its files,
            sorted by path, each ending in a newline.
    """

    path: RelativePath
    role: Role
    target: str
    precision: Precision
    float_dtype: Literal["float32", "float16"]
    version: str
    size: SizeFact | None
    sizes: tuple[SizeFact, ...]
    inputs: Annotated[tuple[TensorFact, ...], Meta(min_length=1)]
    outputs: Annotated[tuple[TensorFact, ...], Meta(min_length=1)]
    parameters: int
    macs: int
    int8_mac_share: float
    quantization: QuantizationFact | None
    recipe: RelativePath | None = None
    quality: QualityFact | None = None
    execution: ExecutionFact | None = None
    passes: tuple[PassFact, ...]
    ops: dict[str, int]
    whitens: bool = False
    layers: dict[str, str]
    scaled_layers: tuple[str, ...] = ()
    peak_activation_bytes: int | None
    risks: tuple[RiskFact, ...]
    parity: Annotated[tuple[ParityFact, ...], Meta(min_length=1)]
    size_bytes: int
    sha256: Sha256

    def __post_init__(self) -> None:
        for item in self.inputs:
            if item.kind == "map":
                continue
            first = {"NCHW": 2, "NHWC": 1}.get(item.layout, len(item.shape))
            sides = item.shape[first : first + 2]
            if self.size is not None and sides not in ((), (self.size.height, self.size.width)):
                raise ValueError(f"{item.name} is not of the size of its file")

    @property
    def worst(self) -> ParityFact:
        """Parity of the runner with the smallest margin over the allowed PSNR."""
        return min(self.parity, key=lambda fact: fact.measured_db - fact.allowed_db)

    def takes(self, size: SizeFact) -> bool:
        """Whether the file takes pictures of a size."""
        return size in self.sizes if self.sizes else self.size in (None, size)


def code_length(files: Sequence[FileFact]) -> int | None:
    """Return the number of values of a style code in some files; None where none has one."""
    codes = (
        value.shape[-1]
        for fact in files
        for value in (*fact.inputs, *fact.outputs)
        if value.kind == "style_code" and value.shape
    )
    return next((length for length in codes if isinstance(length, int)), None)


class RecipeFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Int8 recipe of the files of one role, size and precision, as JSON."""

    path: RelativePath
    role: Role
    size: SizeFact
    precision: Precision
    sha256: Sha256


class ProbeFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Golden input and output of one role at one size, float32, in a safetensors file.

    The tensors are named as the inputs and outputs of the role's files; those of ``render`` as the
    inputs and the output of the role that is painted in tiles, for a picture larger than a window.
    """

    path: RelativePath
    role: Role
    size: SizeFact
    sha256: Sha256


class AgreementFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agreement of two targets: files of one role, size and int8 precision, on the probes.

    Both files are close to the float network, with different errors; this is how close they are to
    each other.

    Attributes:
        a: path of the first file below the artifact directory.
        b: path of the second file.
        measured_db: PSNR of B's output against A's on the worst probe.
    """

    a: RelativePath
    b: RelativePath
    measured_db: float


class ProgramFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Captured float network of one role and size: a ``torch.export`` archive."""

    path: RelativePath
    role: Role
    size: SizeFact
    sha256: Sha256


class ThumbnailFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thumbnail of a style: a photograph painted in it, as a JPEG of 128x128 pixels.

    Attributes:
        style: name of the style code.
        path: path below the artifact directory; two styles may share a file.
        sha256: sha256 of the file.
    """

    style: str
    path: RelativePath
    sha256: Sha256


class StylePackFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Style codes by name, float32 [1, K] each, in a safetensors file.

    Attributes:
        path: path below the artifact directory.
        names: names of the codes.
        encoder: path of the encode file that the codes belong to.
        sha256: sha256 of the file.
        thumbnails: thumbnails, at most one per code; () where no file could paint them, and in
            artifacts of older versions.
    """

    path: RelativePath
    names: tuple[str, ...]
    encoder: RelativePath
    sha256: Sha256
    thumbnails: tuple[ThumbnailFact, ...] = ()


class PixelFormatFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Format in which a network itself takes or gives pictures; files take and give RGB in 0..1.

    A pixel of brightness p in 0..1 has the value (low + p·(high − low) − mean) / std.

    Attributes:
        low: value of black before normalization.
        high: value of full brightness before normalization.
        order: order of the colour channels.
        channels: 1 (grey), 3, or 4 (colours and alpha).
        mean: subtracted from each channel; () for nothing.
        std: each channel is divided by it; () for 1.
        layout: order of the axes.
        dtype: element type.
        basis: whether it is declared, found by looking at the network, or assumed because nothing
            speaks against it.
        reason: evidence by which it was found; "" where it is declared.
    """

    low: float
    high: float
    order: Literal["RGB", "BGR"] = "RGB"
    channels: Annotated[int, Meta(ge=1, le=4)] = 3
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal["float32", "uint8"] = "float32"
    basis: Literal["declared", "found", "assumed"]
    reason: str = ""


class PixelsFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a network is applied to pictures: the use that probes, parity and quality refer to.

    Attributes:
        input: format of the pictures that it takes.
        output: format of the pictures that it gives.
        scale: height and width of its output over those of the content.
        scale_basis: how the scale is known.
        scale_reason: evidence by which it was found; "" where it is declared.
        summary: the above in words.
    """

    input: PixelFormatFact
    output: PixelFormatFact
    scale: Annotated[int, Meta(ge=1)] = 1
    scale_basis: Literal["declared", "found", "assumed"]
    scale_reason: str = ""
    summary: str


class OptimizationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How pictures are painted with a network whose files give a loss and its gradient.

    Painting starts from the content. Its pixels are not clamped before the last iteration. The
    variable of the optimization is the picture divided by s, and its gradient is multiplied by s:
    s is ``first_change`` times the number of values of the picture.

    Attributes:
        algorithm: limited-memory BFGS with a fixed step, without a line search.
        history: number of differences of iterates and gradients that it keeps.
        learning_rate: length of a step along the direction; the first step is shorter, this over
            the sum of the absolute gradient where that is above 1.
        first_change: mean absolute change of a value of the picture by the first step.
        iterations: number of iterations where none is named.
        divergence: a loss of more than this many times the best one is far above it.
        patience: number of losses one after the other, far above the best, that end the iterations
            with the best picture, as does one that is not finite; fewer may come down again.
    """

    algorithm: Literal["lbfgs"]
    history: Annotated[int, Meta(ge=1, le=100)]
    learning_rate: Annotated[float, Meta(ge=0.001, le=10)]
    first_change: Annotated[float, Meta(ge=1e-6, le=1)]
    iterations: Annotated[int, Meta(ge=1)]
    divergence: Annotated[float, Meta(ge=1)]
    patience: Annotated[int, Meta(ge=1)]


class IterationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Iterations of the roots of one level's covariances, chosen by pictures at export.

    Attributes:
        layer: layer of the features.
        style: steps of the root of a style's covariance, when it is encoded.
        content: steps of the roots of a content's covariance.
        factor: steps of the quintic of an orthogonal factor; 0 where none is computed.
        style_db: signal-to-noise ratio of the style's root on the worst picture, against
            eigenvalues in float64.
        content_db: the same of the features that the content's matrix gives.
        pictures: number of pairs of calibration pictures that were measured.
    """

    layer: str
    style: int
    content: int
    factor: int
    style_db: float
    content_db: float
    pictures: int


class NetworkFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Network that the files were exported from.

    Attributes:
        name: name on the command line.
        summary: description in one line.
        paper: publication.
        licence: licence of the weights.
        source: names of the checkpoint files.
        source_sha256: sha256 over the contents of the checkpoint files.
        min_side: smallest side of a picture in pixels.
        roles: roles of the network, exported or not.
        pixels: how it is applied to pictures; None in artifacts of older versions.
        code_layout: layout of its style codes; None where no file takes or gives one, and in
            artifacts of older versions.
        optimization: how its ``step`` files are iterated; None for networks that paint at once.
        iterations: iterations of its roots of covariances, by level; () where it has none.
    """

    name: str
    summary: str
    paper: str
    licence: str
    source: tuple[str, ...]
    source_sha256: Sha256
    min_side: int
    roles: tuple[Role, ...]
    pixels: PixelsFact | None = None
    code_layout: CodeLayoutFact | None = None
    optimization: OptimizationFact | None = None
    iterations: tuple[IterationFact, ...] = ()

    @property
    def owner(self) -> PackOwner:
        """Owner of style codes that belong to the network."""
        parts = ", ".join(map(str, self.code_layout.parts)) if self.code_layout else ""
        return PackOwner(network=self.name, weights_sha256=self.source_sha256, parts=parts)


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Description of all files of an artifact directory.

    Attributes:
        schema_version: version of this schema.
        network: network that the files were exported from.
        files: exported graphs.
        programs: float graphs that the files are checked against.
        probes: golden inputs and outputs.
        recipes: recipes of the int8 files.
        agreements: agreement between int8 files of several targets.
        tilings: how pictures of any size are painted tile by tile; () where that was not exported.
        styles: packs of style codes.
        tools: name → version of the libraries that wrote the files.
    """

    schema_version: Literal[4]
    network: NetworkFact
    files: Annotated[tuple[FileFact, ...], Meta(min_length=1)]
    programs: tuple[ProgramFact, ...]
    probes: tuple[ProbeFact, ...]
    recipes: tuple[RecipeFact, ...] = ()
    agreements: tuple[AgreementFact, ...] = ()
    tilings: tuple[TilingFact, ...] = ()
    styles: tuple[StylePackFact, ...]
    tools: dict[str, str]

    def __post_init__(self) -> None:
        paths = {fact.path for fact in self.files}
        for tiling in self.tilings:
            for item in tiling.passes:
                if item.path not in paths:
                    raise ValueError(f"a tiling names {item.path}, which is none of the files")
        layout = self.network.code_layout
        if layout is None:
            return
        for fact in self.files:
            if (length := code_length([fact])) not in (None, layout.length):
                raise ValueError(
                    f"a style code of {self.network.name} has {layout.length} values ({layout}), "
                    f"and one of {fact.path} has {length}"
                )

    def __repr__(self) -> str:
        files = f"{len(self.files)} file{'' if len(self.files) == 1 else 's'}"
        kinds = ", ".join(dict.fromkeys(f"{fact.target} {fact.precision}" for fact in self.files))
        size = human_bytes(sum(fact.size_bytes for fact in self.files))
        worst = min((fact.worst for fact in self.files), key=lambda fact: fact.measured_db)
        return (
            f"<Manifest of {self.network.name}: {files}, {kinds}, {size}, parity "
            f"{worst.measured_db:.1f} dB or more>"
        )

    def _repr_html_(self) -> str:
        """Return a table of the files, as notebooks show it."""
        rows = [
            (
                fact.path,
                str(fact.precision),
                human_bytes(fact.size_bytes),
                f"{fact.worst.measured_db:.1f} dB",
                f"{fact.quality.psnr_db:.1f} dB" if fact.quality else "",
            )
            for fact in self.files
        ]
        return html_table(self.network.name, MANIFEST_COLUMNS, rows)

    def encoded(self) -> bytes:
        """Return the manifest as indented JSON, ending in a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def known_paths(self) -> dict[str, str]:
        """Return path → sha256 of every file that the manifest lists."""
        thumbnails = (fact for pack in self.styles for fact in pack.thumbnails)
        models = (*self.files, *self.programs, *self.probes, *self.recipes)
        facts = (*models, *self.styles, *thumbnails)
        return {fact.path: fact.sha256 for fact in facts}

    def holds(self, path: str) -> bool:
        """Whether a file is the manifest, the card, or one listed or in a listed package."""
        known = self.known_paths()
        parents = [parent.as_posix() for parent in Path(path).parents]
        return path in (FILE_NAME, CARD_NAME) or any(name in known for name in (path, *parents))


def sha256_of_file(path: Path) -> str:
    """Return the sha256 of one file, or of a package as `FileFact` defines it."""
    if path.is_dir():
        parts = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        lines = "".join(f"{sha256_of_file(path / part)}  {part}\n" for part in parts)
        return hashlib.sha256(lines.encode()).hexdigest()
    with open_input(path, error=BadArtifact, remedy="export the network again") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of_file(path: Path) -> int:
    """Return the bytes of one file, or of all files of a package."""
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


MANIFEST = DocumentKind(
    struct=Manifest,
    version=SCHEMA_VERSION,
    name="a manifest",
    if_outdated="export the network again with this version of styleexport",
    if_damaged="it was altered: export the network again",
)


def read_manifest(folder: Path, *, check_files: bool = True) -> Manifest:
    """Return the manifest of an artifact directory.

    Args:
        folder: the artifact directory.
        check_files: whether every file must be there with the sha256 that the manifest states.

    Raises:
        BadArtifact: not an artifact, another schema, a path that leads outside the artifact, a file
            is missing or altered, or a pack holds codes of another network.
    """
    path = folder / FILE_NAME
    recover(folder)
    if not is_folder(folder) or not os.path.lexists(path):
        raise BadArtifact(
            f"{folder} is not an artifact: expected a folder with a {FILE_NAME}; make one with "
            "`styleexport onnx`"
        )
    while True:
        raw = read_input(path, "manifest", error=BadArtifact, remedy=MANIFEST.if_damaged)
        manifest = read_document(raw, MANIFEST, str(path))
        for name in manifest.known_paths():
            if ".." in Path(name).parts:
                raise BadArtifact(
                    f"{path} names {name}, outside the artifact: export the network again"
                )
        try:
            for pack in manifest.styles if check_files else ():
                check_owner(folder / pack.path, manifest.network.owner)
            for name, expected in manifest.known_paths().items() if check_files else ():
                _check_file(folder, name, expected)
        except BadArtifact:
            if read_input(path, "manifest", error=BadArtifact) == raw:
                raise
            continue  # a pack of styles was replaced meanwhile, and with it the manifest
        return manifest


def foreign_files(folder: Path) -> list[str]:
    """Return what no artifact put into a folder, as paths below it: all where there is none.

    The manifest may be of any version, and files that it lists may have been altered. Packs and
    thumbnails that a killed `styles pack` did not list are an artifact's too, and so is a model
    card, edited or not.
    """
    listed: set[str] = set()
    with contextlib.suppress(BadArtifact, msgspec.DecodeError, UnicodeDecodeError):
        document = msgspec.json.decode(read_input(folder / FILE_NAME, error=BadArtifact), type=dict)
        if {"schema_version", "network", "files"} <= set(document):
            facts = [
                fact for value in document.values() if isinstance(value, list) for fact in value
            ]
            facts += [
                thumbnail
                for fact in facts
                if isinstance(fact, dict) and isinstance(fact.get("thumbnails"), list)
                for thumbnail in fact["thumbnails"]
            ]
            listed = {
                str(fact["path"]) for fact in facts if isinstance(fact, dict) and "path" in fact
            }
            listed.add(FILE_NAME)
    foreign: list[str] = []
    for path in sorted(folder.rglob("*")):
        if is_scratch(path) or (path.is_dir() and not path.is_symlink()):
            continue
        name = path.relative_to(folder)
        package = next((p for p in name.parents if p.as_posix() in listed), None)
        known = PACKAGE_ENTRIES.get(package.suffix, ()) if package is not None else ()
        within = package is not None and name.relative_to(package).parts[0] in known
        in_styles = listed and name.parts[0] == "styles"
        unlisted = in_styles and (is_style_pack(path) or is_thumbnail(path))
        card = listed and name.as_posix() == CARD_NAME and is_card(path)
        if not (name.as_posix() in listed or within or unlisted or card):
            foreign.append(name.as_posix())
    return foreign


def is_thumbnail(path: Path) -> bool:
    """Whether a file is a thumbnail that `styles pack` wrote: named by its own sha256."""
    digits = path.stem if path.match(f"{THUMBNAILS}/*.jpg") and path.is_file() else ""
    return len(digits) == THUMBNAIL_DIGITS and sha256_of_file(path).startswith(digits)


ARTIFACT = Product("an artifact with no other files in it", lambda path: not foreign_files(path))
REJECTED = json_product("the figures of a rejected export", "schema_version", "network", "files")


def _check_file(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if not path.exists():
        raise BadArtifact(f"{path} is missing, the manifest lists it: export the network again")
    actual = sha256_of_file(path)
    if actual != expected:
        raise BadArtifact(
            f"{path} was altered: its sha256 is {actual[:12]}…, the manifest says "
            f"{expected[:12]}…; export the network again"
        )


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest into an artifact directory, whole or not at all."""
    with replace_file(folder / FILE_NAME) as part:
        part.write_bytes(manifest.encoded())


def json_schema() -> bytes:
    """Return the manifest's JSON Schema, indented."""
    return schema_of(Manifest)
