"""The terms of distillation, the levels that are typed, and which layers belong together."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from styleexport.core.errors import UsageError
from styleexport.models.compress.distill.forward import UnclampedNetwork, trial_run
from styleexport.models.compress.distill.levels import (
    Level,
    OutputKind,
    check_levels,
    default_levels,
    level_weights,
    parse_level,
    parse_match,
    temperature_of,
)
from styleexport.models.compress.distill.losses import (
    WidthMaps,
    painting_distance,
    perceptual_distance,
    same_size,
    softened_divergence,
)
from styleexport.models.compress.distill.matching import (
    Match,
    check_names,
    default_pairs,
    family_layers,
    matches_of,
)
from styleexport.models.networks._open import find
from tests.conftest import load_own, load_random


def test_a_picture_of_its_mean_colours_is_one_away():
    wanted = torch.rand(2, 3, 8, 8)
    flat = wanted.mean((2, 3), keepdim=True).expand_as(wanted)
    assert float(painting_distance(flat, wanted)) == pytest.approx(1.0)
    assert float(painting_distance(wanted, wanted)) == 0
    grey = torch.full((1, 3, 8, 8), 0.5)
    assert float(painting_distance(grey + 0.01, grey)) == pytest.approx(1.0, rel=1e-4)


def test_what_is_out_of_range_counts_where_the_teacher_is_in_range():
    wanted = torch.tensor([0.0, 0.0, 0.5, 1.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    spread = float((wanted - wanted.mean()).abs().mean())
    beyond = torch.tensor([-3.0, 0.0, 0.5, 7.0]).reshape(1, 1, 2, 2).expand_as(wanted)
    assert float(painting_distance(beyond, wanted)) == 0
    other = torch.full_like(wanted, 1.5).requires_grad_()
    distance = painting_distance(other, wanted)
    assert float(distance.detach()) == pytest.approx((1.5 + 1.5 + 1.0) / 4 / spread)
    distance.backward()
    assert (other.grad[0, 0] > 0).tolist() == [[True, True], [True, False]]


def test_features_are_compared_relative_to_their_length():
    maps = [torch.rand(2, 4, 5, 5), torch.rand(2, 6, 3, 3)]
    assert float(perceptual_distance([3 * m for m in maps], maps)) == pytest.approx(2.0, rel=1e-3)


def test_logits_are_softened_and_their_gradients_keep_their_size():
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 7), torch.randn(4, 7)
    wanted = F.kl_div(
        F.log_softmax(student / 3, 1), F.softmax(teacher / 3, 1), reduction="batchmean"
    )
    assert float(softened_divergence(student, teacher, 3.0)) == pytest.approx(9 * float(wanted))
    assert float(softened_divergence(teacher, teacher, 3.0)) == pytest.approx(0, abs=1e-6)
    sizes = []
    for temperature in (20.0, 40.0):
        given = student.clone().requires_grad_()
        softened_divergence(given, teacher, temperature).backward()
        sizes.append(float(given.grad.norm()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.05)


def test_maps_of_logits_are_brought_to_the_size_of_the_teachers():
    teacher = torch.randn(2, 3, 1, 1).expand(2, 3, 8, 8)
    student = teacher[:, :, ::2, ::2]
    assert float(softened_divergence(student, teacher, 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(softened_divergence(-student, teacher, 2.0)) > 0.1
    coarse = torch.randn(2, 3, 4, 4)
    smooth = F.interpolate(coarse, (8, 8), mode="bilinear")
    assert float(softened_divergence(coarse, smooth, 2.0)) == pytest.approx(0, abs=1e-6)


def test_feature_maps_meet_at_the_smaller_size_by_averaging():
    a, b = same_size(torch.arange(16.0).reshape(1, 1, 4, 4), torch.zeros(1, 2, 2, 8))
    assert (a.shape, b.shape) == ((1, 1, 2, 4), (1, 2, 2, 4))
    assert a[0, 0].tolist() == [[2.0, 3.0, 4.0, 5.0], [10.0, 11.0, 12.0, 13.0]]
    row, other = same_size(torch.ones(2, 5), torch.ones(2, 4, 3, 3))
    assert (row.shape, other.shape) == ((2, 5, 1, 1), (2, 4, 1, 1))


def match(teacher: int, student: int) -> Match:
    return Match(teacher="a", student="b", channels=(teacher, student), sizes=("4x4", "4x4"))


def test_maps_start_from_least_squares():
    torch.manual_seed(0)
    maps = WidthMaps([match(5, 3), match(2, 300)])
    thin, wide = torch.randn(2, 3, 8, 8), torch.randn(2, 300, 4, 4)
    linear = F.conv2d(thin, torch.randn(5, 3, 1, 1), torch.randn(5))
    students, teachers = [thin, wide], [linear, torch.randn(2, 2, 4, 4)]
    before = float(maps(students, teachers).detach())
    maps.fit([([x[:1] for x in students], [y[:1] for y in teachers]), (students, teachers)])
    assert float(maps(students, teachers).detach()) < 0.03 < before
    assert all(torch.isfinite(p).all() for p in maps.parameters())


def test_levels_are_read_with_their_weights():
    texts = ("outputs", "features=0.5", " style = 2 ")
    assert level_weights(map(parse_level, texts)) == {
        Level.OUTPUTS: 1.0,
        Level.FEATURES: 0.5,
        Level.STYLE: 2.0,
    }
    assert parse_match("encoder.a=body.0.b") == ("encoder.a", "body.0.b")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["output=1"], "unknown level 'output': expected one of outputs, .* did you mean outputs"),
        (["xyz"], "unknown level 'xyz'.*type for example --level outputs=1"),
        (["style=0"], "'0' is not a weight; type a number above 0, such as --level style=0.5"),
        (["style=-1"], "'-1' is not a weight"),
        (["style=nan"], "'nan' is not a weight"),
        (["style=inf"], "'inf' is not a weight"),
        (["style=much"], "'much' is not a weight"),
        (["style="], "'' is not a weight"),
        (["style", "style=2"], "level style is named twice"),
    ],
)
def test_levels_that_are_none(texts, message):
    with pytest.raises(UsageError, match=message):
        level_weights(map(parse_level, texts))


@pytest.mark.parametrize("text", ["a", "a=", "=b", ""])
def test_a_match_that_is_no_pair(text):
    with pytest.raises(UsageError, match="not a pair of layers: type TEACHER_LAYER=STUDENT_LAYER"):
        parse_match(text)


def test_temperature_is_of_logits():
    assert temperature_of(None, {Level.STYLE: 1.0}) == 4.0
    assert temperature_of(2.0, {Level.LOGITS: 1.0}) == 2.0
    with pytest.raises(UsageError, match="add --level logits=1, or leave it out"):
        temperature_of(2.0, {Level.STYLE: 1.0})
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="type a number above 0"):
            temperature_of(wrong, {Level.LOGITS: 1.0})


def test_levels_without_a_meaning_for_the_networks():
    assert Level.FEATURES in default_levels(OutputKind.TWO_IMAGE, matched=True)
    assert Level.FEATURES not in default_levels(OutputKind.TWO_IMAGE, matched=False)
    assert default_levels(OutputKind.LOGITS, matched=False) == {Level.LOGITS: 1.0}
    for kind in OutputKind:
        for matched in (True, False):
            check_levels(default_levels(kind, matched=matched), kind, "net")
    with pytest.raises(UsageError, match="level logits has no meaning for net, which paints in th"):
        check_levels({Level.LOGITS: 1.0}, OutputKind.TWO_IMAGE, "net")
    with pytest.raises(UsageError, match=r"level objective has no meaning .* a style of its own"):
        check_levels({Level.OBJECTIVE: 1.0}, OutputKind.FIXED_STYLE, "net")
    with pytest.raises(UsageError, match="returns logits: choose among logits, features"):
        check_levels({Level.STYLE: 1.0}, OutputKind.LOGITS, "net")


def test_networks_of_the_family_are_matched_by_scale():
    lite, vgg = find("adain-lite").build(), find("adain-vgg16").build()
    assert family_layers(vgg) == tuple(f"encoder.features.{i}" for i in (1, 6, 11, 18))
    assert default_pairs(vgg, lite) == (
        ("encoder.features.1", "encoder.stem"),
        ("encoder.features.6", "encoder.down.0"),
        ("encoder.features.11", "encoder.down.1"),
        ("encoder.features.18", "encoder.deep"),
    )
    assert len(default_pairs(lite, find("adain-cd16x").build(level=2))) == 2
    assert default_pairs(lite, find("fast-style").build()) == ()


def test_matched_layers_are_at_one_scale_and_have_their_widths():
    teacher, student = load_random("adain-cd16x"), load_random("adain-lite")
    pairs = default_pairs(teacher.module, student.module)
    teacher = UnclampedNetwork(teacher, [a for a, _ in pairs])
    student = UnclampedNetwork(student, [b for _, b in pairs])
    seen = trial_run(teacher, "teacher", 2, 32), trial_run(student, "student", 2, 32)
    found = matches_of(pairs, (teacher, student), seen)
    assert [m.channels for m in found] == [(16, 16), (32, 32), (64, 64), (128, 128)]
    assert [m.sizes for m in found] == [(f"{s}x{s}", f"{s}x{s}") for s in (32, 16, 8, 4)]
    assert not any(m.encoding for m in found)
    assert seen[0].kind(teacher, 32) is OutputKind.TWO_IMAGE
    assert not any(layer._forward_hooks for layer in student.module.modules())


class TwoEncoders(nn.Module):
    """A network with an encoder of styles and another of contents, and a layer that never runs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.styles, self.contents = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, padding=1)
        self.image, self.unused = nn.Conv2d(4, 3, 1), nn.Conv2d(3, 3, 1)
        self.pair = nn.Identity()

    def encode(self, style):
        return self.styles(style).mean((2, 3))

    def transfer(self, content, code, strength):
        features = self.contents(content)
        self.pair((features, code))
        return self.image(features + code[:, :, None, None] * strength)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("unused", "layer unused of teacher mine never runs while it paints"),
        ("pair", "layer pair of teacher mine gives a tuple, expected one feature map"),
        ("styles", "one of them sees the style alone and the other the content"),
    ],
)
def test_layers_that_cannot_be_matched(pair, message):
    net = load_own(TwoEncoders())
    teacher, student = UnclampedNetwork(net, [pair]), UnclampedNetwork(net, ["contents"])
    seen = trial_run(teacher, "teacher", 1, 32), trial_run(student, "student", 1, 32)
    with pytest.raises(UsageError, match=message):
        matches_of([(pair, "contents")], (teacher, student), seen)


