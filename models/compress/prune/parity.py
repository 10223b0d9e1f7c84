"""Parity of a pruned network: PSNR of its held-out paintings to the original's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from styleexport.core.errors import ParityFailure, UsageError, first_line
from styleexport.core.psnr import pooled_psnr, psnr_from_squared_error
from styleexport.core.types import Role, Size
from styleexport.models.compress.pictures import at_size
from styleexport.models.network import LoadedNetwork, RoleModule

# The least PSNR of an exact method, over all held-out paintings.
EXACT_DB = 90.0
STRENGTHS = (1.0, 0.5)


@dataclass(frozen=True)
class PruneParity:
    """PSNR of a pruned network's held-out paintings to the original's.

    Attributes:
        paintings: number of paintings compared.
        worst_db: lowest PSNR of one painting in dB; 200 where all are equal.
        pooled_db: PSNR of the mean squared error over all paintings, in dB.
    """

    paintings: int
    worst_db: float
    pooled_db: float


@torch.no_grad()
def measure_parity(
    original: LoadedNetwork,
    pruned: LoadedNetwork,
    held_out: Sequence[Image.Image],
    sizes: Sequence[Size],
) -> PruneParity:
    """Return how close a pruned network's paintings are to the original's.

    Two-image networks paint every picture in the style of the one before, at full and at half
    strength.

    Args:
        original: network before pruning.
        pruned: the same network with fewer channels.
        held_out: pictures that nothing was calibrated on.
        sizes: sizes that they are painted at.

    Raises:
        UsageError: the pruned network does not run.
    """
    roles = [network.role_module(Role.STYLIZE) for network in (original, pruned)]
    errors: list[float] = []
    for inputs in _runs(roles[0], held_out, sizes):
        reference = roles[0](*inputs)
        try:
            painting = roles[1](*inputs)
        except Exception as error:
            raise UsageError(
                f"{original.network.name} does not run with fewer channels "
                f"({first_line(error)}): a width is written into its code; let it take widths from "
                "its tensors"
            ) from error
        errors.append(float((painting.double() - reference.double()).square().mean()))
    return PruneParity(len(errors), psnr_from_squared_error(max(errors)), pooled_psnr(errors))


def prove_parity(
    original: LoadedNetwork,
    pruned: LoadedNetwork,
    held_out: Sequence[Image.Image],
    sizes: Sequence[Size],
) -> PruneParity:
    """Return what `measure_parity` does, and raise where a painting is below 90 dB.

    Raises:
        UsageError: the pruned network does not run.
        ParityFailure: a painting is below 90 dB.
    """
    parity = measure_parity(original, pruned, held_out, sizes)
    if parity.worst_db < EXACT_DB:
        raise ParityFailure(
            f"pruned {original.network.name}: {parity.worst_db:.1f} dB to the original on the "
            f"worst of {parity.paintings} held-out pictures, allowed {EXACT_DB:.0f}: some channels "
            "are not empty there; add pictures of that kind with --calibration"
        )
    return parity


def _runs(
    role: RoleModule, held_out: Sequence[Image.Image], sizes: Sequence[Size]
) -> Iterator[tuple[Tensor, ...]]:
    """Yield the inputs of each painting."""
    for size in sizes:
        batch = [at_size(picture, size) for picture in held_out]
        for index, content in enumerate(batch):
            if len(role.input_names()) == 1:
                yield (content,)
                continue
            for strength in STRENGTHS:
                yield content, batch[index - 1], torch.tensor([strength])
