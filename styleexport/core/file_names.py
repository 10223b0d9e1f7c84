"""Names of the files of an artifact: ``adain-lite_encode_256x256_int8-degraded.onnx``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from styleexport.core.types import Precision, Role, Size, Sizing

OPEN_SIZINGS = (Sizing.ENUMERATED, Sizing.ANY)
DEGRADED = "-degraded"
# A shorter precision begins some longer ones: int8, int8-weights.
PRECISIONS = "|".join(sorted(Precision, key=len, reverse=True))
PATTERN = re.compile(
    rf"(?P<network>.+)_(?P<role>{'|'.join(Role)})(?:-(?P<stage>\d+))?_(?P<size>\d+x\d+|{'|'.join(OPEN_SIZINGS)})"
    rf"(?:_(?P<precision>{PRECISIONS})(?P<degraded>{DEGRADED})?)?(?P<suffix>\.\w+)?"
)


@dataclass(frozen=True)
class FileName:
    """The name of one file, without its folder; ``str()`` writes it, `parse` reads it.

    Attributes:
        network: the network's name.
        role: what the file computes.
        size: height and width of its pictures; a sizing where it takes several.
        precision: how it stores and computes convolutions; None for programs and probes.
        suffix: the format's, with its dot; "" names the graph that all its files come from.
        degraded: whether it loses more than its quality budget allows.
        stage: number of a pass over tiles; None for all other files.
    """

    network: str
    role: Role
    size: Size | Sizing
    precision: Precision | None = None
    suffix: str = ""
    degraded: bool = False
    stage: int | None = None

    def __str__(self) -> str:
        precision = f"_{self.precision}" if self.precision else ""
        degraded = DEGRADED if self.degraded else ""
        stage = "" if self.stage is None else f"-{self.stage}"
        return f"{self.network}_{self.role}{stage}_{self.size}{precision}{degraded}{self.suffix}"

    @classmethod
    def parse(cls, text: str) -> FileName:
        """Return the parts of a name.

        Raises:
            ValueError: it is not the name of an artifact's file.
        """
        match = PATTERN.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text} is not the name of an artifact's file: expected for example "
                f"{EXAMPLE} (network_role_size_precision.suffix)"
            )
        size, precision = match["size"], match["precision"]
        return cls(
            network=match["network"],
            role=Role(match["role"]),
            size=Sizing(size) if size in OPEN_SIZINGS else Size.parse(size),
            precision=Precision(precision) if precision else None,
            suffix=match["suffix"] or "",
            degraded=match["degraded"] is not None,
            stage=int(match["stage"]) if match["stage"] else None,
        )


EXAMPLE = FileName("adain-lite", Role.ENCODE, Size(256, 256), Precision.INT8, ".onnx")
