"""Defaults of the measuring plan, for the command line and for every harness."""

from __future__ import annotations

ROUNDS = 7
# Minimum length of a turn, and minimum number of samples in it.
SECONDS = 0.5
MIN_SAMPLES = 5
# A warm-up that has not become stable ends after this time.
WARM_UP_SECONDS = 10.0
