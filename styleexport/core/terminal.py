"""Text for a terminal, without the control characters that names in files may hold."""

from __future__ import annotations

# Characters of a message, and of a line of a result, which may be a list to copy.
MESSAGE = 1_000
RESULT = 10_000
TAIL = 300


def visible(text: str) -> str:
    """Return a text with each character that does not print written as a Python escape.

    Ends of lines stay, with carriage return (CSV) and without, and a tab becomes a space.
    """
    if text.isprintable():
        return text
    lines = text.split("\r\n")
    return "\r\n".join(
        "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in line) for line in lines
    )


def one_line(text: str, most: int = MESSAGE) -> str:
    """Return a text on one line of at most so many characters, cut in the middle.

    The end of a message says what to type, so it stays.
    """
    line = visible(" ".join(text.splitlines()))
    if len(line) <= most:
        return line
    return f"{line[: most - TAIL - 5]} ... {line[-TAIL:]}"


def _escaped(character: str) -> str:
    return " " if character == "\t" else character.encode("unicode_escape").decode("ascii")
