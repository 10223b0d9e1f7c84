"""Errors that styleexport raises on purpose, and the exit code of each.

StyleExportError
├── UsageError              2   what, got, allowed, what to type
├── BadCheckpoint           2   which keys, which shapes
├── BadImage                2   which file, what is wrong with it
├── BadArtifact             2   manifest missing, wrong schema, wrong sha256
├── UnsupportedOp           2   node, target, the pass or recipe that would help
├── ParityFailure           3   measured and allowed, metric, runner
├── QualityBudgetExceeded   3   measured and allowed
├── MissingExtra            4   the pip line
├── DeviceError             4   no device, no harness, a bad answer, a full disk
└── Regression              5   the comparison that failed

Anything else is a bug of ours: exit 1, with its traceback.
"""

from __future__ import annotations


class StyleExportError(Exception):
    """Error that a user can act on: its message is one line and says how."""

    exit_code = 1


class UsageError(StyleExportError):
    """The call names something that does not exist or does not fit."""

    exit_code = 2


class BadCheckpoint(StyleExportError):
    """Weights are missing, damaged, unsafe, or belong to another network."""

    exit_code = 2


class BadImage(StyleExportError):
    """A file cannot be read as a picture."""

    exit_code = 2


class BadArtifact(StyleExportError):
    """An artifact directory is incomplete, altered, or has another schema."""

    exit_code = 2


class UnsupportedOp(StyleExportError):
    """A network contains an operation that the capture, pass or target cannot express."""

    exit_code = 2


class ParityFailure(StyleExportError):
    """A file differs from the network that it was exported from."""

    exit_code = 3


class QualityBudgetExceeded(StyleExportError):
    """A file is correct but misses the quality budget."""

    exit_code = 3


class MissingExtra(StyleExportError):
    """An optional library is not installed."""

    exit_code = 4


class DeviceError(StyleExportError):
    """A disk, device or harness failed."""

    exit_code = 4


class Regression(StyleExportError):
    """One of two compared reports is slower or worse than allowed."""

    exit_code = 5


def first_line(error: BaseException) -> str:
    """Return another library's error as ``Type: message``, one line of at most 200 characters."""
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
