"""Trained networks that ship with the package, with a model card each."""
