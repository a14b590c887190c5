"""Errors in slots and events, which Qt prints and swallows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def none_swallowed() -> Iterator[None]:
    """Fail where an exception came out of a slot or an event meanwhile."""
    found: list[BaseException] = []
    before = sys.excepthook
    sys.excepthook = lambda kind, error, trace: found.append(error)
    try:
        yield
    finally:
        sys.excepthook = before
    if found:
        raise found[0]
