"""Training of the shipped weights of adain-residual, from those of adain-lite.

    python -m tools.train_adain_residual IMAGES VGG16 OUT

IMAGES holds ``train/content`` and ``train/style``. The objective is that of `styleexport train`
with ``--style-scale 2 --style-scale 4``, made cheaper for a processor: styles are compared at 1/2
and 1/4 in every step and at full size in every eighth, content at 1/2; a picture is painted in its
own style in every eighth. AdaIN has its gradient written out, and the content's own statistics,
which full strength does not use, are left out. Later stages paint every second batch twice, once
with the rounding of int8 as noise in the encoder, and the difference is a loss; the last compares
paintings of the photograph and of the same photograph moved by a few pixels too. It continues from
``OUT/last.pt`` where there is one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction, FunctionCtx
from torch.nn import functional as F

from styleexport.core.perceptual import reduced, style_distance, style_statistics
from styleexport.models.architecture import write_weights
from styleexport.models.encoders._lite import LiteEncoder
from styleexport.models.losses.adain import CONTENT_LEVELS, LossWeights, content_distance
from styleexport.models.networks import adain_lite, adain_residual
from styleexport.models.networks._adain import MultiLevelAdainNetwork
from styleexport.models.training import loop
from styleexport.models.training.adain_objective import AdainObjective
from styleexport.models.training.loop import Trainer, TrainingProgress
from styleexport.models.training.objective import Batch
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.transforms import adain

RARE = 8
IDENTITY_STEP = 4
STRIDE, MARGIN = 8, 16
AVERAGE_DECAY = 0.995


@dataclass(frozen=True)
class Stage:
    """Part of the training with one set of weights; its pools of crops are its own.

    Attributes:
        until: last step.
        schedule: step at which the cosine of the learning rate ends.
        content: weight of the content loss.
        quarter: weight of the style loss at 1/4; that at other scales is 1.
        noise: weight of the squared difference that rounding noise makes; 0 for none.
        amplitude: amplitude of the noise in steps of int8.
        shift: weight of the squared difference that a shift of the photograph by less than the
            stride makes; 0 for none.
    """

    until: int
    schedule: int
    content: float
    quarter: float = 1.0
    noise: float = 0.0
    amplitude: float = 1.0
    shift: float = 0.0


STAGES = (
    Stage(1000, 1400, 0.3),
    Stage(1100, 3000, 0.3),
    Stage(1800, 3000, 0.5),
    Stage(1900, 3600, 0.5, 1.25),
    Stage(2400, 3500, 0.5, 1.25, 600.0),
    Stage(3200, 3500, 0.5, 1.25, 700.0, 2.0),
    Stage(5400, 5600, 0.5, 1.25, 1200.0, 2.0),
    Stage(6600, 8000, 0.5, 1.25, 1200.0, 2.0, 30.0),
)


class _Normalise(torch.autograd.Function):
    """`adain.normalise_to` with its gradient written out."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        centred, inverse = _centred(x)
        ctx.save_for_backward(centred, inverse, deviation)
        return torch.addcmul(mean.to(x.dtype), centred, (inverse * deviation).to(x.dtype))

    @staticmethod
    def backward(ctx: BackwardCFunction, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (gradient,) = gradients
        saved: Any = ctx.saved_tensors
        centred, inverse, deviation = saved
        count = gradient.shape[2] * gradient.shape[3]
        total = _sum(gradient)
        along = _sum(gradient * centred)
        scale = inverse * deviation
        parallel = (scale * inverse * inverse * along / count).to(gradient.dtype)
        own = gradient * scale.to(gradient.dtype) - centred * parallel
        return own - (scale * total / count).to(gradient.dtype), total, along * inverse


class _Statistics(torch.autograd.Function):
    """Mean and deviation, [N, C] each, with their gradient written out."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> tuple[Tensor, Tensor]:
        centred, inverse = _centred(x)
        ctx.save_for_backward(centred, inverse)
        mean = x.mean((2, 3), dtype=torch.float32)
        return mean, (1 / inverse).flatten(1)

    @staticmethod
    def backward(ctx: BackwardCFunction, *gradients: Tensor) -> Tensor:
        mean, deviation = (each[:, :, None, None] for each in gradients)
        saved: Any = ctx.saved_tensors
        centred, inverse = saved
        count = centred.shape[2] * centred.shape[3]
        spread = centred * (deviation * inverse / count).to(centred.dtype)
        return spread + (mean / count).to(centred.dtype)


def _sum(x: Tensor) -> Tensor:
    return x.sum((2, 3), keepdim=True, dtype=torch.float32)


def _centred(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return x minus its channel means, and one over the channel deviations."""
    centred = x - x.mean((2, 3), keepdim=True, dtype=torch.float32).to(x.dtype)
    variance = (centred * centred).mean((2, 3), keepdim=True, dtype=torch.float32)
    return centred, torch.rsqrt(variance + adain.EPS)


def _normalise_to(features: Tensor, code: Tensor) -> Tensor:
    channels = features.shape[1]
    mean, deviation = code[:, :channels, None, None], code[:, channels:, None, None]
    result: Any = _Normalise.apply(features, mean.float(), deviation.float())
    return result


@contextmanager
def _fast_adain() -> Generator[None]:
    """Replace `adain.normalise_to` inside the block."""
    original = adain.normalise_to
    adain.normalise_to = _normalise_to
    try:
        yield
    finally:
        adain.normalise_to = original


def _with_rounding(layer: nn.Module, x: Tensor, amplitude: float) -> Tensor:
    """Return a convolution of x, with noise as large as the rounding of input and weights."""
    assert isinstance(layer, nn.Conv2d)
    step = x.detach().amax().float() * amplitude / 255
    steps = layer.weight.detach().abs().amax((1, 2, 3), keepdim=True) * amplitude / 127
    noisy = x + step.to(x.dtype) * (torch.rand_like(x) - 0.5)
    weight = layer.weight + steps * (torch.rand_like(layer.weight) - 0.5)
    return layer._conv_forward(noisy, weight, layer.bias)  # pyright: ignore[reportPrivateUsage]


def _deepest_with_rounding(encoder: LiteEncoder, image: Tensor, amplitude: float) -> Tensor:
    x = _with_rounding(encoder.stem, image * 2.0 - 1.0, amplitude)
    for layer in (*encoder.down, encoder.deep):
        x = _with_rounding(layer, F.relu(x), amplitude)
    return x


class CheapObjective(AdainObjective):
    """The AdaIN objective at three scales, the full size in every eighth step.

    Args:
        network: network to train.
        plan: training plan.
        stage: stage of the training.
    """

    def __init__(self, network: MultiLevelAdainNetwork, plan: TrainingPlan, stage: Stage) -> None:
        super().__init__(network, plan)
        self.module, self.stage = network, stage

    def describe_content(self, crops: Tensor) -> Tensor:
        """Return the deepest features of crops at 1/2."""
        return super().describe_content(reduced(crops, 2))

    def terms(self, step: int) -> dict[str, Tensor]:
        """Return the terms of one new batch, unweighted."""
        batch = self.draw()
        noisy = self.stage.noise > 0 and step % 2 == 1
        output, *again = self._paint(batch.content, batch.style, noisy)
        output = output.float()
        full, half, quarter = self._by_scale(batch.style_statistics)
        features = self.features_of(reduced(output, 2))
        deepest = features[-CONTENT_LEVELS:]
        terms = {
            "half": self._style(features, half),
            "quarter": self._style(self.features_of(reduced(output, 4)), quarter),
            "content": content_distance(deepest, batch.content_features, half).mean(),
            "outside": (output - output.clamp(0, 1)).abs().mean(),
        }
        if again:
            terms["noise"] = (again[0].float() - output).square().mean()
        if self.stage.shift > 0 and step % 4 == 2:
            terms["shift"] = self._shift(batch, output)
        if step % RARE == 0:
            terms["full"] = self._style(self.features_of(output), full)
        if step % RARE == IDENTITY_STEP:
            some = batch.content[:1]
            (same,) = self._paint(some, some, noisy=False)
            terms["identity"] = (same.float() - some).abs().mean()
        return terms

    def scales(self) -> Mapping[str, float]:
        """Return the weight of each term."""
        stage = self.stage
        return {
            "full": 1.0,
            "half": 1.0,
            "quarter": stage.quarter,
            "content": stage.content,
            "identity": 4.0,
            "outside": 10.0,
            "noise": stage.noise,
            "shift": stage.shift,
        }

    def _shift(self, batch: Batch, output: Tensor) -> Tensor:
        """Return the mean squared difference to a painting of the content shifted by 1 to 7."""
        shift = int(torch.randint(1, STRIDE, ()))
        (moved,) = self._paint(batch.content[..., shift:, shift:], batch.style, noisy=False)
        inner = output[..., shift:-MARGIN, shift:-MARGIN]
        side = inner.shape[-1]
        return (moved[..., :side, :side].float() - inner)[..., MARGIN:, MARGIN:].square().mean()

    def _style(self, features: Sequence[Tensor], target: Tensor) -> Tensor:
        return style_distance(style_statistics(features), target, self.features.widths).mean()

    def _paint(self, content: Tensor, style: Tensor, noisy: bool) -> list[Tensor]:
        """Return paintings, and if asked those of an encoder with rounding noise."""
        net = self.module
        content, style = (x.contiguous(memory_format=torch.channels_last) for x in (content, style))
        with self._autocast(), _fast_adain():
            levels: list[Any] = [_Statistics.apply(level) for level in net.encoder(style)]
            code = [torch.cat(pair, 1) for pair in levels]
            deepest = [net.encoder.deepest(net.encoder(content))]
            if noisy:
                amplitude = self.stage.amplitude
                deepest.append(_deepest_with_rounding(net.encoder, content, amplitude))
            return [net.decoder(features, code) for features in deepest]


def train(images: Path, loss_weights: Path, out: Path) -> Path:
    """Train through all stages and return the weights file.

    Args:
        images: folder with ``train/content`` and ``train/style``.
        loss_weights: ImageNet VGG-16 weights.
        out: folder for checkpoints and weights.
    """
    loop.AVERAGE_DECAY = AVERAGE_DECAY
    shipped = adain_lite.NETWORK.weights
    assert shipped is not None
    network = adain_residual.read([shipped])
    last, trainer = out / "last.pt", None
    for stage in STAGES:
        plan = TrainingPlan(
            content=(images / "train" / "content",),
            style=(images / "train" / "style",),
            loss_weights=loss_weights,
            out=out,
            steps=stage.schedule,
            batch=2,
            crop=256,
            style_scales=(1, 2, 4),
            learning_rate=8e-4,
            weights=LossWeights(),
            trains=adain_residual.NETWORK.trains,
            slots=64,
            reuse=10,
            checkpoint_every=100,
        )
        trainer = Trainer(network, plan, CheapObjective(network, plan, stage))
        if last.exists():
            trainer.resume(last)
        trainer.objective.open(trainer.step)
        trainer.run(_say, until=stage.until)
    assert trainer is not None
    weights = out / "weights.safetensors"
    write_weights(weights, trainer.averaged_state(), None)
    return weights


def _say(progress: TrainingProgress) -> None:
    sys.stderr.write(f"{progress.step} {progress.losses} {progress.seconds_per_step:.2f} s\n")


def main() -> None:
    """Train with the paths given on the command line."""
    parser = argparse.ArgumentParser(description="Train the shipped weights of adain-residual.")
    parser.add_argument("images", type=Path, help="folder that holds train/content and train/style")
    parser.add_argument("loss_weights", type=Path, help="ImageNet VGG-16 weights")
    parser.add_argument("out", type=Path, help="folder to write")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{train(given.images, given.loss_weights, given.out)}\n")


if __name__ == "__main__":
    main()
