"""Stylization of photographs of any size with the files of an artifact."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from styleexport.core.arrays import Array, Arrays
from styleexport.core.errors import ParityFailure, UsageError
from styleexport.core.images import array_from_image
from styleexport.core.manifest import FileFact, Manifest, code_length, read_manifest
from styleexport.core.pictures import centre_crop
from styleexport.core.shipped_styles import style_files, styles_of_weights
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.parity import runtime_errors_of
from styleexport.runtime_bench.runners._runner import RunOptions, Session, runner_for
from styleexport.runtime_bench.style_packs import read_pack
from styleexport.runtime_bench.stylize.blending import blend_codes
from styleexport.runtime_bench.stylize.framing import Frame, best_size, open_size

DEFAULT_MAX_SIDE = 1024
# Off a Mac, interpreters run these: they prove files, and take seconds.
APPLE = (".aimodel", ".mlpackage")


@dataclass(frozen=True)
class StylizeOptions:
    """Strength, colours and size of a stylization.

    Attributes:
        alpha: strength of the style, from 0 (the content) to 1 (full).
        keep_colour: whether the photograph's colours are kept, and only brightness is stylized.
        max_side: longer side in pixels at which files of any size run.
    """

    alpha: float = 1.0
    keep_colour: bool = False
    max_side: int = DEFAULT_MAX_SIDE

    def __post_init__(self) -> None:
        if not 0.0 <= self.alpha <= 1.0:
            raise UsageError(f"alpha {self.alpha:g} is out of range: type --alpha 0 to --alpha 1")

    def recoloured(self, content: Image.Image, painted: Image.Image) -> Image.Image:
        """Return a painting, with the photograph's colours where they are to be kept."""
        return _with_colours_of(content, painted) if self.keep_colour else painted


