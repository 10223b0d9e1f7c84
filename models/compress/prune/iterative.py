"""Iterative pruning: cut a little, train, and again, until a layout is reached.

Round r of R cuts a layer of width w0 with the target w to w0·(w / w0)^(r / R), so that each round
removes the same share. Training uses the objective of `styleexport train`; its loss network is
VGG-16 and not the encoder under training, which could otherwise lower the loss by losing
information. Encoder and decoder are trained.

Each round has a folder: ``start.safetensors`` (cut), ``last.pt`` (training),
``weights.safetensors`` (trained). Files that exist are not computed again.
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
    read_history,
    write_weights,
)
from styleexport.models.compress.prune.budget import PruneBudget
from styleexport.models.compress.prune.criteria import DEFAULT
from styleexport.models.compress.prune.multiples import ChosenLayout, MultipleChoice, facts_of
from styleexport.models.compress.prune.symmetric_l2 import ChannelRanking, PruneConfig
from styleexport.models.network import LoadedNetwork, TwoImageModule
from styleexport.models.networks._open import open_network
from styleexport.models.training.data import image_files
from styleexport.models.training.plan import TrainingPlan
from styleexport.models.training.resume import check_resumable, pictures_sha256
from styleexport.models.training.run import train_network

STATE = "rounds.json"


@dataclass(frozen=True)
class Retraining:
    """Training between cuts.

    Attributes:
        plan: training plan of one round; its ``out`` is the folder of all rounds.
        rounds: number of cuts.
        resume: whether to continue the run in the folder.
    """

    plan: TrainingPlan
    rounds: int
    resume: bool = False


@dataclass(frozen=True)
class Asked:
    """What a layout was found from, where finding it again might end elsewhere.

    Attributes:
        budget: budget that it was searched for.
        layout: layout or ratio whose multiple was chosen by time.
    """

    budget: PruneBudget | None = None
    layout: str | None = None


class IterativeState(msgspec.Struct, frozen=True, kw_only=True):
    """Settings recorded at the start of a run, ``rounds.json``; a resumed run must match them."""

    checkpoint: str
    data: str
    layout: tuple[int, ...]
    rounds: int
    steps: int
    criterion: str = DEFAULT
    mirrors: tuple[str, ...] = ()
    reconstruct: bool = msgspec.field(default=False, name="refit")
    budget: str | None = None
    multiple: MultipleChoice | None = None
    asked: str | None = None


def layouts(widths: Sequence[int], target: Sequence[int], rounds: int) -> list[tuple[int, ...]]:
    """Return the layout after each round; the last is the target."""
    return [
        tuple(
            round(width * (goal / width) ** (number / rounds))
            for width, goal in zip(widths, target, strict=True)
        )
        for number in range(1, rounds + 1)
    ]


def prune_iteratively(
    spec: str,
    ranking: ChannelRanking,
    history: Sequence[Event],
    target: ChosenLayout,
    retraining: Retraining,
    asked: Asked,
    progress: Progress,
) -> Path:
    """Return the weights file of a network that was cut to a layout and trained, round by round.

    Args:
        spec: network specification, as `open_network` takes it.
        ranking: channel ranking of the network before the first cut.
        history: history of its weights.
        target: layout at the end.
        retraining: training of each round.
        asked: what the target was found from.
        progress: receives progress lines.

    Raises:
        UsageError: the folder holds another run, or pictures are missing.
        BadCheckpoint: the loss became NaN, or the folder is damaged.
    """
    plan, config = retraining.plan, ranking.config
    state = _state(ranking.network, target, retraining, config, asked)
    strangers = () if (plan.out / STATE).exists() else tuple(plan.out.glob("round_*"))
    if strangers:
        raise UsageError(f"{strangers[0]} is of another run: choose another -o, or move it away")
    check_resumable(plan.out / STATE, state, resume=retraining.resume)
    steps = layouts(ranking.widths, target.widths, retraining.rounds)
    weights, network = Path(), ranking.network
    for number, layout in enumerate(steps, 1):
        folder = plan.out / f"round_{number:02}"
        start, trained = folder / "start.safetensors", folder / "weights.safetensors"
        progress(f"round {number}/{retraining.rounds}: layout 3,{','.join(map(str, layout))}")
        if not start.exists():
            settings = {
                "round": number,
                "rounds": retraining.rounds,
                **facts_of(target.multiple),
            }
            ranking = ranking if number == 1 else ChannelRanking.of(network, config)
            _write_cut(start, ranking, layout, history, settings, progress)
        if not trained.exists():
            train_network(
                spec,
                replace(plan, out=folder, seed=plan.seed + number),
                checkpoints=[start],
                resume=(folder / "last.pt").exists(),
                progress=progress,
            )
        weights, network = trained, open_network(spec, [trained])
        history = read_history([trained])
    return weights


def _write_cut(
    path: Path,
    ranking: ChannelRanking,
    layout: Sequence[int],
    history: Sequence[Event],
    settings: Mapping[str, str | int],
    progress: Progress,
) -> None:
    """Write the weights of a network cut to a layout, with its history."""
    pruned, config, parent = ranking.prune(layout, progress), ranking.config, ranking.network
    event = Event(
        method=SYMMETRIC_L2,
        parent_sha256=parent.source_sha256,
        kept=pruned.kept,
        schedule={
            **settings,
            "criterion": config.criterion,
            "refitted_on": len(config.calibration.pictures) if config.calibration else 0,
        },
    )
    module = pruned.network.module
    record = architecture_of(parent.network, module, [*history, event])
    write_weights(path, module.state_dict(), record)


def check_trainable(network: LoadedNetwork, retraining: Retraining) -> None:
    """Check that a network can be trained as asked, before anything is measured or written.

    Raises:
        UsageError: the network has one style, or paintings, pictures or the loss network are
            missing.
    """
    if not isinstance(network.module, TwoImageModule):
        raise UsageError(
            f"{network.network.name} paints in one style, and --retrain trains two-image networks: "
            "leave it out, and train on in your own code"
        )
    if not retraining.plan.style:
        raise UsageError("--retrain learns from paintings: add --style FOLDER")
    if retraining.plan.loss_weights is None:
        raise UsageError("--retrain needs ImageNet's VGG-16: add --loss-weights PATH")
    image_files((*retraining.plan.content, *retraining.plan.style))


def stored_layout(
    network: LoadedNetwork,
    retraining: Retraining,
    config: PruneConfig,
    asked: Asked,
) -> ChosenLayout | None:
    """Return the layout stored by the interrupted run; None for a new run.

    Raises:
        UsageError: the folder holds another run, or none to resume.
    """
    path = retraining.plan.out / STATE
    if not path.exists() and not retraining.resume:
        return None
    layout = ChosenLayout(())
    # `check_resumable` says what is wrong with the file.
    with contextlib.suppress(OSError, msgspec.DecodeError):
        stored = msgspec.json.decode(path.read_bytes(), type=IterativeState)
        layout = ChosenLayout(stored.layout, stored.multiple)
    state = _state(network, layout, retraining, config, asked)
    check_resumable(path, state, resume=retraining.resume)
    return layout


def _state(
    network: LoadedNetwork,
    target: ChosenLayout,
    retraining: Retraining,
    config: PruneConfig,
    asked: Asked,
) -> IterativeState:
    plan = retraining.plan
    return IterativeState(
        checkpoint=network.source_sha256,
        data=pictures_sha256((*plan.content, *plan.style)),
        layout=target.widths,
        rounds=retraining.rounds,
        steps=plan.steps,
        criterion=config.criterion,
        mirrors=tuple(map(str, config.pairs)),
        reconstruct=config.calibration is not None,
        budget=None if asked.budget is None else str(asked.budget),
        multiple=target.multiple,
        asked=asked.layout,
    )