def test_unknown_layers_are_answered_with_near_ones():
    net = UnclampedNetwork(load_own(TwoEncoders()))
    with pytest.raises(UsageError, match=r"teacher mine has no layer 'content'; near it are conte"):
        check_names(net, "teacher", ["content"])
    with pytest.raises(UsageError, match="near it are styles, contents, image"):
        check_names(net, "student", ["zzz"])


class Answers(nn.Module):
    """Whatever a function makes of a picture."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, image):
        return self.function(image)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: {"out": x}, "returned a dict, expected a painting .*wrap it in a module"),
        (lambda x: x.flatten(2), r"returned \[2, 3, 1024\], expected"),
        (lambda x: x / 0, "answers with NaN or infinity before the first step"),
        (lambda x: x.reshape(7, -1), "student mine does not take 2 pictures of 32x32 .*--crop"),
    ],
)
def test_answers_that_cannot_be_learned(function, message):
    with pytest.raises(UsageError, match=message):
        trial_run(UnclampedNetwork(load_own(Answers(function))), "student", 2, 32)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda x: x, OutputKind.FIXED_STYLE),
        (lambda x: F.pad(x, (0, 3, 0, 1)), OutputKind.FIXED_STYLE),
        (lambda x: x.mean((2, 3)), OutputKind.LOGITS),
        (lambda x: x[:, :, ::2], OutputKind.LOGITS),
        (lambda x: x[:, :2], OutputKind.LOGITS),
    ],
)
def test_what_a_network_answers_says_its_kind(function, kind):
    network = UnclampedNetwork(load_own(Answers(function)))
    assert trial_run(network, "student", 2, 32).kind(network, 32) is kind
