"""Sessions that take content and style as pictures, whatever the file behind them takes.

So files compare that take the style in different forms, or whose style codes differ (a pruned or
distilled network has its own encoder). A transform gets its codes from the float encode program of
its own artifact; an encoder is judged by the pictures that the float transform program of its
artifact computes with its codes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from styleexport.core.arrays import Array, Arrays, Run
from styleexport.core.errors import BadArtifact
from styleexport.core.images import array_from_image, image_from_array
from styleexport.core.types import Role, Size
from styleexport.runtime_bench.parity import read_probe, runtime_errors_of
from styleexport.runtime_bench.quality.pairs import ModelFile, model_files_of
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for

# Order of a program's inputs, which have no names.
ORDER = ("content", "style", "style_code", "strength")
NO_STYLE = np.zeros((1, 3, 1, 1), np.float32)


class CachedStyleEncoder:
    """A style encoder that encodes each picture once.

    Args:
        encode: style [1, 3, H, W] in 0..1 → code [1, K].
    """

    def __init__(self, encode: Callable[[Array], Array]) -> None:
        self.encode = encode
        # The picture is kept with its code, so that no other array gets its id.
        self.codes: dict[int, tuple[Array, Array]] = {}

    def __call__(self, style: Array) -> Array:
        """Return the code [1, K] of a picture [1, 3, H, W] in 0..1."""
        if id(style) not in self.codes:
            self.codes[id(style)] = (style, self.encode(style))
        return self.codes[id(style)][1]


class StyleEncoders:
    """The float encode programs of some artifacts: a picture is encoded once for all sessions.

    Args:
        options: options of the runtimes.
    """

    def __init__(self, options: RunOptions) -> None:
        self.options = options
        self.opened: dict[Path, CachedStyleEncoder] = {}

    def of(self, program: ModelFile) -> CachedStyleEncoder:
        """Return the encoder of a program."""

        def encode(style: Array) -> Array:
            with _opened(program, self.options) as session:
                (code,) = session({"style": _resized(style, program)}).values()
            return code

        return self.opened.setdefault(program.file, CachedStyleEncoder(encode))


@dataclass(frozen=True)
class _PictureSession:
    """A session from pictures to a picture or style code.

    Attributes:
        run: session of the file.
        names: input names of the file.
        code: style picture → style code; None where the file takes none.
        transform: session that stylizes with an encode file's codes; None for other files.
    """

    run: Run
    names: tuple[str, ...]
    code: Callable[[Array], Array] | None
    transform: Run | None

    def __call__(self, inputs: Arrays) -> dict[str, Array]:
        """Return the output of a probe."""
        tensors = dict(inputs)
        if self.code is not None:
            tensors["style_code"] = self.code(tensors.get("style", NO_STYLE))
        if self.transform is not None and "content" in tensors:
            names = ("content", "style_code", "strength")
            return self.transform({name: tensors[name] for name in names})
        return self.run({name: tensors[name] for name in self.names})


@contextlib.contextmanager
def open_picture_session(side: ModelFile, size: Size, encoders: StyleEncoders) -> Generator[Run]:
    """Return a session that takes ``content`` and ``style`` as pictures, and ``strength``.

    Args:
        side: file or program to run.
        size: size of the pictures.
        encoders: style encoders, shared by sessions.

    Raises:
        BadArtifact: a file cannot be loaded or run.
        DeviceError: no runner for it can run here.
    """
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(_opened(side, encoders.options))
        names = _input_names(side)
        code = transform = None
        if side.role is Role.ENCODE:
            code = CachedStyleEncoder(lambda style: next(iter(run({"style": style}).values())))
            if (program := partner(side, Role.TRANSFORM, size)) is not None:
                transform = stack.enter_context(_opened(program, encoders.options))
        elif "style_code" in names:
            program = partner(side, Role.ENCODE, size)
            code = (
                encoders.of(program) if program is not None else CachedStyleEncoder(_golden(side))
            )
        yield _PictureSession(run, names, code, transform)


def partner(side: ModelFile, role: Role, size: Size) -> ModelFile | None:
    """Return the artifact's float program of another role, preferably one of a size."""
    siblings = model_files_of(side.folder, side.manifest)
    programs = [other for other in siblings if not other.is_exported and other.role is role]
    programs.sort(key=lambda program: not program.takes(size))
    return next(iter(programs), None)


def _resized(style: Array, program: ModelFile) -> Array:
    """Return a style picture at a size that the encoder takes."""
    size = Size(style.shape[2], style.shape[3])
    if program.takes(size):
        return style
    own = program.sizes[0]
    return array_from_image(image_from_array(style).resize((own.width, own.height)))


def _golden(side: ModelFile) -> Callable[[Array], Array]:
    """Return an encoder that always gives the golden probe's code: for lack of an encoder."""
    for probe in side.manifest.probes:
        tensors = read_probe(side.folder, probe) if probe.role is side.role else {}
        if "style_code" in tensors:
            return lambda _: tensors["style_code"]
    raise BadArtifact(
        f"{side.folder} holds neither an encode program nor a probe with a style code: export the "
        "network again with --role encode --role transform"
    )


def _input_names(side: ModelFile) -> tuple[str, ...]:
    """Return the names of a side's inputs, in the order of its role."""
    facts = [fact for fact in side.manifest.files if fact.role is side.role]
    own = next((fact for fact in facts if fact.path == side.path), facts[0])
    names = [item.name for item in own.inputs]
    if not set(names) <= set(ORDER):
        raise BadArtifact(
            f"{side.folder / own.path} has inputs {', '.join(names)}, expected some of "
            f"{', '.join(ORDER)}: export the network again"
        )
    return tuple(sorted(names, key=ORDER.index))


@contextlib.contextmanager
def _opened(side: ModelFile, options: RunOptions) -> Generator[Run]:
    """Return a session whose runtime errors are one line."""
    with runner_for(side.file).open(side.file, options) as session:

        def run(inputs: Arrays) -> dict[str, Array]:
            with runtime_errors_of(side.file, probe=""):
                return session(inputs)

        yield run
