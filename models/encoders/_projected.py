"""Encoder of adain-residual: adain-lite's, with statistics of projected features."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.encoders._lite import LiteEncoder


class ProjectedEncoder(LiteEncoder):
    """Maps [N, 3, H, W] RGB in 0..1 to six feature maps: four levels and two projections.

    The projections are 1x1 convolutions of the features at 1/4 and at 1/8, after their ReLU. The
    deviation of a projection wᵀF depends on the covariance of the features, wᵀ·cov(F)·w: it tells
    textures apart whose channels have equal means and deviations.

    Args:
        projected: channels of each projection.
    """

    level_names = (*LiteEncoder.level_names, "projected_quarter", "projected_eighth")

    def __init__(self, projected: int) -> None:
        super().__init__()
        quarter, deepest = self.widths[-2:]
        self.project = nn.ModuleList(nn.Conv2d(w, projected, 1) for w in (quarter, deepest))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the levels, full size first, then the projections at 1/4 and at 1/8."""
        levels = super().forward(image)
        pairs = zip(self.project, levels[-2:], strict=True)
        return (*levels, *(layer(F.relu(level)) for layer, level in pairs))

    def deepest(self, features: Sequence[Tensor]) -> Tensor:
        """Return the features at 1/8 that a decoder starts from."""
        return features[len(self.down)]
