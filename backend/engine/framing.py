"""How messages between processes stand on a pipe: each behind its length."""

MAX_FRAME = 2**30
"""Bytes of one message at most; a longer one is no message of ours."""

LENGTH = 4
"""Bytes before each message that tell its length, the least significant first."""
