"""Calibration pictures become the inputs of a graph."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from PIL import Image

from styleexport.core.errors import UsageError
from styleexport.core.file_names import FileName
from styleexport.core.images import array_from_image
from styleexport.core.manifest import SizeFact
from styleexport.core.pictures import centre_crop
from styleexport.core.types import Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph_job import ExportRun, GraphJob
from styleexport.exporter.quantize.calibration import STYLES_EACH, read_calibration
from styleexport.exporter.quantize.calibration_inputs import SEVERAL_SIZES, calibration_inputs
from styleexport.exporter.quantize.synthetic import drawn_pictures
from styleexport.exporter.request import ExportRequest
from tests.conftest import load_random

SIZE = Size(32, 48)
DRAWN = len(drawn_pictures())


@pytest.fixture(scope="module")
def network():
    return load_random("adain-lite")


@pytest.fixture
def pictures(tmp_path):
    for kind, count in (("content", 2), ("style", 3)):
        (tmp_path / kind).mkdir()
        for index in range(count):
            noise = np.random.default_rng(index).integers(0, 255, (60, 50, 3), np.uint8)
            Image.fromarray(noise).save(tmp_path / kind / f"{index}.png")
    return tmp_path


def test_each_content_meets_two_styles_as_codes(network, pictures):
    images = read_calibration(pictures)
    graph = capture(network, Role.TRANSFORM, SIZE)
    made = calibration_inputs(network, images, graph).inputs
    assert [list(feed) for feed in made] == [["content", "style_code", "strength"]] * 2 * (
        2 + DRAWN
    )
    assert STYLES_EACH == 2
    content = array_from_image(centre_crop(images.content[1], SIZE))
    np.testing.assert_array_equal(made[2]["content"], content)
    np.testing.assert_array_equal(made[3]["content"], content)
    encode = network.role_module(Role.ENCODE)
    codes = [
        encode(torch.from_numpy(array_from_image(centre_crop(image, SIZE)))).numpy()
        for image in images.style
    ]
    for feed, style in zip(made[:4], (0, 1, 2, 0), strict=True):
        np.testing.assert_allclose(feed["style_code"], codes[style], atol=1e-6)
        assert feed["strength"] == 1


def test_what_made_the_codes_tells_inputs_apart(network, pictures):
    images, graph = read_calibration(pictures), capture(network, Role.TRANSFORM, SIZE)
    other = load_random("adain-lite")
    with torch.no_grad():
        next(other.encoder().parameters()).mul_(2)
    made = [calibration_inputs(each, images, graph).encoder for each in (network, network, other)]
    assert made[0] == made[1] != made[2]
    assert not calibration_inputs(network, images, capture(network, Role.ENCODE, SIZE)).encoder


def test_an_encoder_gets_the_styles_and_a_whole_network_both(network, pictures):
    styles, both = (
        calibration_inputs(network, read_calibration(pictures), capture(network, role, SIZE)).inputs
        for role in (Role.ENCODE, Role.STYLIZE)
    )
    assert [feed["style"].shape for feed in styles] == [(1, 3, 32, 48)] * 3
    assert list(both[0]) == ["content", "style", "strength"]
    np.testing.assert_array_equal(both[0]["style"], styles[0]["style"])


def test_a_network_of_one_style_gets_the_contents(pictures):
    network = load_random("fast-style")
    graph = capture(network, Role.STYLIZE, SIZE)
    made = calibration_inputs(network, read_calibration(pictures), graph).inputs
    assert [list(feed) for feed in made] == [["content"]] * (2 + DRAWN)
    drawn = array_from_image(centre_crop(drawn_pictures()[0], SIZE))
    np.testing.assert_array_equal(made[2]["content"], drawn)


def test_nothing_is_read_before_it_is_asked_for(network, tmp_path):
    request = ExportRequest(network, tmp_path / "a", calibration=tmp_path / "absent")
    run = ExportRun(request, None, (), tmp_path, print)
    name = FileName("adain-lite", Role.ENCODE, SIZE)
    job = GraphJob(run, name, capture(network, Role.ENCODE, SIZE), (), ())
    source = job.source
    with pytest.raises(UsageError, match="absent is not a folder"):
        _ = source.inputs


def test_a_graph_of_several_sizes_is_fed_the_first(network, pictures):
    graph = capture(network, Role.ENCODE, Size(61, 67), dynamic=True)
    graph = graph.with_sizes((Size(48, 32), Size(64, 64)))
    made = calibration_inputs(network, read_calibration(pictures), graph)
    assert made.inputs[0]["style"].shape == (1, 3, 48, 32)
    assert made.fact.sizes == (SizeFact(height=48, width=32),)


def test_a_graph_of_any_size_is_fed_every_picture_at_several(network, pictures):
    graph = capture(network, Role.ENCODE, Size(61, 67), dynamic=True)
    made = calibration_inputs(network, read_calibration(pictures), graph)
    shapes = [Size(*feed["style"].shape[2:]) for feed in made.inputs]
    assert shapes == [size for size in SEVERAL_SIZES for _ in range(3)]
    assert [size.size() for size in made.fact.sizes] == list(SEVERAL_SIZES)


def test_few_of_the_inputs_of_several_sizes_are_of_different_pictures(network):
    graph = capture(network, Role.ENCODE, Size(61, 67), dynamic=True)
    greys = tuple(Image.new("RGB", (40, 40), (30 * n,) * 3) for n in range(8))
    images = replace(read_calibration(None), style=greys)
    few = calibration_inputs(network, images, graph).inputs[::4]
    assert {feed["style"].shape for feed in few} == {(1, 3, *astuple(x)) for x in SEVERAL_SIZES}
    assert sorted(round(255 / 30 * float(feed["style"].mean())) for feed in few) == list(range(8))
