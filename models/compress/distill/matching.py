"""Which layers of a student are held to which of its teacher.

Two networks of the AdaIN family are matched by themselves: the encoder's first features at each
scale, 1/1, 1/2, 1/4 …, as far as both go. Of others, `--match` says it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import msgspec
from torch import Tensor, nn

from styleexport.core.errors import UsageError
from styleexport.models.compress.distill.forward import Tried, Unclamped
from styleexport.models.encoders._vgg import VggEncoder
from styleexport.models.encoders.lite import LiteEncoder

SHOWN = 6


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of the student and the teacher's that it is held to.

    Attributes:
        teacher: name of the teacher's layer.
        student: name of the student's.
        channels: of the teacher's and of the student's; a learned 1x1 map is between them.
        sizes: of their values, height x width, for crops of the training.
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
    found: list[str] = []
    fresh = True
    for index, layer in enumerate(encoder.features):
        if isinstance(layer, nn.ReLU) and fresh:
            found.append(f"encoder.features.{index}")
        fresh = isinstance(layer, nn.MaxPool2d) or (fresh and not isinstance(layer, nn.ReLU))
    return tuple(found)


def default_pairs(teacher: nn.Module, student: nn.Module) -> tuple[tuple[str, str], ...]:
    """Return the layers of two networks of the AdaIN family that are at the same scale."""
    return tuple(zip(family_layers(teacher), family_layers(student), strict=False))


def check_names(network: Unclamped, who: str, names: Sequence[str]) -> None:
    """Refuse names that are of no layer.

    Raises:
        UsageError: there is one; layers of like names are listed.
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
    teacher: Unclamped,
    student: Unclamped,
    seen: tuple[Tried, Tried],
) -> tuple[Match, ...]:
    """Return the pairs with the widths and sizes that their layers have.

    Args:
        pairs: of the teacher's layer and the student's.
        teacher: the network.
        student: the network.
        seen: what teacher and student did on noise.

    Raises:
        UsageError: a layer never runs, gives no feature map, or runs on another picture than its
            partner.
    """
    found: list[Match] = []
    for of_teacher, of_student in pairs:
        a, first = _values(teacher, "teacher", of_teacher, seen[0])
        b, second = _values(student, "student", of_student, seen[1])
        if first != second:
            raise UsageError(
                f"--match {of_teacher}={of_student}: one of them sees the style alone and the "
                "other the content; match layers that see the same picture"
            )
        found.append(
            Match(
                teacher=of_teacher,
                student=of_student,
                channels=(a.shape[1], b.shape[1]),
                sizes=(_size(a), _size(b)),
                encoding=first,
            )
        )
    return tuple(found)


def _values(network: Unclamped, who: str, name: str, seen: Tried) -> tuple[Tensor, bool]:
    """Return what a layer gave, and whether only while the style was encoded."""
    if name in seen.painting:
        return _map_of(network, who, name, seen.painting), False
    if name in seen.encoding:
        return _map_of(network, who, name, seen.encoding), True
    raise UsageError(
        f"--match: layer {name} of {who} {network.name} never runs while it paints; match a layer "
        "that does"
    )


def _map_of(network: Unclamped, who: str, name: str, values: Mapping[str, object]) -> Tensor:
    found = values[name]
    if isinstance(found, Tensor) and found.dim() in (2, 4):
        return found
    got = list(found.shape) if isinstance(found, Tensor) else f"a {type(found).__name__}"
    raise UsageError(
        f"--match: layer {name} of {who} {network.name} gives {got}, expected one feature map "
        "[N, C, H, W]; match a layer inside it"
    )


def _size(values: Tensor) -> str:
    return "x".join(map(str, values.shape[2:])) or "1x1"
