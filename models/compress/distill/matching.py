"""Layer matching: pairs of student and teacher layers whose features are compared.

In two networks of the AdaIN family, the encoder's first features at each scale, 1/1, 1/2, 1/4 …,
are matched as far as both have them. For other networks `--match` names the layers.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import msgspec
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.models.compress.distill.forward import TrialRun, UnclampedNetwork
from styleexport.models.encoders._lite import LiteEncoder
from styleexport.models.encoders._vgg import VggEncoder

SHOWN = 6


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A student layer and the teacher layer whose features it imitates.

    Attributes:
        teacher: name of the teacher's layer.
        student: name of the student's layer.
        channels: number of channels of the teacher's and of the student's layer.
        sizes: size of their features for crops of the training, height x width.
        encoding: whether both run only while the style is encoded.
    """

    teacher: str
    student: str
    channels: tuple[int, int]
    sizes: tuple[str, str]
    encoding: bool = False


def family_layers(module: nn.Module) -> tuple[str, ...]:
    """Return the encoder's first layer at each scale, full size first; () for other networks."""
    encoder = getattr(module, "encoder", None)
    if isinstance(encoder, LiteEncoder):
        inner = [f"encoder.down.{index}" for index in range(len(encoder.down) - 1)]
        return ("encoder.stem", *inner, "encoder.deep")
    if not isinstance(encoder, VggEncoder):
        return ()
    names: list[str] = []
    first = True
    for index, layer in enumerate(encoder.features):
        if isinstance(layer, nn.ReLU) and first:
            names.append(f"encoder.features.{index}")
        first = isinstance(layer, nn.MaxPool2d) or (first and not isinstance(layer, nn.ReLU))
    return tuple(names)


def default_pairs(teacher: nn.Module, student: nn.Module) -> tuple[tuple[str, str], ...]:
    """Return pairs of layers of two AdaIN networks at the same scale; () for other networks."""
    return tuple(zip(family_layers(teacher), family_layers(student), strict=False))


def check_names(network: UnclampedNetwork, who: str, names: Sequence[str]) -> None:
    """Check that a network has layers of some names.

    Raises:
        UsageError: one is missing; layers of similar names are listed.
    """
    known = [name for name, _ in network.module.named_modules() if name]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=SHOWN, cutoff=0.5) or known[:SHOWN]
            raise UsageError(
                f"--match: {who} {network.name} has no layer {name!r}; near it are "
                f"{', '.join(near)}: type TEACHER_LAYER=STUDENT_LAYER"
            )


def matches_of(
    pairs: Sequence[tuple[str, str]],
    networks: tuple[UnclampedNetwork, UnclampedNetwork],
    runs: tuple[TrialRun, TrialRun],
) -> tuple[Match, ...]:
    """Return pairs of layers with their widths and sizes.

    Args:
        pairs: names of the teacher's layer and the student's.
        networks: teacher and student.
        runs: trial runs of teacher and student.

    Raises:
        UsageError: a layer never runs, returns no feature map, or runs on another picture than its
            partner.
    """
    matches: list[Match] = []
    for of_teacher, of_student in pairs:
        a, encodes = _features(networks[0], "teacher", of_teacher, runs[0])
        b, other_encodes = _features(networks[1], "student", of_student, runs[1])
        if encodes != other_encodes:
            raise UsageError(
                f"--match {of_teacher}={of_student}: one of them sees the style alone and the "
                "other the content; match layers that see the same picture"
            )
        matches.append(
            Match(
                teacher=of_teacher,
                student=of_student,
                channels=(a.shape[1], b.shape[1]),
                sizes=(_size(a), _size(b)),
                encoding=encodes,
            )
        )
    return tuple(matches)


def _features(network: UnclampedNetwork, who: str, name: str, run: TrialRun) -> tuple[Tensor, bool]:
    """Return a layer's features, and whether it ran only while the style was encoded."""
    if name in run.painting:
        return _feature_map(network, who, name, run.painting), False
    if name in run.encoding:
        return _feature_map(network, who, name, run.encoding), True
    raise UsageError(
        f"--match: layer {name} of {who} {network.name} never runs while it paints; match a layer "
        "that does"
    )


def _feature_map(
    network: UnclampedNetwork, who: str, name: str, outputs: Mapping[str, object]
) -> Tensor:
    output = outputs[name]
    if isinstance(output, Tensor) and output.dim() in (2, 4):
        return output
    got = list(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise UsageError(
        f"--match: layer {name} of {who} {network.name} gives {got}, expected one feature map "
        "[N, C, H, W]; match a layer inside it"
    )


def _size(features: Tensor) -> str:
    return "x".join(map(str, features.shape[2:])) or "1x1"
