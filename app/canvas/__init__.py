"""The canvas: one graph, painted node by node, and what hands do to it."""
