"""Kinds of patch: what may be laid over a model for the length of a call, one module each."""
