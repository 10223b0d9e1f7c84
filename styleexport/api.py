"""Functions of Python code: the commands by their names, with their options as keywords.

>>> import styleexport as se
>>> exported = se.export("adain-residual", "out", precision="int8", size=512)  # doctest: +SKIP
>>> se.verify("out")  # doctest: +SKIP

An option is a keyword of its long name: ``--style-weight`` is ``style_weight``. Defaults, checks
and errors are the command's, which does the work; `inspect.signature` and ``help`` show its
options. An option that may be repeated takes one value, or a list of them. Nothing is printed:
``progress`` receives the lines that a command prints on stderr.

Errors of all functions are those of `styleexport.core.errors`: `UsageError` for a value that an
option does not take, and what ``Raises`` of a function names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, overload

from styleexport.cli._called import Operand, call, documented
from styleexport.core.assets import DEFAULT_NETWORK
from styleexport.core.errors import UsageError
from styleexport.core.types import Progress

if TYPE_CHECKING:
    from PIL import Image
    from torch import nn

    from styleexport.api_options import (
        BenchOptions,
        CompareOptions,
        DistillOptions,
        ExportOptions,
        PruneOptions,
        QuantizeOptions,
        StylizeOptions,
        TrainOptions,
    )
    from styleexport.core.manifest import ParityFact
    from styleexport.exporter.pipeline import Exported, ExportRequest
    from styleexport.models.compress.distill.report import DistillReport
    from styleexport.models.compress.prune.report import PruneReport
    from styleexport.models.training.run import TrainingResult
    from styleexport.runtime_bench.contract.latency import LatencyReport
    from styleexport.runtime_bench.quality.compare import Compared


def _silent(_: str) -> None:
    pass


@documented("export")
def export(
    network: str | nn.Module | ExportRequest = DEFAULT_NETWORK,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    progress: Progress = _silent,
    **options: Unpack[ExportOptions],
) -> Exported:
    """Write an artifact, whole or not at all, and return its facts.

    Without ``target``, ONNX files are written, as `styleexport onnx` does.

    Args:
        network: a name of `styleexport networks`, ``package.module:factory``, a ``.pt2`` or
            ``.onnx`` file; a module with its weights, of ``forward(content)``, or of
            ``encode(style)`` and ``transfer(content, code, strength)``, for pictures [N, 3, H, W];
            or an `ExportRequest`, which says everything else.
        out: artifact folder; None for NETWORK-TARGET-PRECISION.
        name: name of a module, which begins its files' names; None makes one of its class's.
        progress: receives lines of progress.
        options: see below.

    Raises:
        UsageError: an option does not fit the network, or the folder holds something else.
        BadCheckpoint: weights are missing or of another network.
        UnsupportedOp: the network cannot be captured or expressed in a target.
        ParityFailure: a file does not compute what the network computes; nothing is written.
        QualityBudgetExceeded: an int8 file misses its budget; nothing is written.
        MissingExtra: a target's library is not installed.
    """
    from styleexport.exporter.request import ExportRequest

    if isinstance(network, ExportRequest):
        if out is not None or name is not None or options:
            raise UsageError("an ExportRequest says everything: leave out the other arguments")
        from styleexport.exporter.pipeline import export as run

        return run(network, progress)
    typed: dict[str, object] = {"target": "onnx", "out": out, **options}
    if isinstance(network, str):
        if name is not None:
            raise UsageError(f"name {name!r} is for modules, and {network} has one: leave it out")
        return call("export", progress, (network,), typed)
    from styleexport.models.networks._own import module_spec

    spec = Operand("network", module_spec(network, name))
    return call("export", progress, (spec,), typed)


@documented("verify")
def verify(artifact: str | Path) -> Mapping[str, tuple[ParityFact, ...]]:
    """Return path → parity of every file of an artifact, one fact per available runner.

    Args:
        artifact: artifact folder.

    Raises:
        BadArtifact: a file is missing, altered or cannot be loaded.
        ParityFailure: a file differs from its network on this machine.
        DeviceError: no runner for a file can run here.
    """
    return call("verify", _silent, (artifact,), {})


@documented("bench")
def bench(
    *artifacts: str | Path, progress: Progress = _silent, **options: Unpack[BenchOptions]
) -> LatencyReport:
    """Return the latency report of artifacts on one machine: this one, or a phone.

    Args:
        artifacts: artifact folders.
        progress: receives lines of progress.
        options: see below. Without ``out``, no file is written.

    Raises:
        BadArtifact: a folder is not an artifact.
        DeviceError: nothing could be measured, or a phone cannot be reached.
        ParityFailure: every file that ran differs from its network.
        UsageError: nothing fits the options, or runners of several machines are named.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = {"out": Path(folder) / "latency.json"} if options.get("out") is None else {}
        reports = call("bench", progress, artifacts, {**options, **out})
    if len(reports) != 1:
        raise UsageError(
            f"the runners measured {len(reports)} machines, a report each: name runners of one "
            "machine a call"
        )
    return reports[0]


