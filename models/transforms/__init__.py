"""One file a transform: how a style code acts on content features."""
