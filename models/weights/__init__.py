"""The trained networks that ship in the package, with a card each."""
