"""Painting by optimization with the ``content``, ``encode`` and ``step`` files of an artifact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from styleexport.core.arrays import Array
from styleexport.core.errors import UsageError
from styleexport.core.manifest import FileFact
from styleexport.core.types import Role
from styleexport.runtime_bench.stylize.framing import Frame, best_size
from styleexport.runtime_bench.stylize.lbfgs import Ended, Iteration, optimize
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

Preview = Callable[[Image.Image], None]


@dataclass(frozen=True)
class OptimizeOptions:
    """Length and previews of an optimization.

    Attributes:
        iterations: number of iterations; None takes the network's own.
        preview_every: iterations between two previews; 0 for none.
    """

    iterations: int | None = None
    preview_every: int = 0


@dataclass(frozen=True)
class Painted:
    """A painted photograph.

    Attributes:
        picture: picture of the lowest loss, of the photograph's size.
        loss: its loss.
        iterations: number of iterations that were made.
        ended: why there are no more.
        first_loss: loss of the photograph; not finite where it could not be computed.
    """

    picture: Image.Image
    loss: float
    iterations: int
    ended: Ended
    first_loss: float


def check_optimizes(stylizer: Stylizer) -> None:
    """Check that an artifact paints by iterations.

    Raises:
        UsageError: it paints at once.
    """
    if not stylizer.is_optimized:
        raise UsageError(
            f"--iterations and --preview are for networks that paint by optimization, such as "
            f"gatys-vgg-eighth; {stylizer.manifest.network.name} of {stylizer.folder} paints at "
            "once: leave them out"
        )


def paint(
    stylizer: Stylizer,
    content: Image.Image,
    code: Array,
    options: StylizeOptions,
    how: OptimizeOptions,
    progress: Callable[[Iteration], None] = lambda _: None,
    preview: Preview = lambda _: None,
) -> Painted:
    """Return a photograph, optimized to have the style of a code.

    It is scaled to the size of a ``step`` file that keeps the most pixels; see `Frame`.

    Args:
        stylizer: opened artifact.
        content: RGB picture of any size.
        code: style code [1, K].
        options: strength and colours.
        how: number of iterations, and how often there is a preview.
        progress: takes the state after each iteration.
        preview: takes the best picture so far, every so many iterations.

    Raises:
        UsageError: the artifact does not paint by optimization, lacks a file of the size, or the
            code is of another network.
    """
    check_optimizes(stylizer)
    network = stylizer.manifest.network
    settings = network.optimization
    assert settings is not None
    stylizer.check_code(code)
    step, size = best_size(stylizer.files_of(Role.STEP), content)
    frame = Frame.of(content, size, options.max_side, network.min_side)
    target = stylizer.run(_content_file(stylizer, step), {"content": frame.pixels})
    fixed = {
        "content_target": target,
        "style_code": code,
        "strength": np.array([options.alpha], np.float32),
    }

    def evaluate(picture: Array) -> tuple[float, Array]:
        made = stylizer.outputs(step, {"image": picture, **fixed})
        return float(made["loss"][0]), made["gradient"]

    def after(state: Iteration) -> None:
        progress(state)
        if how.preview_every and state.number % how.preview_every == 0:
            preview(_restored(frame, state.best, content, options))

    iterations = how.iterations or settings.iterations
    result = optimize(evaluate, frame.pixels, settings, iterations, after)
    picture = _restored(frame, result.picture, content, options)
    first = result.losses[0] if result.losses else float("nan")
    return Painted(picture, result.loss, result.iterations, result.ended, first)


def _restored(
    frame: Frame, picture: Array, content: Image.Image, options: StylizeOptions
) -> Image.Image:
    return options.recoloured(content, frame.restore(np.clip(picture, 0.0, 1.0)))


def _content_file(stylizer: Stylizer, step: FileFact) -> FileFact:
    """Return the file that makes the content targets of a step file.

    Raises:
        UsageError: there is none of its size.
    """
    files = stylizer.files_of(Role.CONTENT)
    for fact in files:
        if fact.size == step.size:
            return fact
    sizes = ", ".join(str(fact.size.size()) for fact in files if fact.size) or "none"
    at = step.size.size() if step.size else "any size"
    raise UsageError(
        f"{stylizer.folder} has a step file for {at} and content files for {sizes}: export roles "
        f"encode, content and step together, with --size {at}"
    )
