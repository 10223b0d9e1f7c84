"""An artifact at work: photographs of any size become paintings."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from styleexport.core.arrays import Array
from styleexport.core.errors import (
    BadArtifact,
    ParityFailure,
    UnsupportedOp,
    UsageError,
    first_line,
)
from styleexport.core.images import array_from_image
from styleexport.core.manifest import FileFact, Manifest, read_manifest
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.runners._runner import RunOptions, Session, runner_for
from styleexport.runtime_bench.stylize.framing import Frame, best_size, open_size

DEFAULT_MAX_SIDE = 1024


@dataclass(frozen=True)
class StylizeOptions:
    """How strongly and with which colours.

    Attributes:
        alpha: strength of the style, 0 (the content) to 1 (full).
        keep_colour: take only the brightness from the painting, the colours from the photograph.
        max_side: the longer side at which files of any size run, in pixels.
    """

    alpha: float = 1.0
    keep_colour: bool = False
    max_side: int = DEFAULT_MAX_SIDE

    def __post_init__(self) -> None:
        if not 0.0 <= self.alpha <= 1.0:
            raise UsageError(f"alpha {self.alpha:g} is out of range: type --alpha 0 to --alpha 1")


class Stylizer:
    """Runs an artifact on pictures; a context manager that holds its loaded files.

    Args:
        artifact: its folder.
        options: of the runtime.
        target: whose files to run; None takes the first that the artifact lists.
        precision: of the files to run; None takes the first that the target has.

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

    def _run(self, fact: FileFact, inputs: dict[str, Array]) -> Array:
        """Return what a file computes."""
        session = self._session(fact)
        path = self.folder / fact.path
        try:
            output = session(inputs)[fact.outputs[0].name]
        except (BadArtifact, UnsupportedOp):
            raise
        except Exception as error:
            raise BadArtifact(
                f"{path} does not run: {first_line(error)}; it is not the file that the manifest "
                "describes: export the network again"
            ) from error
        if not np.isfinite(output).all():
            raise ParityFailure(
                f"{path} computes NaN or infinite values of this picture: type `styleexport "
                f"verify {self.folder}`, or choose another file with --target or --precision"
            )
        return output

    def _files(self, role: Role) -> list[FileFact]:
        return [fact for fact in self.files if fact.role is role]

    @property
    def is_fixed_style(self) -> bool:
        """Whether the artifact holds a network with one style of its own."""
        return any(fact.role is Role.STYLIZE and len(fact.inputs) == 1 for fact in self.files)

    @property
    def takes_picture_only(self) -> bool:
        """Whether the one file that paints takes the style as a picture, never as a code."""
        return not self.is_fixed_style and not self._files(Role.TRANSFORM)

    def encode(self, style: Image.Image) -> Array:
        """Return the style code [1, K] of a picture.

        Raises:
            UsageError: the artifact has no encoder.
        """
        files = self._files(Role.ENCODE)
        if not files:
            raise UsageError(
                f"{self.folder} has no encode file: use --style-code, or export again with "
                "--role encode --role transform"
            )
        fact, size = best_size(files, style)
        size = size or open_size(style, DEFAULT_MAX_SIDE, self.manifest.network.min_side)
        frame = centre_crop(style, size)
        return self._run(fact, {"style": array_from_image(frame)})

    def packed_codes(self) -> dict[str, Array]:
        """Return name → style code of every pack in the artifact."""
        codes: dict[str, Array] = {}
        for pack in self.manifest.styles:
            codes |= load_file(self.folder / pack.path)
        return codes

    def packed(self, name: str) -> Array:
        """Return one packed style code.

        Raises:
            UsageError: no pack holds that name.
        """
        codes = self.packed_codes()
        if name not in codes:
            known = ", ".join(sorted(codes)) or "none"
            raise UsageError(
                f"no style code {name!r} in {self.folder}: it holds {known}; pack one with "
                f"`styleexport styles pack {self.folder} IMAGE`"
            )
        return codes[name]

    def stylize(
        self,
        content: Image.Image,
        style: Array | Image.Image | None = None,
        options: StylizeOptions | None = None,
    ) -> Image.Image:
        """Return the photograph as a painting of its own size.

        Args:
            content: RGB.
            style: a code from `encode` or `packed`, or a picture; None for a network with a style
                of its own.
            options: strength and colours.

        Raises:
            UsageError: a style is missing, or of a kind that the artifact does not take.
        """
        options = options or StylizeOptions()
        files = self._files(Role.TRANSFORM) or self._files(Role.STYLIZE)
        if not files:
            raise UsageError(
                f"{self.folder} has no file that paints: export again with --role transform"
            )
        fact, size = best_size(files, content)
        frame = Frame.of(content, size, options.max_side, self.manifest.network.min_side)
        inputs = {"content": frame.pixels} | self._style_inputs(fact, size, style, options)
        painted = frame.restore(self._run(fact, inputs))
        if self.is_fixed_style and options.alpha < 1.0:
            painted = Image.blend(content, painted, options.alpha)
        return _with_colours_of(content, painted) if options.keep_colour else painted

    def _style_inputs(
        self,
        fact: FileFact,
        size: Size | None,
        style: Array | Image.Image | None,
        options: StylizeOptions,
    ) -> dict[str, Array]:
        if len(fact.inputs) == 1:
            return {}
        if style is None:
            raise UsageError("a style is needed: name a STYLE image or --style-code NAME")
        strength = {"strength": np.array([options.alpha], np.float32)}
        if fact.role is Role.TRANSFORM:
            code = self.encode(style) if isinstance(style, Image.Image) else style
            return {"style_code": code, **strength}
        if not isinstance(style, Image.Image):
            raise UsageError(
                f"{fact.path} takes the style as a picture: name one STYLE image, or export again "
                "with --role encode --role transform for codes and blends"
            )
        size = size or open_size(style, options.max_side, self.manifest.network.min_side)
        picture = centre_crop(style, size)
        return {"style": array_from_image(picture), **strength}


