"""What a sweep file asks for: lists whose every combination is a cell."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.contract.defaults import ROUNDS, SECONDS
from styleexport.runtime_bench.runners._choice import parse_runner
from styleexport.runtime_bench.runners._runner import any_runner

# All runners that can run here, taking turns: cells of one row are compared within one run.
ALL = "all"
PROGRAM = ".pt2"
EXAMPLE = 'networks = ["adain-lite"]'

Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1)]


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all tables of the file have in common."""


class NetworkEntry(_Entry, frozen=True, kw_only=True):
    """A network with its weights, as `styleexport export` takes them.

    Attributes:
        name: of the network, or what else is exported: ``module:factory``, a file.
        checkpoints: weights, below the folder of the sweep file; () takes those that ship.
    """

    name: Name
    checkpoints: tuple[Name, ...] = ()


class RecipeEntry(_Entry, frozen=True, kw_only=True):
    """How to export.

    Attributes:
        target: the format.
        precision: of the convolutions.
        budget: what int8 files may lose.
        recipe: an int8 recipe to follow, below the folder of the sweep file.
    """

    target: Name = "onnx"
    precision: Precision = Precision.FP32
    budget: str | None = None
    recipe: Name | None = None


class SweepPlan(_Entry, frozen=True, kw_only=True):
    """A sweep.

    Attributes:
        networks: names, or tables with checkpoints.
        recipes: how each is exported.
        sizes: of the pictures, ``256`` or ``"384x512"``.
        runners: as `bench` takes them; () is all that can run here, taking turns in one run.
        roles: () is all that the network has.
        batches: pictures at once.
        threads: of the runtimes; None is one a processor.
        rounds: turns of each cell.
        seconds: that a turn lasts at least.
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
    seconds: Annotated[float, Meta(ge=0)] = SECONDS
    profile: bool = False


class PlannedArtifact(Struct, frozen=True, kw_only=True):
    """One artifact to make: a network by one recipe at one size.

    Attributes:
        network: with its weights.
        recipe: how.
        size: of the pictures.
        roles: () is all that the network has.
        folder: that the checkpoints and the recipe lie below.
        fingerprint: over the bytes of all files named.
    """

    network: NetworkEntry
    recipe: RecipeEntry
    size: str
    roles: tuple[Role, ...]
    folder: str
    fingerprint: str

    @property
    def name(self) -> str:
        """What the artifact's folder is called."""
        words = (self.network.name, self.recipe.target, self.recipe.precision, self.size)
        readable = "-".join("".join(c if c.isalnum() else "_" for c in word) for word in words)
        return f"{readable}-{digest(self)[:8]}"


@dataclass(frozen=True)
class SweepCell:
    """One row of the table: an artifact on a runner, or on all of them.

    Attributes:
        export: the artifact.
        runner: as typed, or ``all``.
        plan: how to measure.
    """

    export: PlannedArtifact
    runner: str
    plan: SweepPlan

    @property
    def key(self) -> str:
        """Digest over all that the result depends on: another key is another cell."""
        plan = self.plan
        how = (plan.roles, plan.batches, plan.threads, plan.rounds, plan.seconds, plan.profile)
        return digest((msgspec.structs.replace(self.export, folder=""), self.runner, how))

    @property
    def label(self) -> str:
        """What the user is told of it."""
        recipe = self.export.recipe
        words = (self.export.network.name, recipe.target, recipe.precision, self.export.size)
        return f"{' '.join(words)} on {self.runner}"


def digest(value: object) -> str:
    """Return the sha256 of a value as JSON."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


def read_plan(path: Path) -> SweepPlan:
    """Return the plan that a TOML file holds.

    Raises:
        UsageError: it cannot be read, is not TOML, has an unknown key, or a value does not fit.
    """
    try:
        plan = msgspec.toml.decode(path.read_bytes(), type=SweepPlan)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; write a sweep file that begins with "
            f"{EXAMPLE}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
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
    """Yield every artifact of a plan.

    Args:
        plan: the sweep.
        folder: that its files lie below.

    Raises:
        BadCheckpoint: a file that the plan names is not there.
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
    found = hashlib.sha256()
    for name in (*network.checkpoints, *filter(None, (recipe.recipe,))):
        try:
            with (folder / name).open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise BadCheckpoint(
                f"{folder / name} cannot be read: {error.strerror}; paths in a sweep file begin at "
                "its own folder"
            ) from error
    return found.hexdigest()


def runners_of(
    plan: SweepPlan, export: PlannedArtifact, suffixes: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the runners of a plan that read an artifact's files.

    A captured program does not depend on the recipe: it is measured with the first one.

    Args:
        plan: the sweep.
        export: the artifact.
        suffixes: target → what its files end in.
    """
    readable = {suffixes[export.recipe.target]}
    if export.recipe == plan.recipes[0]:
        readable.add(PROGRAM)
    names = tuple(dict.fromkeys(plan.runners)) or (ALL,)
    return tuple(name for name in names if name == ALL or _reads_any(name, readable))


def _reads_any(name: str, suffixes: Collection[str]) -> bool:
    runner = any_runner(parse_runner(name).name)
    return any(runner.reads(Path(f"file{suffix}")) for suffix in suffixes)
