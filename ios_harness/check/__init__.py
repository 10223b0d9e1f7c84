"""What can be checked of the iOS harness on this machine: `python -m ios_harness.check`."""
