"""The text in video and sound files: any bytes may stand where it should."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.media.errors import Damaged
from backend.media.film import carry

READERS = [
    carry.mp4_text, carry.matroska_text, carry.gif_text, carry.flac_text, carry.mp3_text
]  # fmt: skip
HEADS = [
    b"",
    b"\0\0\0\x10moov",
    b"\x1a\x45\xdf\xa3\x84",
    b"\x18\x53\x80\x67\xff",
    b"fLaC",
    b"ID3\x04",
]


@pytest.mark.parametrize("read", READERS)
@given(head=st.sampled_from(HEADS), data=st.binary(max_size=300))
def test_any_bytes_are_no_text_or_damaged(read, head, data):
    with contextlib.suppress(Damaged):
        assert isinstance(read(io.BytesIO(head + data), 1000), str)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=700))
def test_tags_of_sounds_come_back(text):
    assert carry.mp3_text(io.BytesIO(carry.mp3_tag(text) + b"\xff\xfb"), 10_000) == text
    for last in (0, 0x80):
        flac = b"fLaC" + bytes([last, 0, 0, 34]) + bytes(34) + (b"" if last else b"\x81\0\0\0")
        assert carry.flac_text(io.BytesIO(carry.with_flac_text(flac, text)), 10_000) == text
    assert carry.mp3_text(io.BytesIO(carry.mp3_tag(text)), 3) == ""
