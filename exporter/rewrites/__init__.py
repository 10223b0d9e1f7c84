"""Exact rewrites that a target or recipe asks for, one per file."""
