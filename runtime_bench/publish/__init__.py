"""Model card of an artifact, and the folder that a model hub takes."""
