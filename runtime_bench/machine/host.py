"""Queries of the operating system: its files, commands and counters. Unknown facts are None."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10
# Flags of /proc/cpuinfo and names of macOS' sysctl → what runtimes call the feature.
FEATURES = {
    "avx2": "avx2", "avx512f": "avx512f", "avx512_vnni": "avx512_vnni", "avx_vnni": "avx_vnni",
    "avx512_bf16": "avx512_bf16", "amx_tile": "amx_tile", "amx_int8": "amx_int8",
    "amx_bf16": "amx_bf16", "f16c": "f16c", "fma": "fma",
    "neon": "neon", "asimd": "neon", "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16",
    "asimdhp": "fp16", "sve": "sve", "sve2": "sve2", "sme": "sme",
    "hw.optional.neon": "neon", "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm", "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_FP16": "fp16", "hw.optional.arm.FEAT_SME": "sme",
    "hw.optional.avx2_0": "avx2", "hw.optional.avx512f": "avx512f",
}  # fmt: skip


@dataclass(frozen=True)
class Host:
    """An operating system.

    Attributes:
        system: ``Linux``, ``Darwin`` or ``Windows``.
        machine: instruction set, such as ``x86_64``.
        root: root of its file system.
    """

    system: str = platform.system()
    machine: str = platform.machine()
    root: Path = Path("/")

    def read_text(self, path: str) -> str | None:
        """Return the contents of a file below the root, stripped of blanks and zeros."""
        try:
            text = (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return text.strip(" \t\r\n\0") or None

    def command_output(self, *command: str) -> str | None:
        """Return the output of a command; None where it is missing or fails."""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
            return None
        return done.stdout.strip() or None

    def processor(self) -> str:
        """Return the model of the CPU."""
        if self.system == "Darwin":
            named = self.command_output("sysctl", "-n", "machdep.cpu.brand_string")
        else:
            info = dict(self._cpuinfo())
            part = info.get("CPU part") and f"{info.get('CPU implementer')} {info['CPU part']}"
            named = info.get("model name") or info.get("Hardware") or (part and f"ARM {part}")
        return named or platform.processor() or self.machine or "unknown"

    def device(self) -> str:
        """Return the model of the computer, or the kind of its processor."""
        if self.system == "Darwin":
            return self.command_output("sysctl", "-n", "hw.model") or f"Mac {self.machine}"
        maker = self.read_text("sys/class/dmi/id/sys_vendor") or ""
        model = self.read_text("sys/class/dmi/id/product_name") or self.read_text(
            "proc/device-tree/model"
        )
        return f"{maker} {model}".strip() if model else f"{self.machine} computer"

    def features(self) -> tuple[str, ...]:
        """Return the CPU features by which runtimes choose kernels, sorted."""
        if self.system == "Darwin":
            lines = (self.command_output("sysctl", "hw.optional") or "").splitlines()
            flags = {line.partition(":")[0] for line in lines if line.endswith(" 1")}
        else:
            info = dict(self._cpuinfo())
            flags = set((info.get("flags") or info.get("Features") or "").split())
        return tuple(sorted({FEATURES[flag] for flag in flags if flag in FEATURES}))

    def _cpuinfo(self) -> Iterator[tuple[str, str]]:
        """Yield the fields of Linux's cpuinfo, each as its first processor has it."""
        known = set[str]()
        for line in (self.read_text("proc/cpuinfo") or "").splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key not in known:
                known.add(key)
                yield key, value

    def cores(self) -> int:
        """Return the number of logical processors that this process and its container may use."""
        mine = getattr(os, "sched_getaffinity", None)
        allowed = len(mine(0)) if mine is not None else os.cpu_count() or 1
        limit = self._limit("cpu.max", "cpu", "cpu.cfs_quota_us") or "max"
        quota, _, period = limit.partition(" ")
        period = period or self._limit("", "cpu", "cpu.cfs_period_us") or ""
        if quota.isdecimal() and period.isdecimal():
            return max(1, min(allowed, math.ceil(int(quota) / int(period))))
        return allowed

    def memory_limit(self) -> int | None:
        """Return the memory limit of this process's container in bytes; None without a limit."""
        limit = self._limit("memory.max", "memory", "memory.limit_in_bytes")
        return int(limit) if limit and limit.isdecimal() else None

    def memory_taken(self) -> int | None:
        """Return the memory in use by this process's container in bytes."""
        usage = self._limit("memory.current", "memory", "memory.usage_in_bytes")
        return int(usage) if usage and usage.isdecimal() else None

    def _limit(self, name: str, controller: str, old_name: str) -> str | None:
        """Return a setting of this process's control group, of version 2 or 1.

        Inside a container the group's path is often not mounted; then the root is the container's.
        """
        groups = self.read_text("proc/self/cgroup") or ""
        for line in groups.splitlines():
            _, names, path = line.split(":", 2)
            unified = not names
            if not unified and controller not in names.split(","):
                continue
            base = "sys/fs/cgroup" if unified else f"sys/fs/cgroup/{controller}"
            file = name if unified else old_name
            for folder in (f"{base}{path.rstrip('/')}", base):
                if file and (value := self.read_text(f"{folder}/{file}")):
                    return value
        return None

    def nvidia(self) -> tuple[tuple[str, ...], str | None]:
        """Return the names of NVIDIA GPUs, and the version of their driver."""
        query = "--query-gpu=name,driver_version"
        output = self.command_output("nvidia-smi", query, "--format=csv,noheader") or ""
        rows = [re.split(r"\s*,\s*", line) for line in output.splitlines()]
        rows = [row for row in rows if len(row) == 2]
        return tuple(name for name, _ in rows), (rows[0][1] if rows else None)
