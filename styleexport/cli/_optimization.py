"""Iterations of `styleexport stylize` with a network that optimizes the picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from styleexport.cli._common import talk

if TYPE_CHECKING:
    from PIL import Image

    from styleexport.runtime_bench.stylize.lbfgs import Iteration
    from styleexport.runtime_bench.stylize.optimization import OptimizeOptions
    from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

# Seconds between two lines of progress.
LINE_EVERY_S = 2.0


def iterations_of(
    stylizer: Stylizer, iterations: int | None, preview: Path | None, every: int
) -> OptimizeOptions | None:
    """Return how a network that optimizes is iterated; None for one that paints at once."""
    from styleexport.core.images import check_picture_out
    from styleexport.runtime_bench.stylize.optimization import OptimizeOptions, check_optimizes

    tiled = bool(stylizer.manifest.tilings)
    if iterations is not None or (preview is not None and not tiled):
        check_optimizes(stylizer)
    if preview is not None:
        check_picture_out(preview)
    if not stylizer.is_optimized:
        return None
    return OptimizeOptions(iterations, every if preview is not None else 0)


def painter_of(
    stylizer: Stylizer,
    style: object,
    options: StylizeOptions,
    how: OptimizeOptions | None,
    preview: Path | None,
    runs: list[dict[str, object]],
) -> Callable[[Image.Image], Image.Image]:
    """Return what paints a photograph; of an optimization, it adds the outcome to ``runs``."""
    from styleexport.core.images import write_image
    from styleexport.runtime_bench.stylize.optimization import paint

    if how is None:
        return lambda image: stylizer.stylize(image, style, options)  # pyright: ignore[reportArgumentType]

    def optimized(image: Image.Image) -> Image.Image:
        result = paint(
            stylizer,
            image,
            style,  # pyright: ignore[reportArgumentType]
            options,
            how,
            _IterationLines(),
            lambda picture: write_image(picture, preview) if preview is not None else None,
        )
        talk(
            f"{result.ended} after {result.iterations} iterations: loss {result.loss:.5g}, the "
            f"photograph's is {result.first_loss:.5g}"
        )
        if result.ended == "diverged":
            talk("the loss rose far above the best, or was not finite: the best picture is kept")
        facts = {"iterations": result.iterations, "loss": result.loss, "ended": result.ended}
        runs.append({**facts})
        return result.picture

    return optimized


class _IterationLines:
    """Lines of progress: after the first iteration, every few seconds, and after the last."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, state: Iteration) -> None:
        """Say how far an optimization is."""
        now = time.monotonic()
        if state.number not in (1, state.total) and now - self._last < LINE_EVERY_S:
            return
        self._last = now
        talk(
            f"iteration {state.number} of {state.total}: loss {state.loss:.5g}, best "
            f"{state.best_loss:.5g}, {state.seconds_left:.0f} s left"
        )
