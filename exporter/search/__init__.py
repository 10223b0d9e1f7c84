"""Search for int8 recipes inside a quality budget."""
