"""Training data: random crops of folders of images, pooled with their loss-network features.

Computing a crop's features costs as much as the training step that uses it. A crop is therefore
used a few times, with other partners each time, before a new one replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from styleexport.core.errors import BadImage, UsageError
from styleexport.core.images import IMAGE_SUFFIXES, read_image, resize_shorter

Describe = Callable[[Tensor], Tensor]


def image_files(folders: Iterable[Path]) -> list[Path]:
    """Return every image file under the folders, sorted.

    Raises:
        UsageError: a folder does not exist, or none holds an image.
    """
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder; type the path of a folder of images")
        files += [p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES]
    if not files:
        raise UsageError(
            f"no images under {', '.join(map(str, folders))}; expected files ending in "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    return sorted(files)


class CropWindow(NamedTuple):
    """Position of a crop.

    Attributes:
        image: index of the image.
        shorter: shorter side in pixels that the image was resized to.
        top: first row.
        left: first column.
        mirrored: whether the crop was flipped horizontally.
    """

    image: int
    shorter: int
    top: int
    left: int
    mirrored: bool


class CropPool:
    """A bounded pool of crops [3, size, size], each described once and used ``reuse`` times.

    Args:
        files: images; one that cannot be read is reported once and left out.
        size: side of a crop in pixels.
        describe: maps crops [n, 3, size, size] in 0..1 to a row of features each, of any shape.
        slots: number of crops kept.
        reuse: number of uses before a crop is replaced.
        seed: seed of the draws.
        device: device of crops and rows.
        scales: range of the image's shorter side before cropping, as multiples of ``size``.
    """

    def __init__(
        self,
        files: Sequence[Path],
        size: int,
        describe: Describe,
        *,
        slots: int,
        reuse: int,
        seed: int,
        device: torch.device,
        scales: tuple[float, float],
    ) -> None:
        self._all = tuple(files)
        self._files = list(range(len(self._all)))
        self._size = size
        self._describe = describe
        self._reuse = reuse
        self._random = np.random.default_rng(seed)
        self._device = device
        self._scales = scales
        self._crops = torch.zeros(slots, 3, size, size, dtype=torch.uint8, device=device)
        self._rows: Tensor | None = None
        self._uses = np.full(slots, reuse)
        self._windows: list[CropWindow | None] = [None] * slots
        self._absent: set[int] = set()
        self.unreadable: list[str] = []

    def _new_crop(self) -> tuple[CropWindow, Tensor]:
        while self._files:
            place = int(self._random.integers(len(self._files)))
            index = self._files[place]
            try:
                image = read_image(self._all[index])
            except BadImage as error:
                self.unreadable.append(str(error))
                del self._files[place]
                continue
            shorter = round(self._size * float(self._random.uniform(*self._scales)))
            pixels = np.asarray(resize_shorter(image, shorter))
            top = int(self._random.integers(pixels.shape[0] - self._size + 1))
            left = int(self._random.integers(pixels.shape[1] - self._size + 1))
            window = CropWindow(index, shorter, top, left, bool(self._random.random() < 0.5))
            return window, self._crop(pixels, window)
        raise BadImage(f"no image could be read; the last: {self.unreadable[-1]}")

    def _crop(self, pixels: NDArray[np.uint8], window: CropWindow) -> Tensor:
        crop = pixels[window.top : window.top + self._size, window.left : window.left + self._size]
        if window.mirrored:
            crop = crop[:, ::-1]
        return torch.from_numpy(crop.copy()).permute(2, 0, 1)

    def _reload_crop(self, window: CropWindow) -> Tensor:
        image = resize_shorter(read_image(self._all[window.image]), window.shorter)
        return self._crop(np.asarray(image), window)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Return different crops [count, 3, size, size] in 0..1 and their rows of features.

        Raises:
            BadImage: not one image could be read.
        """
        slots = self._random.choice(len(self._uses), size=count, replace=False)
        stale = [int(slot) for slot in slots if self._uses[slot] >= self._reuse]
        for slot in stale:
            self._windows[slot], crop = self._new_crop()
            self._crops[slot] = crop.to(self._device)
            self._uses[slot] = 0
        absent = [slot for slot in map(int, slots) if slot in self._absent.difference(stale)]
        for slot in absent:
            window = self._windows[slot]
            assert window is not None
            self._crops[slot] = self._reload_crop(window).to(self._device)
        self._absent.difference_update(stale, absent)
        if new := [*stale, *absent]:
            # One by one: a description is then the same to the last bit, whatever other crops are
            # described with it, and a resumed training is exactly the uninterrupted one.
            crops = self._crops[new].float() / 255
            rows = torch.cat([self._describe(crop[None]) for crop in crops])
            if self._rows is None:
                self._rows = torch.zeros(
                    (len(self._uses), *rows.shape[1:]), dtype=rows.dtype, device=self._device
                )
            self._rows[new] = rows
        assert self._rows is not None
        self._uses[slots] += 1
        return self._crops[slots].float() / 255, self._rows[slots]

    def state(self) -> dict[str, Any]:
        """Return what `load` needs to continue the draws exactly; it holds no pixels."""
        return {
            "of": self._of(),
            "random": json.dumps(self._random.bit_generator.state),
            "files": list(self._files),
            "uses": self._uses.tolist(),
            "cuts": [None if window is None else tuple(window) for window in self._windows],
        }

    def load(self, state: dict[str, Any]) -> bool:
        """Continue the draws of a `state`; for other images do nothing and return False."""
        if tuple(state["of"]) != self._of():
            return False
        self._random.bit_generator.state = json.loads(state["random"])
        self._files = list(state["files"])
        self._uses = np.array(state["uses"])
        self._windows = [
            None if window is None else CropWindow(*window) for window in state["cuts"]
        ]
        self._absent = {slot for slot, window in enumerate(self._windows) if window is not None}
        return True

    def _of(self) -> tuple[int, ...]:
        return len(self._all), self._size, len(self._windows), self._reuse
