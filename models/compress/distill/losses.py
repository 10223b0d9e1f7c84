"""Distillation losses, one per level: scalars of order one, means over a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.perceptual import relative_distance
from styleexport.models.compress.distill.matching import Match

RIDGE = 1e-3
LEAST_SPREAD = 0.01


def painting_distance(painting: Tensor, target: Tensor) -> Tensor:
    """Return mean |painting - target| relative to the target's mean deviation from its mean colour.

    A picture of the target's mean colours is at distance 1. The absolute difference leaves fewer
    artefacts than the squared one (Zhao et al., Loss Functions for Image Restoration with Neural
    Networks, 2017, section III). Where the target is white or black, values beyond white or black
    cost nothing; elsewhere values out of range are not clamped, so that they get a gradient.

    Args:
        painting: student's paintings, [N, 3, H, W], not clamped.
        target: teacher's paintings, [N, 3, H, W] in 0..1.
    """
    painting = torch.where(target >= 1, painting.clamp(max=1), painting)
    painting = torch.where(target <= 0, painting.clamp(min=0), painting)
    spread = (target - target.mean((2, 3), keepdim=True)).abs().mean()
    return (painting - target).abs().mean() / spread.clamp(min=LEAST_SPREAD)


def perceptual_distance(painting: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Return the relative distance of two pictures' features (Johnson et al. 2016, equation 2).

    Args:
        painting: student's features in a loss network, one [N, C, h, w] per layer.
        target: teacher's features of the same layers.
    """
    pairs = zip(painting, target, strict=True)
    return torch.stack([relative_distance(a.float(), b.float()).mean() for a, b in pairs]).mean()


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T²·KL(teacher ‖ student) of softmax(logits / T), the mean over pictures and positions.

    T² keeps gradients of the same size for every T (Hinton et al., Distilling the Knowledge in a
    Neural Network, 2015, section 2). A student's map of logits is resized to the teacher's by
    bilinear interpolation.

    Args:
        student: logits [N, K] or [N, K, h, w].
        teacher: logits [N, K] or [N, K, H, W].
        temperature: T, above 0.
    """
    if student.dim() == 4 and student.shape[2:] != teacher.shape[2:]:
        student = F.interpolate(student.float(), teacher.shape[2:], mode="bilinear")
    log_student = F.log_softmax(student.float() / temperature, 1)
    log_teacher = F.log_softmax(teacher.float() / temperature, 1)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(1)
    return divergence.mean() * temperature**2


def same_size(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two feature maps [N, C, h, w] in float32, average-pooled to the smaller h and w.

    [N, K] counts as [N, K, 1, 1].
    """
    a, b = (x.float().reshape(*x.shape, *[1] * (4 - x.dim())) for x in (a, b))
    size = (min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3]))
    a, b = (x if x.shape[2:] == size else F.adaptive_avg_pool2d(x, size) for x in (a, b))
    return a, b


class WidthMaps(nn.Module):
    """Learned 1x1 convolutions, one per match, from the student's width to the teacher's.

    The regressors of FitNets (Romero et al., 2015). They are trained with the student but are not
    part of it.

    Args:
        matches: layers whose features are matched.
    """

    def __init__(self, matches: Sequence[Match]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(
            nn.Conv2d(match.channels[1], match.channels[0], 1) for match in matches
        )

    def forward(self, students: Sequence[Tensor], teachers: Sequence[Tensor]) -> Tensor:
        """Return the mean over matches of ‖map(student) - teacher‖₂ / ‖teacher‖₂.

        Args:
            students: student's features, one [N, C, h, w] or [N, C] per match.
            teachers: teacher's features, likewise.
        """
        distances: list[Tensor] = []
        for layer, student, teacher in zip(self.maps, students, teachers, strict=True):
            a, b = same_size(student, teacher)
            distances.append(relative_distance(layer(a), b).mean())
        return torch.stack(distances).mean()

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Sequence[Tensor], Sequence[Tensor]]]) -> None:
        """Initialise each map by ridge regression over batches of features.

        A random map would first train the student to undo it.

        Args:
            batches: pairs of the student's features and the teacher's, as `forward` takes them.
        """
        sums: list[tuple[Tensor, Tensor]] = []
        for students, teachers in batches:
            new = [_products(*pair) for pair in zip(students, teachers, strict=True)]
            sums = [(a + c, b + d) for (a, b), (c, d) in zip(sums or new, new, strict=True)]
        for layer, (gram, cross) in zip(self.maps, sums, strict=True):
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            channels = gram.diagonal()[:-1]
            channels += RIDGE * channels.mean() + 1e-12
            solved = torch.linalg.solve(gram, cross).T
            layer.weight.copy_(solved[:, :-1, None, None])
            layer.bias.copy_(solved[:, -1])


def _products(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Return XXᵀ and XYᵀ over all positions, X the student's channels and a row of ones below."""
    a, b = same_size(student, teacher)
    x, y = (value.transpose(0, 1).flatten(1).double() for value in (a, b))
    x = torch.cat([x, torch.ones_like(x[:1])])
    return x @ x.T, x @ y.T
