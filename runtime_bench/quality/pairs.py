"""Selection of the files to compare, from names that a user types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from styleexport.core.errors import UsageError
from styleexport.core.manifest import (
    FILE_NAME,
    FileFact,
    Manifest,
    ProgramFact,
    SizeFact,
    read_manifest,
)
from styleexport.core.types import Precision, Role, Size
from styleexport.runtime_bench.diff.probed_file import artifact_of

FLOAT = "float"


@dataclass(frozen=True)
class ModelFile:
    """An exported file or float program of an artifact.

    Attributes:
        folder: artifact directory.
        manifest: manifest of the artifact.
        path: path below the folder.
        role: role of the file.
        sizes: accepted sizes; () for any.
        target: format of the file; None for a program.
        precision: precision of the file; None for a program.
    """

    folder: Path
    manifest: Manifest
    path: str
    role: Role
    sizes: tuple[Size, ...]
    target: str | None = None
    precision: Precision | None = None

    @property
    def file(self) -> Path:
        """Path of the file."""
        return self.folder / self.path

    @property
    def is_exported(self) -> bool:
        """Whether it is an exported file and not a program."""
        return self.target is not None

    @property
    def takes_style(self) -> bool:
        """Whether it takes a style besides the content."""
        return any(
            item.kind == "style_code" or item.name == "style"
            for fact in self.manifest.files
            if fact.role is self.role
            for item in fact.inputs
        )

    def takes(self, size: Size) -> bool:
        """Whether it accepts a size."""
        return not self.sizes or size in self.sizes


@dataclass(frozen=True)
class FilePair:
    """A candidate and its reference.

    Attributes:
        reference: file or program to compare with.
        candidate: file or program to judge.
        size: size of the pictures.
    """

    reference: ModelFile
    candidate: ModelFile
    size: Size


@dataclass(frozen=True)
class FileFilter:
    """The files of an artifact to compare; None is all.

    Attributes:
        size: size of the pictures.
        role: role of the files.
        target: format of the files.
    """

    size: Size | None = None
    role: Role | None = None
    target: str | None = None


def model_files_of(folder: Path, manifest: Manifest | None = None) -> tuple[ModelFile, ...]:
    """Return the float programs of an artifact, then its files.

    Args:
        folder: artifact directory.
        manifest: manifest; None reads it and checks every file.

    Raises:
        BadArtifact: the folder is not an artifact, or a file of it was altered.
    """
    manifest = manifest or read_manifest(folder)
    programs = [
        ModelFile(folder, manifest, fact.path, fact.role, _program_sizes(manifest, fact))
        for fact in manifest.programs
    ]
    files = [
        ModelFile(folder, manifest, f.path, f.role, _file_sizes(f), f.target, f.precision)
        for f in manifest.files
    ]
    return (*programs, *files)


def _file_sizes(fact: FileFact) -> tuple[Size, ...]:
    sizes = fact.sizes or ((fact.size,) if fact.size is not None else ())
    return tuple(size.size() for size in sizes)


def _program_sizes(manifest: Manifest, program: ProgramFact) -> tuple[Size, ...]:
    """Return the size of a program; () where the files exported from it take several or any."""
    own: tuple[SizeFact | None, ...] = tuple(
        fact.size for fact in manifest.files if fact.role is program.role
    )
    return () if None in own else (program.size.size(),)


def pairs_of(names: Sequence[str], choice: FileFilter) -> tuple[FilePair, ...]:
    """Return the pairs that names stand for.

    Args:
        names: an artifact folder, whose files are all compared with the float program; a folder and
            a candidate; a folder, a reference and a candidate; or files of two artifacts. Files are
            named by path or by precision; ``float`` is the float program.
        choice: restricts the files that a precision or a folder stands for.

    Raises:
        UsageError: a name stands for no file, or the files have no role and size in common.
        BadArtifact: an artifact is damaged, or a file lies in none.
    """
    if Path(names[0]).is_dir() and (Path(names[0]) / FILE_NAME).is_file() and len(names) <= 3:
        return _within(Path(names[0]), names[1:], choice)
    if len(names) != 2:
        raise UsageError(
            f"{names[0]} is not an artifact folder: type `styleexport compare ARTIFACT [REFERENCE] "
            "[CANDIDATE]`, or two files of two artifacts"
        )
    reference, candidate = (_at(Path(name)) for name in names)
    pairs = tuple(_matched([reference], [candidate], choice))
    if not pairs:
        raise _nothing_in_common([reference], [candidate], choice)
    return pairs


def _within(folder: Path, names: Sequence[str], choice: FileFilter) -> tuple[FilePair, ...]:
    """Return the pairs of one artifact."""
    sides = model_files_of(folder)
    references = _named(folder, sides, names[0] if len(names) == 2 else FLOAT, choice)
    if names:
        candidates = _named(folder, sides, names[-1], choice)
    else:
        candidates = [side for side in sides if side.is_exported]
    pairs = tuple(_matched(references, candidates, choice))
    if not pairs:
        raise _nothing_in_common(references, candidates, choice)
    return pairs


def _named(
    folder: Path, sides: Sequence[ModelFile], name: str, choice: FileFilter
) -> list[ModelFile]:
    """Return the files that a precision, a path, or ``float`` stands for."""
    if name == FLOAT:
        programs = [side for side in sides if not side.is_exported]
        return programs or [side for side in sides if side.precision is Precision.FP32]
    matches = [
        side
        for side in sides
        if (side.precision == name and choice.target in (None, side.target))
        or side.path == name
        or side.file.resolve() == Path(name).resolve()
    ]
    if not matches:
        held = dict.fromkeys(s.precision.value for s in sides if s.precision is not None)
        target = f" for {choice.target}" if choice.target is not None else ""
        raise UsageError(
            f"{folder} holds no {name!r}{target}: expected {FLOAT}, {', '.join(held)} or the path "
            f"of a file; `styleexport inspect {folder}` lists them"
        )
    return matches


def _matched(
    references: Sequence[ModelFile], candidates: Sequence[ModelFile], choice: FileFilter
) -> Iterator[FilePair]:
    """Yield each candidate with a reference of its role and size, preferably of its target."""
    for candidate in candidates:
        if choice.role not in (None, candidate.role):
            continue
        if choice.target not in (None, candidate.target):
            continue
        fitting = [
            reference
            for reference in references
            if reference.role is candidate.role and reference.file != candidate.file
        ]
        fitting.sort(key=lambda reference: reference.target != candidate.target)
        for size in _sizes(fitting, candidate):
            if choice.size in (None, size):
                reference = next((side for side in fitting if side.takes(size)), None)
                if reference is not None:
                    yield FilePair(reference, candidate, size)


def _sizes(references: Sequence[ModelFile], candidate: ModelFile) -> tuple[Size, ...]:
    """Return the sizes of a candidate; for any size those of its references or probes."""
    sizes = candidate.sizes or tuple(size for side in references for size in side.sizes)
    probes = (p.size.size() for p in candidate.manifest.probes if p.role is candidate.role)
    return tuple(dict.fromkeys(sizes)) or tuple(probes)[:1]


def _nothing_in_common(
    references: Sequence[ModelFile], candidates: Sequence[ModelFile], choice: FileFilter
) -> UsageError:
    def names(sides: Sequence[ModelFile]) -> str:
        known = [
            " ".join(
                [s.role, *(map(str, s.sizes) if s.sizes else ["any size"]), s.target or "float"]
            )
            for s in sides
        ]
        return ", ".join(dict.fromkeys(known)) or "none"

    requested = " ".join(str(x) for x in (choice.role, choice.size, choice.target) if x is not None)
    return UsageError(
        f"nothing to compare{' at ' + requested if requested else ''}: the reference computes "
        f"{names(references)} and the candidate {names(candidates)}; name two files of one role "
        "and size, and of the target if one is named"
    )


def _at(path: Path) -> ModelFile:
    """Return a file by its path, from the manifest of its artifact."""
    folder = artifact_of(path)
    name = path.resolve().relative_to(folder).as_posix()
    for side in model_files_of(folder):
        if side.path == name:
            return side
    raise UsageError(
        f"{folder / FILE_NAME} lists no file {name}; `styleexport inspect {folder}` lists them"
    )
