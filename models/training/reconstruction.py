"""Objectives of decoders that reconstruct: pictures, or the features that they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from styleexport.core.errors import UsageError
from styleexport.core.perceptual import relative_distance
from styleexport.models.losses.adain import total_variation
from styleexport.models.training.adain_objective import AdainObjective
from styleexport.models.training.plan import TrainingPlan

# Mean squared errors of pixels are this much smaller than relative distances of features.
PIXELS = 10.0


@runtime_checkable
class Reconstructing(Protocol):
    """A network that decodes the features of a picture in its own style."""

    def reconstruct(self, image: Tensor) -> Tensor:
        """Return images [N, 3, H, W] in 0..1 as the decoder makes them of their features."""
        ...

    def levels(self, image: Tensor) -> Sequence[Tensor]:
        """Return the features of images [N, 3, H, W] in 0..1 that are compared, level by level."""
        ...


@runtime_checkable
class Inverting(Protocol):
    """A network whose decoder takes one map of features, and no style."""

    def features(self, image: Tensor) -> Tensor:
        """Return the features [N, C, h, w] of images [N, 3, H, W] in 0..1."""
        ...

    def encode(self, style: Tensor) -> Tensor:
        """Return the style code [N, K] of images [N, 3, H, W] in 0..1."""
        ...

    def restyled(self, content: Tensor, code: Tensor, strength: Tensor) -> Tensor:
        """Return the features that the decoder takes, [N, C, h, w]."""
        ...

    def decoder(self, features: Tensor) -> Tensor:
        """Return the picture [N, 3, H, W] of features."""
        ...


class ReconstructionObjective(AdainObjective):
    """Pictures against their reconstruction, in pixels and in features (Sheng et al., 2018).

    Photographs and paintings alike. The terms are mean squared error of pixels, the relative
    distance of the features of the network's own encoder, averaged over its levels, and total
    variation.
    """

    def __init__(self, network: object, plan: TrainingPlan) -> None:
        super().__init__(network, plan)
        if not isinstance(network, Reconstructing):
            raise UsageError(f"{type(network).__name__} has no method reconstruct(image)")
        self.reconstructing = network

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        batch = self.draw()
        pictures = torch.cat([batch.content, batch.style])
        with self._autocast():
            made = self.reconstructing.reconstruct(pictures)
            with torch.no_grad():
                targets = self.reconstructing.levels(pictures)
            pairs = list(zip(self.reconstructing.levels(made), targets, strict=True))
        made = made.float()
        distances = [relative_distance(a.float(), b.float()).mean() for a, b in pairs]
        return {
            "pixels": (made - pictures).square().mean(),
            "features": torch.stack(distances).mean(),
            "variation": total_variation(made),
        }

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        weights = self.plan.weights
        return {
            "pixels": PIXELS * weights.identity,
            "features": weights.content,
            "variation": weights.variation,
        }


class InverseObjective(AdainObjective):
    """Features against those of the picture that the decoder makes of them.

    Chen and Schmidt, 2016, equation 5: of photographs, of paintings, and of photographs whose
    patches were swapped for a painting's, which are the features of no picture.
    """

    def __init__(self, network: object, plan: TrainingPlan) -> None:
        super().__init__(network, plan)
        if not isinstance(network, Inverting):
            raise UsageError(f"{type(network).__name__} has no method restyled(content, code, α)")
        self.inverting = network

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        batch, network = self.draw(), self.inverting
        with self._autocast():
            with torch.no_grad():
                code = network.encode(batch.style)
                one = torch.ones(1, device=self.device)
                targets = torch.cat(
                    [
                        network.features(batch.content),
                        network.features(batch.style),
                        network.restyled(batch.content, code, one),
                    ]
                )
            made = network.decoder(targets)
            found = network.features(made)
        return {
            "inverse": relative_distance(found.float(), targets.float()).mean(),
            "variation": total_variation(made.float()),
        }

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        return {"inverse": self.plan.weights.content, "variation": self.plan.weights.variation}
