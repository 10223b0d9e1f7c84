"""The files of a tiling, to be opened pass by pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from styleexport.core.arrays import Run
from styleexport.core.manifest import Manifest, TensorFact
from styleexport.core.tiling_fact import TilingFact
from styleexport.core.types import Role


class TileFile(Protocol):
    """A file of a pass: a `FileFact`, or what stands for one."""

    @property
    def path(self) -> str:
        """Name for messages."""
        ...

    @property
    def role(self) -> Role:
        """Whether it depends on the style."""
        ...

    @property
    def inputs(self) -> tuple[TensorFact, ...]:
        """Facts of the inputs."""
        ...

    @property
    def outputs(self) -> tuple[TensorFact, ...]:
        """Facts of the outputs."""
        ...


@dataclass(frozen=True)
class TiledFiles:
    """The files of one tiling, to be opened pass by pass.

    Attributes:
        tiling: entry of the manifest.
        facts: file of each pass.
        open: opens a file.
    """

    tiling: TilingFact
    facts: tuple[TileFile, ...]
    open: Callable[[Any], AbstractContextManager[Run]]

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        tiling: TilingFact,
        open: Callable[[Any], AbstractContextManager[Run]],
    ) -> TiledFiles:
        """Return the files of a manifest's tiling."""
        by_path = {fact.path: fact for fact in manifest.files}
        return cls(tiling, tuple(by_path[item.path] for item in tiling.passes), open)

    @property
    def shared(self) -> int:
        """The number of passes that do not depend on the style."""
        roles = [fact.role for fact in self.facts]
        return roles.index(Role.RENDER)
