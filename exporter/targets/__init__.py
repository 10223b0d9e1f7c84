"""File formats, one file each; each exposes TARGET."""
