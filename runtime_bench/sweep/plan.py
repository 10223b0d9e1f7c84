"""The sweep file: lists of networks, recipes, sizes and runners, whose combinations are cells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.input_files import open_input, read_input
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.contract.defaults import ROUNDS, SECONDS
from styleexport.runtime_bench.runners._choice import parse_runner
from styleexport.runtime_bench.runners._runner import any_runner

# All available runners in alternating rounds: the cells of one row compare within one run.
ALL = "all"
PROGRAM = ".pt2"
EXAMPLE = 'networks = ["adain-residual"]'

Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=100_000)]


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; unknown keys are errors."""


class NetworkEntry(_Entry, frozen=True, kw_only=True):
    """A network and its weights, as `styleexport export` takes them.

    Attributes:
        name: name of the network, ``module:factory``, or a file.
        checkpoints: weights files, relative to the sweep file; () takes the shipped weights.
        weights_keys: state dicts to take of checkpoints that hold several, as ``--weights-key``.
    """

    name: Name
    checkpoints: tuple[Name, ...] = ()
    weights_keys: tuple[Name, ...] = ()


class RecipeEntry(_Entry, frozen=True, kw_only=True):
    """Settings of an export.

    Attributes:
        target: format of the files.
        precision: precision of the convolutions.
        budget: quality budget of int8 files; None for the default.
        recipe: int8 recipe to apply, relative to the sweep file; None chooses one.
    """

    target: Name = "onnx"
    precision: Precision = Precision.FP32
    budget: str | None = None
    recipe: Name | None = None


class SweepPlan(_Entry, frozen=True, kw_only=True):
    """Contents of a sweep file.

    Attributes:
        networks: names, or tables with checkpoints.
        recipes: export settings, each applied to every network.
        sizes: sizes of the pictures, ``256`` or ``"384x512"``.
        runners: runners as `bench` takes them; () is all available ones, in alternating rounds.
        roles: roles to export; () is all of the network's.
        batches: numbers of pictures per inference.
        threads: number of threads of the runtimes; None is one per processor.
        rounds: number of rounds per cell.
        seconds: minimum seconds per round.
        profile: whether every operation is timed too.
    """

    networks: Annotated[tuple[Name | NetworkEntry, ...], Meta(min_length=1)]
    recipes: Annotated[tuple[RecipeEntry, ...], Meta(min_length=1)] = (RecipeEntry(),)
    sizes: Annotated[tuple[int | str, ...], Meta(min_length=1)] = (512,)
    runners: tuple[Name, ...] = ()
    roles: tuple[Role, ...] = ()
    batches: Annotated[tuple[Count, ...], Meta(min_length=1)] = (1,)
    threads: Count | None = None
    rounds: Count = ROUNDS
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = SECONDS
    profile: bool = False


class PlannedArtifact(Struct, frozen=True, kw_only=True):
    """One artifact to export: a network by one recipe at one size.

    Attributes:
        network: network and weights.
        recipe: export settings.
        size: size of the pictures, ``HEIGHTxWIDTH``.
        roles: roles to export; () is all of the network's.
        folder: folder that checkpoints and recipe are relative to.
        fingerprint: sha256 over the contents of checkpoints and recipe.
    """

    network: NetworkEntry
    recipe: RecipeEntry
    size: str
    roles: tuple[Role, ...]
    folder: str
    fingerprint: str

    @property
    def name(self) -> str:
        """Name of the artifact's folder."""
        words = (self.network.name, self.recipe.target, self.recipe.precision, self.size)
        readable = "-".join("".join(c if c.isalnum() else "_" for c in word) for word in words)
        return f"{readable}-{digest(self)[:8]}"


@dataclass(frozen=True)
class SweepCell:
    """One row of the table: an artifact on a runner, or on all of them.

    Attributes:
        export: artifact to measure.
        runner: runner as typed, or ``all``.
        plan: measuring protocol.
    """

    export: PlannedArtifact
    runner: str
    plan: SweepPlan

    @property
    def key(self) -> str:
        """Digest over everything that the result depends on."""
        plan = self.plan
        protocol = (plan.roles, plan.batches, plan.threads, plan.rounds, plan.seconds, plan.profile)
        return digest((msgspec.structs.replace(self.export, folder=""), self.runner, protocol))

    @property
    def label(self) -> str:
        """Network, recipe, size and runner, for progress messages."""
        recipe = self.export.recipe
        words = (self.export.network.name, recipe.target, recipe.precision, self.export.size)
        return f"{' '.join(words)} on {self.runner}"


def digest(value: object) -> str:
    """Return the sha256 of a value's JSON."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


def read_plan(path: Path) -> SweepPlan:
    """Return the contents of a sweep file (TOML).

    Raises:
        UsageError: it cannot be read, is not TOML, or has an unknown key or invalid value.
    """
    try:
        raw = read_input(path, remedy=f"write a sweep file that begins with {EXAMPLE}")
        plan = msgspec.toml.decode(raw, type=SweepPlan)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        keys = ", ".join(SweepPlan.__struct_fields__)
        raise UsageError(
            f"{path} is not a sweep: {error}; its keys are {keys}, and the least is {EXAMPLE}"
        ) from error
    for size in plan.sizes:
        Size.parse(str(size))
    for runner in plan.runners:
        parse_runner(runner)
    return plan


def exports_of(plan: SweepPlan, folder: Path) -> Iterator[PlannedArtifact]:
    """Yield every artifact of a sweep.

    Args:
        plan: contents of the sweep file.
        folder: folder that its paths are relative to.

    Raises:
        BadCheckpoint: a file that the sweep names is missing.
    """
    for item in dict.fromkeys(plan.networks):
        network = NetworkEntry(name=item) if isinstance(item, str) else item
        for recipe in dict.fromkeys(plan.recipes):
            for size in dict.fromkeys(str(Size.parse(str(size))) for size in plan.sizes):
                yield PlannedArtifact(
                    network=network,
                    recipe=recipe,
                    size=size,
                    roles=plan.roles,
                    folder=str(folder.resolve()),
                    fingerprint=_fingerprint(network, recipe, folder),
                )


def _fingerprint(network: NetworkEntry, recipe: RecipeEntry, folder: Path) -> str:
    result = hashlib.sha256(" ".join(network.weights_keys).encode())
    for name in (*network.checkpoints, *filter(None, (recipe.recipe,))):
        remedy = "paths in a sweep file begin at its own folder"
        with open_input(folder / name, error=BadCheckpoint, remedy=remedy) as file:
            result.update(hashlib.file_digest(file, "sha256").digest())
    return result.hexdigest()


def runners_of(
    plan: SweepPlan, export: PlannedArtifact, suffixes: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the runners of a sweep that read an artifact's files.

    A captured program does not depend on the recipe: it is measured with the first one.

    Args:
        plan: contents of the sweep file.
        export: artifact.
        suffixes: target → suffix of its files.
    """
    readable = {suffixes[export.recipe.target]}
    if export.recipe == plan.recipes[0]:
        readable.add(PROGRAM)
    names = tuple(dict.fromkeys(plan.runners)) or (ALL,)
    return tuple(
        name
        for name in names
        if name == ALL or readable.intersection(any_runner(parse_runner(name).name).suffixes)
    )
