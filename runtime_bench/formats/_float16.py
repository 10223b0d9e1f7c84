"""Limits by which sums are suspected to overflow float16."""

from __future__ import annotations

# Mean square of trained features, which reach 4 standard deviations of about 4.
TYPICAL_SQUARE = 16
