"""Layer-by-layer comparison of two files."""
