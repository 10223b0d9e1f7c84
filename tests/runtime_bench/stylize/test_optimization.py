"""L-BFGS over step files: it descends, keeps the best, stops, and says why."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from PIL import Image

from styleexport.core.errors import UsageError
from styleexport.core.manifest import read_manifest, write_manifest
from styleexport.core.types import Precision, Role, Size
from styleexport.models.network import OPTIMIZATION
from styleexport.runtime_bench.stylize.lbfgs import Ended, optimize
from styleexport.runtime_bench.stylize.optimization import OptimizeOptions, paint
from styleexport.runtime_bench.stylize.stylizer import StylizeOptions, Stylizer

START = np.full((1, 3, 8, 8), 0.5, np.float32)
GOAL = np.linspace(0, 1, START.size, dtype=np.float32).reshape(START.shape)


def bowl(picture):
    weights = 1 + GOAL
    return float((weights * (picture - GOAL) ** 2).sum()), 2 * weights * (picture - GOAL)


def test_the_lowest_loss_is_kept_and_falls():
    states = []
    result = optimize(bowl, START, OPTIMIZATION, 30, states.append)
    assert result.loss == min(result.losses) < 1e-4 * result.losses[0]
    assert bowl(result.picture)[0] == pytest.approx(result.loss)
    assert [state.number for state in states] == list(range(1, result.iterations + 1))
    assert states[-1].best_loss <= states[0].best_loss


def test_iterations_are_those_of_torch():
    import torch

    result = optimize(bowl, START, OPTIMIZATION, 6)
    scale = START.size / 255
    u = (torch.from_numpy(START) / scale).requires_grad_(True)
    optimizer = torch.optim.LBFGS([u], lr=1.0, max_iter=1, history_size=10)
    losses = []
    for _ in range(6):

        def closure():
            optimizer.zero_grad()
            loss = ((1 + torch.from_numpy(GOAL)) * (u * scale - torch.from_numpy(GOAL)) ** 2).sum()
            loss.backward()
            losses.append(float(loss))
            return loss

        optimizer.step(closure)
    assert len(result.losses) == 7
    np.testing.assert_allclose(result.losses[:6], losses, rtol=1e-4)


def test_a_picture_at_the_goal_converges():
    result = optimize(bowl, GOAL, OPTIMIZATION, 10)
    assert result.ended is Ended.CONVERGED
    assert result.iterations == 1


@pytest.mark.parametrize(("bad", "evaluations"), [(math.nan, 4), (math.inf, 4), (1e9, 8)])
def test_divergence_keeps_the_best(bad, evaluations):
    count = 0

    def step(picture):
        nonlocal count
        count += 1
        loss, gradient = bowl(picture)
        return (bad if count > 3 else loss), gradient

    result = optimize(step, START, OPTIMIZATION, 50)
    assert result.ended is Ended.DIVERGED
    assert len(result.losses) == evaluations
    assert result.loss == min(result.losses[:3])


def test_one_leap_of_the_loss_is_no_divergence():
    count = 0

    def step(picture):
        nonlocal count
        count += 1
        loss, gradient = bowl(picture)
        return (1e9 if count == 3 else loss), gradient

    assert optimize(step, START, OPTIMIZATION, 12).ended is not Ended.DIVERGED


def test_ctrl_c_keeps_the_best():
    def interrupted(state):
        if state.number == 3:
            raise KeyboardInterrupt

    result = optimize(bowl, START, OPTIMIZATION, 50, interrupted)
    assert result.ended is Ended.STOPPED
    assert result.iterations == 3
    assert result.loss == min(result.losses)


@pytest.fixture(scope="module")
def gatys(zoo):
    return zoo.artifact(
        "gatys-stylize",
        zoo.network("gatys-vgg-eighth"),
        precisions=(Precision.FP16,),
        sizes=(Size(32, 48), Size(48, 32)),
    )


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(noise)


def test_a_photograph_is_painted_at_its_size(gatys):
    previews = []
    with Stylizer(gatys) as stylizer:
        code = stylizer.encode(picture(60, 60))
        painted = paint(
            stylizer,
            picture(90, 60),
            code,
            StylizeOptions(),
            OptimizeOptions(8, preview_every=4),
            preview=previews.append,
        )
    assert painted.picture.size == (90, 60)
    assert painted.loss < painted.first_loss
    assert [preview.size for preview in previews] == [(90, 60)] * 2


def test_step_files_are_float32_in_an_fp16_artifact(gatys):
    manifest = read_manifest(gatys)
    assert manifest.network.roles == (Role.ENCODE, Role.CONTENT, Role.STEP)
    assert manifest.network.optimization == OPTIMIZATION
    precisions = {(fact.role, fact.precision) for fact in manifest.files}
    assert precisions == {
        (Role.ENCODE, Precision.FP16),
        (Role.CONTENT, Precision.FP16),
        (Role.STEP, Precision.FP32),
    }
    step = next(fact for fact in manifest.files if fact.role is Role.STEP)
    assert [item.kind for item in step.outputs] == ["loss", "gradient"]
    assert "step is float32" in next(p for p in step.passes if p.name == "float32").refused[0]


def test_a_size_without_content_file_is_refused(gatys, tmp_path):
    import shutil

    copy = shutil.copytree(gatys, tmp_path / "copy")
    manifest = read_manifest(copy)
    files = [f for f in manifest.files if f.role is not Role.CONTENT or f.size.height == 32]
    write_manifest(msgspec.structs.replace(manifest, files=tuple(files)), copy)
    with Stylizer(copy) as stylizer, pytest.raises(UsageError, match="step file for 48x32 and con"):
        code = stylizer.encode(picture(60, 60))
        paint(stylizer, picture(32, 48), code, StylizeOptions(), OptimizeOptions(2))


def test_a_network_that_paints_at_once_is_refused(artifact):
    with Stylizer(artifact) as stylizer, pytest.raises(UsageError, match="paints at once: leave"):
        code = stylizer.encode(picture(60, 60))
        paint(stylizer, picture(32, 48), code, StylizeOptions(), OptimizeOptions(2))
