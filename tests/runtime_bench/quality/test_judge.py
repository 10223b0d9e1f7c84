from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from styleexport.core.perceptual import Lpips
from styleexport.core.psnr import EQUAL_DB
from styleexport.core.types import Size
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.runtime_bench.quality.judge import Judge
from styleexport.runtime_bench.quality.probes import quality_probes
from styleexport.runtime_bench.quality.report import STABLE_DB, QualityReport

SIZE = Size(32, 48)
SIDES = ("reference", "candidate")


@pytest.fixture(scope="module")
def network():
    return shipped_loss_network()


def painting(inputs):
    """A network that lays the style's mean colour over the content."""
    mean = inputs["style"].mean((2, 3), keepdims=True)
    return {"image": 0.5 * inputs["content"] + 0.5 * mean}


def noisy(strength: float, session=painting):
    def run(inputs):
        (image,) = session(inputs).values()
        noise = np.random.default_rng(1).normal(0, strength, image.shape)
        return {"image": (image + noise).astype(np.float32)}

    return run


@pytest.fixture(scope="module")
def judge(network):
    judge = Judge(network, quality_probes(SIZE, ("content", "style", "strength")))
    judge.reference(painting)
    return judge


def test_the_reference_loses_nothing(judge):
    report = judge(painting)
    assert report.psnr_db == report.worst_psnr_db == report.stable_psnr_db == EQUAL_DB
    assert (report.ssim, report.style_change, report.gram_change) == (1.0, 0.0, 0.0)
    assert (report.flicker_change, report.lpips_change) == (0.0, None)
    assert len(report.pictures) == 16
    assert report.size.size() == SIZE
    assert report.loss_network == "adain-lite encoder"


def test_frames_of_an_enlarging_network_move_further(judge, network):
    def enlarged(inputs):
        return {"image": painting(inputs)["image"].repeat(2, 2).repeat(2, 3)}

    twice = Judge(network, quality_probes(SIZE, ("content", "style", "strength")))
    twice.reference(enlarged)
    own, larger = (
        {motion.name: motion.candidate for motion in report.motions}
        for report in (judge(painting), twice(enlarged))
    )
    assert larger["pan"] < 1e-6
    assert larger["noise"] == pytest.approx(own["noise"], rel=1e-3)
    # Enlarged pixels have edges that turn with the picture.
    assert larger["turn"] < 3 * own["turn"]


def test_more_noise_loses_more_of_everything(judge):
    little, much = judge(noisy(0.01)), judge(noisy(0.05))
    assert little.psnr_db == pytest.approx(40.0, abs=0.5)
    assert much.psnr_db == pytest.approx(26.0, abs=0.5)
    assert 1 > little.ssim > much.ssim
    assert much.style_change != pytest.approx(0.0, abs=1e-3)
    assert judge.psnr(noisy(0.05)) == pytest.approx(much.psnr_db, abs=0.01)
    worst = min(much.pictures, key=lambda row: row.psnr_db)
    assert (much.worst_picture, much.worst_psnr_db) == (worst.name, worst.psnr_db)


def test_a_third_of_the_pictures_has_every_kind_and_style(judge):
    run: list[np.ndarray] = []

    def counting(inputs):
        run.append(inputs["content"])
        return noisy(0.05)(inputs)

    assert judge.psnr(counting, every=3) == pytest.approx(26.0, abs=1.0)
    assert len(run) == 6
    assert {p.kind for p in judge.stills[::3]} == {"photograph", "gradient", "text", "colours"}
    assert {p.name.split(", ")[1] for p in judge.stills[::3]} == {"glass", "ink"}


def test_flicker_is_what_motions_do_not_explain(judge):
    frames = iter(range(100))

    def pumping(inputs):
        (image,) = painting(inputs).values()
        return {"image": image + np.float32(0.01 * (next(frames) % 2))}

    report = judge(pumping)
    motions = {motion.name: motion for motion in report.motions}
    assert list(motions) == ["pan", "zoom", "turn", "noise", "exposure"]
    pan = motions["pan"]
    assert max(pan.source, pan.reference) < 1e-5
    assert pan.candidate == pytest.approx(0.01, abs=1e-4)
    # Half of the content is in the painting, whatever moves.
    for motion in motions.values():
        assert motion.reference == pytest.approx(motion.source / 2, abs=1e-4)
    means = (np.mean([getattr(m, side) for m in motions.values()]) for side in SIDES)
    assert report.flicker == pytest.approx(tuple(means), abs=1e-6)


