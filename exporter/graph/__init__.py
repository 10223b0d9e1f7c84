"""The graph: capture, layer names, rewriting with proof."""
