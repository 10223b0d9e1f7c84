"""This process's command line as reports and locks keep it: file names, without their folders."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

MOST_CHARACTERS = 500
# A path begins at the start of an argument, or behind what separates a setting from its value.
FOLDERS = re.compile(
    r"(?<![^=,:])(?:[A-Za-z]:)?[^=,:/\\]*[/\\](?:(?:(?!,[\w\-]+=).)*[/\\])?", re.DOTALL
)
ADDRESS = re.compile(r"(?<![^=,:])[a-z][a-z+.\-]*://.*", re.DOTALL)


def command_line(arguments: Sequence[str] | None = None) -> str:
    """Return a command line whose paths are cut to their last part.

    A folder tells the name of a user, a customer or a project to everyone who gets the report.
    Addresses are cut to their scheme.

    Args:
        arguments: arguments after the program; None takes those of this process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    text = " ".join(["styleexport", *map(without_folders, words)])
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def without_folders(argument: str) -> str:
    """Return an argument whose paths are cut to their last part: ``--recipe=a/b.json``."""
    if match := ADDRESS.search(argument):
        scheme = match[0].partition("://")[0]
        return f"{without_folders(argument[: match.start()])}{scheme}://…"
    argument = re.sub(r"(?<=[^=,:/\\])[/\\]+(?=$|[=,:])", "", argument)  # out/ is out
    return FOLDERS.sub("", argument)
