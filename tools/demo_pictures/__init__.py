"""Draws the pictures that ship with the package, and paints a gallery of them."""
