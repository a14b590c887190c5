"""Which weights of a network are moved together: its blocks, told from the names of its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

REST = ""
"""The block of what belongs to no other; every call of the network needs it throughout."""

LEAST = 1 / 64
"""Blocks smaller than this part of the largest one are not worth a move of their own."""

_NUMBERED = re.compile(r"(?:[^.]+\.)*?[^.]+\.\d+(?=\.)")
_DIGITS = re.compile(r"(\d+)")


def blocks_of(sizes: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """The names of each block, blocks in the order in which a network most likely calls them:
    ``REST``, then by name, numbers as numbers.

    A block is what lies below the first number in a name: ``transformer_blocks.13`` of
    ``transformer_blocks.13.attn.to_q.weight``. Names without a number, and blocks that are small
    beside the largest, go to ``REST``, which is always there.
    """
    found: dict[str, list[str]] = {}
    for name in sizes:
        numbered = _NUMBERED.match(name)
        found.setdefault(numbered[0] if numbered else REST, []).append(name)
    weighed = {block: sum(sizes[name] for name in names) for block, names in found.items()}
    largest = max((n for block, n in weighed.items() if block != REST), default=0)
    rest = list(found.pop(REST, ()))
    for block in [b for b in found if weighed[b] < LEAST * largest]:
        rest += found.pop(block)
    ordered = sorted(found, key=_natural)
    return {REST: tuple(rest), **{block: tuple(found[block]) for block in ordered}}


def _natural(name: str) -> list[tuple[int, str, int]]:
    parts = _DIGITS.split(name)
    return [(1, "", int(p)) if k % 2 else (0, p, 0) for k, p in enumerate(parts)]
