"""Images that ship with the package, drawn by this project."""