def blend_codes(codes: Sequence[Array], weights: Sequence[float]) -> Array:
    """Return the weighted mean of style codes; AdaIN is linear in the code, so blending is exact.

    Raises:
        UsageError: a different number of weights, negative ones, or none above zero.
    """
    weights = list(weights) or [1.0] * len(codes)
    if len(weights) != len(codes):
        raise UsageError(
            f"{len(codes)} styles but {len(weights)} weights: type one --style-weight a style"
        )
    if not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) <= 0:
        raise UsageError(
            f"style weights {weights} must not be negative, and one must be above 0: type for "
            "example --style-weight 0.7 --style-weight 0.3"
        )
    total = sum(weights)
    return np.sum([c * np.float32(w / total) for c, w in zip(codes, weights, strict=True)], axis=0)


def _chosen(
    artifact: Path, files: Sequence[FileFact], target: str | None, precision: Precision | None
) -> tuple[FileFact, ...]:
    """Return the files of one target and precision, by default of those listed first."""
    of_target = [f for f in files if f.target == (target or files[0].target)]
    wanted = precision or (of_target[0].precision if of_target else None)
    found = tuple(f for f in of_target if f.precision is wanted)
    if not found:
        held = ", ".join(dict.fromkeys(f"{f.target} {f.precision}" for f in files))
        asked = " ".join(filter(None, (target, precision)))
        raise UsageError(
            f"{artifact} holds no {asked} file: it holds {held}; type for example --target "
            f"{files[0].target} --precision {files[0].precision}"
        )
    return found


def _with_colours_of(content: Image.Image, painted: Image.Image) -> Image.Image:
    """Return the painting's brightness with the photograph's colours (Gatys et al., 2016)."""
    brightness = painted.convert("YCbCr").getchannel(0)
    _, blue, red = content.convert("YCbCr").split()
    return Image.merge("YCbCr", (brightness, blue, red)).convert("RGB")