def test_style_that_is_left_out_is_further_from_the_style(judge):
    report = judge(lambda inputs: {"image": inputs["content"]})
    assert report.style_change > 0.1
    assert report.gram_change > 0.1
    before = sum(row.style_distance[0] for row in report.pictures)
    after = sum(row.style_distance[1] for row in report.pictures)
    assert report.style_change == pytest.approx(after / before - 1, abs=1e-4)


def test_the_style_itself_has_no_distance_to_the_style(judge):
    report = judge(lambda inputs: {"image": inputs["style"]})
    assert report.style_change < -0.99
    assert all(row.style_distance[0] > 0.05 > row.style_distance[1] for row in report.pictures)
    assert all(row.gram_distance[0] > 0.05 > row.gram_distance[1] for row in report.pictures)


def test_pictures_are_what_is_shown(network):
    judge = Judge(network, quality_probes(SIZE, ("content",)))
    judge.reference(lambda inputs: {"image": inputs["content"]})

    def glare(inputs):
        return {"image": np.where(inputs["content"] == 1, 7, inputs["content"])}

    glaring = judge(glare)
    assert glaring.psnr_db == EQUAL_DB


def test_what_is_not_finite_is_lost_and_the_report_stays_readable(judge):
    def broken(inputs):
        (image,) = painting(inputs).values()
        image[..., 0, 0] = np.inf
        return {"image": image}

    report = judge(broken)
    assert report.psnr_db == report.worst_psnr_db == judge.psnr(broken) == 0.0
    assert msgspec.json.decode(report.encoded(), type=QualityReport) == report


def test_without_a_style_picture_the_outputs_styles_are_compared(network):
    judge = Judge(network, quality_probes(SIZE, ("content",)))
    judge.reference(lambda inputs: {"image": inputs["content"]})
    same = judge(lambda inputs: {"image": inputs["content"]})
    dark = judge(lambda inputs: {"image": inputs["content"] * np.float32(0.5)})
    assert same.style_change < 1e-3
    assert dark.style_change > 0.1
    assert all(row.style_distance[0] == 0 for row in dark.pictures)
    mean = sum(row.style_distance[1] for row in dark.pictures) / len(dark.pictures)
    assert dark.style_change == pytest.approx(mean, abs=1e-4)


def test_pictures_that_the_reference_cannot_repeat_are_told_apart(network):
    def chaotic(inputs):
        content = inputs["content"]
        exact = np.abs(content * 255 - np.round(content * 255)).max() < 1e-3
        return {"image": content if exact or content.mean() > 0.5 else 1 - content}

    judge = Judge(network, quality_probes(SIZE, ("content",)))
    judge.reference(chaotic)
    report = judge(noisy(0.01, chaotic))
    unstable = [row for row in report.pictures if not row.is_stable]
    assert 0 < len(unstable) < 8
    assert all(row.stability_db < STABLE_DB for row in unstable)
    assert report.stable_psnr_db == pytest.approx(40, abs=1)


def test_style_codes_are_judged_by_psnr_alone(network):
    judge = Judge(network, quality_probes(SIZE, ("style",)))
    judge.reference(lambda inputs: {"style_code": 4 * inputs["style"].mean((2, 3))})
    report = judge(lambda inputs: {"style_code": 4.04 * inputs["style"].mean((2, 3))})
    assert 40 < report.psnr_db < 50
    assert report.measured("ssim") is report.measured("style") is report.measured("flicker") is None
    assert report.stable_psnr_db is None


def test_lpips_is_the_change_of_the_distance_to_the_content(network):
    lpips = Lpips(lambda image: [image + 0.1], [torch.ones(1, 3, 1, 1)])
    judge = Judge(network, quality_probes(SIZE, ("content", "style", "strength")), lpips)
    judge.reference(painting)
    assert judge(painting).lpips_change == 0.0
    content = judge(lambda inputs: {"image": inputs["content"]})
    assert content.lpips_change == pytest.approx(-1.0, abs=1e-3)
    assert content.pictures[0].lpips[1] == pytest.approx(0.0, abs=1e-6)


def test_a_judge_without_a_reference_says_so(network):
    judge = Judge(network, quality_probes(SIZE, ("content",)))
    with pytest.raises(ValueError, match=r"call judge.reference\(session\)"):
        judge.psnr(lambda inputs: {"image": inputs["content"]})


def test_without_motions_there_is_no_flicker(network):
    stills = [p for p in quality_probes(SIZE, ("content",)) if p.kind != "motion"][:2]
    judge = Judge(network, [replace(probe, name="x") for probe in stills])
    judge.reference(lambda inputs: {"image": inputs["content"]})
    report = judge(lambda inputs: {"image": inputs["content"]})
    assert (report.flicker, report.flicker_change, report.motions) == (None, None, ())
