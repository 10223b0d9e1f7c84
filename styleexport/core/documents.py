"""Reader of versioned JSON documents: manifests, reports, jobs and recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from styleexport.core.errors import BadArtifact, StyleExportError

T = TypeVar("T")


@dataclass(frozen=True)
class DocumentKind(Generic[T]):
    """A kind of JSON document, and what to tell a user whose file is not one.

    Attributes:
        struct: the struct that it is validated against.
        name: its name with an article: ``a latency report``.
        if_damaged: what to do about a file that is not one.
        version: the ``schema_version`` that is read; None leaves the check to the struct.
        version_name: name of the version: ``report schema version``.
        if_outdated: what to do about another version.
        error: the error that is raised.
    """

    struct: type[T]
    name: str
    if_damaged: str
    version: int | None = None
    version_name: str = "schema version"
    if_outdated: str = ""
    error: type[StyleExportError] = BadArtifact


def read_document(raw: bytes, kind: DocumentKind[T], source: str) -> T:
    """Return a document; another version is reported before any of its fields.

    Args:
        raw: the JSON.
        kind: the kind of document.
        source: where the bytes came from, for messages.

    Raises:
        StyleExportError: ``kind.error``: it is not such a document, or one of another version.
    """
    try:
        if kind.version is not None:
            _check_version(raw, kind, source)
        return msgspec.json.decode(raw, type=kind.struct)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise kind.error(f"{source} is not {kind.name}: {error}; {kind.if_damaged}") from error


def _check_version(raw: bytes, kind: DocumentKind[T], source: str) -> None:
    version = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("schema_version")
    if version is not None and bytes(version) != str(kind.version).encode():
        raise kind.error(
            f"{source} has {kind.version_name} {bytes(version).decode(errors='replace')}, "
            f"expected {kind.version}: {kind.if_outdated}"
        )