class Stylizer:
    """An artifact's files, loaded when first needed; a context manager that closes them.

    Args:
        artifact: artifact directory.
        options: options of the runtime.
        target: format of the files to run; None takes the first that a runtime here paints with,
            rather than an interpreter.
        precision: precision of the files to run; None takes the first of the target.

    Raises:
        BadArtifact: the folder is not an artifact, or a file of it was altered.
        UsageError: it holds no file of that target or precision.
    """

    def __init__(
        self,
        artifact: Path,
        options: RunOptions | None = None,
        target: str | None = None,
        precision: Precision | None = None,
    ) -> None:
        self.folder = artifact
        self.manifest: Manifest = read_manifest(artifact)
        self.options = options or RunOptions()
        self.files = _chosen(artifact, self.manifest.files, target, precision)
        self._stack = contextlib.ExitStack()
        self._sessions: dict[str, Session] = {}

    def __enter__(self) -> Stylizer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _session(self, fact: FileFact) -> Session:
        if fact.path not in self._sessions:
            path = self.folder / fact.path
            opened = runner_for(path).open(path, self.options)
            self._sessions[fact.path] = self._stack.enter_context(opened)
        return self._sessions[fact.path]

    def outputs(self, fact: FileFact, inputs: dict[str, Array]) -> Arrays:
        """Return a file's outputs by name."""
        session = self._session(fact)
        with runtime_errors_of(self.folder / fact.path, probe=""):
            return session(inputs)

    def run(self, fact: FileFact, inputs: dict[str, Array]) -> Array:
        """Return a file's first output.

        Raises:
            ParityFailure: it is not finite.
        """
        path = self.folder / fact.path
        output = self.outputs(fact, inputs)[fact.outputs[0].name]
        if not np.isfinite(output).all():
            raise ParityFailure(
                f"{path} computes NaN or infinite values of this picture: type `styleexport "
                f"verify {self.folder}`, or choose another file with --target or --precision"
            )
        return output

    def files_of(self, role: Role) -> list[FileFact]:
        """Return the chosen files of a role."""
        return [fact for fact in self.files if fact.role is role]

    @property
    def is_fixed_style(self) -> bool:
        """Whether the network has one style of its own."""
        return any(fact.role is Role.STYLIZE and len(fact.inputs) == 1 for fact in self.files)

    @property
    def is_optimized(self) -> bool:
        """Whether pictures are painted by iterations of a ``step`` file."""
        return self.manifest.network.optimization is not None and bool(self.files_of(Role.STEP))

    @property
    def takes_picture_only(self) -> bool:
        """Whether the style is always passed as a picture, never as a code."""
        takes_code = self.is_optimized or bool(self.files_of(Role.TRANSFORM))
        return not self.is_fixed_style and not takes_code

    def encode(self, style: Image.Image) -> Array:
        """Return the style code of a picture, [1, K].

        Args:
            style: RGB picture of any size.

        Raises:
            UsageError: the artifact has no encoder.
        """
        files = self.files_of(Role.ENCODE)
        if not files:
            raise UsageError(self._without_encoder())
        fact, size = best_size(files, style)
        size = size or open_size(style, DEFAULT_MAX_SIDE, self.manifest.network.min_side)
        frame = centre_crop(style, size)
        return self.run(fact, {"style": array_from_image(frame)})

    def _without_encoder(self) -> str:
        """Return why no style can be encoded, and what to do, as a message."""
        if self.is_fixed_style:
            return (
                f"{self.folder} has one style of its own, and no style codes: paint with "
                f"`styleexport stylize {self.folder} PHOTO`"
            )
        packed = [name for pack in self.manifest.styles for name in pack.names]
        if Role.ENCODE not in self.manifest.network.roles:
            shown = ", ".join(packed[:4]) + (" …" if len(packed) > 4 else "")
            return (
                f"{self.folder} has styles of its own, and no codes of pictures: "
                f"paint with --style-code NAME ({shown}); repeat it to blend"
            )
        held = dict.fromkeys(
            fact.target for fact in self.manifest.files if fact.role is Role.ENCODE
        )
        if held:
            chosen = self.files[0]
            return (
                f"{self.folder} has no encode file for {chosen.target} {chosen.precision}: choose "
                f"others with --target {next(iter(held))}, or export again with --role encode "
                "--role transform"
            )
        return (
            f"{self.folder} has no encode file: "
            + (f"use a packed style ({', '.join(packed)}) with --style-code, or " if packed else "")
            + "export again with --role encode --role transform"
        )

    def packed_codes(self) -> dict[str, Array]:
        """Return name → style code [1, K] of every pack in the artifact."""
        codes: dict[str, Array] = {}
        # Packs may be replaced while the artifact is open.
        manifest = read_manifest(self.folder, check_files=False)
        for pack in manifest.styles:
            codes |= read_pack(self.folder, manifest, pack)
        return codes

    def packed(self, name: str) -> Array:
        """Return one style code, [1, K]: packed in the artifact, or shipped for its weights.

        Raises:
            UsageError: no pack holds that name, or it ships for other weights.
        """
        codes = self.packed_codes()
        if name in codes:
            return codes[name]
        network = self.manifest.network
        shipped = styles_of_weights(network.name, network.source_sha256)
        if shipped is not None and name in shipped.names:
            return shipped.codes((name,))[name]
        known = ", ".join([*sorted(codes), *(shipped.names if shipped else ())]) or "none"
        others = [file.facts for file in style_files() if name in file.names]
        if others:
            theirs = " or ".join(f"{f.network} ({f.weights_sha256[:12]})" for f in others)
            own = f"{network.name} ({network.source_sha256[:12]})"
            raise UsageError(
                f"style code {name!r} belongs to the weights of {theirs}, but {self.folder} is of "
                f"{own} and holds {known}: pack the painting itself with `styleexport styles pack "
                f"{self.folder} IMAGE`"
            )
        encodes = any(fact.role is Role.ENCODE for fact in self.manifest.files)
        raise UsageError(
            f"no style code {name!r} in {self.folder}: it holds {known}"
            + (f"; pack one with `styleexport styles pack {self.folder} IMAGE`" if encodes else "")
        )

    def blend(self, codes: Sequence[Array], weights: Sequence[float] = ()) -> Array:
        """Return the weighted mean of style codes, [1, K].

        Args:
            codes: style codes [1, K] from `encode` or `packed`.
            weights: weight of each code, 0 or more; () weights them equally.

        Raises:
            UsageError: the weights do not fit, or codes of this network cannot be blended.
        """
        return blend_codes(codes, weights, self.manifest.network)

    def stylize(
        self,
        content: Image.Image,
        style: Array | Image.Image | None = None,
        options: StylizeOptions | None = None,
    ) -> Image.Image:
        """Return the stylized photograph, of the photograph's size, or a multiple for upscalers.

        Args:
            content: RGB picture of any size.
            style: style code [1, K] from `encode` or `packed`, or RGB picture; None for a network
                with one style of its own.
            options: strength, colours and size; None for the defaults.

        Raises:
            UsageError: a style is missing, of a kind that the artifact does not take, or a code of
                another network.
        """
        options = options or StylizeOptions()
        files = self.files_of(Role.TRANSFORM) or self.files_of(Role.STYLIZE)
        if not files:
            network = self.manifest.network
            role = Role.STEP if Role.STEP in network.roles else Role.TRANSFORM
            raise UsageError(
                f"{self.folder} has no file of {network.name} that paints: export again with "
                f"--role encode {'--role content ' if role is Role.STEP else ''}--role {role}"
            )
        fact, size = best_size(files, content)
        frame = Frame.of(content, size, options.max_side, self.manifest.network.min_side)
        inputs = {"content": frame.pixels} | self.style_inputs(fact, size, style, options)
        painted = frame.restore(self.run(fact, inputs))
        if content.size != painted.size:
            content = content.resize(painted.size, Image.Resampling.LANCZOS)
        if self.is_fixed_style and options.alpha < 1.0:
            painted = Image.blend(content, painted, options.alpha)
        return options.recoloured(content, painted)

    def style_inputs(
        self,
        fact: FileFact,
        size: Size | None,
        style: Array | Image.Image | None,
        options: StylizeOptions,
    ) -> dict[str, Array]:
        """Return the inputs of a file beside the photograph.

        Args:
            fact: file that paints.
            size: size of its pictures; None for a file of any size.
            style: see `stylize`.
            options: strength and size.

        Raises:
            UsageError: see `stylize`.
        """
        if len(fact.inputs) == 1:
            return {}
        if style is None:
            raise UsageError("a style is needed: name a STYLE image or --style-code NAME")
        strength = {"strength": np.array([options.alpha], np.float32)}
        if fact.role is Role.TRANSFORM:
            code = self.encode(style) if isinstance(style, Image.Image) else style
            self.check_code(code)
            return {"style_code": code, **strength}
        if not isinstance(style, Image.Image):
            raise UsageError(
                f"{fact.path} takes the style as a picture: name one STYLE image, or export again "
                "with --role encode --role transform for codes and blends"
            )
        size = size or open_size(style, options.max_side, self.manifest.network.min_side)
        picture = centre_crop(style, size)
        return {"style": array_from_image(picture), **strength}

    def check_code(self, code: Array) -> None:
        """Check that a style code has the shape that the files take.

        Raises:
            UsageError: it is of another network.
        """
        length, network = code_length(self.manifest.files), self.manifest.network
        if code.shape != (1, length):
            raise UsageError(
                f"a style code of shape {list(code.shape)} is of another network: {network.name} "
                f"of {self.folder} takes [1, {length}]; encode the style with this artifact"
            )


