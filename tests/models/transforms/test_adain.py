from __future__ import annotations

import pytest
import torch

from styleexport.models.transforms import adain


def features(seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 6, 9, 7, generator=torch.Generator().manual_seed(seed)).double() * 3 - 1


def test_output_carries_the_codes_statistics():
    code = adain.style_code([features(1)], unbiased=True)
    output = adain.apply(features(), code, torch.ones(1).double(), unbiased=True)
    flat = output.flatten(2)
    assert torch.allclose(flat.mean(2), code[:, :6], atol=1e-9)
    # ε enters the deviation on both sides, so the match is close but not exact.
    assert torch.allclose(flat.std(2), code[:, 6:], rtol=1e-4)


def test_strength_blends_features_as_the_paper_does():
    content, code = features(), adain.style_code([features(1)], unbiased=True)
    full = adain.apply(content, code, torch.ones(1).double(), unbiased=True)
    half = adain.apply(content, code, torch.tensor([0.5]).double(), unbiased=True)
    assert torch.allclose(half, 0.5 * full + 0.5 * content, atol=1e-9)
    none = adain.apply(content, code, torch.zeros(1).double(), unbiased=True)
    assert torch.allclose(none, content, atol=1e-12)


def test_blending_codes_blends_outputs():
    content, one = features(), torch.ones(1).double()
    codes = [adain.style_code([features(seed)], unbiased=True) for seed in (1, 2)]
    outputs = [adain.apply(content, code, one, unbiased=True) for code in codes]
    blended = adain.apply(content, adain.blend(codes, [3, 1]), one, unbiased=True)
    assert torch.allclose(blended, 0.75 * outputs[0] + 0.25 * outputs[1], atol=1e-9)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0]])
def test_blend_refuses_weights_that_do_not_fit(weights):
    code = torch.ones(1, 4)
    with pytest.raises(ValueError, match="weight"):
        adain.blend([code, code], weights)


def test_a_silent_channel_stays_finite():
    content = features()
    content[:, 2] = 0.0
    code = adain.style_code([content], unbiased=False)
    assert torch.isfinite(adain.apply(content, code, torch.ones(1).double(), unbiased=False)).all()
