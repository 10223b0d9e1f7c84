"""Training of the shipped weights of gatys-vgg-eighth: VGG-16 with an eighth of its channels.

    python -m tools.train_gatys_eighth IMAGES VGG16 OUT

IMAGES holds ``train/content`` and ``train/style``; their labels are not used. The teacher is
ImageNet VGG-16. Maps of 1x1 convolutions, which are trained too and thrown away, lead from the
student's channels to the teacher's at the layers that the loss of Gatys reads. Three terms:

- features: squared error of each channel over its mean square, at every layer;
- Gram matrices: ‖G − Ĝ‖² / ‖G‖² of each picture, at every layer;
- softened outputs (Hinton et al., 2015): without a classifier, the softmax over the channels of
  relu5_3 at a temperature, in place of one over classes; cross entropy at every position.

It continues from ``OUT/last.pt`` where there is one, and writes ``OUT/weights.safetensors``, an
average of the last steps in half precision.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from styleexport.core.images import read_image
from styleexport.models.encoders import vgg16
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.training.data import image_files

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1", "relu5_3")
BLOCKS = tuple(tuple(width // 8 for width in block) for block in vgg16.BLOCKS)
BATCH, SIDE = 4, 128
RATE, WARM_UP = 2e-3, 100
GRAM, SOFT, TEMPERATURE = 0.5, 1.0, 2.0
AVERAGE = 0.998
# Side of the largest map of which every position is compared, in place of every second or fourth.
LARGEST = 32
SAVE_EACH = 100


class Crops:
    """Random square crops of pictures, scaled and mirrored.

    Args:
        files: pictures, all kept in memory.
        seed: seed of the draws.
    """

    def __init__(self, files: Sequence[Path], seed: int) -> None:
        self._pictures = [np.array(read_image(file)) for file in files]
        self._random = np.random.default_rng(seed)

    def batch(self) -> Tensor:
        """Return crops [N, 3, side, side] in 0..1."""
        return torch.stack([self._crop() for _ in range(BATCH)])

    def _crop(self) -> Tensor:
        picture = self._pictures[self._random.integers(len(self._pictures))]
        whole = min(picture.shape[:2])
        side = int(self._random.uniform(min(SIDE, whole), whole + 1))
        top = self._random.integers(picture.shape[0] - side + 1)
        left = self._random.integers(picture.shape[1] - side + 1)
        crop = picture[top : top + side, left : left + side]
        if self._random.random() < 0.5:
            crop = crop[:, ::-1]
        pixels = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)[None] / 255
        return F.interpolate(pixels, (SIDE, SIDE), mode="area")[0]


class Distillation(nn.Module):
    """Student and its maps to the teacher's channels."""

    def __init__(self) -> None:
        super().__init__()
        self.student = VggEncoder(BLOCKS, TAPS, "zeros")
        widths = zip(self.student.widths, vgg16.build(TAPS).widths, strict=True)
        self.maps = nn.ModuleList(nn.Conv2d(own, other, 1) for own, other in widths)
        for layer in self.student.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def losses(self, pictures: Tensor, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the terms of features, Gram matrices and softened outputs.

        Args:
            pictures: [N, 3, H, W] in 0..1.
            targets: the teacher's features at `TAPS`.
        """
        own = self.student(pictures)
        feature, gram, mapped = torch.zeros(()), torch.zeros(()), own[-1]
        for layer, features, target in zip(self.maps, own, targets, strict=True):
            each = max(1, target.shape[-1] // LARGEST)
            mapped = layer(features[:, :, ::each, ::each])
            feature = feature + _feature_error(mapped, target[:, :, ::each, ::each]) / len(TAPS)
            gram = gram + _gram_error(_mapped_gram(layer, features), target) / len(TAPS)
        return feature, gram, _soft_error(mapped, targets[-1])


def _feature_error(own: Tensor, target: Tensor) -> Tensor:
    square = target.square().mean((0, 2, 3))
    error = (own - target).square().mean((0, 2, 3))
    return (error / (square + 0.1 * square.mean())).mean()


def _mapped_gram(layer: nn.Module, features: Tensor) -> Tensor:
    """Return the Gram matrices of mapped features, M·Gram([f, 1])·Mᵀ, without mapping them."""
    assert isinstance(layer, nn.Conv2d) and layer.bias is not None
    matrix = torch.cat([layer.weight.flatten(1), layer.bias[:, None]], 1)
    return matrix @ _gram(F.pad(features, (0, 0, 0, 0, 0, 1), value=1.0)) @ matrix.T


def _gram_error(a: Tensor, target: Tensor) -> Tensor:
    b = _gram(target)
    return ((a - b).square().sum((1, 2)) / b.square().sum((1, 2))).mean()


def _gram(features: Tensor) -> Tensor:
    rows = features.flatten(2) / math.sqrt(features.shape[2] * features.shape[3])
    return rows @ rows.transpose(1, 2)


def _soft_error(own: Tensor, target: Tensor) -> Tensor:
    """Return the relative entropy of the channels' softmax, times the squared temperature."""
    scale = TEMPERATURE * target.std()
    log_own = F.log_softmax(own / scale, 1)
    log_target = F.log_softmax(target / scale, 1)
    entropy = (log_target.exp() * (log_target - log_own)).sum(1)
    return TEMPERATURE**2 * entropy.mean()


def train(images: Path, backbone: Path, out: Path, steps: int) -> None:
    """Train for some steps in all, and keep what is needed to go on."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    teacher = vgg16.read(backbone, TAPS).eval().requires_grad_(False)
    teacher = teacher.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    model = Distillation()
    optimizer = torch.optim.Adam(model.parameters(), RATE, betas=(0.9, 0.99))
    average = {key: value.clone() for key, value in model.student.state_dict().items()}
    start = 0
    if (last := out / "last.pt").exists():
        state = torch.load(last, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average, start = state["average"], state["step"]
    crops = Crops(image_files([images / "train/content", images / "train/style"]), seed=start)
    began = time.monotonic()
    for step in range(start + 1, steps + 1):
        rate = RATE * min(1, step / WARM_UP) * (0.01 + 0.99 * _cosine(step / steps))
        optimizer.param_groups[0]["lr"] = rate
        pictures = crops.batch().to(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            targets = [features.float() for features in teacher(pictures)]
        feature, gram, soft = model.losses(pictures, targets)
        optimizer.zero_grad()
        (feature + GRAM * gram + SOFT * soft).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for key, value in model.student.state_dict().items():
            average[key].lerp_(value, 1 - min(AVERAGE, step / (step + 10)))
        if step % 20 == 0:
            pace = (time.monotonic() - began) / (step - start)
            terms = f"features {feature:.4f} gram {gram:.4f} soft {soft:.4f}"
            print(f"{step} {terms} {pace:.2f} s/step", flush=True)  # noqa: T201
        if step % SAVE_EACH == 0 or step == steps:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average,
                "step": step,
            }
            torch.save(state, out / "last.part")
            (out / "last.part").replace(last)
            features = {k: v.half().contiguous() for k, v in average.items() if "features" in k}
            save_file(features, out / "weights.safetensors")


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("backbone", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=6000)
    given = parser.parse_args()
    train(given.images, given.backbone, given.out, given.steps)


if __name__ == "__main__":
    main()
