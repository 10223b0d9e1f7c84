"""Results of a diff of two files: their outputs, and layer by layer."""

from __future__ import annotations

import msgspec

from styleexport.core.manifest import SizeFact
from styleexport.core.types import Role


class TensorDiff(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of B against the same tensor of A.

    Attributes:
        name: name of the output, or of the layer of the captured network.
        shape: shape in A, channels first.
        psnr_db: PSNR in dB; the peak is 1 for pictures and A's largest absolute value otherwise; 0
            where either holds NaN or infinity.
        max_abs_error: largest difference of two finite elements.
        worst: index of that element, or of the first that is finite in one file alone; None where
            all are equal.
        not_finite: number of NaN and infinite elements, in A and in B.
        scaled: whether a rewrite multiplied the channels by gains; B is then scaled by the factors
            per channel that bring it nearest to A.
    """

    name: str
    shape: tuple[int, ...]
    psnr_db: float
    max_abs_error: float
    worst: tuple[int, ...] | None
    not_finite: tuple[int, int]
    scaled: bool = False


class DiffReport(msgspec.Struct, frozen=True, kw_only=True):
    """Two files of one artifact, compared on one probe.

    Attributes:
        a: path of the reference below the artifact directory.
        b: path of the compared file below the artifact directory.
        role: role of both files.
        size: size of the probe.
        runners: runners of A's and B's output.
        layer_runners: runners of A's and B's layers; () where layers were not compared.
        output: difference of the outputs.
        threshold_db: PSNR below which layers count as different.
        first: first different layer in the order in which the network computes them, so that all
            compared layers before it agree; None where all agree.
        before: compared layer before the first different one.
        layers: differences of the layers that both files hold, in the same order.
        left_out: number of layers that one file alone holds (the other fused or removed them), or
            in a shape that cannot be compared.
    """

    a: str
    b: str
    role: Role
    size: SizeFact
    runners: tuple[str, str]
    layer_runners: tuple[str, ...]
    output: TensorDiff
    threshold_db: float
    first: TensorDiff | None
    before: TensorDiff | None
    layers: tuple[TensorDiff, ...]
    left_out: int

    def worst_layers(self, count: int = 10) -> tuple[TensorDiff, ...]:
        """Return the layers of the lowest PSNR, worst first."""
        return tuple(sorted(self.layers, key=lambda layer: layer.psnr_db)[:count])
