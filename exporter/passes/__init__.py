"""Exact graph rewrites, one file each; each exposes PASS."""
