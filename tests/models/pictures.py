"""Folders of small random pictures to train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_pictures(folder: Path, count: int) -> None:
    """Write ``count`` pictures of 80x70 pixels into each of ``content/`` and ``style/``."""
    random = np.random.default_rng(0)
    for kind in ("content", "style"):
        (folder / kind).mkdir()
        for index in range(count):
            small = random.integers(0, 255, (6, 6, 3), np.uint8)
            Image.fromarray(small).resize((80, 70)).save(folder / kind / f"{index}.png")