def _chosen(
    artifact: Path, files: Sequence[FileFact], target: str | None, precision: Precision | None
) -> tuple[FileFact, ...]:
    """Return the files of a target and precision; see `Stylizer`.

    Step files, which are float32 always, go with any.
    """
    wanted = target or _default_target(files)
    of_target = [f for f in files if f.target == wanted]
    precision_or_first = precision or (of_target[0].precision if of_target else None)
    chosen = tuple(f for f in of_target if f.precision is precision_or_first or f.role is Role.STEP)
    if not chosen:
        held = ", ".join(dict.fromkeys(f"{f.target} {f.precision}" for f in files))
        requested = " ".join(filter(None, (target, precision)))
        raise UsageError(
            f"{artifact} holds no {requested} file: it holds {held}; type for example --target "
            f"{files[0].target} --precision {files[0].precision}"
        )
    return chosen


def _default_target(files: Sequence[FileFact]) -> str:
    """Return the first target that a runtime paints with here; the first where none does."""
    painting = (f.target for f in files if not f.path.endswith(APPLE) or sys.platform == "darwin")
    return next(painting, files[0].target)


def _with_colours_of(content: Image.Image, painted: Image.Image) -> Image.Image:
    """Return the painting's luma with the photograph's chroma.

    Luminance-only transfer (Gatys et al., "Preserving color in neural artistic style transfer",
    2016, section 4).
    """
    brightness = painted.convert("YCbCr").getchannel(0)
    _, blue, red = content.convert("YCbCr").split()
    return Image.merge("YCbCr", (brightness, blue, red)).convert("RGB")
