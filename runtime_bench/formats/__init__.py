"""File formats as a reader sees them, one file each; each exposes FORMAT."""
