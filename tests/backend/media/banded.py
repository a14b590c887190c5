"""Bands of another size, so that small pictures have many of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from backend.media import bands, encode_png

WHOLE = 1 << 40


@contextmanager
def banded(values: int) -> Iterator[None]:
    """At most ``values`` numbers in a band wherever pictures are worked on in bands."""
    with (
        mock.patch.object(bands.bands, "__defaults__", (values, 1)),
        mock.patch.object(encode_png, "VALUES", 4 * values),
    ):
        yield
