"""What may go wrong with memory, in words."""

from __future__ import annotations

from backend.sdk import UserError


class NoRoom(UserError):
    """What is asked for does not fit; the sentence says what is there and what would help."""
