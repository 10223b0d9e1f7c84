"""Limits of float16 (IEEE 754 binary16)."""

from __future__ import annotations

LARGEST_FLOAT16 = 65504
# Smaller values have fewer digits, and half of the GPUs flush them to zero.
SMALLEST_NORMAL = 2.0**-14
