"""Files that paint a picture in tiles: statistics over the whole picture are inputs and outputs."""