@documented("compare")
def compare(
    *names: str | Path, progress: Progress = _silent, **options: Unpack[CompareOptions]
) -> tuple[Compared, ...]:
    """Return the quality of files against the float network, with the pictures behind it.

    Args:
        names: ARTIFACT, or ARTIFACT REFERENCE CANDIDATE: paths or precisions.
        progress: receives lines of progress.
        options: see below.

    Raises:
        BadArtifact: a file cannot be loaded or run.
        QualityBudgetExceeded: a file misses ``budget``.
        UsageError: the names are of no two files.
    """
    return call("compare", progress, names, options)


@overload
def stylize(
    artifact: str | Path,
    content: Image.Image,
    *styles: str | Path | Image.Image,
    progress: Progress = ...,
    **options: Unpack[StylizeOptions],
) -> Image.Image: ...
@overload
def stylize(
    artifact: str | Path,
    content: str | Path,
    *styles: str | Path | Image.Image,
    progress: Progress = ...,
    **options: Unpack[StylizeOptions],
) -> tuple[Path, ...]: ...
@documented("stylize")
def stylize(
    artifact: str | Path,
    content: str | Path | Image.Image,
    *styles: str | Path | Image.Image,
    progress: Progress = _silent,
    **options: Unpack[StylizeOptions],
) -> Image.Image | tuple[Path, ...]:
    """Paint, and return the painting of a PIL image, or the files written of a path.

    For many pictures in a row a `Stylizer` is faster: it loads the files once.

    Args:
        artifact: artifact folder.
        content: a PIL image, whose painting is returned and, without ``out``, not written; or the
            path of a photograph, a folder of them, or a film.
        styles: style pictures: PIL images or paths.
        progress: receives lines of progress.
        options: see below.

    Raises:
        BadArtifact: the folder is not an artifact, or a file was altered.
        BadImage: a picture or film cannot be read.
        UsageError: no style where one is needed, or options that do not fit the artifact.
    """
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:

        def path_of(picture: str | Path | Image.Image, label: str) -> str | Path:
            if not isinstance(picture, Image.Image):
                return picture
            path = Path(folder) / f"{label}.png"
            picture.save(path)
            return path

        paths = [path_of(style, f"style-{number}") for number, style in enumerate(styles)]
        if not isinstance(content, Image.Image):
            return call("stylize", progress, (artifact, content, *paths), options)
        out = {"out": Path(folder) / "painted.png"} if options.get("out") is None else {}
        operands = (artifact, path_of(content, "content"), *paths)
        (written,) = call("stylize", progress, operands, {**options, **out})
        with Image.open(written) as painted:
            painted.load()
            return painted.copy()


@documented("quantize")
def quantize(
    network: str | Path,
    out: str | Path | None = None,
    *,
    progress: Progress = _silent,
    **options: Unpack[QuantizeOptions],
) -> Exported:
    """Quantize a float32 .onnx file that another tool wrote, and return the artifact's facts.

    ``precision`` is the command's ``--quantize``.

    Args:
        network: path of the .onnx file, with settings of its own after commas.
        out: artifact folder; None for NETWORK-TARGET-PRECISION.
        progress: receives lines of progress.
        options: see below.

    Raises:
        UsageError: not an .onnx file, or options that do not fit it.
        UnsupportedOp: an operation cannot be read.
        QualityBudgetExceeded: an int8 file misses its budget; nothing is written.
    """
    return call("quantize", progress, (network,), {"out": out, **options})


@documented("prune")
def prune(
    network: str = DEFAULT_NETWORK,
    *,
    progress: Progress = _silent,
    **options: Unpack[PruneOptions],
) -> PruneReport:
    """Remove channels from a network, write its weights, and return what was removed.

    Args:
        network: a name of `styleexport networks`, or ``package.module:factory``.
        progress: receives lines of progress.
        options: see below.

    Raises:
        UsageError: options that do not fit the method or the network.
        BadCheckpoint: weights are missing or of another network.
        ParityFailure: zero-channel changed the output; nothing is written.
        QualityBudgetExceeded: ``budget`` cannot be met; the closest network is written.
    """
    return call("prune", progress, (network,), options)


@documented("train")
def train(
    network: str = DEFAULT_NETWORK,
    *,
    progress: Progress = _silent,
    **options: Unpack[TrainOptions],
) -> TrainingResult:
    """Train a network, or fine-tune it for int8, and return where its weights are.

    Args:
        network: a name of `styleexport networks`, or ``package.module:factory``.
        progress: receives lines of progress.
        options: see below; ``content`` is required.

    Raises:
        UsageError: no pictures, or options that do not fit the network.
        BadCheckpoint: weights are missing or of another network.
    """
    return call("train", progress, (network,), options)


@documented("distill")
def distill(*, progress: Progress = _silent, **options: Unpack[DistillOptions]) -> DistillReport:
    """Train a student to imitate a teacher, and return the costs and qualities of both.

    Args:
        progress: receives lines of progress.
        options: see below; ``teacher``, ``student`` and ``content`` are required.

    Raises:
        UsageError: no pictures, or layers and levels that do not fit the networks.
        BadCheckpoint: weights are missing or of another network.
    """
    return call("distill", progress, (), options)
