"""Every error that styleexport raises on purpose, and the exit code each one ends in.

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
    """An error that a user can act on: its message is one line and says how."""

    exit_code = 1


class UsageError(StyleExportError):
    """The call asked for something that does not exist or does not fit."""

    exit_code = 2


class BadCheckpoint(StyleExportError):
    """The weights are missing, damaged, unsafe, or those of another network."""

    exit_code = 2


class BadImage(StyleExportError):
    """The image file cannot be used as a picture."""

    exit_code = 2


class BadArtifact(StyleExportError):
    """The artifact directory is incomplete, altered, or of another schema."""

    exit_code = 2


class UnsupportedOp(StyleExportError):
    """The network holds an operation that the capture, pass or target cannot express."""

    exit_code = 2


class ParityFailure(StyleExportError):
    """A file does not compute what the network it came from computes."""

    exit_code = 3


class QualityBudgetExceeded(StyleExportError):
    """A file computes what it should, but too coarsely for the quality asked for."""

    exit_code = 3


class MissingExtra(StyleExportError):
    """An optional library is not installed."""

    exit_code = 4


class DeviceError(StyleExportError):
    """A disk, device or harness did not do its part."""

    exit_code = 4


class Regression(StyleExportError):
    """A comparison of two reports found one slower or worse than allowed."""

    exit_code = 5


def first_line(error: BaseException) -> str:
    """Return another library's error as ``Type: message``, one line of at most 200."""
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
