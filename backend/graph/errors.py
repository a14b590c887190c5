"""The error that a node raises when the user can do something about it."""

from __future__ import annotations


class UserError(Exception):
    """What a node raises when the user can do something about it: one or two plain sentences."""
