"""Iterative pruning: cut a little, train, and again, until a layout is reached.

Round r of R brings a layer of width w0 with the target w to w0·(w / w0)^(r / R), so that each round
takes the same share. The objective is that of `styleexport train`: its loss network is VGG-16,
apart from the encoder, so that an encoder which says nothing does not win; encoder and decoder
learn.

Each round has a folder: ``start.safetensors`` (cut), ``last.pt`` (training),
``weights.safetensors`` (trained). What is there is not done again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.files import replace_file
from styleexport.core.types import Report
from styleexport.models.compress.architecture import (
    Event,
    architecture_of,
    read_architecture,
    write_weights,
)
from styleexport.models.compress.symmetric_l2 import METHOD, cut_once, mirrored_layers
from styleexport.models.network import LoadedNetwork
from styleexport.models.registry import open_network
from styleexport.models.training.data import image_files
from styleexport.models.training.plan import TrainingPlan
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
    report: Report,
) -> Path:
    """Return the weights file of a network that was cut to a layout and trained, round by round.

    Args:
        spec: the network, as `open_network` takes it.
        network: with the weights that it starts from.
        history: what was done to them before.
        target: widths of the mirrored layers.
        how: it is trained.
        report: takes lines of progress.

    Raises:
        UsageError: the folder holds other rounds, or pictures are missing.
        BadCheckpoint: the loss became NaN, or the folder is damaged.
    """
    _begin(network, target, how)
    widths = [layer.width for layer in mirrored_layers(network)]
    weights = Path()
    for number, layout in enumerate(layouts(widths, target, how.rounds), 1):
        folder = how.plan.out / f"round_{number:02}"
        start, trained = folder / "start.safetensors", folder / "weights.safetensors"
        report(f"round {number}/{how.rounds}: layout 3,{','.join(map(str, layout))}")
        if not start.exists():
            pruned, kept, _ = cut_once(network, layout)
            event = Event(
                method=METHOD,
                parent_sha256=network.source_sha256,
                kept=kept,
                schedule={"round": number, "rounds": how.rounds},
            )
            record = architecture_of(network.network, pruned.module, [*history, event])
            write_weights(start, pruned.module.state_dict(), record)
        if not trained.exists():
            train_network(
                spec,
                replace(how.plan, out=folder, seed=how.plan.seed + number),
                checkpoints=[start],
                resume=(folder / "last.pt").exists(),
                report=report,
            )
        weights, network = trained, open_network(spec, [trained])
        history = record_history(trained)
    return weights


def record_history(weights: Path) -> tuple[Event, ...]:
    """Return what a weights file says was done to its network."""
    found = read_architecture(weights)
    return found.history if found is not None else ()


def _begin(network: LoadedNetwork, target: Sequence[int], how: Retraining) -> None:
    """Note what the rounds are of, or check that those in the folder are of the same."""
    state = RoundsState(
        checkpoint=network.source_sha256,
        data=_data_sha256((*how.plan.content, *how.plan.style)),
        layout=tuple(target),
        rounds=how.rounds,
        steps=how.plan.steps,
    )
    path = how.plan.out / STATE
    if path.exists() and not how.resume:
        raise UsageError(f"{path} exists: add --resume to go on with it, or choose another -o")
    if not path.exists():
        if how.resume:
            raise UsageError(f"there is no {path} to go on with: leave out --resume")
        with replace_file(path) as part:
            part.write_bytes(msgspec.json.encode(state))
        return
    try:
        before = msgspec.json.decode(path.read_bytes(), type=RoundsState)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is damaged ({error}): remove it, or choose another -o") from error
    for name, now in msgspec.structs.asdict(state).items():
        if getattr(before, name) != now:
            raise UsageError(
                f"{path} was begun with another {name}: give the same as then, or leave out "
                "--resume and choose another -o"
            )


def _data_sha256(folders: Sequence[Path]) -> str:
    """Return a digest over the names and sizes of all pictures in folders."""
    digest = hashlib.sha256()
    for file in image_files(folders):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
    return digest.hexdigest()
