"""Estimated memory of an app that runs a file, and the phones whose RAM suffices.

**What a file needs.** An app with a runtime, the weights twice (as stored, and as the runtime packs
them), and a multiple of the activations that are alive at once. On the desktop ONNX Runtime and
LiteRT held 3 to 6.5 times those activations over 256 to 1024 pixels
(`docs/benchmarks/latency.json`: their arenas grow in steps and convolutions are unfolded); 6.5 is
taken, on the safe side. Core ML's multiple was never measured and is taken to be the same.

**What an app may use.** iOS ends an app at about half of the RAM: apps that fill memory until they
are ended report 1.4 of 2, 2.0 of 4 and 3.0 of 6 GB. Android has no such limit for memory outside
the Java heap; it ends other apps first. From three tenths of the RAM on a file counts as tight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from styleexport.core.manifest import FileFact

MemoryFit = Literal["fits", "tight", "no"]

APP_BYTES = 100_000_000
ACTIVATION_MULTIPLE = 6.5
TIGHT_SHARE, LIMIT_SHARE = 0.3, 0.5


@dataclass(frozen=True)
class DeviceClass:
    """Phones of one RAM size.

    Attributes:
        name: column title of a table.
        ram_bytes: RAM of the phone in bytes.
    """

    name: str
    ram_bytes: int

    def fit(self, needed_bytes: int) -> MemoryFit:
        """Return whether an app that needs this memory can run."""
        if needed_bytes > LIMIT_SHARE * self.ram_bytes:
            return "no"
        return "tight" if needed_bytes > TIGHT_SHARE * self.ram_bytes else "fits"


DEVICE_CLASSES = tuple(DeviceClass(f"{size} GB", size * 1_000_000_000) for size in (2, 4, 6, 8))


def needed_bytes(fact: FileFact) -> int | None:
    """Return the estimated memory in bytes of an app that runs a file; None for an open size."""
    if fact.peak_activation_bytes is None:
        return None
    return round(APP_BYTES + 2 * fact.size_bytes + ACTIVATION_MULTIPLE * fact.peak_activation_bytes)


def verdicts(fact: FileFact) -> dict[str, MemoryFit]:
    """Return name of a device class → whether its phones can run a file; {} for an open size."""
    needed = needed_bytes(fact)
    if needed is None:
        return {}
    return {phone.name: phone.fit(needed) for phone in DEVICE_CLASSES}
