"""Colour transfer between pictures, against closed forms computed by hand."""

from __future__ import annotations

import torch

from styleexport.core.colour_transfer import transport_matrix, with_colours_of


def test_diagonal_covariances_scale_each_channel_by_the_ratio_of_deviations():
    source = torch.diag(torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64))
    target = torch.diag(torch.tensor([1.0, 9.0, 0.25], dtype=torch.float64))
    expected = torch.diag(torch.tensor([0.5, 3.0, 1.0], dtype=torch.float64))
    assert torch.allclose(transport_matrix(source, target), expected)


def test_a_correlated_target_has_the_root_worked_out_by_hand():
    """From the identity, A is the root of [[5, 4], [4, 5]] = [[2, 1], [1, 2]] squared."""
    identity = torch.eye(3, dtype=torch.float64)
    target = torch.tensor([[5.0, 4, 0], [4, 5, 0], [0, 0, 1]], dtype=torch.float64)
    root = torch.tensor([[2.0, 1, 0], [1, 2, 0], [0, 0, 1]], dtype=torch.float64)
    assert torch.allclose(transport_matrix(identity, target), root)
    back = transport_matrix(target, identity)
    assert torch.allclose(back @ root, identity)


def test_the_moved_picture_has_the_styles_mean_and_covariance():
    torch.manual_seed(1)
    content = 0.4 + 0.1 * torch.rand(1, 3, 24, 32)
    mix = torch.tensor([[0.2, 0.1, 0.0], [0.0, 0.2, 0.1], [0.1, 0.0, 0.1]])
    style = (0.3 + mix @ torch.rand(3, 40 * 20)).reshape(1, 3, 40, 20)
    moved = with_colours_of(content, style)
    assert moved.shape == content.shape
    assert torch.allclose(moved.mean((0, 2, 3)), style.mean((0, 2, 3)), atol=1e-4)
    a, b = (torch.cov(image[0].flatten(1), correction=0) for image in (moved, style))
    assert torch.allclose(a, b, atol=1e-4)


def test_a_picture_keeps_its_own_colours_and_a_grey_one_stays_finite():
    picture = torch.rand(1, 3, 16, 16)
    assert torch.allclose(with_colours_of(picture, picture), picture, atol=1e-4)
    grey = torch.full((1, 3, 16, 16), 0.5)
    assert torch.allclose(with_colours_of(picture, grey).mean((2, 3)), grey.mean((2, 3)), atol=1e-2)
    assert bool(torch.isfinite(with_colours_of(grey, picture)).all())
