"""Export request, and checks of what it asks for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from styleexport.core.errors import MissingExtra, UsageError
from styleexport.core.recipe import Int8Recipe
from styleexport.core.types import Precision, Progress, Role, Size, Sizing
from styleexport.exporter.graph.capture import check_size
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.rewrites.choices import check_rewrites
from styleexport.exporter.targets._target import Target, find_target
from styleexport.models.network import DEFAULT_SIZE, LoadedNetwork
from styleexport.runtime_bench.quality.budget import Budget

FEW_IMAGES = 16
QUANTIZED = (Precision.INT8, Precision.AUTO, Precision.INT8_A16, Precision.PALETTE4_INT8)


@dataclass(frozen=True)
class ExportRequest:
    """Settings of an export.

    Attributes:
        network: with its weights.
        out: the artifact directory.
        targets: file formats, by name or with settings of their own.
        precisions: each target writes those that it has; () takes each target's default.
        roles: which; None takes the network's own default.
        sizes: one file each, unless one file takes them all.
        sizing: whether a file takes one size, all the sizes named, or any size.
        calibration: folder of images for int8; None takes those that ship.
        overwrite: whether an artifact with style packs or altered files may be replaced.
        budget: what int8 files may lose, such as ``psnr>=38, style<=+5%``; None takes the
            precision's own.
        recipe: settings and float layers of the int8 files of its role; None, and other roles, take
            the fixed ones or search (auto).
        allow_degraded: whether files over budget are written all the same, and named so.
        skip_missing: whether to go on without targets whose library is not installed.
        full: whether files that paint pictures of any size in tiles are written too.
        without: rewrites that are turned off, by name.
        jobs: processes that export the graphs; what they write does not depend on it.
    """

    network: LoadedNetwork
    out: Path
    targets: tuple[str | Target, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ()
    roles: tuple[Role, ...] | None = None
    sizes: tuple[Size, ...] = field(default=(DEFAULT_SIZE,))
    sizing: Sizing = Sizing.FIXED
    calibration: Path | None = None
    overwrite: bool = False
    budget: str | None = None
    recipe: Int8Recipe | None = None
    allow_degraded: bool = False
    skip_missing: bool = False
    full: bool = False
    without: tuple[str, ...] = ()
    jobs: int = 1


def open_targets(request: ExportRequest, progress: Progress) -> tuple[Target, ...]:
    """Return the targets of a request.

    Raises:
        UsageError: an unknown target, or the same one twice.
        MissingExtra: a target's library is not installed, and missing ones are not to be skipped,
            or none is left.
    """
    found: list[Target] = []
    for item in request.targets:
        try:
            target = find_target(item) if isinstance(item, str) else item
            target.check()
            found.append(target)
        except MissingExtra as error:
            if not request.skip_missing or (item == request.targets[-1] and not found):
                raise
            progress(f"skipped: {error}")
    names = [target.name for target in found]
    if len(set(names)) < len(names):
        raise UsageError(f"targets {', '.join(names)}: name each one once")
    return tuple(found)


def precisions_of(
    target: Target, request: ExportRequest, progress: Progress
) -> tuple[Precision, ...]:
    """Return the precisions that a target is to write.

    Raises:
        UsageError: it has none of those asked for.
    """
    if not request.precisions:
        return (target.default_precision,)
    able = set(target.precisions)
    able |= {Precision.AUTO} if Precision.INT8 in able else set()
    precisions = [p for p in dict.fromkeys(request.precisions) if p in able]
    if not precisions:
        nearest = difflib.get_close_matches(
            request.precisions[0], target.precisions, n=1, cutoff=0.3
        )
        raise UsageError(
            f"{target.name} has no precision {', '.join(request.precisions)}: expected "
            f"{', '.join(target.precisions)}; type --precision "
            f"{nearest[0] if nearest else target.default_precision}"
        )
    left_out = [p for p in request.precisions if p not in precisions]
    if left_out:
        progress(f"{target.name} has no {', '.join(left_out)}: left out")
    return tuple(precisions)


def stored_precision(precision: Precision) -> Precision:
    """Return the precision that a target stores: how a plan is chosen is none of its own."""
    return Precision.INT8 if precision in (Precision.AUTO, Precision.INT8_A16) else precision


def check_request(request: ExportRequest, targets: Sequence[Target]) -> None:
    """Refuse roles and sizes that do not fit the network, the targets, or each other.

    Raises:
        UsageError: what does not fit, and what to type.
    """
    check_rewrites(request.without)
    for role in request.roles or ():
        request.network.role_module(role)
    for size in request.sizes if request.sizing is not Sizing.ANY else ():
        check_size(request.network, (request.roles or request.network.default_roles)[0], size)
    for target in targets:
        if request.sizing not in target.sizings:
            able = ", ".join(target.sizings)
            raise UsageError(
                f"{target.name} cannot write files of {request.sizing} sizes, only {able}: name "
                "each size, for example --size 512 --size 384x512"
            )
    if request.sizing is Sizing.ANY and len(request.sizes) > 1:
        raise UsageError("--dynamic writes one file for all sizes: name at most one --size with it")
    if request.sizing is Sizing.ENUMERATED:
        _check_enumerated(request)
    if request.full:
        _check_full(request)


def _check_full(request: ExportRequest) -> None:
    """Refuse --full where no file of one size paints by itself."""
    if request.sizing is not Sizing.FIXED:
        raise UsageError(
            "--full paints in windows of one size: leave out --dynamic and --enumerated, and name "
            "the window with --size"
        )
    painted = painting_role(request.network)
    if painted is None:
        raise UsageError(
            f"{request.network.network.name} paints by optimization, which takes the whole picture "
            "at once: leave out --full"
        )
    if painted not in (request.roles or request.network.default_roles):
        raise UsageError(f"--full writes the role {painted} in tiles: type --role {painted} too")


def painting_role(network: LoadedNetwork) -> Role | None:
    """Return the role that is painted in tiles; None where there is none."""
    if Role.STEP in network.roles:
        return None
    return Role.TRANSFORM if Role.TRANSFORM in network.roles else Role.STYLIZE


def largest_window(request: ExportRequest) -> Size:
    """Return the size of the windows of tiles: the largest."""
    return max(request.sizes, key=lambda size: size.height * size.width)


def check_quantized(request: ExportRequest, progress: Progress) -> None:
    """Refuse a budget that is none, and say what few calibration pictures risk.

    Raises:
        UsageError: the budget cannot be read, or the calibration folder.
    """
    if request.budget is not None:
        Budget.parse(request.budget)
    if request.calibration is not None:
        count = read_calibration(request.calibration).photographs
        if count < FEW_IMAGES:
            progress(
                f"warning: {count} calibration pictures: values beyond what they show are clipped, "
                f"and other pictures may lose their lights and colours; give {FEW_IMAGES} or more"
            )


def _check_enumerated(request: ExportRequest) -> None:
    if len(set(request.sizes)) < 2:
        raise UsageError(
            "--enumerated writes one file for several sizes: name two or more, for example "
            "--size 256 --size 384x512"
        )
    for role in request.roles or request.network.default_roles:
        names = request.network.role_module(role).input_names()
        if {"content", "style"} <= set(names):
            raise UsageError(
                f"role {role} takes two images, and Core ML enumerates the sizes of one: type "
                "--role encode --role transform, or leave out --enumerated"
            )
