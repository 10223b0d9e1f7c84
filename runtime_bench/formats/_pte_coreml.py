"""Core ML packages inside ``.pte`` files, as ExecuTorch's Core ML delegate embeds them.

The delegate's bytes are the files of a folder one behind another, and behind them, written
backwards, a JSON text of nodes: name, kind, where the bytes are, children by index; the last node
is the folder. It holds ``metadata.json``, which names what the model takes and gives in the order
of the call, and ``model.mlpackage``.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from styleexport.core.errors import BadArtifact, UnsupportedOp, first_line
from styleexport.runtime_bench.formats._pte import PteFile, partitions_text, read_pte

CORE_ML = "CoreMLBackend"
PACKAGE, METADATA = "model.mlpackage", "metadata.json"
AGAIN = "export the network again"


@dataclass(frozen=True)
class EmbeddedPackage:
    """A package, unpacked for as long as it is looked at.

    Attributes:
        path: folder of the package.
        inputs: input of the file → input of the package.
        outputs: output of the file → output of the package.
    """

    path: Path
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def computes_by_core_ml(file: PteFile) -> bool:
    """Whether a file computes by Core ML's delegate."""
    return any(part.delegate == CORE_ML for part in file.partitions)


@contextlib.contextmanager
def embedded_package(path: Path) -> Generator[EmbeddedPackage]:
    """Unpack the Core ML package that is the whole graph of a file.

    Raises:
        BadArtifact: the file or what it embeds is damaged.
        UnsupportedOp: part of the graph is computed outside the package.
    """
    file = read_pte(path)
    if [part.delegate for part in file.partitions] != [CORE_ML] or file.kernels:
        raise UnsupportedOp(
            f"{path.name} computes in part outside Core ML ({partitions_text(file)}), which the "
            "reference does not run: export it with XNNPACK, without --delegate"
        )
    (part,) = file.partitions
    with tempfile.TemporaryDirectory() as folder:
        try:
            files = files_of(part.data)
            metadata: Any = json.loads(files[METADATA])
            names = [*metadata["inputNames"], *metadata["outputNames"]]
            called = dict(zip(part.arguments, names, strict=True))
            inputs, outputs = (
                {name: called[name] for name in side} for side in (file.inputs, file.outputs)
            )
            for name, content in files.items():
                place = Path(folder) / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        except (ValueError, KeyError, TypeError, IndexError, OSError, RecursionError) as error:
            raise BadArtifact(
                f"{path} embeds no whole Core ML package: {first_line(error)}; {AGAIN}"
            ) from error
        yield EmbeddedPackage(Path(folder) / PACKAGE, inputs, outputs)


def files_of(data: bytes) -> dict[str, bytes]:
    """Return relative path → content of the files that a delegate's bytes hold.

    Raises:
        ValueError: they are no such bytes, or name a path outside the folder.
    """
    nodes: Any = json.JSONDecoder().raw_decode(data[::-1].decode("latin-1"))[0]["nodes"]
    found: dict[str, bytes] = {}

    def walk(index: int, place: str, depth: int) -> None:
        node = nodes[index]
        if depth > len(nodes):
            raise ValueError("a folder that holds itself")
        if node["kind"] == 0:
            start, size = node["dataRegion"]["offset"], node["dataRegion"]["size"]
            if not 0 <= start <= start + size <= len(data):
                raise ValueError("a file behind the end")
            found[place] = data[start : start + size]
        for name, child in node["children"].items():
            if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
                raise ValueError(f"a file of the name {name!r}")
            walk(child, f"{place}/{name}" if place else name, depth + 1)

    walk(len(nodes) - 1, "", 0)
    return found
