"""Decoders, one file each: from features back to an image."""
