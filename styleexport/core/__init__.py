"""What every room may import: types, errors, the manifest, plug-in discovery, files and images."""
