"""How much memory this process holds, and held at most."""

from __future__ import annotations

import re
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    import psutil

    return psutil.Process().memory_info().rss


def peak_rss_bytes(status: Path = STATUS) -> int:
    """Return the most resident memory that this process held.

    Args:
        status: Linux's account of the process. What `getrusage` says there begins with what the
            process that started this one held.
    """
    if status.is_file() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) * 1024
    import psutil

    memory = psutil.Process().memory_info()
    if (peak := getattr(memory, "peak_wset", None)) is not None:  # Windows
        return int(peak)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
