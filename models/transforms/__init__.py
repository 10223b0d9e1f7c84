"""Transforms, one file each: how a style code acts on content features."""
