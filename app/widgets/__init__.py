"""Editors of single values: one for each kind of parameter, at any size, in any surface."""
