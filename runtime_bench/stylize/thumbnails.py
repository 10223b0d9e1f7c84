"""Thumbnails of styles: a photograph that ships with the package, painted in each."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from styleexport.core import assets
from styleexport.core.arrays import Array
from styleexport.core.errors import StyleExportError, UsageError
from styleexport.core.images import read_image
from styleexport.core.manifest import FileFact, read_manifest
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Progress, Role, Size
from styleexport.runtime_bench.runners._runner import runner_for
from styleexport.runtime_bench.stylize.stylizer import Stylizer

SIDE = Size(128, 128)
# Size at which a file of any size paints.
OPEN_SIZE = Size(256, 256)
# About 6 kB at 128x128.
QUALITY = 85


def paint_thumbnails(
    artifact: Path, codes: Mapping[str, Array], progress: Progress
) -> dict[str, bytes]:
    """Return style → JPEG of 128x128 pixels; nothing where no transform file can paint here.

    Each takes one run of a transform file at the smallest of its sizes.

    Args:
        artifact: artifact directory.
        codes: style → code [1, K].
        progress: receives why there are none.
    """
    try:
        fact = _painter(artifact)
        with Stylizer(artifact, target=fact.target, precision=fact.precision) as stylizer:
            photo = read_image(assets.folder() / assets.DEMO_CONTENT)
            content = centre_crop(photo, _smallest_size(stylizer))
            return {style: _jpeg(stylizer.stylize(content, code)) for style, code in codes.items()}
    except StyleExportError as error:
        progress(f"no thumbnails of the styles: {error}")
        return {}


def _painter(artifact: Path) -> FileFact:
    """Return the first transform file that a runtime of this machine runs.

    Raises:
        UsageError: there is none; the reference interpreter of Core ML takes too long.
    """
    reasons: dict[str, str] = {}
    for fact in read_manifest(artifact).files:
        if fact.role is Role.TRANSFORM:
            try:
                if runner_for(artifact / fact.path).timed:
                    return fact
                reason = "runs here in the reference interpreter only, which is slow"
            except StyleExportError as error:
                reason = str(error)
            reasons.setdefault(fact.target, f"{fact.path} {reason}")
    raise UsageError("; ".join(reasons.values()) or f"{artifact} has no transform file")


def _smallest_size(stylizer: Stylizer) -> Size:
    sizes = [
        size.size()
        for fact in stylizer.files
        if fact.role is Role.TRANSFORM
        for size in fact.sizes or (fact.size,)
        if size is not None
    ]
    return min(sizes, key=lambda size: size.height * size.width, default=OPEN_SIZE)


def _jpeg(painted: Image.Image) -> bytes:
    encoded = io.BytesIO()
    centre_crop(painted, SIDE).save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()
