"""Primer: the procedural world, its scorer, and the training of the built-in models."""
