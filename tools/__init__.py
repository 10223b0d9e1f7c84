"""Programs for developing styleexport that are not part of the package."""
