"""What can be wrong with a batch, in sentences."""

from __future__ import annotations


class BatchError(Exception):
    """A batch cannot be as it was asked for; the text is a sentence that says what, where and what
    to do."""


class Unwritable(BatchError):
    """A file of the batch cannot be written; what was asked for is sound."""
