"""Decoder of adain-lite: AdaIN at every level, from 1/8 back to full size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.encoders._lite import WIDTHS, conv
from styleexport.models.transforms import adain


class LiteDecoder(nn.Module):
    """Maps the deepest features and a multi-level style code to an image [N, 3, H, W].

    Each level's features take the style's statistics of the encoder's level of the same width
    before the ReLU; the deepest level starts from the content's own features.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.deep = conv(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            conv(a, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.refine = nn.ModuleList(conv(w, w) for w in widths[-2:0:-1])
        self.image = conv(widths[0], 3)
        nn.init.constant_(self.image.bias, 0.5)  # pyright: ignore[reportArgumentType]

    def forward(self, deepest: Tensor, codes: Sequence[Tensor]) -> Tensor:
        """Return the image [N, 3, H, W].

        Args:
            deepest: features of the content, [N, C, H/8, W/8].
            codes: style codes, one [N, 2C] per level, full size first.
        """
        x = F.relu(adain.normalise_to(deepest, codes[-1]))
        x = F.relu(self.deep(x))
        for index, layer in enumerate(self.up):
            x = layer(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = F.relu(adain.normalise_to(x, codes[-2 - index]))
            if index < len(self.refine):
                x = F.relu(self.refine[index](x))
        return self.image(x)
