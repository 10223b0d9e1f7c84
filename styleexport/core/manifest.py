"""The manifest: every fact about every file of an artifact, in one JSON file beside them.

The structs are the schema: `docs/manifest.schema.json` is generated from them, readers in other
languages follow it, and reading validates against it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from styleexport.core.documents import DocumentKind, read_document
from styleexport.core.errors import BadArtifact
from styleexport.core.files import replace_file
from styleexport.core.schema import schema_of
from styleexport.core.types import Precision, Role, Size

SCHEMA_VERSION = 4
FILE_NAME = "manifest.json"

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="sha256 in hexadecimal")]
RelativePath = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_.\-]*(/[A-Za-z0-9_.][A-Za-z0-9_.\-]*)*$",
        description="path below the artifact directory, with forward slashes",
    ),
]
Axis = Annotated[int | str, Meta(description="a length, or the name of an axis of any length")]


class SizeFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Height and width in pixels."""

    height: Annotated[int, Meta(ge=1)]
    width: Annotated[int, Meta(ge=1)]

    @classmethod
    def of(cls, size: Size) -> SizeFact:
        """Return the fact of a size."""
        return cls(height=size.height, width=size.width)

    def size(self) -> Size:
        """Return the size."""
        return Size(self.height, self.width)


class TensorFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input or output of a file.

    Attributes:
        name: as the file names it.
        kind: an image, a style code, or the strength (0 keeps the content, 1 is the full style).
        shape: axis lengths; a string names an axis of any length.
        dtype: of the elements; ``uint8`` images are pixel buffers of the platform.
        layout: the order of the axes; ``pixels`` is that of a pixel buffer of the platform.
        pixel_range: lowest and highest pixel value; images only.
        colour_order: of the channels; images only.
    """

    name: str
    kind: Literal["image", "style_code", "strength"]
    shape: tuple[Axis, ...]
    dtype: Literal["float32", "float16", "uint8"]
    layout: Literal["NCHW", "NHWC", "pixels", "NK", "N"]
    pixel_range: tuple[float, float] | None = None
    colour_order: Literal["RGB"] | None = None


class CalibrationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where activation ranges came from.

    Attributes:
        method: how a range was taken from the activations seen.
        images: how many content images were run.
        styles: how many styles each was run with; 0 for a fixed-style network.
        sha256: over the pixels of the images, in order.
    """

    method: str
    images: int
    styles: int
    sha256: Sha256


class FloatIslandFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Operations of an int8 file that stay in float, by type or by node name, and why."""

    ops: tuple[str, ...]
    reason: str


class QuantizationFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a file is quantized.

    Attributes:
        scheme: ``qdq-static`` (ONNX) and ``static`` (TFLite) compute in integers, with ranges fixed
            beforehand; ``dynamic-range`` takes the ranges at run time; ``weights-only`` and
            ``palette`` store integers and compute in float.
        weight_dtype: of the stored weights; of a palette, the index.
        activation_dtype: of the activations between integer operations; None for weights-only.
        per_channel: whether each output channel has its own weight scale.
        calibration: None for weights-only.
        float_islands: what stays in float.
    """

    scheme: Literal["qdq-static", "static", "dynamic-range", "weights-only", "palette"]
    weight_dtype: Literal["int8", "uint4", "uint6", "uint8"]
    activation_dtype: Literal["uint8", "int8"] | None
    per_channel: bool
    calibration: CalibrationFact | None
    float_islands: tuple[FloatIslandFact, ...]


class ConvolutionFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One convolution, or matrix product, as the runtime computes it.

    Attributes:
        layer: as the file names it.
        integer: whether activations and weights are multiplied as integers.
        macs: multiply-accumulates; 0 where sizes are open.
    """

    layer: str
    integer: bool
    macs: int


class ExecutionFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a runtime executes of a file, which is not always what the file asks for.

    Attributes:
        runtime: name and version.
        nodes: operation → count as executed, most frequent first.
        integer_mac_share: the share of the MACs that is computed in integers, 0..1.
        convolutions: in order.
        float_round_trips: how often values are dequantized, only moved, and quantized again.
        transposes: how many maps are copied from one layout to another.
        quantizes: how many float activations are quantized.
        dequantizes: how many integer activations are dequantized.
        bytes_by_dtype: constants of the file, by how they are stored.
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
    """One rewrite of the graph: how often it applied, and what it refused and why."""

    name: str
    applied: int
    refused: tuple[str, ...]


class RiskFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something in a file that is known to fail or to run slowly on some devices.

    Attributes:
        where: the layer, or what it is about.
        reason: what happens, and where.
        remedy: what to type or to change.
    """

    where: str
    reason: str
    remedy: str


class ParityFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file against the float network it came from, on the probes of its role and sizes.

    Attributes:
        runner: what ran the file.
        metric: peak signal-to-noise ratio; the peak is 1 for images and the reference's largest
            absolute value for style codes.
        measured_db: on the worst probe.
        allowed_db: the least that passes.
        max_abs_error: the largest difference of one element.
        probes: how many were run.
        float32_db: the same with every tensor kept in float32, for files that declare float16 and
            a runner that can ignore it: what the file means, apart from its rounding.
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


class QualityFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file loses against the float network over the fixed quality probes.

    Attributes:
        runner: what ran the file.
        loss_network: in whose features style is measured.
        pictures: how many.
        psnr_db: of the squared error pooled over the stable pictures: those on which the float
            network itself does not tell an invisible change of its input (half a step of 8 bits)
            by more than 45 dB. The budget's ``psnr``.
        all_psnr_db: pooled over all pictures.
        worst_psnr_db: of the picture, of all, that loses most.
        ssim: mean over the pictures; None for style codes, as all that follow.
        style_change: relative change of the distance to the style, 0.05 is 5 % more.
        gram_change: the same in Gram matrices.
        flicker_change: relative change of what flickers in a slow pan.
        budget: what the file may lose.
        failures: limits of the budget that do not hold: the file is degraded.
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


class FileFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exported file.

    Attributes:
        path: below the artifact directory.
        role: what it computes.
        target: its format.
        precision: how it stores and computes convolutions.
        float_dtype: of what it computes in float.
        version: of the format, and the least system that loads it.
        size: of the content (or style) image; None when it takes several or any.
        sizes: the sizes it takes when they are several; () for one, or for any.
        inputs: in order.
        outputs: in order.
        parameters: weights and biases of the network.
        macs: multiply-accumulates of convolutions and matrix products at ``size``; 0 when open.
        int8_mac_share: of those, the share that the runtime computes in integers, 0..1.
        quantization: None for float files.
        recipe: of ``recipes``, that the file follows; None for float files.
        quality: of files computed in int8; None for others.
        execution: of files computed in int8, where the runtime tells; None for others.
        passes: rewrites, in order.
        ops: operation → count.
        layers: layer of the captured network → the tensor of the file that holds its output, in
            the order of the network.
        scaled_layers: of ``layers``, those whose channels the file holds multiplied by gains.
        peak_activation_bytes: the most that activations take at once when each is freed after its
            last reader, an estimate; None when sizes are open.
        risks: what is known to fail or to be slow on some devices.
        parity: against the float network, once a runner.
        size_bytes: of the file, or of all files of a package.
        sha256: of the file; of a package, over the lines ``sha256  path`` of its files, sorted by
            path, each ending in a newline.
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
    layers: dict[str, str]
    scaled_layers: tuple[str, ...] = ()
    peak_activation_bytes: int | None
    risks: tuple[RiskFact, ...]
    parity: Annotated[tuple[ParityFact, ...], Meta(min_length=1)]
    size_bytes: int
    sha256: Sha256

    @property
    def worst(self) -> ParityFact:
        """The parity of the runner that comes furthest below, or least above, what is allowed."""
        return min(self.parity, key=lambda fact: fact.measured_db - fact.allowed_db)

    def takes(self, size: SizeFact) -> bool:
        """Whether the file runs pictures of a size."""
        return size in self.sizes if self.sizes else self.size in (None, size)


class RecipeFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The int8 recipe that files of one role, size and precision follow, as JSON."""

    path: RelativePath
    role: Role
    size: SizeFact
    precision: Precision
    sha256: Sha256


class ProbeFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Golden input and output of one role at one size, float32, in a safetensors file.

    The tensors are named as the inputs and outputs of the role's files.
    """

    path: RelativePath
    role: Role
    size: SizeFact
    sha256: Sha256


class AgreementFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two files of one role, size and int8 precision, of two targets, on the probes.

    Both are near the float network, each in its own way; this says how near they are to each other.

    Attributes:
        a: below the artifact directory.
        b: the same.
        measured_db: PSNR of B's output against A's on the worst probe.
    """

    a: RelativePath
    b: RelativePath
    measured_db: float


class ProgramFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The captured float network of one role and size: a ``torch.export`` archive."""

    path: RelativePath
    role: Role
    size: SizeFact
    sha256: Sha256


class StylePackFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Style codes by name, float32 [1, K] each, in a safetensors file."""

    path: RelativePath
    names: tuple[str, ...]
    encoder: RelativePath
    sha256: Sha256


class NetworkFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network that the files came from.

    Attributes:
        name: as typed on the command line.
        summary: one line.
        paper: where it was published.
        licence: of the weights.
        source: names of the checkpoint files.
        source_sha256: over their contents.
        min_side: the smallest side in pixels.
        roles: that the network has, exported or not.
    """

    name: str
    summary: str
    paper: str
    licence: str
    source: tuple[str, ...]
    source_sha256: Sha256
    min_side: int
    roles: tuple[Role, ...]


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All facts of one artifact directory.

    Attributes:
        schema_version: of this file.
        network: where the files came from.
        files: the exported graphs.
        programs: the float graphs they are checked against.
        probes: golden inputs and outputs.
        recipes: how int8 files were made.
        agreements: of int8 files of several targets.
        styles: packed style codes.
        tools: name → version of what made the files.
    """

    schema_version: Literal[4]
    network: NetworkFact
    files: Annotated[tuple[FileFact, ...], Meta(min_length=1)]
    programs: tuple[ProgramFact, ...]
    probes: tuple[ProbeFact, ...]
    recipes: tuple[RecipeFact, ...] = ()
    agreements: tuple[AgreementFact, ...] = ()
    styles: tuple[StylePackFact, ...]
    tools: dict[str, str]

    def encoded(self) -> bytes:
        """Return the manifest as indented JSON, ending in a newline."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def known_paths(self) -> dict[str, str]:
        """Return path → sha256 of every file the manifest speaks of."""
        facts = (*self.files, *self.programs, *self.probes, *self.recipes, *self.styles)
        return {fact.path: fact.sha256 for fact in facts}

    def holds(self, path: str) -> bool:
        """Whether the manifest speaks of a file, or of the package that it lies in."""
        known = self.known_paths()
        parents = [parent.as_posix() for parent in Path(path).parents]
        return path == FILE_NAME or any(name in known for name in (path, *parents))


def sha256_of_file(path: Path) -> str:
    """Return the sha256 of one file, or of a package as `FileFact` defines it."""
    if path.is_dir():
        parts = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        lines = "".join(f"{sha256_of_file(path / part)}  {part}\n" for part in parts)
        return hashlib.sha256(lines.encode()).hexdigest()
    with path.open("rb") as file:
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
        BadArtifact: not an artifact, another schema, or a file is missing or altered.
    """
    path = folder / FILE_NAME
    if not folder.is_dir() or not path.is_file():
        raise BadArtifact(
            f"{folder} is not an artifact: expected a folder with a {FILE_NAME}; make one with "
            "`styleexport onnx`"
        )
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadArtifact(f"{path} is not a manifest: {error}; {MANIFEST.if_damaged}") from error
    manifest = read_document(raw, MANIFEST, str(path))
    if check_files:
        for name, expected in manifest.known_paths().items():
            _check_file(folder, name, expected)
    return manifest


def _check_file(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if ".." in Path(name).parts:
        raise BadArtifact(
            f"{folder / FILE_NAME} names {name}, outside the artifact: export the network again"
        )
    if not path.exists():
        raise BadArtifact(f"{path} is missing, the manifest lists it: export the network again")
    found = sha256_of_file(path)
    if found != expected:
        raise BadArtifact(
            f"{path} was altered: its sha256 is {found[:12]}…, the manifest says {expected[:12]}…; "
            "export the network again"
        )


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest into an artifact directory, whole or not at all."""
    with replace_file(folder / FILE_NAME) as part:
        part.write_bytes(manifest.encoded())


def json_schema() -> bytes:
    """Return the manifest's JSON Schema, indented."""
    return schema_of(Manifest)
