"""What is minimised at each level: one figure a batch, each of order one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.perceptual import relative_distance
from styleexport.models.compress.distill.matching import Match

RIDGE = 1e-3
LEAST_SPREAD = 0.01


def painting_distance(painted: Tensor, wanted: Tensor) -> Tensor:
    """Return mean |painted - wanted| relative to how much the wanted pictures vary.

    A picture of its mean colours would be 1 away. The absolute difference leaves fewer artefacts
    than the squared one (Zhao et al., Loss Functions for Image Restoration with Neural Networks,
    2017, section III). Where white or black is wanted, whiter than white and blacker than black are
    as good; elsewhere what is out of range is not clamped, so that it finds its way back.

    Args:
        painted: [N, 3, H, W], not clamped.
        wanted: [N, 3, H, W] in 0..1.
    """
    painted = torch.where(wanted >= 1, painted.clamp(max=1), painted)
    painted = torch.where(wanted <= 0, painted.clamp(min=0), painted)
    spread = (wanted - wanted.mean((2, 3), keepdim=True)).abs().mean()
    return (painted - wanted).abs().mean() / spread.clamp(min=LEAST_SPREAD)


def perceptual_distance(painted: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Return the relative distance of two pictures' features (Johnson et al. 2016, equation 2).

    Args:
        painted: what a loss network says of one, [N, C, h, w] a level.
        wanted: of the other.
    """
    pairs = zip(painted, wanted, strict=True)
    return torch.stack([relative_distance(a.float(), b.float()).mean() for a, b in pairs]).mean()


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T²·KL(teacher ‖ student) of softmax(logits / T), the mean over pictures and places.

    T² keeps gradients of one size for every T (Hinton et al., Distilling the Knowledge in a Neural
    Network, 2015, section 2). A student's map of logits is brought to the teacher's size by
    bilinear interpolation.

    Args:
        student: logits [N, K] or [N, K, h, w].
        teacher: logits [N, K] or [N, K, H, W].
        temperature: T, above 0.
    """
    if student.dim() == 4 and student.shape[2:] != teacher.shape[2:]:
        student = F.interpolate(student.float(), teacher.shape[2:], mode="bilinear")
    said = F.log_softmax(student.float() / temperature, 1)
    wanted = F.log_softmax(teacher.float() / temperature, 1)
    return (wanted.exp() * (wanted - said)).sum(1).mean() * temperature**2


def same_size(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two feature maps in float32 at the smaller of their heights and widths, by averaging.

    [N, K] counts as [N, K, 1, 1].
    """
    a, b = (x.float().reshape(*x.shape, *[1] * (4 - x.dim())) for x in (a, b))
    size = (min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3]))
    a, b = (x if x.shape[2:] == size else F.adaptive_avg_pool2d(x, size) for x in (a, b))
    return a, b


class WidthMaps(nn.Module):
    """A learned 1x1 map for each match, from the student's width to the teacher's.

    The regressors of FitNets (Romero et al., 2015). They learn beside the student and are not part
    of it.
    """

    def __init__(self, matches: Sequence[Match]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(
            nn.Conv2d(match.channels[1], match.channels[0], 1) for match in matches
        )

    def forward(self, students: Sequence[Tensor], teachers: Sequence[Tensor]) -> Tensor:
        """Return the mean over matches of ‖map(student) - teacher‖₂ / ‖teacher‖₂."""
        distances: list[Tensor] = []
        for layer, student, teacher in zip(self.maps, students, teachers, strict=True):
            a, b = same_size(student, teacher)
            distances.append(relative_distance(layer(a), b).mean())
        return torch.stack(distances).mean()

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Sequence[Tensor], Sequence[Tensor]]]) -> None:
        """Start each map from least squares over batches of features, with a little ridge.

        A random map would first teach the student to undo it.

        Args:
            batches: of the student's features and the teacher's.
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
    """Return XXᵀ and XYᵀ over all places, X the student's channels and a row of ones below."""
    a, b = same_size(student, teacher)
    x, y = (value.transpose(0, 1).flatten(1).double() for value in (a, b))
    x = torch.cat([x, torch.ones_like(x[:1])])
    return x @ x.T, x @ y.T
