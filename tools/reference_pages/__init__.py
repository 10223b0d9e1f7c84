"""Pages of the reference and of the targets, written from what the code says of itself."""
