"""Algebra of phases: a convolution between two resolutions as one at the lower resolution.

A convolution whose output is s times as dense as its input reads, for output line u = s·j + r, the
input lines j + d with weights that depend on the phase r alone:

    y[s·j + r] = Σ_d  W[r, d] · x[j + d],     r = 0 … s-1

so that one convolution with s² times the channels gives all phases, and depth to space puts them in
their places (Shi et al. 2016, "Real-time single image and video super-resolution using an efficient
sub-pixel convolutional neural network", section 3; "Is the deconvolution layer the same as a
convolutional layer?", the same authors). Two operations are of this kind:

- A transposed convolution: x[i] reaches y[u] by tap t of its kernel when s·i + D·t - p = u, for a
  stride s, a dilation D and a padding p.
- Nearest upsampling by s and a convolution of stride 1: y[u] reads x[⌊(u + D·t - p)/s⌋]. Taps that
  read the same line are added up: of the 36 multiplications of a 3x3 kernel at s = 2, 16 are left.

All phases share one window of the input. Shifting the output by c < s lines moves the windows of
the phases against each other; c is chosen so that the shared one is shortest, and c lines are cut
off again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Phases:
    """Phases of one axis.

    Attributes:
        scale: output lines per input line, s.
        cut: lines of the phases' output in front of the first line of y, 0..s-1.
        first: first input line that phase 0 of line 0 may read; negative before the input.
        taps: [s, L, k]: 1 where tap t of the kernel stands at place l of phase r.
    """

    scale: int
    cut: int
    first: int
    taps: Tensor

    @property
    def length(self) -> int:
        """Lines of the shared window, L."""
        return self.taps.shape[1]

    def lines(self, output: int) -> int:
        """Return the low-resolution lines that ``output`` lines of y take."""
        return -(-(self.cut + output) // self.scale)

    def pads(self, lines: int, output: int) -> tuple[int, int]:
        """Return the lines to add before and behind ``lines`` input lines; negative to cut off."""
        last = self.first + self.lines(output) - 1 + self.length - 1
        return -self.first, last - (lines - 1)


def of_transposed(kernel: int, scale: int, padding: int, dilation: int = 1) -> Phases:
    """Return the phases of a transposed convolution: d = (u + p - D·t) / s where that is whole."""
    reads: dict[tuple[int, int], int] = {}
    for line in range(-scale, scale):
        for tap in range(kernel):
            place, rest = divmod(line + padding - dilation * tap, scale)
            if rest == 0:
                reads[line, tap] = place
    return _shortest(reads, kernel, scale)


def of_upsampled(kernel: int, scale: int, padding: int, dilation: int = 1) -> Phases:
    """Return the phases of nearest upsampling and a convolution: d = ⌊(u + D·t - p) / s⌋."""
    reads = {
        (line, tap): (line + dilation * tap - padding) // scale
        for line in range(-scale, scale)
        for tap in range(kernel)
    }
    return _shortest(reads, kernel, scale)


def _shortest(reads: dict[tuple[int, int], int], kernel: int, scale: int) -> Phases:
    """Return the phases with the shortest window.

    Args:
        reads: output line -s..s-1, tap → the input line that it reads.
        kernel: taps.
        scale: s.
    """
    best: Phases | None = None
    for cut in range(scale):
        lines = range(-cut, scale - cut)
        places = [reads[line, t] for line in lines for t in range(kernel) if (line, t) in reads]
        first, length = min(places), max(places) - min(places) + 1
        if best is not None and length >= best.length:
            continue
        taps = torch.zeros(scale, length, kernel, dtype=torch.float64)
        for phase, line in enumerate(lines):
            for tap in range(kernel):
                if (line, tap) in reads:
                    taps[phase, reads[line, tap] - first, tap] = 1
        best = Phases(scale, cut, first, taps)
    assert best is not None
    return best


def phase_weight(weight: Tensor, rows: Phases, columns: Phases) -> Tensor:
    """Return the weight of the phase convolution, float64.

    Args:
        weight: [out, in/groups, kh, kw], as a convolution has it.
        rows: phases of the height.
        columns: phases of the width.

    Returns:
        [out·s², in/groups, Lh, Lw]: the channel of output o, row phase a and column phase b is
        o·s² + a·s + b, as depth to space by columns and rows (`torch.pixel_shuffle`) reads them.
    """
    product = torch.einsum("oiyx,aly,bmx->oabilm", weight.double(), rows.taps, columns.taps)
    return product.flatten(0, 2)
