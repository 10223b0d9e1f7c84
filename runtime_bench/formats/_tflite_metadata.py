"""Reader of the metadata in a ``.tflite`` file: author, licence, version and description.

The schema is ``tensorflow_lite_support/metadata/metadata_schema.fbs``; its fields go by number.
"""

from __future__ import annotations

import struct

NAME = "TFLITE_METADATA"
# Fields of ModelMetadata → names under which they are shown; further facts, a line each as
# ``styleexport.…: text``, follow the description.
FIELDS = {1: "description", 4: "author", 5: "licence", 2: "version"}


def read_metadata(data: bytes) -> dict[str, str]:
    """Return name → text of a metadata flatbuffer; {} where it is damaged or says nothing.

    A runtime ignores it, so that a file with damaged metadata is still whole.
    """
    try:
        texts = {name: _text(data, field) for field, name in FIELDS.items()}
    except (struct.error, UnicodeDecodeError):
        return {}
    description, *lines = texts.pop("description").split("\n")
    about = {"description": description, **texts}
    about |= {name: text for name, _, text in (line.partition(": ") for line in lines)}
    return {name: text for name, text in about.items() if text}


def _text(data: bytes, field: int) -> str:
    """Return a string of the root table; "" where it is not there.

    Raises:
        struct.error: it lies outside the data.
        UnicodeDecodeError: it is no text.
    """
    root = _unsigned(data, 0, "<I")
    table = root - struct.unpack_from("<i", data, root)[0]
    if 4 + 2 * field >= _unsigned(data, table, "<H"):
        return ""
    offset = _unsigned(data, table + 4 + 2 * field, "<H")
    if offset == 0:
        return ""
    start = root + offset + _unsigned(data, root + offset, "<I")
    length = _unsigned(data, start, "<I")
    return struct.unpack_from(f"{length}s", data, start + 4)[0].decode()


def _unsigned(data: bytes, place: int, kind: str) -> int:
    if place < 0:
        raise struct.error("it points in front of the data")
    return struct.unpack_from(kind, data, place)[0]
