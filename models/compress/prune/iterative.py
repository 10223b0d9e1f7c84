"""Iterative pruning: cut a little, train, and again, until a layout is reached.

Round r of R brings a layer of width w0 with the target w to w0·(w / w0)^(r / R), so that each round
takes the same share. The objective is that of `styleexport train`: its loss network is VGG-16,
apart from the encoder, so that an encoder which says nothing does not win; encoder and decoder
learn.

Each round has a folder: ``start.safetensors`` (cut), ``last.pt`` (training),
``weights.safetensors`` (trained). What is there is not done again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.types import Progress
from styleexport.models.architecture import (
    SYMMETRIC_L2,
    Event,
    architecture_of,
    read_architecture,
    write_weights,
)
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.criteria import DEFAULT
from styleexport.models.compress.prune.symmetric_l2 import Cutter, Cutting, cut_to
from styleexport.models.network import LoadedNetwork, TwoImageModule
from styleexport.models.networks._open import open_network
from styleexport.models.training.data import image_files
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.resume import begin, pictures_sha256
from styleexport.models.training.run import train_network

STATE = "rounds.json"


@dataclass(frozen=True)
class Retraining:
    """How a network is trained between cuts.

    Attributes:
        plan: of one round; its ``out`` is the folder of all rounds.
        rounds: how many cuts.
        resume: whether to go on with what is in the folder.
    """

    plan: TrainingPlan
    rounds: int
    resume: bool = False


class RoundsState(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder of rounds was begun with; a resumed pruning must be of the same."""

    checkpoint: str
    data: str
    layout: tuple[int, ...]
    rounds: int
    steps: int
    criterion: str = DEFAULT
    mirrors: tuple[str, ...] = ()
    refit: bool = False
    budget: str | None = None


def layouts(widths: Sequence[int], target: Sequence[int], rounds: int) -> list[tuple[int, ...]]:
    """Return the layout after each round; the last is the target."""
    return [
        tuple(
            round(width * (goal / width) ** (number / rounds))
            for width, goal in zip(widths, target, strict=True)
        )
        for number in range(1, rounds + 1)
    ]


def prune_in_rounds(
    spec: str,
    network: LoadedNetwork,
    history: Sequence[Event],
    target: Sequence[int],
    how: Retraining,
    cutting: Cutting,
    budget: PruneBudget | None,
    progress: Progress,
) -> Path:
    """Return the weights file of a network that was cut to a layout and trained, round by round.

    Args:
        spec: the network, as `open_network` takes it.
        network: with the weights that it starts from.
        history: what was done to them before.
        target: widths of the mirrored layers.
        how: it is trained.
        cutting: which layers are cut, and by what.
        budget: that the widths were found for, if they were.
        progress: takes lines of progress.

    Raises:
        UsageError: the folder holds other rounds, or pictures are missing.
        BadCheckpoint: the loss became NaN, or the folder is damaged.
    """
    state = _state(network, target, how, cutting, budget)
    begin(how.plan.out / STATE, state, resume=how.resume)
    widths = Cutter.of(network, cutting).widths
    weights = Path()
    for number, layout in enumerate(layouts(widths, target, how.rounds), 1):
        folder = how.plan.out / f"round_{number:02}"
        start, trained = folder / "start.safetensors", folder / "weights.safetensors"
        progress(f"round {number}/{how.rounds}: layout 3,{','.join(map(str, layout))}")
        if not start.exists():
            settings = {"round": number, "rounds": how.rounds}
            _cut_to_file(start, network, layout, cutting, history, settings, progress)
        if not trained.exists():
            train_network(
                spec,
                replace(how.plan, out=folder, seed=how.plan.seed + number),
                checkpoints=[start],
                resume=(folder / "last.pt").exists(),
                progress=progress,
            )
        weights, network = trained, open_network(spec, [trained])
        history = record_history(trained)
    return weights


def _cut_to_file(
    path: Path,
    network: LoadedNetwork,
    layout: Sequence[int],
    cutting: Cutting,
    history: Sequence[Event],
    settings: Mapping[str, int],
    progress: Progress,
) -> None:
    """Write the weights of a network cut to a layout, with its history."""
    cut = cut_to(Cutter.of(network, cutting), layout, cutting, progress)
    event = Event(
        method=SYMMETRIC_L2,
        parent_sha256=network.source_sha256,
        kept=cut.kept,
        schedule={
            **settings,
            "criterion": cutting.criterion,
            "refitted_on": len(cutting.calibration.pictures) if cutting.calibration else 0,
        },
    )
    record = architecture_of(network.network, cut.network.module, [*history, event])
    write_weights(path, cut.network.module.state_dict(), record)


def record_history(weights: Path) -> tuple[Event, ...]:
    """Return what a weights file says was done to its network."""
    found = read_architecture(weights)
    return found.history if found is not None else ()


def check_trainable(network: LoadedNetwork, how: Retraining) -> None:
    """Check that the network can be trained as asked, before anything is measured or written.

    Raises:
        UsageError: it paints in one style, or paintings, pictures or the loss network are missing.
    """
    if not isinstance(network.module, TwoImageModule):
        raise UsageError(
            f"{network.network.name} paints in one style, and --retrain trains two-image networks: "
            "leave it out, and train on in your own code"
        )
    if not how.plan.style:
        raise UsageError("--retrain learns from paintings: add --style FOLDER")
    if how.plan.loss_weights is None:
        raise UsageError("--retrain needs ImageNet's VGG-16: add --loss-weights PATH")
    image_files((*how.plan.content, *how.plan.style))


def begun_layout(
    network: LoadedNetwork, how: Retraining, cutting: Cutting, budget: PruneBudget
) -> tuple[int, ...] | None:
    """Return the layout of rounds that go on under a budget, so that it is not sought again.

    Raises:
        UsageError: the folder holds other rounds, or none to go on with.
    """
    path = how.plan.out / STATE
    if not path.exists() and not how.resume:
        return None
    layout: tuple[int, ...] = ()
    with contextlib.suppress(OSError, msgspec.DecodeError):  # `begin` says what is wrong with it
        layout = msgspec.json.decode(path.read_bytes(), type=RoundsState).layout
    begin(path, _state(network, layout, how, cutting, budget), resume=how.resume)
    return layout


def _state(
    network: LoadedNetwork,
    target: Sequence[int],
    how: Retraining,
    cutting: Cutting,
    budget: PruneBudget | None,
) -> RoundsState:
    return RoundsState(
        checkpoint=network.source_sha256,
        data=pictures_sha256((*how.plan.content, *how.plan.style)),
        layout=tuple(target),
        rounds=how.rounds,
        steps=how.plan.steps,
        criterion=cutting.criterion,
        mirrors=tuple(map(str, cutting.ties)),
        refit=cutting.calibration is not None,
        budget=None if budget is None else str(budget),
    )
