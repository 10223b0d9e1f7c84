"""Foundation of all rooms: types, errors, the manifest, plug-in discovery, files and images."""
