"""A small seeded network of a user's: residual sum, depthwise block, concatenation, mirror."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.models.network import LoadedNetwork
from tests.conftest import load_own


def conv(inputs: int, outputs: int, **options: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


class Mirror(nn.Module):
    """AdaIN by hand at the bottleneck; the decoder goes back the way that the encoder came.

    ``one`` is a residual stream: ``one``, ``block.1`` make its channels. ``two`` is read through a
    depthwise block and a concatenation with ``side``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.one = conv(3, 8)
        self.block = nn.ModuleList([conv(8, 6), conv(6, 8)])
        self.two, self.depth, self.side = conv(8, 12), conv(12, 12, groups=12), conv(8, 4)
        self.deep = conv(16, 16)
        self.undeep, self.untwo, self.unone = conv(16, 12), conv(12, 8), conv(8, 3)
        self.shuffle, self.grouped, self.line = conv(3, 12), conv(4, 4, groups=2), nn.Linear(4, 4)

    def encode(self, style: Tensor) -> Tensor:
        features = self._features(style)
        return torch.cat([features.mean((2, 3)), features.std((2, 3))], 1)

    def _features(self, image: Tensor) -> Tensor:
        x = F.relu(self.one(image))
        x = F.relu(x + self.block[1](F.relu(self.block[0](x))))
        wide = F.relu(self.depth(F.relu(self.two(x))))
        return F.relu(self.deep(torch.cat([wide, F.relu(self.side(x))], 1)))

    def transfer(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        x = self._features(content)
        mean, deviation = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
        wanted = code[:, :, None, None].split(x.shape[1], 1)
        x = (x - mean) / (deviation + 1e-3) * wanted[1] + wanted[0]
        x = F.relu(self.untwo(F.relu(self.undeep(x))))
        return self.unone(x) + F.pixel_shuffle(self.shuffle(F.avg_pool2d(content, 2)), 2)


def mirror_network() -> LoadedNetwork:
    torch.manual_seed(0)
    return load_own(Mirror())
