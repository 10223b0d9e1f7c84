"""Painting in tiles: where tiles lie, how statistics merge, and the passes over them."""
