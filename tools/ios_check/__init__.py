"""Checks of the iOS harness that need no Mac: `python -m tools.ios_check`."""
