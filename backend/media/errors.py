"""What goes wrong inside a file; the public functions turn it into a sentence with the name."""

from __future__ import annotations


class Damaged(Exception):
    """The file is cut short or breaks the rules of its format; the text says where."""


class Unsupported(Exception):
    """The file is sound, but of a kind that is not read here; the text says what it is."""
